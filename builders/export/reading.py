"""What the formats share in reading: nothing in a file makes it raise, all of it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from builders.export.base import Found, Problem
from builders.table import DATA
from degrade.schema import Degradation

_PARTED = re.compile(r"(?P<part>.+)-(?P<number>\d{5})-of-(?P<of>\d{5})\.\w+")
BROKEN = (OSError, ValueError, pa.ArrowException)
"""What reading a damaged file raises: JSON's and Unicode's errors are ValueErrors."""


class Seen:
    """A row as it is read: its values where they are of the expected type, and what is wrong.

    Args:
        where: File and row.
        item: What the file holds there.
    """

    def __init__(self, where: str, item: Any) -> None:
        self.where = where
        self.problems: list[Problem] = []
        self.item: dict[str, Any] = item if isinstance(item, dict) else {}
        if not isinstance(item, dict):
            self.wrong("broken_row", f"{type(item).__name__} where a row of columns belongs")

    def wrong(self, code: str, detail: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(code, self.where, detail))

    def text(self, key: str, needed: bool = True) -> str | None:
        """A text; None where it is missing, which is a problem if it is needed."""
        value = self.item.get(key)
        if isinstance(value, str):
            return value
        if needed or value is not None:
            self.wrong("broken_row", f"{key!r} is {_short(value)} where a text belongs")
        return None

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts."""
        value = self.item.get(key)
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        self.wrong("broken_row", f"{key!r} is {_short(value)} where a list of texts belongs")
        return None

    def types(self, value: Any) -> tuple[Degradation, ...] | None:
        """Degradations as ``[{"label": ..., "intensity": ...}]``."""
        try:
            return tuple(Degradation.model_validate(v) for v in value)
        except (TypeError, ValidationError):
            self.wrong("broken_row", f"{_short(value)} where a list of degradations belongs")
            return None

    def parsed(self, key: str) -> Any:
        """A value that is stored as JSON text."""
        try:
            return json.loads(self.text(key) or "null")
        except ValueError:
            self.wrong("broken_row", f"{key!r} is no JSON: {_short(self.item[key])}")
            return None

    def embedded(self, value: Any) -> bytes | None:
        """A picture stored in a column."""
        data = value.get("bytes") if isinstance(value, dict) else None
        if isinstance(data, bytes) and data:
            return data
        self.wrong("missing_picture", "no bytes in the column")
        return None

    def file(self, folder: Path, name: Any) -> bytes | None:
        """A picture by its name relative to a folder."""
        if not isinstance(name, str) or not name:
            self.wrong("missing_picture", f"{_short(name)} where a file name belongs")
            return None
        if Path(name).is_absolute() or ".." in Path(name).parts:
            self.wrong("missing_picture", f"{name!r} leads out of the folder")
            return None
        try:
            return (folder / name).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL
            reason = getattr(error, "strerror", None) or str(error)
            self.wrong("missing_picture", f"{name!r}: {reason}")
            return None

    def found(self, identity: str | None, split: str | None, **fields: Any) -> Found:
        """The row; a loader that has no ids counts rows instead."""
        return Found(
            self.where, identity or self.where, split, problems=tuple(self.problems), **fields
        )


def unreadable(where: str, error: Exception | str, code: str = "unreadable_file") -> Found:
    """What stands for a file that cannot be read, or not further."""
    detail = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Found(where, "", problems=(Problem(code, where, " ".join(detail.split())),))


def json_rows(path: Path, folder: Path) -> Iterator[Seen | Found]:
    """Lines of JSON as rows; a broken line is a row with a problem.

    Args:
        path: The file.
        folder: Of the export, which messages leave out.
    """
    name = path.relative_to(folder).as_posix()
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file, 1):
                where = f"{name}:{number}"
                try:
                    yield Seen(where, json.loads(data))
                except ValueError as error:
                    seen = Seen(where, {})
                    seen.wrong("broken_row", f"no JSON: {error}")
                    seen.wrong("missing_picture", "the row that names it is broken")
                    yield seen.found(None, None)
    except OSError as error:
        yield unreadable(name, error)


def parted(folder: Path, suffix: str) -> Iterator[tuple[Path, str] | Found]:
    """Files of :class:`Numbered` with the names of their splits; missing ones are problems."""
    names = sorted(path.name for path in (folder / DATA).glob(f"*.{suffix}"))
    for name in names:
        match = _PARTED.fullmatch(name)
        if not match:
            yield unreadable(name, "not named <split>-00000-of-00001", "file_name")
            continue
        part, of = match["part"], int(match["of"])
        if name == next(n for n in names if n.startswith(f"{part}-")):
            for number in range(of):
                wanted = f"{part}-{number:05d}-of-{of:05d}.{suffix}"
                if wanted not in names:
                    yield unreadable(wanted, "it is not there", "missing_file")
        yield folder / DATA / name, part


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
