"""Air between the scene and the camera, for pictures without a depth map."""

from __future__ import annotations

import torch

from degrade.kernels.fields import smooth_noise
from degrade.kernels.light import luma
from degrade.params import PerImage

KOSCHMIEDER = 2.996
"""-ln(0.05): optical depth at the meteorological optical range, where 5 % of the light is left."""

_NEAREST = 0.2  # depth at the lower edge as a share of that at the horizon


def pseudo_depth(x: torch.Tensor, horizon: PerImage, seed: torch.Tensor) -> torch.Tensor:
    """A depth that many scenes have: level ground up to a horizon, and all above it far away.

    Ground seen ``t`` below the horizon is at a distance in proportion to 1 / t. Smooth noise, a
    factor of about 1.35 each way, stands for what rises from the ground and for banks of mist.

    Args:
        x: (B, C, H, W), for its size.
        horizon: (B,) height of the horizon from the top, as a share of the picture's height.
        seed: (B,) seed of the noise.

    Returns:
        (B, 1, H, W) shares of the greatest depth; the noise goes above 1 here and there.
    """
    height = x.shape[-2]
    v = (torch.arange(height, device=x.device, dtype=torch.float32) + 0.5) / height
    below = ((v - horizon[:, None]) / (1.0 - horizon[:, None])).clamp(min=0.0)
    # A smooth minimum of 1 and _NEAREST / below.
    ramp = (1.0 + (below / _NEAREST).square().square()).pow(-0.25)
    uneven = smooth_noise(seed, x, 0.30) + 0.4 * smooth_noise(seed, x, 0.10, stream=1)
    return ramp[:, None, :, None] * torch.exp(0.2 * uneven)


def skylight(light: torch.Tensor) -> torch.Tensor:
    """The light that falls on drops and flakes in front of a scene, as bright as its bright parts.

    Args:
        light: (B, 3, H, W) linear light.

    Returns:
        (B, 3, 1, 1): the mean colour, nearly half of it made grey, 2.4 times as bright as the mean
        plus 0.1, at most 0.85.
    """
    mean = light.mean(dim=(-2, -1), keepdim=True)
    return (2.4 * mean.lerp(luma(mean).expand_as(mean), 0.4) + 0.1).clamp(max=0.85)


def veil(light: torch.Tensor, optical_depth: torch.Tensor, airlight: torch.Tensor) -> torch.Tensor:
    """Koschmieder's law: light J through air is J t + A (1 - t) with t = exp(-optical depth).

    Args:
        light: (B, 3, H, W) linear light.
        optical_depth: (B, 1, H, W), 0 and above.
        airlight: (B, 3, 1, 1) linear light A.
    """
    return airlight.lerp(light, torch.exp(-optical_depth))
