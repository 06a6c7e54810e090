"""A wrong exposure."""

from typing import Annotated

import torch

from degrade.kernels import col, to_linear, to_srgb
from degrade.params import Choice, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="light",
    refs=(
        "ISO 2720:1974: exposure values, a factor of two in light each",
        "EMVA Standard 1288, release 4.0 (2021): linear response up to saturation",
    ),
)
def exposure_error(
    x: Images,
    ev: Annotated[PerImage, Severity(0.0, 3.5, unit="EV", power=0.8)],
    direction: Annotated[PerImage, Choice(("over", "under"))],
) -> Images:
    """Exposed ``ev`` stops too much or too little: linear light times 2^ev or 2^-ev.

    What is above full scale is lost, as on a sensor: skies burn out, channel by channel, so that
    bright colors change their hue on the way to white. Underexposure keeps its detail here; the
    noise that comes with too little light is that of ``dark_illumination``.
    """
    stops = torch.where(direction == 0.0, ev, -ev)
    return to_srgb(to_linear(x) * torch.exp2(col(stops)))
