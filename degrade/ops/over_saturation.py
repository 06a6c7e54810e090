"""Too much color."""

from typing import Annotated

import torch

from degrade.kernels import col, luma
from degrade.kernels.kinds import by_kind
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="postprocessing",
    family="color",
    refs=(
        "Smith, SIGGRAPH 1978, Color Gamut Transform Pairs: the hexcone (HSV)",
        "Hendrycks & Dietterich, ICLR 2019, saturate: S times 2, 5 and 20",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: colour saturation 2, chroma times 1 to 9",
    ),
)
def over_saturation(
    x: Images,
    factor: Annotated[PerImage, Severity(1.0, 6.0, unit="x saturation", power=1.5, least=1.0)],
    offset: Annotated[PerImage, Draw(0.0, 0.0, unit="saturation", only=("hsv",))],
    kind: Annotated[PerImage, Choice(("hsv", "chroma"))],
) -> Images:
    """Too much color: saturation times ``factor``, until colors reach the edge of the gamut.

    ``hsv`` multiplies S = 1 - min / max and clips it to 1, as S' = factor S + ``offset``: hue and
    the largest channel stay, the others sink, so that pale things take on full color. Grey has no
    hue and stays grey, whatever the offset; it is never drawn, but ImageNet-C has one.
    ``chroma`` moves each channel away from luma, y = Y + factor (x - Y), and clips channels: the
    brightness of a color stays until one clips, then its hue drifts.
    """

    def hsv(y: Images, rows: torch.Tensor) -> Images:
        value = y.amax(dim=1, keepdim=True)
        room = (value - y.amin(dim=1, keepdim=True)).clamp(min=1e-6)
        # S' / S = factor + offset / S, at most 1 / S, with S = room / value.
        ratio = col(factor[rows]) + col(offset[rows]) * value / room
        return value - torch.minimum(ratio, value / room) * (value - y)

    def chroma(y: Images, rows: torch.Tensor) -> Images:
        return torch.lerp(luma(y), y, col(factor[rows]))

    return by_kind(x, kind, (hsv, chroma))
