"""Convolutions with a point spread function per picture, edges mirrored."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from degrade.kernels import host
from degrade.params import PerImage


@lru_cache(maxsize=512)
def _fast_length(length: int) -> int:
    """The next even length whose only prime factors are 2, 3 and 5: FFTs of others are slow."""
    candidate = length + length % 2
    while True:
        rest = candidate
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return candidate
        candidate += 2


def _mirror(x: torch.Tensor, dim: int, before: int, after: int) -> torch.Tensor:
    """Extend a dimension by reflection, back and forth where it is shorter than the border."""
    size = x.shape[dim]
    if max(before, after) < size:
        lengths = (before, after, 0, 0) if dim == -1 else (0, 0, before, after)
        return F.pad(x, lengths, mode="reflect")
    period = max(1, 2 * (size - 1))
    where = torch.arange(-before, size + after, device=x.device) % period
    return x.index_select(dim, torch.minimum(where, period - where).clamp_(max=size - 1))


def _lengths(x: torch.Tensor, pad: int) -> tuple[int, int]:
    """Rows and columns of a transform with ``pad`` or more mirrored pixels on every side."""
    rows, columns = (_fast_length(size + 2 * pad) for size in x.shape[-2:])
    return rows, columns


def _spectrum(x: torch.Tensor, pad: int) -> torch.Tensor:
    """Half spectrum of the mirrored pictures: ``pad`` pixels before, behind what fills it."""
    for dim, length in zip((-2, -1), _lengths(x, pad), strict=True):
        x = _mirror(x, dim, pad, length - x.shape[dim] - pad)
    spectrum: torch.Tensor = torch.fft.rfft2(x)
    return spectrum


def _picture(spectrum: torch.Tensor, x: torch.Tensor, skip: int) -> torch.Tensor:
    """Inverse of a half spectrum, cut to the size of ``x`` from pixel ``skip`` on.

    In two steps, so that the second transforms only rows that are kept: faster than ``irfft2``.
    """
    height, width = x.shape[-2:]
    down = torch.fft.ifft(spectrum, dim=-2)[..., skip : skip + height, :]
    columns = 2 * (spectrum.shape[-1] - 1)
    whole: torch.Tensor = torch.fft.irfft(down, n=columns, dim=-1)
    return whole[..., skip : skip + width]


def convolve(x: torch.Tensor, psf: torch.Tensor) -> torch.Tensor:
    """Convolve each picture with its own point spread function, edges mirrored.

    Args:
        x: (B, C, H, W).
        psf: (B, 1 or C, K, K), K odd, any sum; centred.
    """
    pad = psf.shape[-1] // 2
    rows, columns = _lengths(x, pad)
    if host.plain(x, psf):
        return host.convolve(x, psf, rows, columns)
    spectrum = _spectrum(x, pad)
    # The psf sits in the corner, so the result is delayed by ``pad``, and by the border again.
    return _picture(spectrum * torch.fft.rfft2(psf, s=(rows, columns)), x, 2 * pad)


def gaussian_blur(x: torch.Tensor, sigma: PerImage) -> torch.Tensor:
    """Gaussian blur with a standard deviation in pixels per image, any size, edges mirrored.

    The kernel is the discrete Gaussian of Lindeberg (IEEE TPAMI 12(3), 1990): the exact variance at
    any width, positive, and a single point at 0.
    """
    # What reaches over the border depends on the border, which is the batch's: 5e-6 of the light.
    pad = math.ceil(4.5 * float(sigma.max())) + 2
    fy, fx = frequencies(x, pad)
    variance = sigma.square()[:, None]
    # exp(sigma^2 (cos 2 pi f - 1)), the transfer function, is separable. Beyond exp(-30) it would
    # only bring denormal numbers, which make the inverse FFT three times as slow.
    across, down = (
        (variance * (torch.cos(2.0 * math.pi * f) - 1.0)).clamp_(min=-30.0).exp_() for f in (fx, fy)
    )
    return filtered(x, across[:, None, :] * down[:, :, None], pad)


def frequencies(x: torch.Tensor, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cycles per pixel (rows,) and (columns / 2 + 1,) of the half spectrum of mirrored pictures."""
    rows, columns = _lengths(x, pad)
    return (
        torch.fft.fftfreq(rows, device=x.device),
        torch.fft.rfftfreq(columns, device=x.device),
    )


def filtered(x: torch.Tensor, transfer: torch.Tensor, pad: int) -> torch.Tensor:
    """Apply a real transfer function to pictures with mirrored edges.

    Args:
        x: (B, C, H, W).
        transfer: (B, rows, columns / 2 + 1) at the :func:`frequencies` for ``pad``.
        pad: Mirrored pixels at least on every side.
    """
    if host.plain(x, transfer):
        return host.filtered(x, transfer, pad)
    return _picture(_spectrum(x, pad) * transfer[:, None], x, pad)


def psf_grid(radius: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Offsets (1, K), (K, 1) in pixels of a K x K kernel, K odd, that holds ``radius``."""
    half = math.ceil(radius) + 1
    offsets = torch.arange(-half, half + 1, dtype=torch.float32, device=device)
    return offsets[None, :], offsets[:, None]


def normalised(psf: torch.Tensor) -> torch.Tensor:
    """(B, K, K) non-negative weights -> (B, 1, K, K) that sum to 1: blur keeps the light."""
    return (psf / psf.sum(dim=(-2, -1), keepdim=True))[:, None]
