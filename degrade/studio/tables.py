"""A finished run or data set to page through: a light index of all rows, pictures of a page alone.

The index holds numbers only, some 50 bytes a row and 12 a step; rows are read from the files when
their page is shown. It changes nothing after it was made, so that visitors may share it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from degrade.errors import UserError
from degrade.runs import read_json
from degrade.shards import (
    DATASET,
    DATASETS,
    METADATA,
    QUARANTINE,
    RUN,
    RUNS,
    parquet_table,
    rows_at,
)
from degrade.studio.shelf import CHAINS
from degrade.summary import read_summary

ANNOTATIONS = "chains.jsonl"
CLEAN = "(left clean)"
"""Stands for an operator where a row has none."""

_OK = "ok"
_LEAVES = [f"applied.list.element.{name}" for name in ("operator", "stage", "intensity")]


@dataclass(frozen=True)
class Filters:
    """What rows must have; empty: whatever. Stage, operator and intensity are of one step."""

    stage: str = ""
    operator: str = ""
    low: float = 0.0
    high: float = 1.0
    status: str = ""
    split: str = ""


@dataclass
class _Columns:
    """The index while it grows: one entry a row, one a step."""

    file: list[int] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    step_row: list[npt.NDArray[np.int64]] = field(default_factory=list)
    operator: list[str] = field(default_factory=list)
    stage: list[str] = field(default_factory=list)
    intensity: list[float] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)

    def steps(self, rows: Sequence[int], applied: Sequence[dict[str, Any]]) -> None:
        self.step_row.append(np.asarray(rows, np.int64))
        self.operator += [step["operator"] for step in applied]
        self.stage += [step["stage"] for step in applied]
        self.intensity += [step["intensity"] for step in applied]


class Codes:
    """Texts as small numbers."""

    def __init__(self, values: Sequence[str]) -> None:
        self.names: list[str] = sorted(set(values))
        number = {name: i for i, name in enumerate(self.names)}
        self.codes = np.fromiter((number[v] for v in values), np.int16, len(values))

    def equal(self, name: str) -> npt.NDArray[np.bool_]:
        """Where the text is this one."""
        code = self.names.index(name) if name in self.names else -1
        return np.equal(self.codes, code)


class Table:
    """The index of a folder that ``synth`` or ``build`` wrote.

    Args:
        folder: Where it is.
        chains: Folders of chains; those written for this run are shown with its rows.

    Attributes:
        files: What rows are read from.
        settings: Of the run or data set.
        problems: Files that could not be read, and why.

    Raises:
        UserError: Not a finished run or data set.
    """

    def __init__(self, folder: Path, chains: Sequence[Path] = ()) -> None:
        self.folder = folder
        name, info = read_summary(folder, RUNS | DATASETS)
        dataset = name == DATASET
        self.settings: dict[str, Any] = info["settings"]
        self.problems: list[str] = []
        self.files: list[Path] = []
        columns = _Columns()
        parquet = dataset or self.settings.get("format") == "parquet"
        if parquet:
            for path in sorted((folder / "data").glob("*.parquet")):
                self._add(path, columns, self._parquet)
        else:
            self._add(folder / METADATA, columns, self._lines)
        rows = len(columns.file)
        if (folder / QUARANTINE).is_file():
            self._add(folder / QUARANTINE, columns, self._failures)
        self.chains = np.full(len(columns.file), -1, np.int64)
        self.annotations = _written_for(str(info.get("fingerprint")), chains)
        if self.annotations is not None:
            self._chains(self.annotations, columns, rows)
        self.made = np.arange(len(columns.file)) < rows  # what is in quarantine is no picture
        columns.ids.clear()
        self.file = np.asarray(columns.file, np.int16)
        self.place = np.asarray(columns.place, np.int64)
        self.split, self.status = Codes(columns.split), Codes(columns.status)
        self.operator, self.stage = Codes(columns.operator), Codes(columns.stage)
        self.intensity = np.asarray(columns.intensity, np.float32)
        self.step_row = np.concatenate([np.zeros(0, np.int64), *columns.step_row])

    def __len__(self) -> int:
        return len(self.file)

    # ------------------------------------------------------------------------- making the index

    def _add(self, path: Path, columns: _Columns, read: Any) -> None:
        """Index a file as far as it can be read."""
        self.files.append(path)
        before = len(columns.file)
        try:
            read(path, len(self.files) - 1, columns)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            read_rows = len(columns.file) - before
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            self.problems.append(f"{path.name} beyond row {read_rows}: {told}")

    def _parquet(self, path: Path, number: int, columns: _Columns) -> None:
        with parquet_table(path) as table:
            names = set(table.schema_arrow.names)
            light = [n for n in ("id", "split", "use", "status") if n in names]
            place = 0
            for batch in table.iter_batches(batch_size=2048, columns=[*light, *_LEAVES]):
                count, first = batch.num_rows, len(columns.file)
                told = {n: batch.column(n).to_pylist() for n in light}
                here = [self.settings.get("split", "")] * count
                splits = told.get("split", here)
                uses = told.get("use", [""] * count)
                columns.split += [f"{s} {u}" if u else s for s, u in zip(splits, uses, strict=True)]
                columns.status += told.get("status", [_OK] * count)
                columns.file += [number] * count
                columns.place += range(place, place + count)
                columns.ids.update(zip(told["id"], range(first, first + count), strict=True))
                steps, applied = pc.list_flatten(batch.column("applied")), batch.column("applied")
                parents = pc.list_parent_indices(applied).to_numpy(zero_copy_only=False) + first
                columns.steps(parents, steps.to_pylist())
                place += count

    def _lines(self, path: Path, number: int, columns: _Columns) -> None:
        for offset, item in _json_lines(path):
            row = len(columns.file)
            applied = item["applied"]
            columns.steps([row] * len(applied), applied)
            columns.ids[item["id"]] = row
            self._one(columns, number, offset, _OK)

    def _failures(self, path: Path, number: int, columns: _Columns) -> None:
        for offset, item in _json_lines(path):
            self._one(columns, number, offset, str(item.get("reason") or "failed"))

    @staticmethod
    def _one(columns: _Columns, number: int, offset: int, status: str) -> None:
        columns.split.append("")
        columns.status.append(status)
        columns.file.append(number)
        columns.place.append(offset)

    def _chains(self, path: Path, columns: _Columns, rows: int) -> None:
        """Where each row's chain stands, and what became of it."""
        try:
            for offset, item in _json_lines(path):
                row = columns.ids.get(item["id"], rows)
                if row < rows:
                    self.chains[row] = offset
                    columns.status[row] = str(item["status"])
        except (OSError, ValueError, KeyError) as error:
            self.problems.append(f"{path}: {error}")

    # ------------------------------------------------------------------------- asking it

    @property
    def operators(self) -> list[str]:
        """Operators that a row has, and :data:`CLEAN` where one has none."""
        bare = self.made.copy()
        bare[self.step_row] = False
        return self.operator.names + ([CLEAN] if bare.any() else [])

    @property
    def splits(self) -> list[str]:
        """Splits, and their parts where rows have a use."""
        names = [name for name in self.split.names if name]
        return sorted({name.split(" ")[0] for name in names} | set(names))

    def matching(self, wanted: Filters) -> npt.NDArray[np.int64]:
        """Numbers of the rows that have what is wanted, in order."""
        keep = np.ones(len(self), bool)
        if wanted.status:
            keep &= self.status.equal(wanted.status)
        if wanted.split:
            whole = f"{wanted.split} "  # a split is that of its parts too
            parts = [
                code
                for code, name in enumerate(self.split.names)
                if name == wanted.split or name.startswith(whole)
            ]
            keep &= np.isin(self.split.codes, parts)
        if wanted.operator == CLEAN:
            keep &= self.made
            keep[self.step_row] = False
        elif wanted.stage or wanted.operator or (wanted.low, wanted.high) != (0.0, 1.0):
            steps = (self.intensity >= np.float32(wanted.low) - 1e-6) & (
                self.intensity <= np.float32(wanted.high) + 1e-6
            )
            if wanted.stage:
                steps &= self.stage.equal(wanted.stage)
            if wanted.operator:
                steps &= self.operator.equal(wanted.operator)
            has = np.zeros(len(self), bool)
            has[self.step_row[steps]] = True
            keep &= has
        return np.flatnonzero(keep)

    def read(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of a page as their files have them; ``problem`` where one cannot be read.

        A row of Parquet has its pictures in ``image`` and ``clean_image``; one with a chain beside
        the run has it in ``annotation``.
        """
        found: dict[int, dict[str, Any]] = {}
        by_file: dict[int, list[int]] = {}
        for row in rows:
            by_file.setdefault(int(self.file[row]), []).append(row)
        for number, members in by_file.items():
            path = self.files[number]
            try:
                read = _parquet_rows if path.suffix == ".parquet" else _text_rows
                items = read(path, [int(self.place[row]) for row in members])
                found |= dict(zip(members, items, strict=True))
            except (OSError, ValueError, pa.ArrowException) as error:
                told = str(error).splitlines()[0] if str(error) else type(error).__name__
                found |= {row: {"problem": f"Cannot read {path.name}: {told}"} for row in members}
        for row in rows:
            if self.annotations is not None and self.chains[row] >= 0:
                try:
                    (found[row]["annotation"],) = _text_rows(
                        self.annotations, [int(self.chains[row])]
                    )
                except (OSError, ValueError) as error:
                    found[row]["annotation"] = {"status": "unreadable", "detail": str(error)}
            found[row]["status"] = self.status.names[self.status.codes[row]]
            found[row]["part"] = self.split.names[self.split.codes[row]]
        return [found[row] for row in rows]


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files that an index is made from.

    Raises:
        UserError: The folder is not there any more.
    """
    names = [folder / n for n in (RUN, DATASET, CHAINS, METADATA, QUARANTINE, ANNOTATIONS)]
    try:
        names += sorted((folder / "data").glob("*.parquet"))
        stats = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in names if p.exists()]
    except OSError as error:
        raise UserError(f"Cannot read {folder}: {error.strerror}.") from None
    if not stats:
        raise UserError(f"{folder} is not there any more, or holds no finished run or data set.")
    return tuple(stats)


def _written_for(fingerprint: str, chains: Sequence[Path]) -> Path | None:
    """The chains of a run, by the fingerprint that they name."""
    for folder in chains:
        with suppress(UserError):  # gone meanwhile, or damaged: then they are not shown
            settings = read_json(folder / CHAINS).get("settings")
            if isinstance(settings, dict) and settings.get("run") == fingerprint:
                return folder / ANNOTATIONS
    return None


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Where each line begins, in bytes, and the value in it."""
    offset = 0
    with path.open("rb") as file:
        for line in file:
            yield offset, json.loads(line)
            offset += len(line)


def _text_rows(path: Path, offsets: Sequence[int]) -> list[dict[str, Any]]:
    found = []
    with path.open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            value = json.loads(file.readline())
            if not isinstance(value, dict):
                raise ValueError("a line holds no object")
            found.append(value)
    return found


def _parquet_rows(path: Path, places: Sequence[int]) -> list[dict[str, Any]]:
    found = rows_at(path, places)
    if len(found) != len(set(places)):
        raise ValueError("the file has changed since it was indexed")
    return [found[place] for place in places]
