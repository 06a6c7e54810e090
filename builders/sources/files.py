"""Files that recipes and rows name: found, and kept inside their folder."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any, overload

from PIL import Image, UnidentifiedImageError

from builders.sources.values import RowError, listed, plain
from degrade.errors import UserError
from degrade.images import EXTENSIONS, FORMATS
from degrade.storage import Place, Remote

LARGEST_PICTURE = 2**30
"""Bytes of a picture's file: a hundred million pixels of 16 bits, uncompressed, are fewer."""


@overload
def located(base: Path, path: Path) -> Path: ...
@overload
def located(base: Path, path: Place) -> Place: ...
def located(base: Path, path: Place) -> Place:
    """What a recipe's path means, below the folder of the recipe unless it is absolute or a URL."""
    return base / path.expanduser() if isinstance(path, Path) else path


@overload
def matching(base: Path, path: Path, suffixes: Collection[str]) -> tuple[Path, list[Path]]: ...
@overload
def matching(base: Path, path: Place, suffixes: Collection[str]) -> tuple[Place, list[Place]]: ...
def matching(
    base: Path, path: Place, suffixes: Collection[str]
) -> tuple[Place, list[Place]] | tuple[Path, list[Path]]:
    """The files that a file's name, a folder or a pattern stands for, in a stable order.

    Returns:
        The folder that names are relative to, and the files, in the order of their bytes.

    Raises:
        UserError: There are none.
    """
    place = located(base, path)
    if isinstance(place, Remote):
        return _on_store(place, suffixes)
    if place.is_file():
        return place.parent, [place]
    if place.is_dir():
        root, found = (
            place,
            [
                p
                for p in place.rglob("*")
                if p.name.endswith(tuple(suffixes)) and not p.name.startswith(".")
            ],
        )
    elif glob.has_magic(str(place)):
        # The pattern begins where nothing exists: folders may have brackets in their names.
        root = next(parent for parent in place.parents if parent.is_dir())
        found = list(root.glob(str(place.relative_to(root))))
    else:
        raise UserError(f"There is no file or folder {place}.")
    files = sorted((p for p in found if p.is_file()), key=lambda p: os.fsencode(str(p)))
    if not files:
        raise UserError(f"{place} holds no files that end in {' or '.join(suffixes)}.")
    return root, files


def _on_store(place: Remote, suffixes: Collection[str]) -> tuple[Place, list[Place]]:
    if place.is_file():
        return place.parent, [place]
    names = (n for n in place.walk() if not n.rpartition("/")[2].startswith("."))
    files = sorted((n for n in names if n.endswith(tuple(suffixes))), key=os.fsencode)
    if not files:
        raise UserError(f"{place} holds no files that end in {' or '.join(suffixes)}.")
    return place, [place / name for name in files]


def stem(root: Place, file: Place) -> str:
    """A file's name below a folder without its extension, to begin ids with."""
    if isinstance(root, Path) and isinstance(file, Path):
        return file.relative_to(root).with_suffix("").as_posix()
    name = str(file).removeprefix(f"{str(root).rstrip('/')}/")
    return PurePosixPath(name).with_suffix("").as_posix()


def shown(name: str, data: bytes) -> str:
    """A name for a picture that ends in an extension: its own, or that of what the bytes are."""
    if Path(name).suffix.lower() in EXTENSIONS:
        return name
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            kind = image.format or ""
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return name  # whoever decodes it will say what is wrong
    return f"{name}.{ {'JPEG': 'jpg', 'JPEG2000': 'jp2'}.get(kind, kind.lower()) }"


class Folder:
    """The pictures that rows name. Only what lies below the folder is read.

    A data file may come from anywhere, and what it names is copied into a data set that may be
    published: a row must not be able to ask for ``../../.ssh/id_ed25519``. Links inside the folder
    are followed, as those of a download cache have to be.

    Args:
        root: The folder.
        anywhere: Read absolute and climbing paths too (``absolute_paths: true``).
    """

    def __init__(self, root: Place, anywhere: bool = False) -> None:
        self.root, self.anywhere = root, anywhere

    def below(self, name: str) -> str | None:
        """A named path relative to the folder; None where it leads out of it."""
        # By its spelling alone: what a link inside the folder leads to was put there on purpose.
        path = Path(os.path.normpath(name))
        if path.anchor and isinstance(self.root, Path):
            here = Path(os.path.normpath(self.root.absolute()))
            around = [r for r in (here, self.root.resolve()) if path.is_relative_to(r)]
            return path.relative_to(around[0]).as_posix() if around else None
        return None if path.anchor or path.parts[:1] == ("..",) else path.as_posix()

    def place(self, name: str) -> tuple[Place, str]:
        """Where a named file is, and the name to show for it.

        Raises:
            RowError: It is no file's name, or leads out of the folder.
        """
        if not name or "\0" in name:
            raise RowError("missing_picture", "the row names no picture")
        if "://" in name:
            raise RowError("remote_picture", f"{name}: download it and name the file")
        below = self.below(name)
        if below is None and not (self.anywhere and isinstance(self.root, Path)):
            raise RowError(
                "outside_the_source",
                f"{name} is not below the source; to allow it: 'absolute_paths: true'",
            )
        return self.root / (below or name), below or Path(name).name

    def read(self, name: str) -> tuple[bytes, str]:
        """The bytes of a file and the name to show.

        Raises:
            RowError: It is outside, missing, no file or cannot be read.
        """
        place, short = self.place(name)
        try:
            if isinstance(place, Path) and not place.is_file():
                raise FileNotFoundError  # a pipe or a device would never end
            check_size(name, size(place))
            data = place.read_bytes()
        except FileNotFoundError:
            raise RowError("missing_picture", f"there is no file {name} in the source") from None
        except OSError as error:
            raise RowError("unreadable", f"{name}: {error.strerror or error}") from None
        return data, shown(short, data)

    def picture(self, value: Any, fallback: str) -> tuple[bytes, str]:
        """A picture as data files hold it: a path, bytes, or ``{"bytes": ..., "path": ...}``.

        Args:
            value: That, or a list of one.
            fallback: The name where it has none.

        Raises:
            RowError: There is none, there are several, or it cannot be read.
        """
        value = only(value)
        if isinstance(value, dict):
            data, name = value.get("bytes"), str(value.get("path") or "")
            if data is None:
                return self.read(name)
            return data, shown(self.label(name) or fallback, data)
        if isinstance(value, (bytes, bytearray)):
            return bytes(value), shown(fallback, bytes(value))
        if isinstance(value, str):
            return self.read(value)
        raise RowError("malformed_row", f"a {type(value).__name__} is no picture")

    def label(self, name: str) -> str:
        """A stored path as a name to show: nobody's private folders."""
        try:
            return self.place(name)[1]
        except RowError:
            return Path(name).name


def size(file: Place) -> int:
    """Bytes of a file."""
    return file.stat().st_size if isinstance(file, Path) else file.size()


def check_size(name: str, size: int) -> None:
    """Refuse to read a file that is no picture, by its size.

    Raises:
        RowError: It is larger than :data:`LARGEST_PICTURE`.
    """
    if size > LARGEST_PICTURE:
        most = f"a picture has at most {LARGEST_PICTURE >> 20} MiB"
        raise RowError("file_too_large", f"{name} has {size} bytes; {most}")


def called(value: Any) -> str:
    """What a row calls its picture, for a report of what is wrong with it."""
    if isinstance(value, dict):
        value = value.get("path")
    return value if isinstance(value, str) else ""


def only(value: Any) -> Any:
    """The one picture of a row.

    Raises:
        RowError: There is none, or there are several.
    """
    value = plain(value)
    several = listed(value)
    if several is not None:
        if len(several) > 1:
            raise RowError("several_pictures", f"{len(several)} pictures; a row has one")
        value = several[0] if several else None
    if value is None or value == "":
        raise RowError("missing_picture", "the row has no picture")
    return value
