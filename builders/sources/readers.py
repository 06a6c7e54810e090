"""Files of rows, read a row at a time: JSON, JSON lines, CSV, TSV, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from builders.sources.values import RowError
from degrade import shards
from degrade.errors import UserError
from degrade.storage import Place

LARGEST = 2**28
"""Bytes of one row, characters in JSON arrays: no row with its picture is larger, and a file whose
rows do not end is refused before it fills the memory."""

_PIECE = 2**16
_TOKEN = 16  # characters: how far before the cut an entry can seem broken that is only cut


def json_rows(path: Place) -> Iterator[dict[str, Any] | RowError]:
    """The objects of a JSON array or of JSON lines, whichever the file holds.

    Both are streamed; blank lines are none. What is no object takes its place as an error.

    Raises:
        UserError: The file is missing, is no JSON, has a row larger than :data:`LARGEST`, or holds
            no object at all.
    """
    rows = good = 0
    problem = "it is empty"
    try:
        with path.open("rb") as file:
            for row in _array(path) if _first(path) == b"[" else _lines(path, file):
                rows += 1
                if isinstance(row, RowError):
                    problem = problem if rows > 1 else row.detail
                else:
                    good += 1
                yield row
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None
    if not good:
        raise UserError(f"{path} holds neither a JSON array nor lines of JSON objects: {problem}.")


def _first(path: Place) -> bytes:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _array(path: Place) -> Iterator[dict[str, Any] | RowError]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, row in enumerate(_Array(file).entries()):
                fine = isinstance(row, dict)
                yield row if fine else RowError("malformed_row", f"entry {number} is no object")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no valid JSON: {error}") from None


class _Array:
    """The entries of a JSON array, of which one is held at a time."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file, self._text, self._at, self._ended = file, "", 0, False
        self._scan = json.JSONDecoder().raw_decode

    def entries(self) -> Iterator[Any]:
        """All entries.

        Raises:
            ValueError: It is no array, or an entry is larger than :data:`LARGEST`.
        """
        self._next("[")
        number, separator = 0, ","
        if self._peek() == "]":
            separator = self._next("]")
        while separator == ",":
            yield self._entry(number)
            number, separator = number + 1, self._next(",]", f"after entry {number}")
        if self._peek():
            raise ValueError("something follows the array")

    def _entry(self, number: int) -> Any:
        self._peek()
        while True:
            try:
                found, end = self._scan(self._text, self._at)
                # Near the end of what was read a number may go on: 1, 1.5 and 1.5e3 begin alike.
                if end + _TOKEN < len(self._text) or self._ended:
                    self._at = end
                    return found
            except json.JSONDecodeError as error:
                cut = error.pos > len(self._text) - _TOKEN or error.msg.startswith("Unterminated")
                if self._ended or not cut:
                    raise ValueError(f"entry {number}: {error.msg}") from None
            if len(self._text) - self._at > LARGEST:
                raise ValueError(f"entry {number} does not end within {_limit()}")
            self._more()

    def _peek(self) -> str:
        """The next character that is no space, to which it goes; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._more()

    def _next(self, allowed: str, where: str = "") -> str:
        found = self._peek()
        if not found or found not in allowed:
            raise ValueError(f"it ends {where or 'early'}" if not found else f"{found!r} {where}")
        self._at += 1
        return found

    def _more(self) -> None:
        """Read as much again as is held, so that a long entry is scanned a few times only."""
        kept = self._text[self._at :]
        piece = self._file.read(max(_PIECE, len(kept)))
        self._text, self._at, self._ended = kept + piece, 0, not piece


def _limited(path: Place, file: io.BufferedReader) -> Iterator[bytes]:
    """The lines of a file.

    Raises:
        UserError: One is larger than :data:`LARGEST`.
    """
    while line := file.readline(LARGEST + 1):
        if len(line) > LARGEST:
            at = file.tell() - len(line)
            raise UserError(f"{path}: the line at byte {at} does not end within {_limit()}.")
        yield line


def _limit() -> str:
    return f"{LARGEST >> 20} MiB, the most that a row may hold"


def _lines(path: Place, file: io.BufferedReader) -> Iterator[dict[str, Any] | RowError]:
    for number, line in enumerate(_limited(path, file), 1):
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

    def __init__(self, path: Place, delimiter: str) -> None:
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
        begin = position = start

        def lines(file: io.BufferedReader) -> Iterator[str]:
            nonlocal position
            for line in _limited(self.path, file):
                position += len(line)
                if position - begin > LARGEST:
                    raise UserError(
                        f"{self.path}: the record at byte {begin} does not end within {_limit()}. "
                        "Is a quote not closed?"
                    )
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
            raise UserError(f"Cannot read {self.path}: {error.strerror or error}.") from None

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


def parquet_rows(path: Place, columns: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
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


def tabular(path: Place) -> Iterator[dict[str, Any] | RowError]:
    """The rows of a ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.parquet`` file, streamed."""
    suffix = PurePosixPath(path.name).suffix.lower()
    if suffix in {".csv", ".tsv"}:
        return (line.cells for line in Table(path, "," if suffix == ".csv" else "\t").rows())
    return parquet_rows(path) if suffix == ".parquet" else json_rows(path)
