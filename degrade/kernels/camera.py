"""From a finished picture back to the raw values of a sensor, and forward again."""

from __future__ import annotations

import torch

from degrade.kernels.blur import _mirror
from degrade.params import PerImage

# Linear sRGB to camera RGB, each row summing to 1: the mean of the four cameras of Brooks et al.
_TO_CAMERA = (
    (0.6460, 0.2714, 0.0826),
    (0.0826, 0.7558, 0.1617),
    (0.0145, 0.2250, 0.7604),
)
_GAIN = 1.25  # from raw to the finished exposure, the inverse of their mean of 0.8
_GAMMA = 2.2
_EPS = 1e-6


def untone(x: torch.Tensor) -> torch.Tensor:
    """Finished code values in [0, 1] to linear light: inverse of tone curve and gamma."""
    # The curve is level at both ends: its inverse has no finite slope there.
    turned = (1.0 - 2.0 * x).clamp(_EPS - 1.0, 1.0 - _EPS)
    coded = 0.5 - torch.sin(torch.asin(turned) / 3.0)
    return torch.exp(_GAMMA * torch.log(coded.clamp(min=_EPS)))


def tone(light: torch.Tensor) -> torch.Tensor:
    """Linear light, clipped to [0, 1], to code values: gamma, then the tone curve 3 t^2 - 2 t^3."""
    t = torch.exp(torch.log(light.clamp(_EPS**_GAMMA, 1.0)) / _GAMMA)
    return t.square() * (3.0 - 2.0 * t)


def raw_matrices(red: PerImage, blue: PerImage) -> tuple[torch.Tensor, torch.Tensor]:
    """Linear sRGB to raw camera values, and back: (B, 3, 3) each.

    Args:
        red: (B,) white balance gain of red, that of green being 1.
        blue: (B,) gain of blue.
    """
    gains = torch.stack((red, torch.ones_like(red), blue), dim=1) * _GAIN
    camera = torch.tensor(_TO_CAMERA, device=red.device)
    return camera / gains[:, :, None], torch.linalg.inv(camera) * gains[:, None, :]


def mosaic(x: torch.Tensor) -> torch.Tensor:
    """What a Bayer sensor (RGGB) keeps: (B, 3, H, W) -> (B, 1, H, W)."""
    y = x[:, 1:2].clone()
    y[..., 0::2, 0::2] = x[:, 0:1, 0::2, 0::2]
    y[..., 1::2, 1::2] = x[:, 2:3, 1::2, 1::2]
    return y


def demosaic(y: torch.Tensor) -> torch.Tensor:
    """Bilinear interpolation of a Bayer mosaic (RGGB): (B, 1, H, W) -> (B, 3, H, W)."""
    green = y.clone()
    green[..., 0::2, 0::2] = 0.0
    green[..., 1::2, 1::2] = 0.0
    # One plane each: within it, every sample is spread by (0.5, 1, 0.5) along both axes, green,
    # which is twice as dense, by a cross.
    red, blue = torch.zeros_like(y), torch.zeros_like(y)
    red[..., 0::2, 0::2] = y[..., 0::2, 0::2]
    blue[..., 1::2, 1::2] = y[..., 1::2, 1::2]
    cross = 0.25 * (_beside(green, -1) + _beside(green, -2)) + green
    return torch.cat((_spread(red), cross, _spread(blue)), dim=1)


def _beside(y: torch.Tensor, dim: int) -> torch.Tensor:
    """Sum of both neighbours, mirrored without repeating the edge: the pattern goes on."""
    size = y.shape[dim]
    wide = _mirror(y, dim, 1, 1)
    return wide.narrow(dim, 0, size) + wide.narrow(dim, 2, size)


def _spread(y: torch.Tensor) -> torch.Tensor:
    rows = torch.add(y, _beside(y, -2), alpha=0.5)
    return torch.add(rows, _beside(rows, -1), alpha=0.5)
