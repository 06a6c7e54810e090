"""Ripples along edges."""

import math
from typing import Annotated

from degrade.kernels.lowpass import ideal_low_pass
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator

_SOFTNESS = 0.05  # ripples fade by a Gaussian whose deviation is 1 / (2 pi 0.05) = 3.2 of them


@operator(
    stage="postprocessing",
    family="filtering",
    refs=(
        "Gibbs, Nature 59, 1899: an edge cut off in frequency overshoots by 9 % of its height",
        "Wang et al., ICCVW 2021, Real-ESRGAN: sinc filters with cutoffs from pi to pi / 5",
    ),
)
def ringing(
    x: Images,
    cutoff: Annotated[
        PerImage,
        Severity(
            2.0 * math.pi,
            math.pi / 10.0,
            unit="rad/px",
            curve="reciprocal",
            power=0.8,
            size_power=0.92,
        ),
    ],
) -> Images:
    """Ringing: ripples along every edge, of an ideal low-pass with the given ``cutoff``.

    As of resampling and of filters that end too abruptly. All frequencies above ``cutoff`` are
    removed, in code values: the edges overshoot, and echoes follow at a distance of
    2 pi / cutoff pixels. A cutoff beyond pi sqrt(2) removes nothing.
    """
    return ideal_low_pass(x, cutoff, _SOFTNESS)
