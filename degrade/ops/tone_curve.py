"""A curve that somebody overdid."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.kernels.kinds import by_kind
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="postprocessing",
    family="tone",
    refs=(
        "Gonzalez & Woods, Digital Image Processing, 4th ed. 2018, section 3.2: power-law curves",
        "Braun & Fairchild, J. Electronic Imaging 8(4), 1999: sigmoidal contrast",
    ),
)
def tone_curve(
    x: Images,
    stops: Annotated[
        PerImage, Severity(0.0, 2.0, unit="octaves of gamma", only=("bright", "dark"))
    ],
    gain: Annotated[PerImage, Severity(0.0, 16.0, unit="x", power=0.7, only=("contrast",))],
    pivot: Annotated[PerImage, Draw(0.4, 0.6, unit="full scale", most=1.0, only=("contrast",))],
    kind: Annotated[PerImage, Choice(("contrast", "bright", "dark"))],
) -> Images:
    """A tone curve overdone: hard contrast, or a gamma that washes out or drowns the midtones.

    ``contrast`` is a sigmoid of code values about ``pivot``, s(x) = tanh(gain (x - pivot) / 2),
    shifted and scaled to keep black and white. ``bright`` is y = x^(2^-stops) and ``dark``
    y = x^(2^stops), which keep them too.
    """
    half, middle = col(gain).clamp(min=1e-2) * 0.5, col(pivot)

    def contrast(y: Images, rows: torch.Tensor) -> Images:
        slope, centre = half[rows], middle[rows]
        black, white = torch.tanh(-slope * centre), torch.tanh(slope * (1.0 - centre))
        return (torch.tanh(slope * (y - centre)) - black) / (white - black)

    def power(y: Images, rows: torch.Tensor) -> Images:
        gamma = torch.exp2(col(torch.where(kind == 1.0, -stops, stops)[rows]))
        return torch.exp(gamma * torch.log(y.clamp(min=1e-30)))

    return by_kind(x, kind, (contrast, power, power))
