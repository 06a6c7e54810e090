"""Rows that are read out one after another while the camera moves."""

import math
from typing import Annotated

import torch

from degrade.kernels import centres, sample
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator


def _shift(
    x: Images,
    rows: torch.Tensor,
    skew: PerImage,
    wobble: PerImage,
    cycles: PerImage,
    phase: PerImage,
    pan: PerImage,
) -> torch.Tensor:
    """How far to the right a row at ``rows`` pixels (B, N) looks."""
    time = rows / x.shape[-2]  # of the readout
    turn = 2.0 * math.pi * cycles[:, None] * time + torch.deg2rad(phase)[:, None]
    speed = (skew * (2.0 * pan - 1.0))[:, None]
    return speed * (time - 0.5) + wobble[:, None] * turn.sin()


def _comes_from(x: Images, points: torch.Tensor, **arguments: torch.Tensor) -> torch.Tensor:
    shift = _shift(x, points[..., 1], **arguments)
    return points + torch.stack((shift, torch.zeros_like(shift)), -1)


def _goes_to(x: Images, points: torch.Tensor, **arguments: torch.Tensor) -> torch.Tensor:
    shift = _shift(x, points[..., 1], **arguments)
    return points - torch.stack((shift, torch.zeros_like(shift)), -1)


@operator(
    stage="acquisition",
    family="geometry",
    refs=(
        "Rengarajan, Balaji & Rajagopalan, CVPR 2017: row-wise camera motion of a rolling shutter",
        "Baker et al., CVPR 2010, Removing Rolling Shutter Wobble: skew and wobble",
    ),
    comes_from=_comes_from,
    goes_to=_goes_to,
)
def rolling_shutter(
    x: Images,
    skew: Annotated[PerImage, Severity(0.0, 0.15, unit="px", relative=True, power=2.3)],
    wobble: Annotated[PerImage, Severity(0.0, 0.012, unit="px", relative=True, power=1.8)],
    cycles: Annotated[PerImage, Draw(1.5, 6.0, unit="cycles per readout")],
    phase: Annotated[PerImage, Draw(0.0, 360.0, unit="degrees", drifts=True, circular=True)],
    pan: Annotated[PerImage, Choice(("left", "right"))],
) -> Images:
    """Rolling shutter: the rows are read from top to bottom while the camera pans and vibrates.

    A row read at the share t of the readout looks ``skew`` (t - 1/2) + ``wobble`` sin(2 pi
    ``cycles`` t + ``phase``) to the side: verticals lean by ``skew`` pixels over the height, in the
    direction of the ``pan``, and wave as jelly does. Vibration at f Hz and a readout of T seconds
    make f T cycles. Rows stay rows; edges mirrored, bilinear interpolation.
    """
    where = _comes_from(
        x, centres(x), skew=skew, wobble=wobble, cycles=cycles, phase=phase, pan=pan
    )
    return sample(x, where.view(len(skew), *x.shape[-2:], 2), padding="reflection")
