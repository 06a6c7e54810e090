"""Files of rows, read a row at a time: JSON, JSON lines, CSV, TSV, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.sources.values import RowError
from degrade import shards
from degrade.errors import UserError


def json_rows(path: Path) -> Iterator[dict[str, Any] | RowError]:
    """The objects of a JSON array or of JSON lines, whichever the file holds.

    Lines are streamed; blank ones are none. What is no object takes its place as an error.

    Raises:
        UserError: The file is missing, is no JSON, or holds no object at all.
    """
    rows = good = 0
    problem = "it is empty"
    try:
        with path.open("rb") as file:
            for row in _array(path) if _first(path) == b"[" else _lines(file):
                rows += 1
                if isinstance(row, RowError):
                    problem = problem if rows > 1 else row.detail
                else:
                    good += 1
                yield row
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    if not good:
        raise UserError(f"{path} holds neither a JSON array nor lines of JSON objects: {problem}.")


def _first(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _array(path: Path) -> Iterator[dict[str, Any] | RowError]:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no valid JSON: {error}") from None
    for number, row in enumerate(found):
        fine = isinstance(row, dict)
        yield row if fine else RowError("malformed_row", f"entry {number} is no object")


def _lines(file: io.BufferedReader) -> Iterator[dict[str, Any] | RowError]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield RowError("malformed_line", f"line {number}: {error}")
            continue
        fine = isinstance(row, dict)
        yield row if fine else RowError("malformed_line", f"line {number} is no object")


# ----------------------------------------------------------------------------------- CSV, Parquet


@dataclass(frozen=True)
class Line:
    """A record of a table: ``offset`` is where it begins in the file, in bytes."""

    offset: int
    cells: dict[str, str] | RowError


class Table:
    """A CSV or TSV file in UTF-8 with a header, read a record at a time.

    Args:
        path: The file.
        delimiter: Between cells; quotes are doubled inside quotes.

    Raises:
        UserError: It cannot be read, has no header, or two columns have one name.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path, self._delimiter = path, delimiter
        # Cells hold whole pictures in base64. The limit is the interpreter's, not a reader's, and
        # is looked at while reading, so it stays raised; a C long bounds it, 32 bits on Windows.
        csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
        self.columns: tuple[str, ...] = ()
        _, self._start, names = next(self._records(0), (0, 0, None))
        if not isinstance(names, list) or not any(names):
            raise UserError(f"{path} does not begin with a line of column names.")
        names[0] = names[0].removeprefix("\ufeff")
        if len(set(names)) < len(names):
            raise UserError(f"{path} has two columns of one name: {', '.join(names)}.")
        self.columns = tuple(names)

    def _records(self, start: int) -> Iterator[tuple[int, int, list[str] | RowError]]:
        """Where each record begins and ends, and its cells."""
        position = start

        def lines(file: io.BufferedReader) -> Iterator[str]:
            nonlocal position
            for line in file:
                position += len(line)
                # Bytes that are no UTF-8 make their own row fail later, not the file.
                yield line.decode("utf-8", "surrogateescape")

        try:
            with self.path.open("rb") as file:
                file.seek(start)
                reader = csv.reader(lines(file), delimiter=self._delimiter, strict=True)
                while True:
                    begin = position
                    try:
                        cells: list[str] | RowError = next(reader)
                    except StopIteration:
                        return
                    except csv.Error as error:  # the reader begins afresh with the next line
                        cells = RowError("malformed_line", f"at byte {begin}: {error}")
                    if cells:  # not a blank line
                        yield begin, position, cells
        except OSError as error:
            raise UserError(f"Cannot read {self.path}: {error.strerror}.") from None

    def rows(self, start: int | None = None) -> Iterator[Line]:
        """Records in order, from the first or from an offset."""
        for begin, _, cells in self._records(self._start if start is None else start):
            if isinstance(cells, RowError):
                yield Line(begin, cells)
            elif len(cells) != len(self.columns):
                found = f"at byte {begin}: {len(cells)} cells under {len(self.columns)} columns"
                yield Line(begin, RowError("malformed_line", found))
            else:
                yield Line(begin, dict(zip(self.columns, cells, strict=True)))


def parquet_rows(path: Path, columns: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, streamed.

    Raises:
        UserError: The file is damaged.
    """
    count = 0
    try:
        for row in shards.parquet_rows(path, None if columns is None else sorted(columns)):
            count += 1
            yield row
    except (OSError, ValueError) as error:  # ValueError: Arrow's
        raise UserError(f"Cannot read {path} beyond row {count}: {error}") from None


def tabular(path: Path) -> Iterator[dict[str, Any] | RowError]:
    """The rows of a ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.parquet`` file, streamed."""
    suffix = path.suffix.lower()
    if suffix in {".csv", ".tsv"}:
        return (line.cells for line in Table(path, "," if suffix == ".csv" else "\t").rows())
    return parquet_rows(path) if suffix == ".parquet" else json_rows(path)
