"""The line structure of a display or of analogue video."""

import math
from typing import Annotated

import torch

from degrade.kernels import col
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator

_GAMMA = 2.2


@operator(
    stage="transmission",
    family="scanning",
    refs=(
        "Poynton, Digital Video and HD (2nd ed., 2012): scanning, beam profile and line structure",
        "Robust-R1 (AAAI 2026), scan lines",
    ),
)
def scan_lines(
    x: Images,
    depth: Annotated[PerImage, Severity(0.0, 0.9, unit="share of light", power=1.2, most=1.0)],
    period: Annotated[PerImage, Draw(1 / 75, 1 / 50, unit="px", relative=True)],
    phase: Annotated[PerImage, Draw(0.0, 360.0, unit="deg", drifts=True, circular=True)],
) -> Images:
    """Darken the gaps between the scan lines: light times 1 - depth (1 + cos(2 pi y / period)) / 2.

    The signal follows light by a power of 1 / 2.2, as in a tube, so that power of the profile
    multiplies it.

    ``depth`` is the share of light lost in the middle of a gap; half of that is lost on average.
    The profile is averaged over the height of each pixel row, so that lines neither beat with the
    rows nor change with the resolution. Periods below 3 px, in small pictures, are drawn at 3 px.
    """
    turns = 1.0 / period.clamp(min=3.0)[:, None]
    y = torch.arange(x.shape[-2], device=x.device, dtype=torch.float32) + 0.5
    wave = torch.cos(2.0 * math.pi * turns * y + torch.deg2rad(phase)[:, None])
    profile = 0.5 + 0.5 * torch.sinc(turns) * wave
    light = 1.0 - col(depth) * profile[:, None, :, None]  # (B, 1, H, 1)
    return x * light.pow(1.0 / _GAMMA)
