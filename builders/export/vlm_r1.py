"""VLM-R1 and open-r1-multimodal: JSON lines, pictures as files.

``--data_file_paths OUT/train_rl.jsonl --image_folders OUT``. Its loader takes lines and no JSON
arrays, demands that every picture exists, and makes one table of all rows, so that a key must have
one type throughout. Every key besides ``conversations`` reaches the reward functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from builders.export.base import LISTED, Format, Found
from builders.export.llamafactory import IMAGE, conversation, said, speaks_of_media
from builders.export.reading import Seen, json_rows
from builders.export.writing import PICTURES, Lines, PerPart, save, stem
from builders.table import Entry, Example

REWARDS = frozenset(
    "default mcq yes_no llm map math weighted_sum od_ap od_ap50 odLength all_match".split()
)
"""The values of ``accu_reward_method`` that its trainer knows."""


class VlmR1(Format):
    """See the module."""

    name: ClassVar[str] = "vlm-r1"
    summary: ClassVar[str] = "GRPO with VLM-R1 and what is built on it: JSON lines, picture files"

    def left_out(self, row: Example) -> str:
        """Rows whose text speaks of ``<image>``: the loader would take that out."""
        return speaks_of_media(row)

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """A file of lines for each split."""
        pictures = folder / PICTURES
        pictures.mkdir()
        with PerPart(lambda part: Lines(folder / f"{part}.jsonl")) as parts:
            for entry in entries:
                row = entry.row
                made = {
                    "id": row.id,
                    "split": row.split,
                    "image": save(pictures, stem(row.id), entry.image),
                    "conversations": conversation(row),
                    "accu_reward_method": "default",
                }
                parts[row.part].add(made)

    def detect(self, folder: Path) -> bool:
        """By the keys of a first line."""
        return any(self._first(path) >= {"image", "conversations"} for path in _files(folder))

    def read(self, folder: Path) -> Iterator[Found]:
        """The lines of every file that begins like one of this format, or cannot be read."""
        for path in _files(folder):
            if (first := self._first(path)) and "conversations" not in first:
                continue
            kinds: dict[str, type[Any]] = {}
            for seen in json_rows(path, folder):
                yield seen if isinstance(seen, Found) else self._row(folder, seen, path.stem, kinds)

    @staticmethod
    def _first(path: Path) -> set[str]:
        first = next(json_rows(path, path.parent), None)
        return set(first.item) if isinstance(first, Seen) else set()

    def _row(self, folder: Path, seen: Seen, part: str, kinds: dict[str, type[Any]]) -> Found:
        for key, value in seen.item.items():
            if kinds.setdefault(key, type(value)) is not type(value):
                seen.wrong(
                    "type_changes",
                    f"{key!r} is {type(value).__name__}, in earlier rows {kinds[key].__name__}",
                )
        texts = said(seen)
        listed = seen.item.get("image")
        names = listed if isinstance(listed, list) else [listed]
        data = seen.file(folder, names[0] if names else None)
        if seen.item.get("accu_reward_method", "default") not in REWARDS:
            seen.wrong("reward", f"no reward {seen.item['accu_reward_method']!r} is known")
        return seen.found(
            seen.text("id", needed=False),
            seen.text("split", needed=False) or part,
            image=data,
            placeholders=texts[0].count(IMAGE) if texts else None,
            pictures=len(names),
            prompt=texts[0].replace(IMAGE, "") if texts else None,
            chain=texts[1] if texts else None,
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.jsonl") if path.name != LISTED)
