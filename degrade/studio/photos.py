"""The picture that a visitor works on: its file, and a copy small enough for every move."""

from __future__ import annotations

from dataclasses import dataclass

from degrade import images
from degrade.errors import UserError
from degrade.images import Pixels, UnreadableError, decode, reduced

PREVIEW_SIDE = 960
"""Longer side in pixels of what is degraded while sliders move."""

SHIPPED = "the shipped photograph"


@dataclass(frozen=True)
class Photo:
    """A picture that was opened.

    Attributes:
        name: What commands call it: a path, or the name that an upload had.
        data: The file.
        width, height: In pixels, upright.
        preview: (H, W, 3) uint8, at most :data:`PREVIEW_SIDE` long.
        icc: Colour profile, if any.
        max_pixels: The limit that it was opened under.
    """

    name: str
    data: bytes
    width: int
    height: int
    preview: Pixels
    icc: bytes | None
    max_pixels: int

    @property
    def side(self) -> int:
        """The short side, which lengths are relative to."""
        return min(self.width, self.height)

    @property
    def reduced(self) -> bool:
        """Whether the preview is smaller than the picture."""
        return self.preview.shape[:2] != (self.height, self.width)

    def full(self) -> Pixels:
        """All its pixels, (H, W, 3) uint8."""
        return decode(self.data, self.max_pixels).pixels if self.reduced else self.preview


def opened(name: str, data: bytes, max_pixels: int) -> Photo:
    """A picture from the bytes of a file.

    Args:
        name: What commands call it.
        data: The file.
        max_pixels: Larger pictures are refused before they are decompressed.

    Raises:
        UserError: No picture, or too large.
    """
    try:
        picture = decode(data, max_pixels)
    except UnreadableError as error:
        raise UserError(f"Cannot open {name}: {error.detail}.") from None
    height, width = picture.pixels.shape[:2]
    return Photo(
        name=name,
        data=data,
        width=width,
        height=height,
        preview=reduced(picture.pixels, PREVIEW_SIDE),
        icc=picture.icc,
        max_pixels=max_pixels,
    )


def shipped(max_pixels: int) -> Photo:
    """The photograph that comes with the package, CC0."""
    path = images.shipped()
    return opened(str(path), path.read_bytes(), max_pixels)
