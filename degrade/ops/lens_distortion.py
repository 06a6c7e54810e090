"""Straight lines bent by a lens."""

from typing import Annotated

import torch

from degrade.kernels import centres, sample, short_side
from degrade.params import Choice, Images, PerImage, Severity
from degrade.registry import operator

_LEAST = 0.05  # scale below which coefficients from outside the range are not followed


def _comes_from(
    x: Images, points: torch.Tensor, k1: PerImage, k2: PerImage, kind: PerImage
) -> torch.Tensor:
    middle = points.new_tensor((x.shape[-1] / 2, x.shape[-2] / 2))
    corner = middle.square().sum().sqrt()
    sign = 1.0 - 2.0 * kind
    a, b = (sign * k1)[:, None], (sign * k2)[:, None]

    def stretch(r2: torch.Tensor) -> torch.Tensor:
        return (1.0 + r2 * (a + r2 * b)).clamp(min=_LEAST)

    # The picture fills the frame: what bulges meets its corners, what is drawn in its long sides.
    side = torch.where(kind[:, None] < 0.5, 1.0, (short_side(x) / 2 / corner).square())
    offset = points - middle
    scale = stretch((offset / corner).square().sum(-1)) / stretch(side)
    return middle + offset * scale[..., None]


@operator(
    stage="acquisition",
    family="geometry",
    refs=(
        "Brown, Photogrammetric Engineering 37(8), 1971: radial distortion of a lens as a series",
        "Hartley & Zisserman, Multiple View Geometry (2nd ed., 2004), section 7.4",
    ),
    comes_from=_comes_from,
)
def lens_distortion(
    x: Images,
    k1: Annotated[PerImage, Severity(0.0, 0.25, unit="per half diagonal^2", power=2.7)],
    k2: Annotated[PerImage, Severity(0.0, 0.03, unit="per half diagonal^4", power=2.7)],
    kind: Annotated[PerImage, Choice(("barrel", "pincushion"))],
) -> Images:
    """Barrel or pincushion distortion: lines that miss the middle bend out or in.

    A point at the distance r from the middle shows what an ideal lens has at s r (1 + a r^2 +
    b r^4), r in half diagonals (Brown-Conrady, radial terms). a, b are ``k1``, ``k2`` for a barrel
    and -``k1``, -``k2`` for a pincushion; a pincushion folds where 3 k1 + 5 k2 is above 1. The
    scale s keeps the frame filled. Bilinear interpolation.
    """
    where = _comes_from(x, centres(x), k1, k2, kind)
    return sample(x, where.view(len(k1), *x.shape[-2:], 2))
