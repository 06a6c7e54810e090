"""Clean pictures looked for in a source and kept on disk until their rows are made."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from builders.sources import Item
from degrade import images
from degrade.runs import bounded_map, write_atomic
from degrade.schema import Record


def pixels_sha256(pixels: images.Pixels) -> str:
    """Hex digest of a picture (H, W, 3) uint8: its size and its values, not how it is packed."""
    size = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(size + pixels.tobytes()).hexdigest()


class Wanted(Record):
    """A clean picture to look for, and the row to name where it is not found."""

    id: str
    clean_sha256: str
    clean_pixels_sha256: str


class _Seen(NamedTuple):
    """A picture of a source that is wanted, or why it is not."""

    keys: tuple[str, ...]
    data: bytes
    id: str
    problem: str


class Spool:
    """A folder of clean pictures, named by the digest that their rows record.

    Args:
        folder: To write.
        limits: Most pixels of a picture, and the longer side in pixels to reduce it to or None, as
            the build had them.
    """

    def __init__(self, folder: Path, limits: tuple[int, int | None]) -> None:
        self.folder, self._limits = folder, limits
        self._seen: dict[str, str] = {}  # id in the source -> what is there instead

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def read(self, key: str) -> bytes | None:
        """The picture recorded as ``key``; None where it was not found."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def why_missing(self, identity: str) -> tuple[str, str]:
        """Reason and detail for a row whose picture was not found."""
        _, _, inside = identity.partition("/")
        if problem := self._seen.get(inside):
            return "other_picture", problem
        return "missing_picture", "the source holds no picture with the recorded bytes or pixels"

    def fill(
        self, pool: ThreadPoolExecutor, items: Iterable[Item], wanted: Iterable[Wanted], window: int
    ) -> Iterator[int]:
        """Look for pictures until all are found or the source ends; yields how many are there."""
        recorded: set[str] = set()
        pixels_of: dict[str, set[str]] = {}
        ids: set[str] = set()
        found = 0
        for one in wanted:
            if self._path(one.clean_sha256).exists():
                found += 1
                continue
            recorded.add(one.clean_sha256)
            pixels_of.setdefault(one.clean_pixels_sha256, set()).add(one.clean_sha256)
            ids.add(one.id.partition("/")[2])
        yield found
        if not recorded:
            return

        def look(item: Item) -> _Seen:
            if item.picture is None:
                return _Seen((), b"", item.id, item.problem or "no picture")
            digest = hashlib.sha256(item.picture).hexdigest()
            if digest in recorded:
                return _Seen((digest,), item.picture, item.id, "")
            try:
                picture = images.decode(item.picture, *self._limits)
            except images.UnreadableError as error:
                return _Seen((), b"", item.id, str(error))
            keys = tuple(pixels_of.get(pixels_sha256(picture.pixels), ()))
            data = item.picture
            if keys and picture.altered:  # as the build did: so that the file shows these pixels
                data = images.encode(picture.pixels, "png", picture.icc)
                digest = hashlib.sha256(data).hexdigest()
                keys = (digest,) if digest in keys else keys
            return _Seen(keys, data, item.id, "" if keys else "its pixels are not the recorded")

        left = set(recorded)
        for seen in bounded_map(pool, look, items, window):
            if not seen.keys and seen.id in ids:
                self._seen[seen.id] = seen.problem
            for key in left.intersection(seen.keys):
                path = self._path(key)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, seen.data)
                left.remove(key)
                found += 1
                yield found
            if not left:
                return

    def drop(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
