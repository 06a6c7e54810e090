"""Color channels that went wrong."""

from typing import Annotated

import torch

from degrade.kernels import col, warp
from degrade.kernels.kinds import by_kind
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="transmission",
    family="color",
    refs=(
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: colour shift, 1 to 12 px",
        "Buslaev et al., Information 11(2), 2020, Albumentations: ChannelShuffle, ChannelDropout",
    ),
    off_scale="Two channels of three stay, and a grey picture does not notice a swap.",
)
def channel_error(
    x: Images,
    shift: Annotated[
        PerImage, Severity(0.0, 0.02, unit="px", relative=True, power=1.6, only=("shift",))
    ],
    mix: Annotated[PerImage, Severity(0.0, 1.0, unit="share", most=1.0, only=("swap", "loss"))],
    channel: Annotated[PerImage, Choice(("red", "green", "blue"))],
    angle: Annotated[PerImage, Draw(0.0, 360.0, unit="degrees", circular=True, only=("shift",))],
    kind: Annotated[PerImage, Choice(("shift", "swap", "loss"))],
) -> Images:
    """One color channel out of place, two exchanged, or one lost.

    ``shift``: the ``channel`` lies ``shift`` pixels off in the direction ``angle``, 0 to the right
    and 90 up, edges repeated. ``swap``: the other two channels take each other's place, by ``mix``:
    the same cables in the wrong sockets. ``loss``: the ``channel`` is multiplied by 1 - ``mix``.
    Coordinates do not change: two channels of three are where they were.
    """
    number = channel.long()
    is_it = col(number) == torch.arange(3, device=x.device).reshape(1, 3, 1, 1)

    def shifted(y: Images, rows: torch.Tensor) -> Images:
        turn = torch.deg2rad(angle[rows])
        # What lies to the right of its place is taken from the left of it.
        dx, dy = -shift[rows] * turn.cos(), shift[rows] * turn.sin()
        plane = y[torch.arange(len(y), device=y.device), number[rows]][:, None]
        flat = torch.zeros_like(plane[:, 0])
        moved = warp(plane, flat + dx[:, None, None], flat + dy[:, None, None])
        return torch.where(is_it[rows], moved, y)

    def swapped(y: Images, rows: torch.Tensor) -> Images:
        order = torch.tensor(((0, 2, 1), (2, 1, 0), (1, 0, 2)), device=y.device)[number[rows]]
        other = y[torch.arange(len(y), device=y.device)[:, None], order]
        return torch.lerp(y, other, col(mix[rows]))

    def lost(y: Images, rows: torch.Tensor) -> Images:
        return torch.where(is_it[rows], y * (1.0 - col(mix[rows])), y)

    return by_kind(x, kind, (shifted, swapped, lost))
