"""The rows of a benchmark, without and with their pictures. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow.parquet as pq

from degrade import shards
from degrade.errors import UserError, unknown
from degrade.schema import Degradation, Question, Task
from degrade.summary import read_summary
from trainer.evaluation.records import TASKS

INFO, DATA = shards.DATASET, "data"
CLEAN, SEVERAL = "clean", "several"
DISTORTION = "distortion "
"""How the damage of R-Bench is named, which it numbers."""


Which = Literal["image", "clean_image"]

_NEEDED = (
    "id", "group", "split", "question", "choices", "answer", "answer_as", "types",
    "intensity_sum", "image_sha256", "clean_sha256",
)  # fmt: skip
_OF_RECORDS = ("operator", "stage")  # of `applied`; parameters are most of it, and not needed
_OPTIONAL = ("item", "level", "task", "references", "source_tags")


@dataclass(frozen=True)
class Item:
    """One row: what is asked about a picture, and what is known of the picture's damage.

    Attributes:
        id: Unique.
        item: The same for all levels of one question.
        group: The source picture: what resampling draws.
        split: Of the benchmark; one for each level.
        level: Nominal intensity; None where the data set has none.
        operator, stage: ``clean``, one name, or ``several``.
        intensity_sum: Of what was applied.
        task: What kind of answer is wanted.
        question: With its choices and answer.
        references: All right answers, where several are known.
        types: What was applied, as chains name it.
        recorded: Whether the damage is known: a record, or none because there is none.
        digests: SHA-256 of the picture's bytes and of the clean one's.
    """

    id: str
    item: str
    group: str
    split: str
    level: float | None
    operator: str
    stage: str
    intensity_sum: float
    task: Task
    question: Question
    references: tuple[str, ...]
    types: tuple[Degradation, ...]
    recorded: bool
    digests: Mapping[Which, str]


class Chosen(NamedTuple):
    """Rows to ask about, and why others of the same splits cannot be: reason -> rows."""

    items: tuple[Item, ...]
    left_out: dict[str, int]


class Benchmark:
    """A benchmark or data set of ours: ``dataset.json`` and ``data/*.parquet``.

    Args:
        folder: What ``degrade-cli build`` wrote.

    Raises:
        UserError: Not a finished one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _, info = read_summary(folder, shards.DATASETS)
        recipe = info["settings"].get("recipe") or {}
        self.name = str(recipe.get("name") or folder.resolve().name)
        self.files = tuple(sorted((folder / DATA).glob("*.parquet")))
        if not self.files:
            raise UserError(f"{folder / DATA} holds no Parquet files: build it again.")

    @cached_property
    def _read(self) -> tuple[tuple[Item, ...], list[tuple[str, Task, str]], dict[str, int]]:
        """Rows that can be asked, those that cannot with the reason, and rows by split."""
        items: dict[str, Item] = {}
        left_out: list[tuple[str, Task, str]] = []
        splits: dict[str, int] = {}
        for row in self._rows():
            splits[row["split"]] = splits.get(row["split"], 0) + 1
            if row["id"] in items:
                raise UserError(f"{self.folder} has two rows of id {row['id']!r}: build it again.")
            task = _task(row)
            if reason := _unaskable(row, task):
                left_out.append((row["split"], task, reason))
            else:
                items[row["id"]] = _item(row, task)
        return tuple(items.values()), left_out, splits

    @property
    def rows(self) -> tuple[Item, ...]:
        """All rows that can be asked, in the order of the files.

        Raises:
            UserError: A column is missing, a file is damaged, or two rows have one id.
        """
        return self._read[0]

    def items(
        self,
        splits: Sequence[str] = (),
        tasks: Sequence[Task] = (),
        limit: int | None = None,
    ) -> Chosen:
        """The rows to ask about, in the order of the files.

        Args:
            splits: Names; all by default. Of a data set without levels they must be named where
                there are several: nobody wants to be examined on what they learnt from.
            tasks: Kinds of questions; all by default.
            limit: So many questions, with all their levels. By the hash of their names: a larger
                number adds to a smaller one's, and which they are does not depend on the order of
                rows.

        Raises:
            UserError: No such split, or nothing is left; and as :attr:`rows`.
        """
        rows, left_out, names = self._read
        for split in splits:
            if split not in names:
                raise unknown(f"split of {self.folder}", split, names)
        if not splits and len(names) > 1 and all(item.level is None for item in rows):
            raise UserError(
                f"{self.folder} is no benchmark with levels and has several splits: say which with "
                f"--split. There are {', '.join(names)}."
            )

        def wanted(split: str, task: Task) -> bool:
            return (not splits or split in splits) and (not tasks or task in tasks)

        items = _limited([i for i in rows if wanted(i.split, i.task)], limit)
        reasons = Counter(reason for split, task, reason in left_out if wanted(split, task))
        if not items:
            told = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
            raise UserError(
                f"{self.folder} has nothing to ask"
                + (f" of task {', '.join(tasks)}" if tasks else "")
                + (f" ({told})." if told else ".")
            )
        return Chosen(tuple(items), dict(sorted(reasons.items())))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for path in self.files:
            try:
                with pq.ParquetFile(path) as file:
                    there = set(file.schema_arrow.names)
                    leaves = [file.schema.column(i).path for i in range(len(file.schema))]
                if missing := sorted({*_NEEDED, "applied", *shards.PICTURES} - there):
                    raise UserError(
                        f"{path} has no column {', '.join(missing)}: it must be a benchmark or "
                        "data set that degrade-cli build wrote."
                    )
                columns = [*_NEEDED, *(c for c in _OPTIONAL if c in there)]
                columns += [
                    leaf
                    for leaf in leaves
                    if leaf.startswith("applied.") and leaf.rpartition(".")[2] in _OF_RECORDS
                ]
                yield from shards.parquet_rows(path, columns)
            except (OSError, ValueError) as error:  # ValueError: Arrow and pydantic alike
                if isinstance(error, UserError):
                    raise
                raise UserError(f"Cannot read {path}: {error}") from None

    def pictures(
        self, wanted: Mapping[str, Collection[Which]]
    ) -> Iterator[tuple[str, dict[Which, bytes]]]:
        """The bytes of pictures, streamed in the order of the files.

        Args:
            wanted: Row -> which of its pictures.
        """
        which = {w for several in wanted.values() for w in several}
        columns = ["id", *(name for name in shards.PICTURES if name in which)]
        left = len(wanted)
        for path in self.files:
            if not left:
                return
            try:
                for row in shards.parquet_rows(path, columns):
                    needed = wanted.get(row["id"])
                    if needed is not None:
                        left -= 1
                        yield row["id"], {w: (row[w] or {}).get("bytes") or b"" for w in needed}
            except (OSError, ValueError) as error:
                raise UserError(f"Cannot read {path}: {error}") from None


def _limited(items: list[Item], limit: int | None) -> list[Item]:
    if limit is None:
        return items
    names = sorted({i.item for i in items}, key=lambda n: hashlib.sha256(n.encode()).digest())
    kept = set(names[:limit])
    return [item for item in items if item.item in kept]


def _task(row: Mapping[str, Any]) -> Task:
    given = row.get("task")
    if given in TASKS:
        return given  # type: ignore[no-any-return]
    return "mcq" if row["choices"] else "vqa"


def _unaskable(row: Mapping[str, Any], task: Task) -> str:
    """Why a row cannot be asked or its answer not be judged; empty where it can."""
    if task != "caption" and not (row["question"] or "").strip():
        return "no_question"
    if not row["answer"] and not row.get("references"):
        return "no_answer"
    if task == "mcq":
        if len(row["choices"] or ()) < 2:
            return "no_choices"
        if _question(row).answer_index is None:
            return "answer_is_no_choice"
    return ""


def _question(row: Mapping[str, Any]) -> Question:
    return Question(
        question=row["question"] or "",
        choices=tuple(row["choices"] or ()),
        answer=row["answer"] or "",
        answer_as=row["answer_as"] or "",
    )


def _item(row: Mapping[str, Any], task: Task) -> Item:
    level, applied = row.get("level"), row["applied"] or ()
    tags = dict(tag.split("=", 1) for tag in row.get("source_tags") or () if "=" in tag)
    clean = not applied and not (tags and level)
    return Item(
        id=row["id"],
        item=row.get("item") or row["id"],
        group=row["group"],
        split=row["split"],
        level=level,
        operator=CLEAN if clean else _one({a["operator"] for a in applied} or {_distortion(tags)}),
        stage=CLEAN if clean else _one({a["stage"] for a in applied} or {tags.get("step", "")}),
        intensity_sum=float(row["intensity_sum"]),
        task=task,
        question=_question(row),
        references=tuple(row.get("references") or ()),
        types=tuple(Degradation.model_validate(t) for t in row["types"] or ()),
        recorded=bool(applied) or clean,
        digests={"image": row["image_sha256"], "clean_image": row["clean_sha256"]},
    )


def _one(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else SEVERAL


def _distortion(tags: Mapping[str, str]) -> str:
    number = tags.get("distortion")
    return f"{DISTORTION}{number}" if number else tags.get("group", SEVERAL)


def identity(items: Iterable[Item]) -> str:
    """What is asked, as a short hash that does not depend on the order of the rows."""
    rows = sorted(
        json.dumps(
            [
                i.id, i.item, i.group, i.split, i.level, i.task, *i.digests.values(),
                i.question.model_dump(), i.references, [t.model_dump() for t in i.types],
            ]
        )
        for i in items
    )  # fmt: skip
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
