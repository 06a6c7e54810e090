"""Filters of an app."""

from typing import Annotated

import torch

from degrade.kernels import col
from degrade.kernels.color import recolor
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))


def _hue_turn(angle: torch.Tensor) -> torch.Tensor:
    """(B,) radians -> (B, 3, 3): chroma turned about the grey axis, luma as it was."""
    weights = torch.tensor(_LUMA, device=angle.device)
    grey = weights.expand(3, 3)
    # B - Y and R - Y are the axes of chroma, weighted as in PAL; G - Y follows from luma.
    to_chroma = torch.stack(
        (
            0.493 * (torch.tensor((0.0, 0.0, 1.0), device=angle.device) - weights),
            0.877 * (torch.tensor((1.0, 0.0, 0.0), device=angle.device) - weights),
        )
    )
    back = torch.tensor(
        (
            (0.0, 1.0 / 0.877),
            (-0.114 / 0.587 / 0.493, -0.299 / 0.587 / 0.877),
            (1.0 / 0.493, 0.0),
        ),
        device=angle.device,
    )
    c, s = angle.cos(), angle.sin()
    turn = torch.stack((torch.stack((c, -s), 1), torch.stack((s, c), 1)), 1)
    return grey + back @ turn @ to_chroma


@operator(
    stage="postprocessing",
    family="color",
    refs=(
        "ITU-R BT.601: luma; BT.470: chroma axes of PAL, in which hue is an angle",
        "kornia.color.sepia: the usual sepia matrix",
        "Solomon & Breckon, Fundamentals of Digital Image Processing, 2011: solarisation",
    ),
    off_scale="Hue, grey and sepia move the colors and leave structure alone.",
)
def color_filter(
    x: Images,
    amount: Annotated[PerImage, Severity(0.0, 1.0, unit="share of the full effect", most=1.0)],
    side: Annotated[PerImage, Draw(-1.0, 1.0, unit="sign of the hue's turn", only=("hue",))],
    kind: Annotated[
        PerImage,
        Choice(("hue", "grayscale", "sepia", "invert", "solarize"), (1.0, 1.0, 1.0, 0.0, 1.0)),
    ],
) -> Images:
    """A filter of an app: hue turned, grey, sepia, negative or solarised.

    ``hue`` turns chroma at constant luma, to the side of the sign of ``side``, by an angle of
    2 asin(amount): colors move ``amount`` of the way to their opposites, half a turn at 1.
    ``grayscale`` and ``sepia`` mix with the full effect. ``solarize`` folds the curve at
    t = 1 - amount^0.6 / 2, above which y = 2 t - x: at 1 all above mid-grey is negative.
    ``invert`` mixes with the negative by ``amount`` squared. It is never drawn, only given, as
    there is no half of a negative: the mixture goes through flat grey.
    """
    same = torch.eye(3, device=x.device)
    grey = torch.tensor(_LUMA, device=x.device).expand(3, 3)
    sepia = torch.tensor(_SEPIA, device=x.device)
    share = amount[:, None, None]
    angle = 2.0 * torch.asin(amount.clamp(0.0, 1.0))
    turned = _hue_turn(torch.where(side < 0.0, -angle, angle))
    ways = (turned, same + share * (grey - same), same + share * (sepia - same))
    which = kind[:, None, None]
    matrix = same.expand(len(x), 3, 3)
    for number, way in enumerate(ways):
        matrix = torch.where(which == number, way, matrix)
    y = recolor(x, matrix)
    y = torch.where(col(kind) == 3.0, x + col(amount.square()) * (1.0 - 2.0 * x), y)
    fold = 1.0 - 0.5 * col(amount.pow(0.6))
    return torch.where(col(kind) == 4.0, torch.minimum(x, 2.0 * fold - x), y)
