"""Validation of a data set as it is built: ``dataset.json`` and the canonical Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError

from builders import stats
from builders.recipe import HeldOut, Pictures
from builders.table import BENCHMARK, INFO, Entry, Example
from builders.validate import rows
from builders.validate.across import Across
from builders.validate.balance import UNDAMAGED, Balance, Plan
from builders.validate.files import READ_ERRORS, DataFile, Files, invalid, one_line
from builders.validate.levels import Levels
from builders.validate.pictures import Looked, inspect
from builders.validate.report import Collector
from degrade.runs import Progress
from degrade.shards import PICTURES, parquet_rows
from degrade.threads import bounded_map

M = TypeVar("M", HeldOut, Pictures)


_EVERY_ROW = (
    "rows",
    "pictures",
    "byte identity",
    "records",
    "answers",
    "duplicates",
    "leakage",
    "balance",
    "licenses",
)


@dataclass(frozen=True)
class _Job:
    """A row to look at, with its place."""

    where: str
    entry: Entry
    replayed: bool


class DatasetValidation:
    """One validation of a data set's folder.

    Args:
        folder: The data set.
        sample: Rows to replay, spread evenly; None: all.
        device: To replay on.
        workers: Host threads.
        progress: Told rows done and in all.
    """

    def __init__(
        self,
        folder: Path,
        sample: int | None,
        device: torch.device,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self.files = Files(folder)
        self.total = sum(file.rows for file in self.files.data)
        self.sample = self.total if sample is None else min(sample, self.total)
        self.device, self.workers, self.progress = device, workers, progress
        settings = self.files.part("settings")
        self.same_device = settings.get("device") == device.type
        recipe = self.files.part("settings", "recipe")
        self.across = Across(near=recipe.get("near_duplicates") != "ignore")
        self.levels = Levels.of(recipe) if recipe.get("kind") == BENCHMARK else None
        self.balance = Balance()
        self.found = Collector()
        self.held = self._stated(HeldOut, "held_out")
        self.max_pixels = self._stated(Pictures, "pictures").max_pixels

    def _stated(self, model: type[M], key: str) -> M:
        """A part of the recipe; the default where it is not one."""
        try:
            return model.model_validate(self.files.part("settings", "recipe", key))
        except ValidationError as error:
            self.found.add("recipe", f"{INFO} settings.recipe.{key}", invalid(error))
            return model()

    def run(self) -> Collector:
        """All checks; what they found."""
        found, files = self.found, self.files
        found.extend(files.problems)
        counts = stats.count(self._rows(), files.splits)
        found.extend(files.differences(counts))
        found.extend(files.quarantine())
        found.extend(self.across.near_duplicates())
        drawn = files.part("settings", "degradations")
        plans = {split: Plan.of(files.part("settings", "degradations", split)) for split in drawn}
        if self.levels:
            found.extend(self.levels.missing())
            found.checks["levels"] = found.rows
            plans |= {split: UNDAMAGED for split in files.splits if split not in plans}
        found.extend(self.balance.problems(plans))
        found.facts |= self.balance.facts()
        found.checks["files"] = files.number
        for check in _EVERY_ROW:
            found.checks[check] = found.rows
        return found

    def _rows(self) -> Iterator[Example]:
        """Every valid row of a known split, after all checks of it."""
        look = partial(
            _inspected,
            device=self.device,
            same_device=self.same_device,
            max_pixels=self.max_pixels,
        )
        with ThreadPoolExecutor(self.workers) as pool:
            for job, looked in bounded_map(pool, look, self._jobs(), window=2 * self.workers):
                row = job.entry.row
                self._check(job.where, row, looked)
                self.found.checks["chains"] += bool(row.chain)
                self.found.checks["replay"] += job.replayed
                if row.split in self.files.splits:
                    yield row

    def _jobs(self) -> Iterator[_Job]:
        done = 0
        for file in self.files.data:
            number = 0
            try:
                for item in parquet_rows(file.path):
                    number, done = number + 1, done + 1
                    chosen = [i * self.sample // max(1, self.total) for i in (done - 1, done)]
                    replayed = chosen[0] != chosen[1]
                    if job := self._job(file, number, item, replayed):
                        yield job
                    if self.progress:
                        self.progress(done, self.total)
            except READ_ERRORS as error:
                detail = f"beyond row {number}: {one_line(error)}"
                self.found.add("unreadable_file", file.name, detail)

    def _job(
        self, file: DataFile, number: int, item: dict[str, Any], replayed: bool
    ) -> _Job | None:
        self.found.rows += 1
        where = f"{file.name} row {number}"
        pictures = [_picture(item.pop(name, None)) for name in PICTURES]
        columns = {k: v for k, v in item.items() if k in Example.model_fields}  # told as features
        try:
            row = Example.model_validate(columns)
        except ValidationError as error:
            self.found.add("invalid_row", where, invalid(error))
            return None
        where = f"{where} ({row.id})"
        for (path, data), name in zip(pictures, (row.file_name, row.source_name), strict=True):
            if data and path != name:
                self.found.add("picture_name", where, f"{path!r}, the row says {name!r}")
        if row.part != file.part:
            self.found.add("misplaced_row", where, f"of {row.part!r} in a file of {file.part!r}")
        elif row.split not in self.files.splits and self.files.info:
            self.found.add("misplaced_row", where, f"{INFO} has no split {row.split!r}")
        return _Job(where, Entry(row, *(data for _, data in pictures)), replayed)

    def _check(self, where: str, row: Example, looked: Looked) -> None:
        found, clean = self.found, looked.clean_sha256
        for code, detail in (*looked.findings, *rows.check(row), *self._held_out(row)):
            found.add(code, where, detail)
        across = self.across
        # Levels show the same pictures on purpose, and a benchmark may ask the same twice.
        apart, side = (row.id, None) if self.levels else ("", row.split)
        if self.levels:
            found.extend(self.levels.add(where, row))
        found.extend(across.add(where, row.id, side, row.group, clean, looked.thumbnail))
        asked = (apart, row.question, *row.choices)
        pairs: dict[str, tuple[str, ...]] = {"duplicate_name": (row.file_name.casefold(),)}
        if row.question and looked.image_sha256:
            pairs["duplicate_pair"] = (*asked, looked.image_sha256)
        if row.question and clean:
            pairs["repeated_pair"] = (*asked, clean)
        found.extend(across.repeated(where, pairs))
        found.extend(self.balance.license(where, row.license))
        drawn = [(a.stage, a.intensity) for a in row.applied]
        self.balance.add(row.split, len(row.choices), row.answer_index, drawn)

    def _held_out(self, row: Example) -> Iterator[rows.Finding]:
        plan = self.files.part("settings", "recipe", "splits", row.split)
        held = self.held
        self.found.checks["held out"] += bool(held.operators or held.intensities)
        rules = plan.get("operators"), plan.get("intensities")
        for a in row.applied:
            out = a.operator in held.operators, round(a.intensity, 2) in held.intensities
            codes = "held_out_operator", "held_out_intensity"
            for code, rule, is_out in zip(codes, rules, out, strict=True):
                if rule in ("seen", "unseen") and is_out != (rule == "unseen"):
                    what = f"{a.label}({a.intensity:.2f}) is {'' if is_out else 'not '}held out"
                    yield code, f"{what}; {row.split!r} has {rule} ones alone"


def _picture(value: Any) -> tuple[str, bytes]:
    """Name and bytes in a column of pictures; empty where there are none."""
    found = value if isinstance(value, dict) else {}
    path, data = found.get("path"), found.get("bytes")
    return path if isinstance(path, str) else "", data if isinstance(data, bytes) else b""


def _inspected(
    job: _Job, device: torch.device, same_device: bool, max_pixels: int
) -> tuple[_Job, Looked]:
    looked = inspect(job.entry, device if job.replayed else None, same_device, max_pixels)
    # The pictures are let go here: what waits for its turn must not hold them.
    return _Job(job.where, Entry(job.entry.row, b"", b""), job.replayed), looked
