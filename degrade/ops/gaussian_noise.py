"""Noise of the picture signal."""

from typing import Annotated

from degrade.kernels import col
from degrade.params import FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import normal


@operator(
    stage="environment", family="noise", refs=("Hendrycks & Dietterich, ICLR 2019, gaussian_noise",)
)
def gaussian_noise(
    x: Images,
    sigma: Annotated[PerImage, Severity(0.0, 0.18, unit="full scale", power=2.0, size_power=-0.12)],
    seed: FrameSeed,
) -> Images:
    """Add zero-mean Gaussian noise, independent per pixel and channel: y = x + sigma n."""
    return x + col(sigma) * normal(seed, x.shape)
