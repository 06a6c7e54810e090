"""Speckle."""

from typing import Annotated

from degrade.kernels import col
from degrade.params import FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import normal


@operator(
    stage="acquisition",
    family="noise",
    refs=(
        "Goodman, J. Opt. Soc. Am. 66(11), 1976: speckle of coherent light",
        "Hendrycks & Dietterich, ICLR 2019, speckle_noise: sigma 0.15 to 0.6",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: multiplicative noise",
    ),
)
def speckle_noise(
    x: Images,
    sigma: Annotated[
        PerImage, Severity(0.0, 0.4, unit="share of the value", power=2.1, size_power=-0.14)
    ],
    seed: FrameSeed,
) -> Images:
    """Multiplicative noise, as of coherent light: y = x (1 + sigma n), on code values.

    Black stays black and the bright is noisiest, the reverse of shot noise once seen on a screen.
    A power law such as that of sRGB takes a share to a share, so that linear light would only
    divide sigma by its exponent; code values keep to the published numbers.
    """
    return x + x * normal(seed, x.shape).mul_(col(sigma))
