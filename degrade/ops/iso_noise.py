"""Noise of a raw sensor at high sensitivity, as it comes out of the camera."""

import math
from typing import Annotated

from degrade.kernels import col
from degrade.kernels.camera import demosaic, mosaic, raw_matrices, tone, untone
from degrade.kernels.color import recolor
from degrade.params import Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import normal

_SHOT = 0.016
_SIZE = -0.27  # of the short side: equal damage at other resolutions
_SLOPE, _LEVEL = 2.18, 1.20  # of ln(read variance) over ln(shot variance), Brooks et al.


@operator(
    stage="acquisition",
    family="noise",
    refs=(
        "Brooks et al., CVPR 2019, Unprocessing Images for Learned Raw Denoising",
        "Foi et al., IEEE TIP 17(10), 2008: Poissonian-Gaussian noise of raw data",
    ),
)
def iso_noise(
    x: Images,
    lambda_shot: Annotated[
        PerImage, Severity(0.0, _SHOT, unit="full scale", power=3.0, size_power=_SIZE)
    ],
    lambda_read: Annotated[
        PerImage,
        Severity(
            0.0,
            math.exp(_LEVEL) * _SHOT**_SLOPE,
            unit="full scale squared",
            power=3.0 * _SLOPE,
            size_power=_SLOPE * _SIZE,
        ),
    ],
    red_gain: Annotated[PerImage, Draw(1.9, 2.4, unit="x green", least=0.1)],
    blue_gain: Annotated[PerImage, Draw(1.5, 1.9, unit="x green", least=0.1)],
    seed: FrameSeed,
) -> Images:
    """Noise of high ISO: Poisson-Gaussian on the raw values behind the picture, then developed.

    The picture is taken back to a Bayer mosaic: tone curve, gamma, color matrix and white balance
    gains undone. A raw value y gets Gaussian noise of variance lambda_shot y + lambda_read. Both
    lie on the line of real cameras, ln lambda_read = 2.18 ln lambda_shot + 1.20, so that twice the
    ISO is twice the lambda_shot. Then the picture is developed again. Demosaicing and color matrix
    turn the noise into the colored grain of cameras, strongest in red and blue.

    Developing is linear up to the gamma, so that the noise alone is demosaiced: what this would
    cost in sharpness is no part of this damage. Within 0.1 of white the raw value counts as
    clipped, by the same mask as in the source, and clipped values have no noise.
    """
    light = untone(x)
    to_raw, from_raw = raw_matrices(red_gain, blue_gain)
    raw = mosaic(recolor(light, to_raw).clamp_(min=0.0))
    noise = (raw * col(lambda_shot) + col(lambda_read)).sqrt() * normal(seed, raw.shape)
    clipped = ((light.mean(dim=1, keepdim=True) - 0.9) / 0.1).clamp(0.0, 1.0).square()
    return tone(light + recolor(demosaic(noise), from_raw) * (1.0 - clipped))
