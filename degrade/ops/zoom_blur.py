"""Smear of a zoom that is turned while the shutter is open."""

from typing import Annotated

import torch

from degrade.kernels import centres, col, sample, to_linear, to_srgb
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator

_DOUBLINGS = 7  # 128 exposures: at a zoom of 1.3, 0.2 % of the way from the middle each


def _axis(x: Images, across: PerImage, down: PerImage) -> torch.Tensor:
    """(B, 1, 2) in pixels."""
    return torch.stack((across * x.shape[-1], down * x.shape[-2]), -1)[:, None]


def _midway(zoom: PerImage) -> torch.Tensor:
    """(B, 1, 1): magnification in the middle of the exposure."""
    return zoom.clamp(min=1.0).sqrt()[:, None, None]


def _comes_from(
    x: Images, points: torch.Tensor, zoom: PerImage, across: PerImage, down: PerImage
) -> torch.Tensor:
    axis = _axis(x, across, down)
    return axis + (points - axis) / _midway(zoom)


def _goes_to(
    x: Images, points: torch.Tensor, zoom: PerImage, across: PerImage, down: PerImage
) -> torch.Tensor:
    axis = _axis(x, across, down)
    return axis + (points - axis) * _midway(zoom)


@operator(
    stage="acquisition",
    family="motion",
    refs=(
        "Potmesil & Chakravarty, SIGGRAPH 1983, Modeling Motion Blur: exposure integral of a path",
        "Hendrycks & Dietterich, ICLR 2019, zoom_blur: zoom up to 1.31",
    ),
    comes_from=_comes_from,
    goes_to=_goes_to,
)
def zoom_blur(
    x: Images,
    zoom: Annotated[
        PerImage, Severity(1.0, 1.31, unit="x magnification", power=2.2, least=1.0, most=4.0)
    ],
    across: Annotated[PerImage, Draw(0.4, 0.6, unit="x width")],
    down: Annotated[PerImage, Draw(0.4, 0.6, unit="x height")],
) -> Images:
    """Zooming in, or moving ahead, during the exposure: streaks that point away from one place.

    The mean of 128 pictures, in linear light, whose magnification about (``across``, ``down``)
    grows from 1 to ``zoom`` in equal ratios. Their sum is formed by doubling: what n of them add up
    to, and the same magnified by the ratio of n steps, is what 2 n add up to. An object is where it
    was in the middle of the exposure, magnified by the square root of ``zoom``.
    """
    axis = _axis(x, across, down)
    middle = axis[:, None]
    offset = centres(x).view(1, *x.shape[-2:], 2) - middle
    light = to_linear(x)
    step = zoom.clamp(min=1.0).log() / (2.0**_DOUBLINGS - 1.0)
    for doubling in range(_DOUBLINGS):
        ratio = col(torch.exp(-step * 2.0**doubling))
        magnified = sample(light, torch.addcmul(middle, offset, ratio))
        light = torch.lerp(light, magnified, 0.5)
    return to_srgb(light)
