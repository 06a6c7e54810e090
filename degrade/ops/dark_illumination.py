"""Too little light on the scene."""

from typing import Annotated

import torch

from degrade.kernels import col, to_linear, to_srgb
from degrade.params import FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import normal

_READ_NOISE = 2.0  # electrons rms, usual for CMOS sensors


@operator(
    stage="environment",
    family="light",
    refs=(
        "EMVA Standard 1288, release 4.0 (2021): linear sensor model, shot and read noise",
        "Foi et al., IEEE TIP 17(10), 2008: Poissonian-Gaussian noise of raw data",
    ),
)
def dark_illumination(
    x: Images,
    ev: Annotated[PerImage, Severity(0.0, 4.5, unit="EV")],
    full_well: Annotated[
        PerImage, Severity(2e5, 1e3, unit="electrons", curve="geometric", power=0.5)
    ],
    seed: FrameSeed,
) -> Images:
    """Expose the scene ``ev`` stops under: light times 2**-ev, with the noise of few photons.

    A pixel at full scale holds ``full_well`` electrons N; as the gain is raised in the dark, that
    number falls. Light y gives y N electrons on average, with a variance of y N for the photons and
    of 4 for a read noise of 2 electrons. The Poisson distribution is taken as Gaussian; values
    below black are clipped, as on a sensor.
    """
    light = to_linear(x) * torch.exp2(-col(ev))
    gain = 1.0 / col(full_well)
    variance = light * gain + (_READ_NOISE * gain).square()
    return to_srgb(torch.addcmul(light, variance.sqrt(), normal(seed, x.shape)))
