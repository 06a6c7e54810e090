"""Corners darker than the middle."""

import math
from typing import Annotated

import torch

from degrade.kernels import col, grid, short_side, to_linear, to_srgb
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="shading",
    refs=(
        "Goldman, IEEE TPAMI 32(12), 2010, Vignette and Exposure Calibration and Compensation",
        "Aggarwal, Hua & Ahuja, ICCV 2001, On Cosine-Fourth and Vignetting Effects in Real Lenses",
    ),
    off_scale="The middle keeps its light, and structure under a smooth gain most of its SSIM.",
)
def vignetting(
    x: Images,
    corner: Annotated[PerImage, Severity(0.0, 5.0, unit="EV", power=0.9)],
    across: Annotated[PerImage, Draw(0.45, 0.55, unit="x width")],
    down: Annotated[PerImage, Draw(0.45, 0.55, unit="x height")],
) -> Images:
    """Light falls off towards the corners: by ``corner`` EV at half a diagonal from the axis.

    Light times cos^4 of the angle to the axis, (1 + r^2 t^2)^-2 at a distance of r half diagonals,
    where t, the tangent of the angle at r = 1, is what gives the ``corner`` its loss. A real lens
    loses 1 to 1.5 EV by that law and as much again by its barrel: the angle stands for both. The
    axis meets the picture at (``across``, ``down``).
    """
    height, width = x.shape[-2:]
    diagonal = math.hypot(height, width) / short_side(x)
    u, v = grid(x)
    du = u - col(across - 0.5) * (width / short_side(x))
    dv = v - col(down - 0.5) * (height / short_side(x))
    r2 = (du.square() + dv.square()) * (2.0 / diagonal) ** 2
    tangent2 = torch.exp2(col(corner) / 2.0) - 1.0
    return to_srgb(to_linear(x) / (1.0 + r2 * tangent2).square())
