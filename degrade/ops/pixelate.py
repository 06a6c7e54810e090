"""Blocks of one colour, as after scaling up without interpolation."""

from typing import Annotated

import torch

from degrade.kernels.resample import resize
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="transmission",
    family="resolution",
    refs=("Hendrycks & Dietterich, ICLR 2019: pixelate, scales 0.6 to 0.25",),
)
def pixelate(
    x: Images,
    scale: Annotated[
        PerImage,
        Severity(
            1.0,
            0.04,
            unit="blocks per pixel of a side",
            curve="geometric",
            power=1.35,
            size_power=0.3,
            most=1.0,
        ),
    ],
) -> Images:
    """Give every block of 1 / ``scale`` pixels a side its mean colour.

    A whole number of blocks divides the picture evenly, so that a block need not be a whole number
    of pixels: a pixel that an edge crosses gets its share of both sides. Without that the damage
    would leap and fall back from one size of block to the next.
    """
    height, width = x.shape[-2:]
    rows = []
    for row, share in zip(x, scale.tolist(), strict=True):
        down, across = (max(1, round(n * share)) for n in (height, width))
        rows.append(resize(resize(row[None], down, across, "area"), height, width, "area"))
    return torch.cat(rows) if rows else x
