"""Looking through hot air."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F

from degrade.kernels import (
    at_points,
    col,
    convolve,
    short_side,
    smooth_noise,
    to_linear,
    to_srgb,
    warp,
)
from degrade.params import Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator

_AIRY = 0.006  # lambda / D as a share of the short side: a long lens over a few hundred metres
_CELLS = (0.16, 0.08, 0.04, 0.02)  # octaves of the tilt field, shares of the short side
_ALPHA = 0.5  # far field


def _tilt(x: Images, d_over_r0: PerImage, correlation: PerImage, seed: torch.Tensor) -> Images:
    """(B, 2, H, W): how far to the right and down each pixel looks, in pixels."""
    side = short_side(x)
    ratio = torch.tensor(_CELLS, device=x.device) * side / correlation[:, None]
    weight = ratio / (1.0 + ratio.pow(4.0))
    weight = weight / weight.square().sum(dim=1, keepdim=True).sqrt()
    weight = weight * (0.427 * _AIRY * side * d_over_r0.pow(5.0 / 6.0))[:, None]
    # The field has nothing to say between two pixels: half resolution will do.
    coarse = x[..., ::2, ::2]
    tilt = torch.zeros((len(seed), 2, *coarse.shape[-2:]), device=x.device)
    for octave, cell in enumerate(_CELLS):
        tilt += col(weight[:, octave]) * smooth_noise(seed, coarse, cell, channels=2, stream=octave)
    return F.interpolate(tilt, x.shape[-2:], mode="bilinear", align_corners=False)


def _comes_from(
    x: Images,
    points: torch.Tensor,
    d_over_r0: PerImage,
    correlation: PerImage,
    seed: torch.Tensor,
) -> torch.Tensor:
    return points + at_points(_tilt(x, d_over_r0, correlation, seed), points)


@operator(
    stage="environment",
    family="weather",
    comes_from=_comes_from,
    refs=(
        "Fried, JOSA 56, 1966: short-exposure transfer function",
        "Chimitt & Chan, Opt. Eng. 59, 2020: tilt variance 0.182 (D/r0)^(5/3) (lambda/D)^2",
    ),
)
def atmospheric_turbulence(
    x: Images,
    d_over_r0: Annotated[PerImage, Severity(0.0, 5.0, unit="D/r0", power=1.4)],
    correlation: Annotated[PerImage, Draw(0.03, 0.08, unit="px", relative=True, least=5e-3)],
    seed: FrameSeed,
) -> Images:
    """Heat haze: every point moves by a random tilt of its wavefront, and is blurred.

    D/r0 is the aperture in Fried parameters. Tilt per axis has zero mean and an rms of 0.427
    (D/r0)^(5/6) lambda/D, with lambda/D = 0.6 % of the short side; it is a sum of random fields an
    octave apart with most energy at the ``correlation`` length. What the tilt does not explain is
    blur: exp(-3.44 (D/r0 v)^(5/3) (1 - v^(1/3) / 2)) at frequency v = f lambda/D. In linear light.
    """
    side = short_side(x)
    airy = _AIRY * side
    size = 2 * math.ceil(0.04 * side) + 1
    f = torch.fft.fftfreq(size, device=x.device)
    v = (f.square() + f.square()[:, None]).sqrt().mul(airy).clamp(max=1.0)
    loss = 3.44 * v.pow(5.0 / 3.0) * (1.0 - _ALPHA * v.pow(1.0 / 3.0))
    transfer = torch.exp(-loss * d_over_r0.pow(5.0 / 3.0)[:, None, None])
    psf = torch.fft.fftshift(torch.fft.ifft2(transfer).real, dim=(-2, -1))[:, None]
    tilt = _tilt(x, d_over_r0, correlation, seed)
    return to_srgb(warp(convolve(to_linear(x), psf), tilt[:, 0], tilt[:, 1]))
