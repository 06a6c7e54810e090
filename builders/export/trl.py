"""TRL: Parquet for SFTTrainer (prompt, completion, images) and GRPOTrainer (prompt, image, ...).

Messages have plain strings: TRL then puts the pictures before the first text of the user itself.
Structured content would come back from Parquet with a ``text`` of None beside every picture. Set
``max_length=None``, as cutting a text may cut a picture's tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from builders.export import parquet
from builders.export.base import Format, Found
from builders.export.reading import Seen
from builders.export.writing import PerPart
from builders.table import Entry, Example
from degrade.schema import AnswerForm, Chain, Degradation, Record


class Message(Record):
    """One turn."""

    role: str
    content: str


class SftRow(Record):
    """Columns beside ``images``, a list of one picture."""

    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    id: str
    split: str


class GrpoRow(Record):
    """Columns beside ``image``; all but ``prompt`` and ``image`` reach the reward functions.

    Attributes:
        prompt: The request.
        solution: A whole chain, rendered.
        degradations: What was applied, in order; empty for a clean picture.
        depth_target: Tokens of reasoning that the damage calls for.
        intensity_sum: Sum of the intensities.
        question, choices, answer, answer_as, answer_text: What was asked, and its answer.
        id, split: Of the row.
    """

    prompt: tuple[Message, ...]
    solution: str
    degradations: tuple[Degradation, ...]
    depth_target: int
    intensity_sum: float
    question: str
    choices: tuple[str, ...]
    answer: str
    answer_as: AnswerForm
    answer_text: str
    id: str
    split: str


def _user(row: Example) -> tuple[Message, ...]:
    return (Message(role="user", content=Chain.request(row.asked)),)


def _picture(entry: Entry) -> dict[str, Any]:
    return {"bytes": entry.image, "path": entry.row.file_name}


def _texts(seen: Seen, key: str, role: str) -> tuple[str | None, int | None]:
    """What one role says in a column, and how many placeholders stand in it, if they do."""
    turns = seen.item.get(key)
    if not isinstance(turns, list) or not turns:
        seen.wrong("conversation", f"{key!r} holds no messages")
        return None, None
    texts, placeholders = [], None
    for turn in turns:
        if not isinstance(turn, dict) or turn.get("role") not in {"system", "user", "assistant"}:
            seen.wrong("conversation", f"{key!r} has a turn of no known role")
            continue
        content = turn.get("content")
        if isinstance(content, list):
            placeholders = sum(part.get("type") == "image" for part in content)
            content = "".join(part.get("text") or "" for part in content)
        if not isinstance(content, str):
            seen.wrong("conversation", f"{key!r} has a turn without text")
        elif turn["role"] == role:
            texts.append(content)
    if not texts:
        seen.wrong("conversation", f"{key!r} has no turn of {role!r}")
        return None, None
    return "\n".join(texts), placeholders


class TrlSft(Format):
    """See the module."""

    name: ClassVar[str] = "trl-sft"
    summary: ClassVar[str] = "SFT with TRL: Parquet with prompt, completion and images"

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """Parquet files for each split."""
        columns = parquet.schema("images", True, SftRow)
        with PerPart(lambda part: parquet.Table(folder, part, columns)) as parts:
            for entry in entries:
                row = entry.row
                said = (Message(role="assistant", content=row.chain),)
                made = SftRow(prompt=_user(row), completion=said, id=row.id, split=row.split)
                found = {"images": [_picture(entry)], **made.model_dump()}
                parts[row.part].add(found, len(entry.image))

    def detect(self, folder: Path) -> bool:
        """By its columns."""
        return parquet.holds(folder, "prompt", "completion")

    def read(self, folder: Path) -> Iterator[Found]:
        """What the trainer would prepare of each row."""
        for item in parquet.read(folder, "images"):
            if isinstance(item, Found):
                yield item
                continue
            seen, part = item
            listed = seen.item.get("images")
            pictures = listed if isinstance(listed, list) else []
            prompt, placeholders = _texts(seen, "prompt", "user")
            yield seen.found(
                seen.text("id", needed=False),
                seen.text("split", needed=False) or part,
                image=seen.embedded(pictures[0] if pictures else None),
                placeholders=placeholders,
                pictures=len(pictures),
                prompt=prompt,
                chain=_texts(seen, "completion", "assistant")[0],
            )


class TrlGrpo(Format):
    """See the module."""

    name: ClassVar[str] = "trl-grpo"
    summary: ClassVar[str] = "GRPO with TRL: Parquet with prompt, image and what rewards need"

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """Parquet files for each split."""
        columns = parquet.schema("image", False, GrpoRow)
        with PerPart(lambda part: parquet.Table(folder, part, columns)) as parts:
            for entry in entries:
                row = entry.row
                same = set(GrpoRow.model_fields) & set(Example.model_fields) - {"degradations"}
                made = GrpoRow(
                    prompt=_user(row),
                    solution=row.chain,
                    degradations=row.types,
                    **{key: getattr(row, key) for key in same},
                )
                found = {"image": _picture(entry), **made.model_dump()}
                parts[row.part].add(found, len(entry.image))

    def detect(self, folder: Path) -> bool:
        """By its columns."""
        return parquet.holds(folder, "prompt", "solution", "degradations")

    def read(self, folder: Path) -> Iterator[Found]:
        """What the trainer and the rewards would get of each row."""
        for item in parquet.read(folder, "image"):
            if isinstance(item, Found):
                yield item
                continue
            seen, part = item
            prompt, placeholders = _texts(seen, "prompt", "user")
            yield seen.found(
                seen.text("id", needed=False),
                seen.text("split", needed=False) or part,
                image=seen.embedded(seen.item.get("image")),
                placeholders=placeholders,
                prompt=prompt,
                chain=seen.text("solution"),
                choices=seen.texts("choices"),
                answer=seen.text("answer"),
                types=seen.types(seen.item.get("degradations")),
            )
