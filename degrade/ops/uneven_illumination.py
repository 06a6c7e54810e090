"""Light that falls off across the scene."""

import math
from typing import Annotated

import torch

from degrade.kernels import col, grid, short_side, to_linear, to_srgb
from degrade.kernels.kinds import by_kind
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

_OVER = 0.15  # share of the range by which the bright end is over the exposure


@operator(
    stage="environment",
    family="shading",
    refs=(
        "Likar et al., J. Microscopy 197, 2000: multiplicative shading by uneven illumination",
        "Land & McCann, JOSA 61, 1971, Lightness and Retinex Theory: gradients of illumination",
    ),
    off_scale="Smooth changes of brightness leave structure alone.",
)
def uneven_illumination(
    x: Images,
    ev_range: Annotated[PerImage, Severity(0.0, 5.0, unit="EV", power=0.9)],
    kind: Annotated[PerImage, Choice(("linear", "spot"))],
    angle: Annotated[
        PerImage, Draw(0.0, 360.0, unit="deg", drifts=True, circular=True, only=("linear",))
    ],
    across: Annotated[PerImage, Draw(0.2, 0.8, unit="x width", drifts=True, only=("spot",))],
    down: Annotated[PerImage, Draw(0.2, 0.8, unit="x height", drifts=True, only=("spot",))],
) -> Images:
    """Uneven light: gain 2^(ev_range (0.15 - p)), with p from 0 where it is bright to 1.

    ``linear``: a ramp over the frame that darkens towards ``angle``, counted anticlockwise from
    the right. ``spot``: a lamp that lights (``across``, ``down``) and falls off like a Gaussian of
    0.4 short sides, to 0 far away. In linear light, clipped at full scale.
    """
    u, v = grid(x)
    half_u, half_v = (n / short_side(x) / 2.0 for n in (x.shape[-1], x.shape[-2]))

    def ramp(y: Images, rows: torch.Tensor) -> torch.Tensor:
        turn = torch.deg2rad(angle[rows])
        c, s = torch.cos(turn), -torch.sin(turn)
        longest = (c.abs() * half_u + s.abs() * half_v).clamp(min=1e-6)
        return 0.5 + 0.5 * (u * col(c) + v * col(s)) / col(longest)

    def lamp(y: Images, rows: torch.Tensor) -> torch.Tensor:
        du = u - col((2.0 * across[rows] - 1.0) * half_u)
        dv = v - col((2.0 * down[rows] - 1.0) * half_v)
        return 1.0 - torch.exp(-(du.square() + dv.square()) / (2.0 * 0.4**2))

    p = by_kind(x, kind, (ramp, lamp))
    gain = torch.exp(math.log(2.0) * col(ev_range) * (_OVER - p))
    return to_srgb(to_linear(x) * gain)
