"""Checks of the files of a data set: there, readable, described, with the rows counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from builders.export.base import Problem
from builders.table import DATA, INFO, QUARANTINE, RECIPE, Example, part_name
from degrade.configs import read_yaml
from degrade.runs import read_json
from degrade.schema import Failure
from degrade.shards import picture_schema

_NAME = re.compile(r"(?P<part>.+)-(?P<index>\d{5})-of-(?P<total>\d{5})\.parquet")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")

READ_ERRORS = (OSError, ValueError, pa.ArrowException, MemoryError, RecursionError)
"""What reading a damaged file raises: Arrow's errors are partly Python's, partly its own; JSON
and YAML may be nested without end."""


@dataclass(frozen=True)
class DataFile:
    """A readable Parquet file: ``name`` is relative to the data set, ``part`` what it is of."""

    path: Path
    name: str
    part: str
    rows: int


class Files:
    """The files of a data set's folder.

    Attributes:
        info: Content of ``dataset.json``; empty where it cannot be read.
        data: Readable data files in order.
        number: Files looked at.
        problems: What is wrong with any of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []
        self.number = 0
        self.info = self._info()
        self.data = tuple(self._data())
        self._recipe()

    def _add(self, code: str, where: str, detail: str) -> None:
        self.problems.append(Problem(code, where, detail))

    def part(self, *keys: str) -> dict[str, Any]:
        """A mapping inside ``dataset.json``; empty where there is none."""
        here: Any = self.info
        for key in keys:
            here = here.get(key) if isinstance(here, dict) else None
        return here if isinstance(here, dict) else {}

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits that are counted or planned."""
        planned = self.part("settings", "recipe", "splits")
        return tuple(dict.fromkeys([*self.part("counts", "splits"), *planned]))

    def _info(self) -> dict[str, Any]:
        self.number += 1
        if not (self.folder / INFO).exists():
            self._add("missing_file", INFO, "a data set has a summary")
            return {}
        try:
            info = read_json(self.folder / INFO)
        except READ_ERRORS as error:
            self._add("unreadable_file", INFO, one_line(error))
            return {}
        if not is_fingerprint(info.get("fingerprint")):
            self._add("fingerprint", INFO, f"fingerprint is {info.get('fingerprint')!r}")
        for key in ("settings", "counts"):
            if not isinstance(info.get(key), dict):
                self._add("unreadable_file", INFO, f"{key!r} is missing")
        return info

    def _recipe(self) -> None:
        self.number += 1
        if not (self.folder / RECIPE).exists():
            self._add("missing_file", RECIPE, "a data set says how it is made again")
            return
        try:
            recipe = read_yaml(self.folder / RECIPE)
        except READ_ERRORS as error:
            self._add("unreadable_file", RECIPE, one_line(error))
            return
        summed = self.part("settings", "recipe")
        keys = [k for k in {**recipe, **summed} if recipe.get(k) != summed.get(k)]
        if keys and self.info:
            self._add("recipe", RECIPE, f"{', '.join(map(str, keys))} other than in {INFO}")

    def _data(self) -> Iterator[DataFile]:
        folder = self.folder / DATA
        there: dict[tuple[str, int], set[int]] = {}
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            self.number += 1
            name = path.relative_to(self.folder).as_posix()
            match = _NAME.fullmatch(path.name)
            if match is None or path.parent != folder:
                detail = "data files are named <split>[_<use>]-00000-of-00001.parquet"
                self._add("foreign_file", name, detail)
                continue
            there.setdefault((match["part"], int(match["total"])), set()).add(int(match["index"]))
            rows = self._rows(path, name)
            if rows is not None:
                yield DataFile(path, name, match["part"], rows)
        for (part, total), indices in there.items():
            if lost := total - len(indices):
                first = next(i for i in range(total) if i not in indices)
                name = f"{DATA}/{part}-{first:05d}-of-{total:05d}.parquet"
                self._add("missing_file", name, f"{lost} of {total} are missing")
        for part in self._parts():
            if part not in {name for name, _ in there}:
                self._add("missing_file", f"{DATA}/{part}-*.parquet", f"{INFO} counts rows of it")

    def _parts(self) -> Iterator[str]:
        """Parts that the summary counts rows of."""
        for split in self.part("counts", "splits"):
            counts = self.part("counts", "splits", split)
            if counts.get("uses"):
                uses = self.part("counts", "splits", split, "uses")
                yield from (part_name(split, use) for use in uses)
            elif counts.get("rows"):
                yield split

    def _rows(self, path: Path, name: str) -> int | None:
        """Rows of a file; None where it cannot be opened."""
        wanted = picture_schema(Example)
        try:
            with pq.ParquetFile(path) as file:
                schema: pa.Schema = file.schema_arrow
                rows = int(file.metadata.num_rows)
        except READ_ERRORS as error:
            self._add("unreadable_file", name, one_line(error))
            return None
        for field in wanted:
            index = schema.get_field_index(field.name)
            if index < 0:
                self._add("features", name, f"no column {field.name!r}")
            elif schema.field(index).type != field.type:
                detail = f"{field.name!r} is {schema.field(index).type}, not {field.type}"
                self._add("features", name, detail)
        for column in [c for c in schema.names if c not in wanted.names]:
            self._add("features", name, f"unknown column {column!r}")
        if _features(schema) != _features(wanted):
            detail = "the 'huggingface' metadata, by which `datasets` knows pictures, is another"
            self._add("features", name, detail)
        return rows

    def quarantine(self) -> Iterator[Problem]:
        """What is wrong with the list of failures."""
        counted = {key: self.part("counts").get(key) for key in ("quarantined", "failures")}
        reasons = Counter[str]()
        try:
            with (self.folder / QUARANTINE).open("rb") as file:
                for number, text in enumerate(file, 1):
                    try:
                        reasons[Failure.model_validate_json(text).reason] += 1
                    except ValidationError as error:
                        where = f"{QUARANTINE} line {number}"
                        yield Problem("unreadable_file", where, invalid(error))
        except OSError as error:
            if counted["quarantined"] or not isinstance(error, FileNotFoundError):
                detail = f"{error.strerror}; {counted['quarantined']} rows are counted in it"
                yield Problem("missing_file", QUARANTINE, detail)
            return
        found = {"quarantined": reasons.total(), "failures": dict(reasons)}
        if self.info:
            yield from _differences(found, counted, "")

    def differences(self, found: dict[str, Any]) -> Iterator[Problem]:
        """Where the summary's counts are not those found."""
        if self.info:
            yield from _differences(found, self.part("counts"), "")


def is_fingerprint(value: Any) -> bool:
    """Whether it is one of :class:`degrade.runs.Run`."""
    return isinstance(value, str) and bool(_FINGERPRINT.fullmatch(value))


def _features(schema: pa.Schema) -> Any:
    """What `datasets` is told of the columns; None where it is told nothing."""
    try:
        return json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return None


def _differences(found: Any, counted: Any, path: str) -> Iterator[Problem]:
    """Keys that only the summary has are its own."""
    if isinstance(found, dict) and isinstance(counted, dict):
        for key in found:
            yield from _differences(found[key], counted.get(key), f"{path}.{key}" if path else key)
        if path and not any(isinstance(v, dict | list) for v in found.values()):
            for key in counted.keys() - found.keys():
                yield Problem("counts", f"{INFO} {path}.{key}", f"none found: {counted[key]!r}")
    elif found != counted:
        yield Problem("counts", f"{INFO} {path}", f"found {found}, counted {counted!r}")


def invalid(error: ValidationError) -> str:
    """The first thing wrong with a record, on a line."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {first['msg']}{more}"


def one_line(error: BaseException) -> str:
    """An error's first line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
