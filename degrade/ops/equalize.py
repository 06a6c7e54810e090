"""Automatic contrast."""

from typing import Annotated

import torch

from degrade.kernels import col, luma
from degrade.kernels.kinds import by_kind
from degrade.kernels.levels import (
    LEVELS,
    equalised,
    histogram,
    limited,
    stretch_ends,
    to_levels,
)
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

_TILES = 8


def _channels(y: Images) -> torch.Tensor:
    """(B, 3, 1, 1) numbers 0 to 3 B - 1: each channel of each picture is a group."""
    return torch.arange(3 * len(y), device=y.device).reshape(-1, 3, 1, 1)


def _histogram(y: Images) -> Images:
    levels, group = to_levels(y), _channels(y)
    curves = equalised(histogram(levels, group, 3 * len(y)))
    mapped: Images = curves.flatten()[group * LEVELS + levels]
    return mapped


def _autocontrast(y: Images, cutoff: torch.Tensor) -> Images:
    counts = histogram(to_levels(y), _channels(y), 3 * len(y))
    low, high = (e.reshape(-1, 3, 1, 1) for e in stretch_ends(counts, cutoff.repeat_interleave(3)))
    return torch.where(high > low, (y - low) / (high - low).clamp(min=1e-6), y).clamp(0.0, 1.0)


def _clahe(y: Images, clip: torch.Tensor) -> Images:
    batch, _, height, width = y.shape
    down, across = min(_TILES, height), min(_TILES, width)
    light = luma(y)
    levels = to_levels(light)[:, 0]

    def tiling(pixels: int, tiles: int) -> tuple[torch.Tensor, ...]:
        """Tile of each pixel; the two tiles whose middles are nearest, and the second's weight."""
        centre = (torch.arange(pixels, device=y.device) + 0.5) * tiles / pixels
        place = (centre - 0.5).clamp(0.0, tiles - 1.0)
        first = place.long()
        return centre.long(), first, (first + 1).clamp(max=tiles - 1), place - first

    row, upper, lower, v = tiling(height, down)
    column, left, right, u = tiling(width, across)
    picture = torch.arange(batch, device=y.device)[:, None, None] * down

    def tile(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return (picture + rows[:, None]) * across + columns

    count = batch * down * across
    curves = limited(
        histogram(levels, tile(row, column), count), clip.repeat_interleave(down * across)
    ).flatten()

    def mapped(rows: torch.Tensor) -> torch.Tensor:
        west, east = (curves[tile(rows, columns) * LEVELS + levels] for columns in (left, right))
        return west + (east - west) * u

    north, south = mapped(upper), mapped(lower)
    new = north + (south - north) * v[:, None]
    return (y + (new - levels.float() / (LEVELS - 1))[:, None]).clamp(0.0, 1.0)


@operator(
    stage="postprocessing",
    family="tone",
    refs=(
        "Gonzalez & Woods, Digital Image Processing, 4th ed. 2018, section 3.3: equalisation",
        "Zuiderveld, Graphics Gems IV, 1994: contrast limited adaptive histogram equalization",
    ),
    differentiable=False,
)
def equalize(
    x: Images,
    mix: Annotated[PerImage, Severity(0.0, 1.0, unit="share", power=0.6, most=1.0)],
    cutoff: Annotated[
        PerImage,
        Draw(0.1, 0.25, unit="share of pixels at each end", most=0.5, only=("autocontrast",)),
    ],
    clip_limit: Annotated[
        PerImage, Draw(4.0, 8.0, unit="x mean of the histogram", only=("clahe",))
    ],
    kind: Annotated[PerImage, Choice(("histogram", "clahe", "autocontrast"))],
) -> Images:
    """Automatic contrast of an editor: the result replaces the picture by ``mix``.

    ``histogram`` makes each channel's histogram even, ``autocontrast`` stretches each channel until
    ``cutoff`` of its pixels are black and as many white: colors change with the contrast.
    ``clahe`` equalises luma in 8 x 8 tiles, no level above ``clip_limit`` times the mean, tiles
    blended: local contrast blown up, with the noise of flat parts. All on 256 levels.
    """
    ways = (
        lambda y, rows: _histogram(y),
        lambda y, rows: _clahe(y, clip_limit[rows]),
        lambda y, rows: _autocontrast(y, cutoff[rows]),
    )
    return torch.lerp(x.detach(), by_kind(x.detach(), kind, ways), col(mix))
