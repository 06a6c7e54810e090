"""Smear of a camera or a subject that moves while the shutter is open."""

import math
from typing import Annotated

from degrade.kernels import convolve, normalised, psf_grid, to_linear, to_srgb
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="motion",
    refs=(
        "Potmesil & Chakravarty, SIGGRAPH 1983, Modeling Motion Blur: exposure integral of a path",
        "Hendrycks & Dietterich, ICLR 2019, motion_blur: radius 20 px at 224 px, severity 5",
    ),
)
def motion_blur(
    x: Images,
    length: Annotated[PerImage, Severity(0.0, 0.10, unit="px", relative=True)],
    angle: Annotated[PerImage, Draw(0.0, 180.0, unit="degrees", drifts=True, circular=True)],
) -> Images:
    """Motion during the exposure: each point of light draws a straight, even line.

    The line is ``length`` pixels long and ``angle`` degrees against the horizontal, anticlockwise,
    one pixel wide and antialiased: w = max(0, 1 - distance to the segment). That is a single point
    at length 0, and equally long at every angle. The convolution is in linear light, so that lamps
    draw bright trails. The line is centred: objects do not move.
    """
    u, v = psf_grid(float(length.max()) / 2.0, x.device)
    turn = (angle * (math.pi / 180.0))[:, None, None]
    along, across = u * turn.cos() - v * turn.sin(), u * turn.sin() + v * turn.cos()
    beyond = (along.abs() - length[:, None, None] / 2.0).clamp(min=0.0)
    line = (1.0 - (beyond.square() + across.square()).sqrt()).clamp(min=0.0)
    return to_srgb(convolve(to_linear(x), normalised(line)))
