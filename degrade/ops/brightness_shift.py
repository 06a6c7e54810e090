"""Brightness moved by an amount."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.kernels.kinds import by_kind
from degrade.params import Choice, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="transmission",
    family="light",
    refs=(
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: mean shift",
        "Hendrycks & Dietterich, ICLR 2019, brightness: 0.1 to 0.5 added to the value of HSV",
        "Smith, SIGGRAPH 1978, Color Gamut Transform Pairs: the hexcone (HSV)",
    ),
)
def brightness_shift(
    x: Images,
    delta: Annotated[PerImage, Severity(0.0, 0.5, unit="full scale")],
    direction: Annotated[PerImage, Choice(("brighter", "darker"))],
    kind: Annotated[PerImage, Choice(("offset", "value"))],
) -> Images:
    """Mean shift: ``delta`` added to the brightness of every pixel, or taken from it, and clipped.

    ``offset`` adds it to each channel of the code values, as a wrong black level does: contrast
    stays, colors pale. ``value`` adds it to V = max(R, G, B) of HSV, hue and saturation untouched:
    the pixel is multiplied by (V + delta) / V. Black, which has neither, turns grey.
    """
    step = col(torch.where(direction == 0.0, delta, -delta))

    def moved(y: Images, rows: torch.Tensor) -> Images:
        return y + step[rows]

    def scaled(y: Images, rows: torch.Tensor) -> Images:
        value = y.amax(dim=1, keepdim=True)
        wanted = (value + step[rows]).clamp(0.0, 1.0)
        return torch.where(value > 0.0, y * (wanted / value.clamp(min=1e-6)), wanted)

    return by_kind(x, kind, (moved, scaled))
