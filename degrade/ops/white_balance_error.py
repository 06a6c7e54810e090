"""A wrong white balance."""

from typing import Annotated

import torch

from degrade.kernels import to_linear, to_srgb
from degrade.kernels.color import recolor
from degrade.kernels.whites import adaptation, light
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

_MIDDLE = 250.0  # mired: 4000 K, between lamp light and daylight


@operator(
    stage="acquisition",
    family="color",
    refs=(
        "von Kries 1902: adaptation multiplies each cone response by a constant",
        "Krystek, Color Research & Application 10(1), 1985: chromaticity of the black body",
        "Afifi & Brown, CVPR 2019: what a wrong white balance does to sRGB pictures",
    ),
    off_scale="A cast moves the colors and leaves structure alone.",
)
def white_balance_error(
    x: Images,
    shift: Annotated[PerImage, Severity(0.0, 200.0, unit="mired", most=360.0)],
    direction: Annotated[PerImage, Choice(("warm", "cool"))],
    tint: Annotated[PerImage, Severity(0.0, 0.03, unit="Duv")],
    lean: Annotated[PerImage, Draw(-1.0, 1.0, unit="x tint")],
) -> Images:
    """White balance off by ``shift`` mired, and by ``tint`` times ``lean`` to green or to pink.

    A mired, 1e6 / kelvin, is about the same step of color anywhere. ``warm``: the scene is lit at
    250 + shift / 2 mired and the camera set for 250 - shift / 2; ``cool``: the reverse. Adaptation
    is von Kries' in linear light, with Bradford's cones; grey keeps its luminance. The tint is a
    distance in CIE 1960 (u, v), towards green where ``lean`` is above 0.
    """
    half = torch.where(direction == 0.0, shift, -shift) / 2.0
    matrix = adaptation(
        light(_MIDDLE - half, torch.zeros_like(half)), light(_MIDDLE + half, tint * lean)
    )
    return to_srgb(recolor(to_linear(x), matrix))
