"""Batched primitives that operators share. All are pure, differentiable and per-image.

Lengths are in pixels, pictures (B, C, H, W) float32. Geometry that should look the same at any
resolution is expressed in shares of the short side (see :func:`short_side`, :func:`grid`).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from degrade.params import PerImage, col
from degrade.rng import normal

# ---------------------------------------------------------------------------------------- light

# kornia.color has the same pair; these are about five times as fast on a CPU, where exp and log
# are vectorised and pow and where are not, and they sit on the path of every optical operator.
# In-place steps touch temporaries only; the last ones are not, as autograd keeps their inputs.
_KNEE_SRGB, _KNEE_LINEAR, _SLOPE = 0.04045, 0.0031308, 12.92


def to_linear(x: torch.Tensor) -> torch.Tensor:
    """sRGB in [0, 1] to linear light in [0, 1] (IEC 61966-2-1)."""
    above = x.clamp(min=_KNEE_SRGB).add_(0.055).log_().mul_(2.4).exp_()
    below = x.clamp(max=_KNEE_SRGB).sub_(_KNEE_SRGB).mul_(1.0 / _SLOPE)
    return torch.add(below, above, alpha=1.055**-2.4)


def to_srgb(y: torch.Tensor) -> torch.Tensor:
    """Linear light, clipped to [0, 1] as a sensor clips, to sRGB in [0, 1]."""
    above = y.clamp(_KNEE_LINEAR, 1.0).log_().mul_(1.0 / 2.4).exp_()
    below = y.clamp(0.0, _KNEE_LINEAR).mul_(_SLOPE).sub_(_SLOPE * _KNEE_LINEAR + 0.055)
    return torch.add(below, above, alpha=1.055)


def luma(x: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): ITU-R BT.601 luma of gamma-coded RGB."""
    return 0.299 * x[:, 0:1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3]


# ------------------------------------------------------------------------------------- geometry


def short_side(x: torch.Tensor) -> int:
    """min(H, W) in pixels."""
    return min(x.shape[-2:])


def grid(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixel centres in shares of the short side, origin in the middle: u (1, W), v (H, 1)."""
    height, width = x.shape[-2:]
    side = short_side(x)
    u = (torch.arange(width, device=x.device, dtype=torch.float32) + 0.5 - width / 2) / side
    v = (torch.arange(height, device=x.device, dtype=torch.float32) + 0.5 - height / 2) / side
    return u[None, :], v[:, None]


def warp(x: torch.Tensor, dx: torch.Tensor, dy: torch.Tensor) -> torch.Tensor:
    """Sample ``x`` at (column + dx, row + dy), bilinear, edges repeated.

    Args:
        x: (B, C, H, W).
        dx: (B, H, W) displacement to the right in pixels.
        dy: (B, H, W) displacement downwards in pixels.
    """
    height, width = x.shape[-2:]
    columns = torch.arange(width, device=x.device, dtype=torch.float32) + 0.5
    rows = torch.arange(height, device=x.device, dtype=torch.float32)[:, None] + 0.5
    where = torch.stack(((columns + dx) * (2 / width) - 1, (rows + dy) * (2 / height) - 1), -1)
    # Channels last: half the time of grid_sample's planar path on a CPU.
    source = x.contiguous(memory_format=torch.channels_last)
    return F.grid_sample(
        source, where, mode="bilinear", padding_mode="border", align_corners=False
    ).contiguous()


# ----------------------------------------------------------------------------------------- blur


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


def _spectrum(x: torch.Tensor, pad: int) -> torch.Tensor:
    """Half spectrum of the pictures with ``pad`` or more mirrored pixels on every side.

    There are exactly ``pad`` before; behind, as many as fill a fast length.
    """
    for dim in (-2, -1):
        size = x.shape[dim]
        x = _mirror(x, dim, pad, _fast_length(size + 2 * pad) - size - pad)
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
    spectrum = _spectrum(x, pad)
    rows, columns = spectrum.shape[-2], 2 * (spectrum.shape[-1] - 1)
    # The psf sits in the corner, so the result is delayed by ``pad``, and by the border again.
    return _picture(spectrum * torch.fft.rfft2(psf, s=(rows, columns)), x, 2 * pad)


def gaussian_blur(x: torch.Tensor, sigma: PerImage) -> torch.Tensor:
    """Gaussian blur with a standard deviation in pixels per image, any size, edges mirrored."""
    pad = math.ceil(3.0 * float(sigma.max()))
    spectrum = _spectrum(x, pad)
    fy = torch.fft.fftfreq(spectrum.shape[-2], device=x.device)
    fx = torch.fft.rfftfreq(2 * (spectrum.shape[-1] - 1), device=x.device)
    decay = -2.0 * math.pi**2 * sigma.square()
    # exp(-2 pi^2 sigma^2 f^2), the transfer function, is separable. Beyond exp(-30) it would only
    # bring denormal numbers, which make the inverse FFT three times as slow.
    across = torch.exp((decay[:, None] * fx.square()).clamp_(min=-30.0))[:, None, None, :]
    down = torch.exp((decay[:, None] * fy.square()).clamp_(min=-30.0))[:, None, :, None]
    return _picture(spectrum * (across * down), x, pad)


def psf_grid(radius: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Offsets (1, K), (K, 1) in pixels of a K x K kernel, K odd, that holds ``radius``."""
    half = math.ceil(radius) + 1
    offsets = torch.arange(-half, half + 1, dtype=torch.float32, device=device)
    return offsets[None, :], offsets[:, None]


def normalised(psf: torch.Tensor) -> torch.Tensor:
    """(B, K, K) non-negative weights -> (B, 1, K, K) that sum to 1: blur keeps the light."""
    return (psf / psf.sum(dim=(-2, -1), keepdim=True))[:, None]


# --------------------------------------------------------------------------------------- fields


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept may be asked for next where gradients flow
def _spline_basis(pixels: int, step: float, device: torch.device) -> torch.Tensor:
    """(pixels, knots) cubic B-spline weights of knots ``step`` pixels apart; rows sum to 1."""
    knots = math.ceil(pixels / step) + 3
    position = (torch.arange(pixels, dtype=torch.float32, device=device) + 0.5) / step + 1.0
    distance = (position[:, None] - torch.arange(knots, dtype=torch.float32, device=device)).abs()
    near = 2.0 / 3.0 - distance.square() * (1.0 - distance / 2.0)
    far = (2.0 - distance).clamp(min=0.0).pow(3) / 6.0
    return torch.where(distance < 1.0, near, far)


def smooth_noise(
    seed: torch.Tensor, x: torch.Tensor, cell: float, channels: int = 1, stream: int = 0
) -> torch.Tensor:
    """A smooth random field of roughly unit variance, the same landscape at any resolution.

    Args:
        seed: (B,) seeds.
        x: The batch whose (H, W) the field covers.
        cell: Correlation length as a share of the short side; never below one pixel.
        channels: Number of independent fields per picture.
        stream: As in :func:`degrade.rng.bits`.

    Returns:
        (B, channels, H, W) float32.
    """
    height, width = x.shape[-2:]
    step = max(cell * short_side(x), 1.0)
    down = _spline_basis(height, step, x.device)
    across = _spline_basis(width, step, x.device)
    # Knots are seeded on a square of fixed size, so that a resize by half a pixel more or less
    # cannot renumber them and change the landscape.
    edge = 1 << (max(down.shape[1], across.shape[1]) - 1).bit_length()
    lattice = normal(seed, (len(seed), channels, edge, edge), stream)
    lattice = lattice[..., : down.shape[1], : across.shape[1]]
    # 2.1 undoes the variance that the spline averages away (0.479 per axis).
    return down @ lattice @ across.T * 2.1


def soft_grid(x: torch.Tensor, cell: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Where to evaluate a field for :func:`soft_field`; coordinates as those of :func:`grid`.

    Args:
        x: The batch whose (H, W) the field will cover.
        cell: Spacing as a share of the short side; never below one pixel.

    Returns:
        u (1, w) and v (h, 1), a margin of a cell or two around the picture included.
    """
    height, width = x.shape[-2:]
    side = short_side(x)
    step = max(cell * side, 1.0)

    def line(pixels: int) -> torch.Tensor:
        knots = torch.arange(math.ceil(pixels / step) + 3, device=x.device, dtype=torch.float32)
        return ((knots - 1.0) * step - pixels / 2) / side

    return line(width)[None, :], line(height)[:, None]


def soft_field(values: torch.Tensor, x: torch.Tensor, cell: float) -> torch.Tensor:
    """Bring a field without detail finer than ``cell`` to full size, by cubic B-splines.

    A tenth of the work of evaluating it at every pixel, and smoother than bilinear interpolation.

    Args:
        values: (B, C, h, w) at the points of :func:`soft_grid`.
        x: The batch whose (H, W) the field covers.
        cell: As for :func:`soft_grid`.
    """
    height, width = x.shape[-2:]
    step = max(cell * short_side(x), 1.0)
    down = _spline_basis(height, step, x.device)
    across = _spline_basis(width, step, x.device)
    return down @ (values.contiguous() @ across.T)


def soft_blur(x: torch.Tensor, cell: float) -> torch.Tensor:
    """A very wide blur by projection on B-splines: standard deviation about 0.8 ``cell``.

    For light scattered far around, where shape and width of the kernel need not be exact; a tenth
    of the work of :func:`gaussian_blur`.

    Args:
        x: (B, C, H, W).
        cell: Width as a share of the short side; never below one pixel.
    """
    height, width = x.shape[-2:]
    step = max(cell * short_side(x), 1.0)
    down, across = (_spline_basis(n, step, x.device) for n in (height, width))
    # Knots outside the picture see few pixels or none: averages, not sums.
    rows, columns = (w / w.sum(0).clamp(min=1e-6) for w in (down, across))
    return down @ (rows.T @ (x @ columns)) @ across.T


__all__ = [
    "col",
    "convolve",
    "gaussian_blur",
    "grid",
    "luma",
    "normalised",
    "psf_grid",
    "short_side",
    "smooth_noise",
    "soft_blur",
    "soft_field",
    "soft_grid",
    "to_linear",
    "to_srgb",
    "warp",
]
