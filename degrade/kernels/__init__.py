"""Batched primitives that operators share. All are pure, differentiable and per-image.

Lengths are in pixels, pictures (B, C, H, W) float32. Geometry that should look the same at any
resolution is expressed in shares of the short side (see :func:`short_side`, :func:`grid`).
"""

from degrade.kernels.blur import convolve, gaussian_blur, normalised, psf_grid
from degrade.kernels.fields import (
    correlated_noise,
    smooth_noise,
    soft_blur,
    soft_field,
    soft_grid,
)
from degrade.kernels.light import luma, to_linear, to_srgb
from degrade.kernels.places import at_points, centres, grid, sample, short_side, warp
from degrade.params import col

__all__ = [
    "at_points",
    "centres",
    "col",
    "convolve",
    "correlated_noise",
    "gaussian_blur",
    "grid",
    "luma",
    "normalised",
    "psf_grid",
    "sample",
    "short_side",
    "smooth_noise",
    "soft_blur",
    "soft_field",
    "soft_grid",
    "to_linear",
    "to_srgb",
    "warp",
]
