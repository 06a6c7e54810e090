"""Light: sRGB and linear, luma."""

from __future__ import annotations

import torch

from degrade.kernels.host import exp_, log_

# kornia.color has the same pair; these are many times as fast on a CPU, where exp and log are
# vectorised and pow and where are not, and they sit on the path of every optical operator.
# In-place steps touch temporaries only; the last ones are not, as autograd keeps their inputs.
_KNEE_SRGB, _KNEE_LINEAR, _SLOPE = 0.04045, 0.0031308, 12.92


def to_linear(x: torch.Tensor) -> torch.Tensor:
    """sRGB in [0, 1] to linear light in [0, 1] (IEC 61966-2-1)."""
    above = exp_(log_(x.clamp(min=_KNEE_SRGB).add_(0.055)).mul_(2.4))
    below = x.clamp(max=_KNEE_SRGB).sub_(_KNEE_SRGB).mul_(1.0 / _SLOPE)
    return torch.add(below, above, alpha=1.055**-2.4)


def to_srgb(y: torch.Tensor) -> torch.Tensor:
    """Linear light, clipped to [0, 1] as a sensor clips, to sRGB in [0, 1]."""
    above = exp_(log_(y.clamp(_KNEE_LINEAR, 1.0)).mul_(1.0 / 2.4))
    below = y.clamp(0.0, _KNEE_LINEAR).mul_(_SLOPE).sub_(_SLOPE * _KNEE_LINEAR + 0.055)
    return torch.add(below, above, alpha=1.055)


def luma(x: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): ITU-R BT.601 luma of gamma-coded RGB."""
    return 0.299 * x[:, 0:1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3]
