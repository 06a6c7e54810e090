"""A screen photographed off its pixels."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F

from degrade.kernels import col, grid, short_side, to_linear, to_srgb
from degrade.params import Draw, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_FILL = 0.8  # width of a sensor's pixel that collects light, in pixels
_GAP = 0.25  # of the height of a screen's pixel that stays dark
_BEND = 0.9  # cycles by which perspective and the lens bend the lattice, at half a short side


def _bayer(x: Images) -> torch.Tensor:
    """(3, H, W): 1 where an RGGB mosaic has that colour."""
    height, width = x.shape[-2:]
    row = torch.arange(height, device=x.device)[:, None] % 2
    column = torch.arange(width, device=x.device) % 2
    red, blue = (row == 0) & (column == 0), (row == 1) & (column == 1)
    return torch.stack((red, ~(red | blue), blue)).to(x.dtype)


def _demosaic(raw: torch.Tensor, mosaic: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) mosaic -> (B, 3, H, W): means of the neighbours that have the colour."""

    def around(v: torch.Tensor) -> torch.Tensor:
        # Binomial 1 2 1 down and across: bilinear interpolation, once divided by the weights.
        v = F.pad(v, (1, 1, 1, 1))
        v = v[..., :-2] + 2.0 * v[..., 1:-1] + v[..., 2:]
        return v[..., :-2, :] + 2.0 * v[..., 1:-1, :] + v[..., 2:, :]

    return around(raw * mosaic) / around(mosaic).clamp(min=1e-6)


@operator(
    stage="acquisition",
    family="scanning",
    refs=(
        "Liu, Shu & Wu, 2018, arXiv 1804.03809: screen of RGB stripes, Bayer mosaic, demosaicing",
        "Amidror, The Theory of the Moire Phenomenon (2nd ed., 2009): sampled gratings alias",
    ),
)
def moire(
    x: Images,
    contrast: Annotated[PerImage, Severity(0.0, 0.8, unit="x that of the screen", most=1.0)],
    period: Annotated[PerImage, Draw(0.04, 0.15, unit="px", relative=True)],
    direction: Annotated[PerImage, Draw(0.0, 360.0, unit="degrees", drifts=True, circular=True)],
    phase: Annotated[PerImage, Draw(0.0, 360.0, unit="degrees", drifts=True, circular=True)],
    seed: Seed,
) -> Images:
    """Moire of a photographed screen: coloured fringes where its pixels beat with the camera's.

    The screen's pixels are three vertical stripes, red, green and blue, with a dark gap below; two
    pixels of the sensor cover nearly one of them. The light of each stripe is what the picture
    shows there. It falls on a sensor under an RGGB mosaic, where a grating of almost half a cycle
    per pixel aliases to fringes ``period`` pixels wide, 4 or more, that follow one another in the
    ``direction``, anticlockwise from the right: what is left of the screen's frequency after half a
    cycle. Perspective and the lens, drawn from the ``seed``, bend the lattice. The mosaic is
    interpolated bilinearly. In linear light; ``contrast`` scales all that the screen's structure
    does, the picture itself keeps its resolution and its place.
    """
    u, v = grid(x)
    side = short_side(x)
    turn = torch.deg2rad(direction)
    beat = 1.0 / period.clamp(min=4.0)
    fx, fy = 0.5 + beat * turn.cos(), -beat * turn.sin()  # cycles of the screen per pixel
    bends = (uniform(seed, (len(seed), 6)) * 2.0 - 1.0) * (4.0 * _BEND)
    uu, uv, vv = u.square(), u * v, v.square()

    def cycles(along: PerImage, across: PerImage, first: int) -> torch.Tensor:
        a, b, c = (col(bends[:, first + i]) for i in range(3))
        return col(along * side) * u + col(across * side) * v + a * uu + b * uv + c * vv

    f = (fx.square() + fy.square()).sqrt()
    mosaic = _bayer(x)
    stripe = (mosaic * (torch.arange(3, device=x.device)[:, None, None] / 3.0)).sum(0)
    columns = cycles(fx, fy, 0) + col(phase / 360.0) - stripe
    across = _grating(columns, 1.0 / 3.0, f)
    down = _grating(cycles(-fy, fx, 3), 1.0 - _GAP, f)
    light = to_linear(x)
    structure = (light * mosaic).sum(1, keepdim=True) * ((across * down).clamp(min=0.0) - 1.0)
    return to_srgb(torch.addcmul(light, _demosaic(structure, mosaic), col(contrast)))


def _grating(cycles: torch.Tensor, duty: float, f: PerImage) -> torch.Tensor:
    """Light of bars of a relative width ``duty``, of mean 1, as pixels see it: two harmonics."""
    wave = torch.cos(2.0 * math.pi * (cycles - cycles.floor()))
    first, second = (
        2.0 * math.sin(math.pi * n * duty) / (math.pi * n * duty) * col(torch.sinc(n * _FILL * f))
        for n in (1, 2)
    )
    return 1.0 + first * wave + second * (2.0 * wave.square() - 1.0)
