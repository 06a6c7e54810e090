"""Ideal low-pass filters."""

from __future__ import annotations

import math

import torch

from degrade.kernels.blur import filtered, frequencies
from degrade.params import PerImage


def ideal_low_pass(x: torch.Tensor, cutoff: PerImage, softness: float) -> torch.Tensor:
    """Keep frequencies below a cutoff, in all directions alike; edges mirrored.

    The step of the transfer function is Gaussian, which in the picture is a window on the ripples:
    the impulse response is that of the ideal filter, J1(c r) c / (2 pi r), times a Gaussian.

    Args:
        x: (B, C, H, W).
        cutoff: (B,) radians per pixel.
        softness: Standard deviation of the step as a share of the cutoff.
    """
    lowest = float(cutoff.min())
    pad = math.ceil(3.0 / (softness * lowest))  # three deviations of the window
    fy, fx = frequencies(x, pad)
    frequency = (fy[:, None].square() + fx.square()).sqrt() * (2.0 * math.pi)
    relative = frequency / cutoff[:, None, None] - 1.0
    passed = 0.5 * torch.erfc(relative / (softness * math.sqrt(2.0)))
    return filtered(x, passed, pad)
