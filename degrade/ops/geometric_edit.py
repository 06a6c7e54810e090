"""A picture turned, slanted, tilted, shifted or flipped by an edit."""

from typing import Annotated

import torch

from degrade.kernels import centres, sample
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

KINDS = ("rotate", "shear", "perspective", "translate", "flip_horizontal", "flip_vertical")


def matrix(
    x: Images,
    kind: PerImage,
    angle: PerImage,
    shear: PerImage,
    perspective: PerImage,
    shift: PerImage,
    direction: PerImage,
) -> torch.Tensor:
    """(B, 3, 3): M such that the clean (p, 1) shows at M (p, 1), divided by its third entry.

    p is in pixels from the middle of the picture, x to the right and y down.
    """
    height, width = x.shape[-2:]
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    way = torch.deg2rad(direction)
    dx, dy = way.cos(), -way.sin()  # anticlockwise, as angles are read
    turn = torch.deg2rad(angle) * torch.where(direction < 180.0, 1.0, -1.0)
    cos, sin = turn.cos(), turn.sin()
    # Per half extent of the picture in that direction: the same tilt in any format.
    tilt = perspective.clamp(max=0.95) / (dx.abs() * width / 2 + dy.abs() * height / 2)
    slide, across = shear * dx, shear * dy
    each = (
        (cos, sin, zero, -sin, cos, zero, zero, zero, one),
        # Along d by so much per pixel across it: I + s d n', n across d.
        (
            one - slide * dy,
            slide * dx,
            zero,
            -across * dy,
            one + across * dx,
            zero,
            zero,
            zero,
            one,
        ),
        (one, zero, zero, zero, one, zero, tilt * dx, tilt * dy, one),
        (one, zero, shift * dx, zero, one, shift * dy, zero, zero, one),
        (-one, zero, zero, zero, one, zero, zero, zero, one),
        (one, zero, zero, zero, -one, zero, zero, zero, one),
    )
    every = torch.stack([torch.stack(entries, -1) for entries in each], 1)  # (B, kinds, 9)
    picked = kind.long()[:, None, None].expand(-1, 1, 9)
    return every.gather(1, picked).view(-1, 3, 3)


def _mapped(x: Images, points: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    middle = points.new_tensor((x.shape[-1] / 2, x.shape[-2] / 2))
    p = torch.cat((points - middle, torch.ones_like(points[..., :1])), -1)
    q = p @ m.mT
    return q[..., :2] / q[..., 2:].clamp(min=1e-3) + middle


def _goes_to(x: Images, points: torch.Tensor, **arguments: torch.Tensor) -> torch.Tensor:
    return _mapped(x, points, matrix(x, **arguments))


def _comes_from(x: Images, points: torch.Tensor, **arguments: torch.Tensor) -> torch.Tensor:
    return _mapped(x, points, torch.linalg.inv(matrix(x, **arguments)))


@operator(
    stage="postprocessing",
    family="geometry",
    off_scale="What is turned or shifted is all there; SSIM compares places, not things.",
    refs=(
        "Hartley & Zisserman, Multiple View Geometry (2nd ed., 2004), chapter 2: homographies",
        "Engstrom et al., ICML 2019: rotations up to 30 degrees and small shifts fool classifiers",
    ),
    comes_from=_comes_from,
    goes_to=_goes_to,
)
def geometric_edit(
    x: Images,
    kind: Annotated[PerImage, Choice(KINDS, weights=(1.0, 1.0, 1.0, 1.0, 0.0, 0.0))],
    angle: Annotated[PerImage, Severity(0.0, 30.0, unit="degrees", power=2.5, only=("rotate",))],
    shear: Annotated[
        PerImage, Severity(0.0, 0.3, unit="px per px", power=2.5, only=("shear",), most=2.0)
    ],
    perspective: Annotated[
        PerImage,
        Severity(0.0, 0.4, unit="share of scale", power=2.5, most=0.95, only=("perspective",)),
    ],
    shift: Annotated[
        PerImage, Severity(0.0, 0.15, unit="px", relative=True, power=2.5, only=("translate",))
    ],
    direction: Annotated[PerImage, Draw(0.0, 360.0, unit="degrees", only=KINDS[:4])],
) -> Images:
    """Turn, slant, tilt, shift or flip the picture; what is uncovered shows it mirrored.

    ``kind`` says which. ``rotate`` turns by ``angle``
    about the middle, anticlockwise where ``direction`` is below 180. ``shear`` slides lines along
    the direction, by ``shear`` px per px across it. ``perspective`` tilts the picture away on the
    side of the direction: scale there is 1 / (1 + perspective), opposite 1 / (1 - perspective).
    ``translate`` moves it by ``shift``. Flips have no strength: they are done at any intensity, and
    only when asked for. Directions are anticlockwise from the right. All are one homography, see
    ``matrix``; bilinear interpolation.
    """
    where = _comes_from(
        x,
        centres(x),
        kind=kind,
        angle=angle,
        shear=shear,
        perspective=perspective,
        shift=shift,
        direction=direction,
    )
    return sample(x, where.view(len(x), *x.shape[-2:], 2), padding="reflection")
