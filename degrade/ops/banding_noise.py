"""Rows and columns of a sensor that do not agree."""

from typing import Annotated

import torch

from degrade.kernels import col, to_linear, to_srgb
from degrade.params import FrameSeed, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import normal


@operator(
    stage="acquisition",
    family="scanning",
    refs=(
        "Wei et al., CVPR 2020, ELD: row noise of sensors in low light",
        "EMVA Standard 1288, release 4.0 (2021): row and column components of non-uniformity",
    ),
)
def banding_noise(
    x: Images,
    row_sigma: Annotated[
        PerImage, Severity(0.0, 0.1, unit="full scale", power=1.9, size_power=-0.14)
    ],
    column_sigma: Annotated[
        PerImage, Severity(0.0, 0.05, unit="full scale", power=1.9, size_power=-0.14)
    ],
    rows: FrameSeed,
    columns: Seed,
) -> Images:
    """Banding: every row and every column reads a little too bright or too dark.

    In linear light y = x + row_sigma r + column_sigma c, with one Gaussian number r for all pixels
    of a row and one c for all of a column. Rows are read one after another, and their amplifier
    wavers: r is new in each frame of a clip. Columns have a converter each, so c stays. A constant
    offset shows most in the shadows, which the sRGB curve lifts.
    """
    batch, _, height, width = x.shape
    r = normal(rows, (batch, 1, height, 1)) * col(row_sigma)
    c = normal(columns, (batch, 1, 1, width)) * col(column_sigma)
    return to_srgb(to_linear(x) + torch.add(r, c))
