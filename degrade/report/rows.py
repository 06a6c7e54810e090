"""What a run or data set holds, counted in one pass, and which of its rows to show."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from degrade import shards
from degrade.errors import UserError
from degrade.plots import BINS, Operators, bin_of
from degrade.schema import STAGES, Applied, Failure, Stage
from degrade.storage import Place
from degrade.summary import read_summary

OK = "ok"
_COLUMNS = (
    "id", "applied", "width", "height", "encoding", "file_name", "source_path", "split", "status",
    "detail", "source_tags",
)  # fmt: skip
_SHOWN_FAILURES = 5  # of one reason
_APPLIED = TypeAdapter(tuple[Applied, ...])


class Told(NamedTuple):
    """A row without its pictures, and where it is: number of the file, number in it, 0-based."""

    file: int
    place: int
    fields: dict[str, Any]
    applied: tuple[Applied, ...]

    @property
    def id(self) -> str:
        """Of the row."""
        return str(self.fields["id"])

    @property
    def split(self) -> str:
        """Of a data set's row; empty in a run."""
        return self.fields.get("split") or ""


class Given:
    """A finished run, or a data set that was built.

    Args:
        folder: What ``synth`` or ``build`` wrote.

    Raises:
        UserError: Neither, not finished, or damaged.
    """

    def __init__(self, folder: Place) -> None:
        self.folder = folder
        name, self.info = read_summary(folder, shards.RUNS | shards.DATASETS)
        self.is_run = name == shards.RUN
        self.settings: dict[str, Any] = self.info["settings"]

    @property
    def in_parquet(self) -> bool:
        """Whether the pictures are in Parquet files, the clean ones among them."""
        return not self.is_run or self.settings.get("format") == "parquet"

    @cached_property
    def files(self) -> list[Place]:
        """What holds the rows, in order."""
        if self.in_parquet:
            return shards.parquet_files(self.folder)
        return [self.folder / shards.METADATA]

    def rows(self) -> Iterator[Told]:
        """All rows in order, streamed, no picture read.

        Raises:
            UserError: A file is missing or damaged.
        """
        needed = {"id", "applied", "width", "height"}
        needed |= set() if self.in_parquet else {"file_name", "source_path"}
        for number, path in enumerate(self.files):
            place = -1
            try:
                for place, fields in enumerate(self._read(path)):
                    if lacking := needed - fields.keys():
                        raise UserError(f"{path} has rows without {', '.join(sorted(lacking))}.")
                    yield Told(number, place, fields, _APPLIED.validate_python(fields["applied"]))
            except (OSError, ValueError) as error:  # ValueError: JSON, Arrow and pydantic alike
                raise UserError(f"Cannot read {path} beyond row {place + 1}: {error}") from None

    def _read(self, path: Place) -> Iterator[dict[str, Any]]:
        if not self.in_parquet:
            return shards.json_lines(path)
        with shards.parquet_table(path) as table:
            there = set(table.schema_arrow.names)
        return shards.parquet_rows(path, [name for name in _COLUMNS if name in there])

    def failures(self) -> Iterator[Failure]:
        """What is in quarantine, streamed.

        Raises:
            UserError: The file is damaged.
        """
        path = self.folder / shards.QUARANTINE
        try:
            for item in shards.json_lines(path) if path.exists() else ():
                yield Failure.model_validate(item)
        except (OSError, ValidationError, ValueError) as error:
            raise UserError(f"Cannot read {path}: {error}") from None


@dataclass
class Reason:
    """Why rows or sources failed: how many, and the first of them as (id, detail)."""

    count: int = 0
    first: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, detail: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.first) < _SHOWN_FAILURES:
            self.first.append((name, detail))


@dataclass
class Split:
    """Counts of one split; a run is one split."""

    rows: int = 0
    clean: int = 0
    ok: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    intensities: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class Tally:
    """What was found. Memory grows with operators, splits, reasons and encodings, not with rows."""

    splits: dict[str, Split] = field(default_factory=dict)
    stages: Counter[Stage] = field(default_factory=Counter)
    stage_of: dict[str, Stage] = field(default_factory=dict)
    by_stage: dict[Stage, list[int]] = field(default_factory=dict)
    strength: Counter[str] = field(default_factory=Counter)
    per_picture: Counter[int] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    pixels: int = 0
    smallest: tuple[int, int] | None = None
    largest: tuple[int, int] | None = None
    has_status: bool = False
    tagged: int = 0
    refused: dict[str, Reason] = field(default_factory=dict)
    quarantined: dict[str, Reason] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Of all splits."""
        return sum(split.rows for split in self.splits.values())

    @property
    def operators(self) -> Counter[str]:
        """Operator -> rows, of all splits."""
        found = Counter[str]()
        for split in self.splits.values():
            found.update(split.operators)
        return found

    @property
    def names(self) -> Operators:
        """Operators by stage, in the order of the vocabulary."""
        pairs = self.stage_of.items()
        return sorted(pairs, key=lambda pair: (STAGES.index(pair[1]), pair[0]))

    def intensities(self, operator: str) -> list[int]:
        """Ten counts of one operator, of all splits."""
        found = [split.intensities.get(operator, [0] * BINS) for split in self.splits.values()]
        return [sum(column) for column in zip(*found, strict=True)]

    def add(self, row: Told) -> None:
        """Count one row."""
        fields = row.fields
        split = self.splits.setdefault(row.split, Split())
        split.rows += 1
        split.clean += not row.applied
        self.per_picture[len(row.applied)] += 1
        self.encodings[str(fields.get("encoding"))] += 1
        self.tagged += bool(fields.get("source_tags"))
        for a in row.applied:
            here = bin_of(a.intensity)
            self.stages[a.stage] += 1
            self.stage_of.setdefault(a.operator, a.stage)
            self.by_stage.setdefault(a.stage, [0] * BINS)[here] += 1
            self.strength[a.operator] += round(a.intensity * 100)
            split.intensities.setdefault(a.operator, [0] * BINS)[here] += 1
        split.operators.update({a.operator for a in row.applied})
        size = int(fields["width"]), int(fields["height"])
        self.pixels += size[0] * size[1]
        self.smallest = min(self.smallest or size, size, key=_area)
        self.largest = max(self.largest or size, size, key=_area)
        status = fields.get("status")
        self.has_status |= status is not None
        split.ok += status == OK
        if status not in (None, OK):
            self.refused.setdefault(status, Reason()).add(row.id, fields.get("detail") or "")


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


class Chooser:
    """Picks rows to show by the hash of their names: as many operators as fit, damaged rows alone.

    Args:
        count: How many at most.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._by_operator: dict[str, tuple[bytes, Told]] = {}
        self._lowest: list[tuple[int, Told]] = []  # a heap of the negated hash: its top is dropped

    def add(self, row: Told) -> None:
        """Consider one row."""
        if not (self._count and (row.applied or row.fields.get("source_tags"))):
            return
        digest = hashlib.sha256(row.id.encode("utf-8", "surrogatepass")).digest()
        for a in row.applied:
            held = self._by_operator.get(a.operator)
            if held is None or digest < held[0]:
                self._by_operator[a.operator] = digest, row
        entry = -int.from_bytes(digest), row
        if len(self._lowest) < self._count:
            heapq.heappush(self._lowest, entry)
        elif entry[0] > self._lowest[0][0]:
            heapq.heapreplace(self._lowest, entry)

    def chosen(self) -> list[Told]:
        """The rows, in the order of the files."""
        picked: dict[tuple[int, int], Told] = {}
        covered: set[str] = set()
        for digest_and_row in sorted(self._by_operator.values(), key=lambda pair: pair[0]):
            row = digest_and_row[1]
            names = {a.operator for a in row.applied}
            if len(picked) < self._count and not names <= covered:
                picked[row.file, row.place] = row
                covered |= names
        for _, row in sorted(self._lowest, key=lambda entry: -entry[0]):
            if len(picked) < self._count:
                picked.setdefault((row.file, row.place), row)
        return [picked[key] for key in sorted(picked)]


def looked_at(given: Given, samples: int) -> tuple[Tally, list[Told]]:
    """Count everything and choose what to show, in one pass.

    Args:
        given: The run or data set.
        samples: How many rows to choose at most.

    Raises:
        UserError: A file is missing or damaged.
    """
    tally, chooser = Tally(), Chooser(samples)
    listed = given.info["counts"].get("splits")
    for name in listed if isinstance(listed, dict) else ():  # in the order of the recipe
        tally.splits[str(name)] = Split()
    for row in given.rows():
        tally.add(row)
        chooser.add(row)
    for failure in given.failures():
        reason = tally.quarantined.setdefault(failure.reason, Reason())
        reason.add(failure.source_path or failure.id, failure.detail)
    tally.splits = {name: split for name, split in tally.splits.items() if split.rows}
    return tally, chooser.chosen()
