"""Colours that a lens images at different sizes."""

from typing import Annotated

import torch

from degrade.kernels import centres, sample, to_linear, to_srgb
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="color",
    refs=(
        "Boult & Wolberg, CVPR 1992, Correcting Chromatic Aberrations Using Image Warping",
        "Kang, CVPR 2007, Automatic Removal of Chromatic Aberration from a Single Image: lateral",
    ),
)
def chromatic_aberration(
    x: Images,
    red: Annotated[PerImage, Severity(0.0, 0.03, unit="share of size", power=1.1)],
    blue: Annotated[PerImage, Severity(0.0, 0.021, unit="share of size", power=1.1)],
    kind: Annotated[PerImage, Choice(("red_larger", "blue_larger"))],
    across: Annotated[PerImage, Draw(0.47, 0.53, unit="x width")],
    down: Annotated[PerImage, Draw(0.47, 0.53, unit="x height")],
) -> Images:
    """Lateral chromatic aberration: red and blue are imaged at other sizes than green.

    ``red`` is by how much red is larger than green and ``blue`` by how much blue is smaller, or the
    other way round, about the axis of the lens at (``across``, ``down``): colour fringes along
    edges, wider towards the corners. In linear light, edges mirrored. Green, on which a camera
    focuses and which holds most of the luminance, stays: coordinates are those of green.
    """
    sign = 1.0 - 2.0 * kind
    scale = torch.stack((1.0 + sign * red, 1.0 - sign * blue), 1).clamp(min=0.05)
    height, width = x.shape[-2:]
    axis = torch.stack((across * width, down * height), -1)[:, None, None]
    where = axis + (centres(x)[:, None] - axis) / scale[..., None, None]
    light = to_linear(x)
    ends = light[:, ::2].reshape(-1, 1, height, width)
    ends = sample(ends, where.view(-1, height, width, 2), padding="reflection")
    ends = ends.view(-1, 2, height, width)
    return to_srgb(torch.cat((ends[:, :1], light[:, 1:2], ends[:, 1:]), 1))
