"""Pairs of pictures for a page: reduced, with a detail at full size, within so many bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow

from degrade import images, shards
from degrade.errors import UserError
from degrade.images import Pixels, UnreadableError, decode
from degrade.report.rows import Given, Told
from degrade.sources import find
from degrade.storage import Place, place

SIDE = 512
"""Longer side to which pictures are reduced, in pixels; also below which there is no detail."""

DETAIL = 256
"""Side of the detail that is shown at full size, in pixels."""

_QUALITIES = (92, 85, 75, 60, 45)
_LEAST = 64  # pixels; nothing is made smaller than this
_SAID = ("question", "choices", "answer_text", "chain")
_MAX_PIXELS = 2**62  # the run has looked at them before


class Pair(NamedTuple):
    """Two pictures of one size to lay over each other, WebP; ``clean`` empty where there is none.

    Attributes:
        clean: Bytes.
        degraded: Bytes.
        width: In pixels.
        height: In pixels.
        quality: Of WebP.
    """

    clean: bytes
    degraded: bytes
    width: int
    height: int
    quality: int


class Seen(NamedTuple):
    """What there is to see of a row.

    Attributes:
        whole: The whole picture, None where it does not open.
        detail: The part in which it differs most, at full size; None where the whole is.
        size: (width, height) of the degraded picture in its file, in pixels.
        problem: What is missing, for people; empty where nothing is.
        said: Columns of a data set's row about its question.
    """

    whole: Pair | None
    detail: Pair | None
    size: tuple[int, int]
    problem: str
    said: dict[str, Any]


class _Files(NamedTuple):
    degraded: bytes
    clean: bytes | None
    problem: str
    said: dict[str, Any]


def seen(given: Given, rows: Sequence[Told], source: Place | None, budget: int) -> Iterator[Seen]:
    """The pictures of rows, one after another.

    Args:
        given: Whose rows they are.
        rows: In the order of the files.
        source: Where the clean pictures of a folder run are, if they moved.
        budget: Bytes for all of them together.

    Raises:
        UserError: ``source`` is no folder, or a file is damaged.
    """
    if source is not None and not source.is_dir():
        raise UserError(f"There is no folder {source}, where --source says the clean pictures are.")
    max_side = given.settings.get("max_side") if given.is_run else None
    for row, files in zip(rows, _read(given, rows, source), strict=True):
        yield _seen(row, files, max_side, budget // max(1, len(rows)))


def _read(given: Given, rows: Sequence[Told], source: Place | None) -> Iterator[_Files]:
    if not given.in_parquet:
        root = source or place(given.settings["source"])
        root = root.parent if root.is_file() else root
        yield from (_of_folder(given.folder, root, row) for row in rows)
        return
    for row in rows:  # one at a time: a row group may hold 32 MB
        path = given.files[row.file]
        try:
            columns = [*shards.PICTURES, *(() if given.is_run else _SAID)]
            found = shards.rows_at(path, [row.place], columns)[row.place]
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"Cannot read {path}: {error}") from None
        degraded, clean = ((found.get(name) or {}).get("bytes") for name in shards.PICTURES)
        problem = "" if clean else "the file holds no clean picture"
        yield _Files(degraded or b"", clean, problem, found)


def _of_folder(folder: Place, root: Place, row: Told) -> _Files:
    try:
        degraded = (folder / row.fields["file_name"]).read_bytes()
    except OSError as error:
        return _Files(b"", None, f"the degraded picture cannot be read: {error.strerror}", {})
    try:
        return _Files(degraded, find(root, row.fields["source_path"]).read_bytes(), "", {})
    except OSError:
        problem = f"the clean picture is not in {root} any more; --source says where it is"
        return _Files(degraded, None, problem, {})


def _seen(row: Told, files: _Files, max_side: Any, budget: int) -> Seen:
    problem, said = files.problem, files.said
    size = int(row.fields["width"]), int(row.fields["height"])
    try:
        degraded = decode(files.degraded, _MAX_PIXELS).pixels
    except UnreadableError as error:
        return Seen(None, None, size, problem or f"the degraded picture: {error.detail}", said)
    size = degraded.shape[1], degraded.shape[0]
    clean: Pixels | None = None
    if files.clean is not None:
        try:
            clean = decode(files.clean, _MAX_PIXELS, max_side).pixels
        except UnreadableError as error:
            problem = f"the clean picture: {error.detail}"
    if clean is not None and clean.shape != degraded.shape:
        height, width = clean.shape[:2]
        problem = f"the clean picture is {width} x {height} now: it was changed since"
        clean = None
    if max(size) <= SIDE:
        return Seen(_pair(clean, degraded, budget), None, size, problem, said)
    whole = _pair(_reduced(clean), _reduced(degraded), budget * 3 // 4)
    x, y = _place(clean, degraded)
    part = np.s_[y : y + DETAIL, x : x + DETAIL]
    detail = _pair(None if clean is None else clean[part], degraded[part], budget // 4, crop=True)
    return Seen(whole, detail, size, problem, said)


def _reduced(pixels: Any, side: float = SIDE) -> Any:
    return None if pixels is None else images.reduced(pixels, side)


def _place(clean: Pixels | None, degraded: Pixels) -> tuple[int, int]:
    """Left and top of the part that differs most; the middle where there is nothing to compare."""
    height, width = degraded.shape[:2]
    room = max(0, width - DETAIL), max(0, height - DETAIL)
    if clean is None:
        return room[0] // 2, room[1] // 2
    scale = min(1.0, SIDE / max(width, height))
    gap = np.abs(_reduced(clean).astype(np.float32) - _reduced(degraded)).mean(axis=2)
    side = [max(1, round(min(DETAIL, length) * scale)) for length in (width, height)]
    means = cv2.boxFilter(gap, -1, (side[0], side[1]), borderType=cv2.BORDER_REFLECT)
    y, x = np.unravel_index(int(means.argmax()), means.shape)
    corner = (round(int(v) / scale) - DETAIL // 2 for v in (x, y))
    left, top = (min(max(0, at), most) for at, most in zip(corner, room, strict=True))
    return left, top


def _pair(clean: Pixels | None, degraded: Pixels, budget: int, crop: bool = False) -> Pair:
    """Two pictures at the best quality that fits; reduced further, or cropped, where none does."""
    while True:
        for quality in _QUALITIES:
            made = [b"" if p is None else images.webp(p, quality) for p in (clean, degraded)]
            if sum(map(len, made)) <= budget or max(degraded.shape[:2]) <= _LEAST:
                height, width = degraded.shape[:2]
                return Pair(made[0], made[1], width, height, quality)
        side = 0.75 * max(degraded.shape[:2])
        if crop:
            middle = [slice((n - int(side)) // 2, (n + int(side)) // 2) for n in degraded.shape[:2]]
            part = tuple(s if s.start > 0 else slice(None) for s in middle)
            clean, degraded = None if clean is None else clean[part], degraded[part]
        else:
            clean, degraded = _reduced(clean, side), _reduced(degraded, side)
