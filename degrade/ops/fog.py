"""Fog between the scene and the camera."""

from typing import Annotated

import torch

from degrade.kernels import col, to_linear, to_srgb
from degrade.kernels.weather import KOSCHMIEDER, pseudo_depth, veil
from degrade.params import Draw, Images, PerImage, Seed, Severity
from degrade.registry import operator

_TINT = (-0.05, 0.0, 0.07)  # at coolness 1: by how much R, G, B of the airlight differ


@operator(
    stage="environment",
    family="weather",
    refs=(
        "Koschmieder, Beitr. Phys. freien Atm. 12, 1924: horizontal visual range",
        "CIE 17-31-018: meteorological optical range, the path to 5 % transmittance",
        "Sakaridis, Dai & Van Gool, IJCV 126, 2018: fog on clear pictures from depth",
    ),
)
def fog(
    x: Images,
    visibility: Annotated[PerImage, Severity(1e6, 200.0, unit="m", curve="reciprocal", power=2.2)],
    depth: Annotated[PerImage, Draw(160.0, 240.0, unit="m")],
    horizon: Annotated[PerImage, Draw(0.25, 0.5, unit="x height", most=0.99)],
    airlight: Annotated[PerImage, Draw(0.55, 0.8, unit="full scale of linear light", most=1.0)],
    coolness: Annotated[PerImage, Draw(-0.3, 1.0, unit="x bluish grey")],
    seed: Seed,
) -> Images:
    """Fog by Koschmieder's law: y = x t + A (1 - t), t = exp(-2.996 d / visibility).

    ``visibility`` is the meteorological optical range in metres: fog below 1000, dense fog below
    200. A picture has no depth, so d is that of a level ground that recedes to the ``horizon``, is
    ``depth`` metres there and above, and is uneven by smooth noise. ``airlight`` A is grey, bluish
    by ``coolness``. In linear light.
    """
    distance = pseudo_depth(x, horizon, seed) * col(depth)
    tint = 1.0 + torch.outer(coolness, x.new_tensor(_TINT))
    colour = (airlight[:, None] * tint)[:, :, None, None]
    return to_srgb(veil(to_linear(x), distance * col(KOSCHMIEDER / visibility), colour))
