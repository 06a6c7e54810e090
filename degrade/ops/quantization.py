"""Too few levels."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="transmission",
    family="tone",
    refs=(
        "Gonzalez & Woods, Digital Image Processing, 4th ed. 2018, section 2.4: false contours",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: quantization, 20 to 7 levels",
    ),
    differentiable=False,
)
def quantization(
    x: Images,
    levels: Annotated[
        PerImage,
        Severity(256, 2, unit="levels", curve="geometric", power=0.55, integer=True, least=2),
    ],
) -> Images:
    """Posterised: each channel keeps ``levels`` even steps from black to white.

    y = round(x (L - 1)) / (L - 1), no dither: bands in skies and skin. Levels are whole, so that
    near the strong end neighbouring intensities share one: a mixture of two quantisations would
    have less error than either.
    """
    steps = col(levels) - 1.0
    return torch.round(x.detach() * steps) / steps
