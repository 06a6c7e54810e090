"""Many small marks (drops, flakes, streaks) drawn into a field, each within a box of its own."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from degrade.kernels.places import short_side
from degrade.params import PerImage, col

_WIDEST = 8.0  # beyond this ratio of the sides, marks get sparser: a strip would need too many


class Boxes(NamedTuple):
    """Pixels of the boxes around N marks a picture, all boxes of one size."""

    dx: torch.Tensor
    """(B, N, K, L) pixels to the right of the mark's centre."""
    dy: torch.Tensor
    """(B, N, K, L) pixels below the mark's centre."""
    pixel: torch.Tensor
    """(B, N, K, L) int64, row * width + column; that of some other pixel where not ``inside``."""
    inside: torch.Tensor
    """(B, N, K, L) bool, whether the pixel is in the picture."""


def how_many(x: torch.Tensor, per_square: float) -> int:
    """Marks for this picture so that there are ``per_square`` on a square of the short side."""
    ratio = max(x.shape[-2:]) / short_side(x)
    return math.ceil(per_square * min(ratio, _WIDEST))


def scatter(draws: torch.Tensor, x: torch.Tensor, margin: float) -> tuple[torch.Tensor, ...]:
    """Places for marks, uniform over the picture and ``margin`` short sides around it.

    Args:
        draws: (B, 2, N) in [0, 1].
        x: The batch, for its (H, W).
        margin: Share of the short side, for marks whose middle is outside.

    Returns:
        (B, N) columns and (B, N) rows in pixels.
    """
    beyond = margin * short_side(x)
    height, width = x.shape[-2:]
    return (
        draws[:, 0] * (width + 2.0 * beyond) - beyond,
        draws[:, 1] * (height + 2.0 * beyond) - beyond,
    )


def boxes(
    x: torch.Tensor,
    columns: torch.Tensor,
    rows: torch.Tensor,
    half: tuple[float, float],
    lean: torch.Tensor | None = None,
) -> Boxes:
    """The pixels near marks.

    Args:
        x: The batch, for its (H, W).
        columns: (B, N) centres in pixels.
        rows: (B, N) centres in pixels.
        half: Half width and half height of the boxes in pixels.
        lean: (B, N) columns by which a box shifts to the right with every row down, for long
            slanted marks; the boxes are upright without it.
    """
    height, width = x.shape[-2:]
    reach_x, reach_y = (math.ceil(h) + 1 for h in half)
    down = torch.arange(-reach_y, reach_y + 1, device=x.device)[:, None]
    right = torch.arange(-reach_x, reach_x + 1, device=x.device)
    centre_x, centre_y = columns[..., None, None], rows[..., None, None]
    row = centre_y.floor().long() + down
    dy = row + 0.5 - centre_y
    axis = centre_x if lean is None else centre_x + lean[..., None, None] * dy
    column = axis.floor().long() + right
    dx = column + 0.5 - centre_x
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    return Boxes(dx.expand(inside.shape), dy.expand(inside.shape), pixel, inside)


def stamp(x: torch.Tensor, where: Boxes, value: torch.Tensor) -> torch.Tensor:
    """Add up what the marks put on each pixel.

    Args:
        x: The batch, for its (H, W).
        where: Boxes of N marks.
        value: (B, N, K, L).

    Returns:
        (B, 1, H, W).
    """
    height, width = x.shape[-2:]
    total = value.new_zeros(len(value), height * width)
    total.scatter_add_(1, where.pixel.flatten(1), (value * where.inside).flatten(1))
    return total.reshape(-1, 1, height, width)


def slopes(field: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Central differences of a field (B, C, H, W) to the right and downwards, per pixel.

    One-sided at the edges of the picture; 0 where it is one pixel wide or high.
    """

    def along(dim: int) -> torch.Tensor:
        if field.shape[dim] == 1:
            return torch.zeros_like(field)
        return torch.gradient(field, dim=dim)[0]

    return along(-1), along(-2)


def level(field: torch.Tensor, share: PerImage, points: int = 128) -> torch.Tensor:
    """The value below which a field is on that share of the picture.

    Args:
        field: (B, 1, H, W).
        share: (B,) in [0, 1].
        points: Pixels per short side that are looked at, about.

    Returns:
        (B, 1, 1, 1).
    """
    step = max(1, min(field.shape[-2:]) // points)
    looked = field[:, 0, step // 2 :: step, step // 2 :: step].flatten(1)
    last = looked.shape[1] - 1
    place = share.clamp(0.0, 1.0)[:, None] * last
    below = place.floor().long()
    # Two selections take a quarter of the time of sorting.
    pairs = [
        torch.stack([row.kthvalue(min(k + i, last) + 1).values for i in (0, 1)])
        for row, k in zip(looked, below[:, 0].tolist(), strict=True)
    ]
    ends = torch.stack(pairs) if pairs else looked[:, :2]
    return col(ends[:, :1].lerp(ends[:, 1:], place - below))
