"""A folder of pictures -> a list of sources with stable ids and names to write under."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_to_bytes

import numpy as np

from degrade.errors import UserError
from degrade.images import EXTENSIONS
from degrade.storage import Place


@dataclass(frozen=True, slots=True)
class Source:
    """One picture to read.

    ``path`` is what the system calls it below the root, ``id`` the row's, ``recorded`` what a
    record's ``source_path`` says: by default the id.
    """

    path: str
    id: str
    recorded: str = ""

    def __post_init__(self) -> None:
        if not self.recorded:
            object.__setattr__(self, "recorded", self.id)


@dataclass(frozen=True)
class Listing:
    """What a source folder holds. ``ignored`` counts files that do not claim to be pictures."""

    root: Place
    sources: tuple[Source, ...]
    ignored: int


def printable(name: str) -> str:
    """A file name as valid UTF-8: bytes that are none become ``%XX``."""
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in name)


_NO_TEXT = re.compile("[\udc80-\udcff]")


def find(root: Place, recorded: str) -> Place:
    """The file that a record's ``source_path`` names; the inverse of :func:`printable`."""
    path = root / recorded
    if not isinstance(root, Path) or path.exists():
        return path
    return root / unquote_to_bytes(recorded).decode("utf-8", "surrogateescape")


def scan(src: Place) -> Listing:
    """List the pictures below a folder (or the one picture), in a stable order.

    Links are followed, each folder once, so that loops end. Hidden files and files without a
    picture's extension are counted, not taken.

    Raises:
        UserError: The source is missing, unreadable or holds no picture.
    """
    if src.is_file():
        return Listing(src.parent, (Source(src.name, printable(src.name)),), 0)
    if not src.is_dir():
        raise UserError(f"There is no folder or picture {printable(str(src))}.")
    found: list[str] = []
    ignored = 0
    for name in _walk(src) if isinstance(src, Path) else src.walk():
        if PurePosixPath(name).name.startswith(".") or _suffix(name) not in EXTENSIONS:
            ignored += 1
        else:
            found.append(name)
    if not found:
        raise UserError(
            f"{printable(str(src))} holds no pictures ({ignored} other files). "
            f"Pictures end in {', '.join(sorted(EXTENSIONS))}."
        )
    # Sorted by bytes: the same order in every locale, and names that are no text have a place.
    # Where all are text that is the order of their characters, and needs no second copy of each.
    found.sort(key=None if all(map(_is_text, found)) else os.fsencode)
    return Listing(src, tuple(_with_ids(found)), ignored)


def _is_text(name: str) -> bool:
    return name.isascii() or not _NO_TEXT.search(name)


def _walk(root: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()

    def enter(folder: str, prefix: str) -> Iterator[str]:
        below: list[tuple[str, str]] = []
        try:
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    # A broken link, or one that points at itself, counts as a file: reading it
                    # tells why.
                    if _is_dir(entry):
                        below.append((entry.name, entry.path))
                    else:
                        yield f"{prefix}{entry.name}"
        except OSError as error:
            raise UserError(
                f"Cannot list {printable(folder)}: {error.strerror}. Mend its permissions or "
                "leave it out."
            ) from None
        for name, path in sorted(below, key=lambda pair: os.fsencode(pair[0])):
            yield from enter(path, f"{prefix}{name}/")

    return enter(str(root), "")


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _with_ids(paths: Sequence[str]) -> Iterator[Source]:
    if all(map(_is_text, paths)):
        yield from (Source(path, path) for path in paths)
        return
    taken: set[str] = set()
    for path in paths:
        identity, quoted = printable(path), 0
        while identity in taken:  # "a%FF.jpg" may exist beside the name that needed escaping
            quoted += 1  # more than is needed, so that the name still says which file is meant
            head = "".join(f"%{byte:02X}" for byte in os.fsencode(path[:quoted]))
            identity = head + printable(path[quoted:])
        taken.add(identity)
        yield Source(path, identity)


class OutputNames:
    """Names to write under, without extension, unique even where case does not count.

    ``cat.jpg`` becomes ``cat``; of ``cat.jpg`` and ``cat.png`` in one folder the second becomes
    ``cat.png``, and so on. A store may hold ``a//b`` and ``../b``, which on a disk are other files:
    there an empty part becomes ``%``, and the dots ``%2E``. Only names that are not simply their
    source's are kept.

    Args:
        sources: In the order of the listing.
        suffixes: What will be appended for copies and levels; all results must be free.
    """

    def __init__(self, sources: Sequence[Source], suffixes: Sequence[str]) -> None:
        self._sources = sources
        self._others: dict[int, str] = {}
        keys = (key for source in sources for key in _keys(_stem(source.id), suffixes))
        hashes = np.fromiter(map(hash, keys), np.int64, len(sources) * len(suffixes))
        hashes.sort()
        if (hashes[1:] == hashes[:-1]).any():
            self._tell_apart(suffixes)

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> str:
        return self._others.get(i) or _stem(self._sources[i].id)

    def _tell_apart(self, suffixes: Sequence[str]) -> None:
        taken: set[str] = set()
        for i, source in enumerate(self._sources):
            stem = _stem(source.id)
            whole = _below(source.id)
            candidates = iter([stem, whole])
            number = 2
            while True:
                name = next(candidates, f"{whole}-{number}")
                number += 1
                keys = _keys(name, suffixes)
                if not keys & taken:
                    break
            taken |= keys
            if name != stem:
                self._others[i] = name


def _stem(identity: str) -> str:
    name = _below(identity)
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in EXTENSIONS else name


_PART = re.compile(r"(?:^|(?<=/))(\.{0,2})(?=/)")


def _below(identity: str) -> str:
    """The name without parts that a file system does not take for names of folders."""
    return _PART.sub(lambda part: part[1].replace(".", "%2E") or "%", identity)


def _keys(name: str, suffixes: Sequence[str]) -> set[str]:
    return {f"{name}{suffix}".casefold() for suffix in suffixes}
