"""Rows of a data set to show on its card, chosen by rule and not by taste."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from builders.table import OK, Dataset, Entry, Example
from degrade import images
from degrade.images import Pixels

_LOOKED_AT = 400  # rows from which the samples are chosen
_SIDE = 384  # of the pictures in the overview, in pixels
_STRONG = 0.4  # intensity from which a picture shows what an operator does
_NO_LIMIT = 2**62


def choose(data: Dataset, number: int) -> tuple[Entry, list[Entry]]:
    """The row to show whole, and rows for an overview, with their pictures.

    Whole: a row with an accepted chain whose damage is nearest to two operators of together 1.0.
    Overview: rows of the first split whose operators have not been shown yet, of one shape; weak
    ones are left out.
    """
    split = data.splits[0]
    rows = [e.row for e in islice(data.entries(split, pictures=False), _LOOKED_AT)]
    usual = [row for row in rows if row.status == OK and row.chain and row.applied] or rows
    whole = min(usual, key=lambda r: (abs(len(r.applied) - 2) + abs(r.intensity_sum - 1.0), r.id))
    sizes = Counter(round(row.width / row.height, 1) for row in usual)
    (aspect, _), *_ = sizes.most_common(1)
    alike = [row for row in usual if round(row.width / row.height, 1) == aspect]
    shown: set[str] = set()
    overview: list[str] = []
    for row in sorted(alike, key=lambda r: (abs(len(r.applied) - 1), r.id)):
        names = {a.operator for a in row.applied}
        strong = bool(row.applied) and min(a.intensity for a in row.applied) >= _STRONG
        if strong and not names & shown and len(overview) < number:
            overview.append(row.id)
            shown |= names
    overview = overview or [row.id for row in alike[:number]]
    wanted = {whole.id, *overview}
    found = {entry.row.id: entry for entry in _with_pictures(data, split, wanted)}
    return found[whole.id], [found[i] for i in overview]


def items(data: Dataset, number: int) -> list[list[Entry]]:
    """Items of a benchmark to show, each at all of its levels, undamaged first.

    Of the first rows, those whose operator, or group of damage, has not been shown yet; of one
    shape.
    """
    damaged = data.splits[1:]
    rows = [
        e.row
        for split in reversed(damaged)
        for e in islice(data.entries(split, pictures=False), _LOOKED_AT)
    ]
    sizes = Counter(round(row.width / row.height, 1) for row in rows)
    (aspect, _), *_ = sizes.most_common(1)
    alike = [row for row in rows if round(row.width / row.height, 1) == aspect]
    chosen: dict[str, str] = {}  # what is shown -> item
    for row in alike:
        chosen.setdefault(_damage(row), row.item)
    picked = list(dict.fromkeys([*chosen.values(), *(row.item for row in alike)]))[:number]
    found: dict[str, list[Entry]] = {item: [] for item in picked}
    for split in data.splits:
        for entry in data.entries(split):
            if entry.row.item in found:
                found[entry.row.item].append(entry)
    return list(found.values())


def _damage(row: Example) -> str:
    tags = [tag for tag in row.source_tags if tag.startswith("group=")]
    return ", ".join([*(a.operator for a in row.applied), *tags])


def named(row: Example) -> str:
    """What a picture of the overview shows, below it."""
    if not row.level:
        return "undamaged"
    tags = dict(tag.split("=", 1) for tag in row.source_tags if "=" in tag)
    return row.degradations or f"{tags.get('group', 'level')} {row.level:g}"


def _with_pictures(data: Dataset, split: str, ids: set[str]) -> Iterator[Entry]:
    for entry in data.entries(split):
        if entry.row.id in ids:
            yield entry
            ids = ids - {entry.row.id}
            if not ids:
                return


def thumbnail(data: bytes) -> Pixels:
    """A picture reduced for the overview: (H, W, 3) uint8."""
    return images.decode(data, _NO_LIMIT, _SIDE).pixels


def save(entry: Entry, folder: Path) -> tuple[Path, Path]:
    """The clean and the degraded picture of a row, as they are in the data set."""
    paths = []
    for name, data in (("clean", entry.clean), ("degraded", entry.image)):
        ext = images.extension("keep", images.decode(data, _NO_LIMIT).format)
        path = folder / f"sample-{name}.{ext}"
        path.write_bytes(data)
        paths.append(path)
    return paths[0], paths[1]
