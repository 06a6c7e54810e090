"""Smooth random fields and very wide blurs, by cubic B-splines."""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from degrade.kernels.places import short_side
from degrade.rng import normal


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


_BLOCK = 64  # pixels whose knots are multiplied at once
_FEW_KNOTS = 48  # with fewer one product of whole matrices is faster


@lru_cache(maxsize=64)
def _blocks(pixels: int, step: float) -> tuple[tuple[slice, slice], ...]:
    """Runs of pixels, and the knots that have any weight there: a basis is zero elsewhere."""
    knots = math.ceil(pixels / step) + 3
    if knots < _FEW_KNOTS:
        return ((slice(0, pixels), slice(0, knots)),)
    ends = [(start, min(start + _BLOCK, pixels)) for start in range(0, pixels, _BLOCK)]
    return tuple(
        (slice(start, end), slice(max(0, int(start / step) - 1), min(knots, int(end / step) + 5)))
        for start, end in ends
    )


def _spline(values: torch.Tensor, x: torch.Tensor, step: float) -> torch.Tensor:
    """Knots (B, C, h, w), ``step`` pixels apart, to the (H, W) of ``x``."""
    height, width = x.shape[-2:]
    down = _spline_basis(height, step, x.device)
    across = _spline_basis(width, step, x.device)
    parts = [values[..., k] @ across[p, k].T for p, k in _blocks(width, step)]
    wide = torch.cat(parts, dim=-1)
    return torch.cat([down[p, k] @ wide[..., k, :] for p, k in _blocks(height, step)], dim=-2)


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
    rows, columns = (math.ceil(n / step) + 3 for n in (height, width))
    # Knots are seeded on a square of fixed size, so that a resize by half a pixel more or less
    # cannot renumber them and change the landscape.
    edge = 1 << (max(rows, columns) - 1).bit_length()
    lattice = normal(seed, (len(seed), channels, rows, columns), stream, edge)
    # 2.1 undoes the variance that the spline averages away (0.479 per axis).
    return _spline(lattice * 2.1, x, step)


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
    return _spline(values.contiguous(), x, max(cell * short_side(x), 1.0))


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
    return _spline(rows.T @ (x @ columns), x, step)


_FINEST = 0.01  # share of the short side: lattice on which correlated_noise is made


def correlated_noise(
    seed: torch.Tensor, x: torch.Tensor, length: torch.Tensor, channels: int = 1, stream: int = 0
) -> torch.Tensor:
    """White noise smoothed by a Gaussian: unit variance everywhere, correlation per picture.

    The same landscape at any resolution. Exact down to lengths of about 1 % of the short side (or a
    pixel, in small pictures); what is shorter comes out as long as that.

    Args:
        seed: (B,) seeds.
        x: The batch whose (H, W) the field covers.
        length: (B,) standard deviation of the Gaussian in pixels.
        channels: Number of independent fields per picture.
        stream: As in :func:`degrade.rng.bits`.

    Returns:
        (B, channels, H, W) float32.
    """
    height, width = x.shape[-2:]
    step = max(_FINEST * short_side(x), 1.0)
    # The spline that brings the lattice to full size has a variance of step^2 / 3 of its own.
    spread = ((length / step).square() - 1.0 / 3.0).clamp(min=0.02)[:, None, None]

    def smoothing(pixels: int) -> torch.Tensor:
        basis = _spline_basis(pixels, step, x.device)
        knot = torch.arange(basis.shape[1], device=x.device, dtype=torch.float32)
        exponent = (knot[:, None] - knot).square() * (-0.5 / spread)
        weight = basis @ exponent.clamp_(min=-30.0).exp_()
        return weight / weight.square().sum(-1, keepdim=True).sqrt()

    down, across = smoothing(height), smoothing(width)
    edge = 1 << (max(down.shape[-1], across.shape[-1]) - 1).bit_length()
    lattice = normal(seed, (len(seed), channels, down.shape[-1], across.shape[-1]), stream, edge)
    return down[:, None] @ lattice @ across.mT[:, None]
