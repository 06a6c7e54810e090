"""Checks of a row's pictures: they open, are of one size, the recorded bytes, and replay."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from builders.neardup import Fingerprint, fingerprint
from builders.table import Entry, Example
from builders.validate.rows import Finding, record
from degrade import images
from degrade.errors import UserError
from degrade.images import Pixels
from degrade.verify import compare
from degrade.workload import MAX_PIXELS


@dataclass
class Looked:
    """What looking at a row's pictures gave: hex digests of their bytes, empty where missing."""

    findings: list[Finding] = field(default_factory=list)
    image_sha256: str = ""
    clean_sha256: str = ""
    thumbnail: Fingerprint | None = None
    """Of the clean picture: degraded ones may be alike in nothing but their damage."""


def look(
    image: bytes | None,
    clean: bytes | None,
    size: tuple[int, int] | None,
    needed: tuple[str, ...] = ("image", "clean"),
    max_pixels: int = MAX_PIXELS,
    alike: bool = True,
) -> tuple[Looked, images.Picture | None, images.Picture | None]:
    """Open both pictures of a row.

    Args:
        image: Bytes of the degraded picture; None where the format has none, empty where missing.
        clean: Of the clean one.
        size: Width and height that both must have; None where the row does not say.
        needed: Which of them must be there.
        max_pixels: Larger pictures are not opened.
        alike: Whether they must be of one size.
    """
    looked = Looked()
    opened: dict[str, images.Picture | None] = {}
    for name, data in (("image", image), ("clean", clean)):
        opened[name] = None
        wanted = size if alike or name == "image" else None
        limit = min(wanted[0] * wanted[1], max_pixels) if wanted else max_pixels
        if data:
            setattr(looked, f"{name}_sha256", hashlib.sha256(data).hexdigest())
            opened[name] = _decoded(name, data, limit, wanted, looked.findings)
        elif data is not None or name in needed:
            looked.findings.append(("missing_picture", f"{name} has no bytes"))
    shapes = {p.pixels.shape[:2] for p in opened.values() if p}
    if len(shapes) > 1 and size is None:
        looked.findings.append(("size", f"image and clean have (H, W) {sorted(shapes)}"))
    if clean_picture := opened["clean"]:
        looked.thumbnail = fingerprint(clean_picture.pixels)
    return looked, opened["image"], opened["clean"]


def _decoded(
    name: str, data: bytes, limit: int, size: tuple[int, int] | None, findings: list[Finding]
) -> images.Picture | None:
    try:
        picture = images.decode(data, max(1, limit))
    except images.UnreadableError as error:
        code = "size" if error.reason == "too_many_pixels" else "undecodable"
        findings.append((code, f"{name}: {error}"))
        return None
    height, width = picture.pixels.shape[:2]
    if size and (width, height) != size:
        findings.append(("size", f"{name} is {width}x{height}, the row says {size[0]}x{size[1]}"))
    return picture


def inspect(
    entry: Entry, again: torch.device | None, same_device: bool, max_pixels: int = MAX_PIXELS
) -> Looked:
    """All checks of the pictures of a data set's row.

    Args:
        entry: The row.
        again: Device to replay the record on; None: do not.
        same_device: It is of the kind that made the picture: nothing may differ.
        max_pixels: Larger pictures are not opened.
    """
    row = entry.row
    looked, image, clean = look(
        entry.image,
        entry.clean,
        (row.width, row.height),
        max_pixels=max_pixels,
        alike=not row.came_degraded,
    )
    found = looked.findings
    for name, code in (("image", "image_bytes"), ("clean", "clean_bytes")):
        digest, recorded = getattr(looked, f"{name}_sha256"), getattr(row, f"{name}_sha256")
        if digest and digest != recorded:
            found.append((code, f"sha256 {digest[:12]}..., recorded {recorded[:12]!r}..."))
    if image:
        kind = images.extension("keep", image.format)
        if kind != row.encoding.split(" ")[0]:
            found.append(("encoding", f"{kind}, the row says {row.encoding!r}"))
        elif row.came_degraded:
            pass  # by somebody else, without a record
        elif again and clean and clean.pixels.shape == image.pixels.shape and not _wrong(row):
            found.extend(_replayed(row, image.pixels, clean.pixels, again, same_device))
    return looked


def _wrong(row: Example) -> bool:
    """Whether its records are none that their operators draw: that is told, and not replayed."""
    side = min(row.width, row.height)
    return any(True for applied in row.applied for _ in record(applied, side))


def _replayed(
    row: Example, image: Pixels, clean: Pixels, device: torch.device, same_device: bool
) -> Iterator[Finding]:
    try:
        problem = compare(image, clean, row.applied, row.encoding, device, same_device)
    except (UserError, images.UnreadableError, MemoryError, RuntimeError) as error:
        # RuntimeError: how torch says that there is not enough memory.
        yield "replay", str(error)
        return
    if problem:
        yield "replay", problem
