"""Frames and black bars."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.params import Choice, Images, PerImage, Severity
from degrade.registry import operator

_SIDES = ("frame", "letterbox", "pillarbox")
_COLOURS = {
    "black": (0, 0, 0), "white": (1, 1, 1), "grey": (0.5, 0.5, 0.5), "cream": (0.96, 0.93, 0.84),
    "navy": (0.08, 0.12, 0.3), "red": (0.7, 0.1, 0.12),
}  # fmt: skip


@operator(
    stage="postprocessing",
    family="overlay",
    refs=("VLM-RobustBench, arXiv 2603.06148 (2026): add border",),
)
def border(
    x: Images,
    width: Annotated[PerImage, Severity(0.0, 0.16, unit="px", relative=True)],
    sides: Annotated[PerImage, Choice(_SIDES, weights=(2.0, 1.0, 1.0))],
    colour: Annotated[PerImage, Choice(tuple(_COLOURS), weights=(3.0, 2.0, 1.0, 1.0, 1.0, 1.0))],
) -> Images:
    """Cover the edges of the picture: all four, above and below, or left and right.

    Nothing moves: what the border covers is gone, the rest stays where it was. Bars on two sides
    are twice as wide as ``width``, so that they cover about what a frame does. An edge between
    pixels gives its share to the pixel it crosses.
    """
    rows, columns = x.shape[-2:]
    left, up = ((sides != skipped).float() for skipped in (1.0, 2.0))
    wide = col(width * (1.0 + (sides > 0.0)))

    def covered(pixels: int, there: torch.Tensor) -> torch.Tensor:
        near = torch.arange(pixels, device=x.device)
        near = torch.minimum(near, near.flip(0))
        return (wide - near).clamp(0.0, 1.0) * col(there)

    across = covered(columns, left)
    down = covered(rows, up).transpose(-1, -2)
    paint = torch.tensor(list(_COLOURS.values()), device=x.device, dtype=x.dtype)[colour.long()][
        :, :, None, None
    ]
    clear = (1.0 - across) * (1.0 - down)
    return x * clear + paint * (1.0 - clear)
