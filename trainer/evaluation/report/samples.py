"""Failures to look at: pictures before and after, what was asked, what each model said."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow
from PIL import Image

from degrade import images, shards
from degrade.errors import UserError
from degrade.images import UnreadableError
from degrade.schema import Applied, describe, recorded
from trainer.data import MAX_PIXELS
from trainer.evaluation.items import CLEAN, Benchmark, Item
from trainer.evaluation.options import MISSES
from trainer.evaluation.records import Judged
from trainer.evaluation.report.read import Evaluated

SIDE = 448
"""Longer side to which pictures are reduced, in pixels."""

_LONGEST = 1500


class Shown(NamedTuple):
    """A picture in the page: its bytes (lossless WebP), size, and whether it was reduced."""

    data: bytes
    width: int
    height: int
    reduced: bool


class Reply(NamedTuple):
    """What one model said: its letter, the words, what was taken from them, and the verdict."""

    tag: str
    text: str
    left_off: int
    chosen: str
    rule: str
    verdict: str


class Sample(NamedTuple):
    """One failure.

    Attributes:
        id: Of the row.
        of: Letter of the model that failed.
        note: What kind of failure.
        damage: The degradations in words.
        question, choices, answer: As in the benchmark; the answer in words.
        clean, degraded: The pictures; None where one does not open.
        replies: Of all models.
        record: Every operator with its parameters, a line each.
    """

    id: str
    of: str
    note: str
    damage: str
    question: str
    choices: tuple[str, ...]
    answer: str
    clean: Shown | None
    degraded: Shown | None
    replies: list[Reply]
    record: list[str]


def chosen(models: Sequence[Evaluated], count: int) -> list[tuple[Evaluated, Judged]]:
    """Failures to show, the models in turns; of each as many operators as there are.

    First come answers that were right on the clean picture, then strong damage before weak; among
    equals the hash of the row's name decides. No row is shown twice.
    """
    queues = [(model, _failures(model)) for model in models]
    found: list[tuple[Evaluated, Judged]] = []
    shown: set[str] = set()
    while len(found) < count and any(queue for _, queue in queues):
        for model, queue in queues:
            while queue and queue[0].id in shown:
                queue.pop(0)
            if queue and len(found) < count:
                found.append((model, queue[0]))
                shown.add(queue.pop(0).id)
    return found


def _failures(model: Evaluated) -> list[Judged]:
    """Wrong answers about damaged pictures, the first of every operator before the second."""
    was_right = _right_when_clean(model)
    wrong = [row for row in model.judged if row.operator != CLEAN and row.correct < 1]
    wrong.sort(
        key=lambda row: (
            row.item not in was_right,
            -(row.level if row.level is not None else row.intensity_sum),
            hashlib.sha256(row.id.encode()).digest(),
        )
    )
    seen: dict[str, int] = {}
    turns = []
    for place, row in enumerate(wrong):
        turns.append((seen.get(row.operator, 0), place, row))
        seen[row.operator] = seen.get(row.operator, 0) + 1
    return [row for _, _, row in sorted(turns, key=lambda turn: turn[:2])]


def _right_when_clean(model: Evaluated) -> set[str]:
    return {row.item for row in model.judged if row.operator == CLEAN and row.correct == 1}


def samples(models: Sequence[Evaluated], bench: Benchmark, count: int) -> list[Sample]:
    """Failures with their pictures.

    Args:
        models: The evaluations.
        bench: What they are about.
        count: How many at most.

    Raises:
        UserError: A file of the benchmark is damaged.
    """
    picked = chosen(models, count)
    stored = _stored(bench, {row.id for _, row in picked})
    items = {item.id: item for item in bench.rows}
    judged = {(m.tag, row.id): row for m in models for row in m.judged}
    found = []
    for model, row in picked:
        item, kept = items[row.id], stored[row.id]
        applied = [Applied.model_validate(a) for a in kept["applied"] or ()]
        clean_too = row.item in _right_when_clean(model)
        found.append(
            Sample(
                id=row.id,
                of=model.tag,
                note="right about the clean picture, wrong here" if clean_too else "wrong",
                damage=describe(applied) or ", ".join(kept.get("source_tags") or ()),
                question=item.question.question or "(a caption is wanted)",
                choices=item.question.choices,
                answer=_right(item),
                clean=_shown(kept["clean_image"]),
                degraded=_shown(kept["image"]),
                replies=[_reply(m, row.id, judged.get((m.tag, row.id))) for m in models],
                record=[recorded(a) for a in applied],
            )
        )
    return found


def _right(item: Item) -> str:
    return "; ".join(dict.fromkeys(item.references)) or item.question.answer_text


def _reply(model: Evaluated, row: str, judged: Judged | None) -> Reply:
    answer = model.answers[row]
    text = answer.text or answer.detail
    verdict = "no answer came through"
    if judged is not None:
        verdict = {1.0: "right", 0.0: "wrong"}.get(judged.correct, f"{judged.correct:.2f}")
    rule = judged.rule if judged else answer.status
    return Reply(
        tag=model.tag,
        text=text[:_LONGEST] or "(nothing)",
        left_off=max(0, len(text) - _LONGEST),
        chosen=judged.chosen if judged else "",
        rule=f"{rule}: no answer found" if rule in MISSES else rule,
        verdict=verdict,
    )


def _stored(bench: Benchmark, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Pictures and records of rows."""
    found: dict[str, dict[str, Any]] = {}
    for path in bench.files:
        if len(found) == len(wanted):
            break
        try:
            # The records first: pictures are most of a file, and few rows are wanted.
            names = [row["id"] for row in shards.parquet_rows(path, ["id"])]
            if wanted.isdisjoint(names):
                continue
            columns = ["id", "applied", *shards.PICTURES]
            for row in shards.parquet_rows(path, columns):
                if row["id"] in wanted:
                    found[row["id"]] = row
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"Cannot read {path}: {error}") from None
    return found


def _shown(stored: dict[str, Any] | None) -> Shown | None:
    try:
        pixels = images.decode((stored or {}).get("bytes") or b"", MAX_PIXELS).pixels
    except UnreadableError:
        return None
    image = Image.fromarray(images.reduced(pixels, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, method=4)
    return Shown(buffer.getvalue(), *image.size, max(pixels.shape[:2]) > SIDE)
