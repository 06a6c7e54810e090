"""A picture bent like a rubber sheet."""

from typing import Annotated

import torch

from degrade.kernels import at_points, correlated_noise, grid, warp
from degrade.params import Draw, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_REACH = (
    1 / 3
)  # share of the short side: how far the corners of the affine part are from the middle


def _displacement(
    x: Images, rms: PerImage, correlation: PerImage, affine: PerImage, seed: torch.Tensor
) -> torch.Tensor:
    """(B, 2, H, W): how far to the right and down each pixel looks, in pixels."""
    bend = correlated_noise(seed, x, correlation, channels=2) * rms[:, None, None, None]
    # The plane through what three corners of a square move by: a + b u + c v for each axis.
    moves = uniform(seed, (len(seed), 3, 2), stream=1) * 2.0 - 1.0
    corner, right, opposite = (moves * affine[:, None, None]).unbind(1)
    by_u, by_v = (right - opposite) / (2 * _REACH), (corner - right) / (2 * _REACH)
    middle = (corner + opposite) / 2
    u, v = grid(x)
    a, b, c = (part[..., None, None] for part in (middle, by_u, by_v))
    return bend + (a + b * u + c * v)


def _comes_from(
    x: Images,
    points: torch.Tensor,
    rms: PerImage,
    correlation: PerImage,
    affine: PerImage,
    seed: torch.Tensor,
) -> torch.Tensor:
    return points + at_points(_displacement(x, rms, correlation, affine, seed), points)


@operator(
    stage="postprocessing",
    family="geometry",
    refs=(
        "Simard, Steinkraus & Platt, ICDAR 2003: elastic distortions",
        "Hendrycks & Dietterich, ICLR 2019, elastic_transform",
    ),
    comes_from=_comes_from,
)
def elastic_warp(
    x: Images,
    rms: Annotated[PerImage, Severity(0.0, 0.02, unit="px", relative=True, power=1.7)],
    affine: Annotated[PerImage, Severity(0.0, 0.01, unit="px", relative=True, power=1.7)],
    correlation: Annotated[PerImage, Draw(0.04, 0.09, unit="px", relative=True)],
    seed: Seed,
) -> Images:
    """Bend the picture like a rubber sheet: every point moves by a smooth random displacement.

    Per axis the displacement has zero mean, a standard deviation of ``rms`` and is white noise
    smoothed by a Gaussian with a standard deviation of ``correlation``, 1 % of the short side or
    more. On top comes the affine map that moves three corners of a square two thirds as wide as the
    short side, by up to ``affine`` per axis. Bilinear interpolation, edges repeated.

    Uniform noise in [-1, 1] smoothed over s px and multiplied by alpha, as ImageNet-C has it, has
    an rms of 0.163 alpha / s.
    """
    return warp(x, *_displacement(x, rms, correlation, affine, seed).unbind(1))
