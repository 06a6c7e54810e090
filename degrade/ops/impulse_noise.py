"""Salt and pepper."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.params import Choice, Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import uniform


@operator(
    stage="transmission",
    family="noise",
    refs=(
        "Gonzalez & Woods, Digital Image Processing, 4th ed. 2018, section 5.2: bipolar impulses",
        "Hendrycks & Dietterich, ICLR 2019, impulse_noise: amount 0.03 to 0.27",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: impulse noise",
    ),
)
def impulse_noise(
    x: Images,
    fraction: Annotated[
        PerImage, Severity(0.0, 0.15, unit="share of values", power=2.8, size_power=-0.42, most=1.0)
    ],
    salt: Annotated[PerImage, Draw(0.3, 0.7, unit="share of impulses", most=1.0)],
    kind: Annotated[PerImage, Choice(("color", "grey"))],
    seed: FrameSeed,
) -> Images:
    """Salt and pepper: a ``fraction`` of the values is lost to full scale or to black.

    As by converters that fail and by bits that flip on the way. ``color``: each channel has its own
    impulses, as in the published benchmarks; ``grey``: all three are hit together. What is hit at
    one intensity is hit at every higher one.
    """
    hit, side = uniform(seed, x.shape), uniform(seed, x.shape, stream=1)
    grey = col(kind) == 1.0
    hit, side = (torch.where(grey, t[:, :1], t) for t in (hit, side))
    return torch.where(hit < col(fraction), (side < col(salt)).to(x.dtype), x)
