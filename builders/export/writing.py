"""What the formats share in writing: names of files, texts, a writer per split."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from PIL import Image, UnidentifiedImageError

from builders.table import DATA, Example
from degrade.errors import UserError
from degrade.images import FORMATS

PICTURES = "images"
"""Folder of the pictures in formats that have them as files."""

SHARD_BYTES = 400 << 20
"""A file of several is closed when it holds this much: the Hub recommends no more than 500 MB."""

_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}
_STEM = 40


def stem(identity: str) -> str:
    """A file name for an id: safe and different on every file system, also those without case.

    Lower-case letters, digits and hyphens; no dots, which would end a WebDataset key.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", identity.lower()).strip("-")[-_STEM:].strip("-")
    return f"{slug or 'row'}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def extension(data: bytes) -> str:
    """The extension that says what a picture's bytes are, whatever their file was called."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            kind = image.format or ""
    except UnidentifiedImageError:
        raise UserError("A row's picture is none; `degrade-cli validate` says which.") from None
    return _EXTENSIONS.get(kind, kind.lower())


def save(folder: Path, name: str, data: bytes) -> str:
    """Write a picture's original bytes under a name without extension; gives ``folder/name.ext``.

    Pictures that several rows share are written once, where their name is that of the bytes.
    """
    path = folder / f"{name}.{extension(data)}"
    if not path.exists():
        path.write_bytes(data)
    return f"{folder.name}/{path.name}"


class Writer:
    """Base of what writes one split; used with ``with``."""

    def finish(self) -> None:
        """Complete the files; called when all rows were written."""

    def close(self) -> None:
        """Let go of the files; called in any case, afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()


class Lines(Writer):
    """Writes JSON lines.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Append a row."""
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


W = TypeVar("W", bound=Writer)


class PerPart(dict[str, W]):
    """A writer for each split, opened when its first row comes, all finished together.

    Args:
        make: Opens the writer of a split, given the name under which its rows are filed.
    """

    def __init__(self, make: Callable[[str], W]) -> None:
        super().__init__()
        self._make, self._stack = make, ExitStack()

    def __missing__(self, part: str) -> W:
        writer = self._make(part)
        self._stack.push(writer)
        self[part] = writer
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)


class Numbered:
    """Files ``data/<part>-00000-of-00003.<suffix>``, a pattern that `datasets` knows splits by.

    Args:
        folder: Of the export.
        part: Their split's name.
        suffix: Without the dot.
    """

    def __init__(self, folder: Path, part: str, suffix: str) -> None:
        self._folder, self._part, self._suffix = folder / DATA, part, suffix
        self._folder.mkdir(exist_ok=True)
        self._paths: list[Path] = []

    def next(self) -> Path:
        """Where to write the next one."""
        self._paths.append(self._folder / f".{self._part}-{len(self._paths)}.{self._suffix}")
        return self._paths[-1]

    def finish(self) -> None:
        """Name them, as their number is known now."""
        for number, path in enumerate(self._paths):
            name = f"{self._part}-{number:05d}-of-{len(self._paths):05d}.{self._suffix}"
            path.rename(self._folder / name)


def flat(row: Example) -> dict[str, Any]:
    """A row in columns that have one type whatever the rows: nested values as JSON text.

    `datasets` infers the types of JSON from its first rows, split by split. A split of undamaged
    pictures alone has nothing but empty lists, of no type, and would not load beside the others.
    """
    found = row.model_dump(mode="json", exclude={"file_name", "source_name", "answerable"})
    if row.level is None:  # as in every other row
        del found["level"]
    for name, value in found.items():
        if isinstance(value, list):
            found[name] = json.dumps(value, ensure_ascii=False)
    known = {None: "", True: "yes", False: "no"}
    return {**found, "answerable": known[row.answerable], "source_name": row.source_name}
