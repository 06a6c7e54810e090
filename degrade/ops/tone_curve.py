"""A curve that somebody overdid."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.params import Choice, Images, PerImage, Severity
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
    stops: Annotated[PerImage, Severity(0.0, 2.0, unit="octaves of gamma")],
    gain: Annotated[PerImage, Severity(0.0, 16.0, unit="x", power=0.7)],
    kind: Annotated[PerImage, Choice(("contrast", "bright", "dark"))],
) -> Images:
    """A tone curve overdone: hard contrast, or a gamma that washes out or drowns the midtones.

    ``contrast`` is a sigmoid of code values about mid-grey with slope ``gain`` / 4 before it is
    scaled to end at black and white: y = 1/2 + tanh(gain (x - 1/2) / 2) / (2 tanh(gain / 4)).
    ``bright`` is y = x^(2^-stops) and ``dark`` y = x^(2^stops). All keep black and white.
    """
    slope = col(gain).clamp(min=1e-3)
    contrast = 0.5 + 0.5 * torch.tanh(slope * 0.5 * (x - 0.5)) / torch.tanh(slope * 0.25)
    gamma = torch.exp2(col(torch.where(kind == 1.0, -stops, stops)))
    power = torch.exp(gamma * torch.log(x.clamp(min=1e-6)))
    return torch.where(col(kind) == 0.0, contrast, power)
