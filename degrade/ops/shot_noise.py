"""Noise of the photons themselves."""

from typing import Annotated

from degrade.kernels import col, to_linear, to_srgb
from degrade.kernels.poisson import poisson
from degrade.params import FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import uniform


@operator(
    stage="acquisition",
    family="noise",
    refs=(
        "EMVA Standard 1288, release 4.0 (2021): photons arrive as a Poisson process",
        "Hendrycks & Dietterich, ICLR 2019, shot_noise: 60 to 3 photons at full scale",
    ),
    differentiable=False,
)
def shot_noise(
    x: Images,
    photons: Annotated[
        PerImage,
        Severity(
            1e6, 10.0, unit="photons at full scale", curve="reciprocal", power=3.9, size_power=-0.33
        ),
    ],
    seed: FrameSeed,
) -> Images:
    """Few photons: each pixel and channel counts k of them, k Poisson, and shows k / photons.

    In linear light y a pixel expects y N photons, N at full scale, and counts them with a variance
    of y N: the noise grows with the root of the light, and the ratio of signal to noise with it.
    Shadows, where hardly any photon falls, are the worst.
    """
    n = col(photons).clamp(min=1e-6)
    return to_srgb(poisson(to_linear(x) * n, uniform(seed, x.shape)) / n)
