"""Pictures looked for in a source and kept on disk until their rows are made."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from builders.sources import Item
from degrade import images
from degrade.runs import write_atomic
from degrade.threads import bounded_map


def pixels_sha256(pixels: images.Pixels) -> str:
    """Hex digest of a picture (H, W, 3) uint8: its size and its values, not how it is packed."""
    size = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(size + pixels.tobytes()).hexdigest()


class Wanted(NamedTuple):
    """A picture to look for: the item to name where it is not found; digests of it."""

    item: str
    sha256: str
    pixels: str


class _Seen(NamedTuple):
    """What of a source's row is wanted, digest -> bytes, or why nothing is."""

    pictures: dict[str, bytes]
    id: str
    problem: str


class Spool:
    """A folder of pictures, named by the digest that their rows record.

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
            if self._path(one.sha256).exists():
                found += 1
                continue
            recorded.add(one.sha256)
            pixels_of.setdefault(one.pixels, set()).add(one.sha256)
            ids.add(one.item.partition("/")[2])
        yield found
        if not recorded:
            return

        def look(item: Item) -> _Seen:
            pictures: dict[str, bytes] = {}
            problem = item.problem or "no picture"
            for data in filter(None, (item.picture, item.degraded)):
                digest = hashlib.sha256(data).hexdigest()
                if digest in recorded:
                    pictures[digest] = data
                    continue
                try:
                    picture = images.decode(data, *self._limits)
                except images.UnreadableError as error:
                    problem = str(error)
                    continue
                keys = pixels_of.get(pixels_sha256(picture.pixels), set())
                if keys and picture.altered:  # as the build did: so that the file shows these
                    data = images.encode(picture.pixels, "png", picture.icc)
                    digest = hashlib.sha256(data).hexdigest()
                    keys = {digest} if digest in keys else keys
                pictures |= dict.fromkeys(keys, data)
                problem = "its pixels are not the recorded"
            return _Seen(pictures, item.id, "" if pictures else problem)

        left = set(recorded)
        for seen in bounded_map(pool, look, items, window):
            if not seen.pictures and seen.id in ids:
                self._seen[seen.id] = seen.problem
            for key in left.intersection(seen.pictures):
                path = self._path(key)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, seen.pictures[key])
                left.remove(key)
                found += 1
                yield found
            if not left:
                return

    def drop(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
