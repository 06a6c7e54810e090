"""Packets of a video that never arrive."""

from typing import Annotated

import torch

from degrade.params import Choice, Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import uniform

_CONCEALMENT = ("grey", "copy above", "smear")


def lost_packets(
    seed: torch.Tensor, share: PerImage, burst: PerImage, packets: int
) -> torch.Tensor:
    """Which packets Gilbert's two-state channel loses: (B, packets) bool.

    In the bad state all are lost, in the good one none. A good packet is followed by a bad one with
    the probability q, a bad one by a good one with r = 1 / ``burst``; q makes ``share`` = q/(q+r).
    One uniform number u per packet drives the chain: bad if u < q, good if u >= 1 - r, else as the
    one before. So what is lost at a lower share is lost at a higher one too.
    """
    u = uniform(seed, (len(seed), packets + 1))
    r = 1.0 / burst[:, None].clamp(min=1.0)
    share = share[:, None].clamp(max=0.95)
    # Beyond 1 - r the bursts could not stay that short.
    q = torch.minimum(r * share / (1.0 - share), 1.0 - r)
    bad, good = u < q, u >= 1.0 - r
    start = u[:, :1] < share  # the chain begins in its long-term shares
    number = torch.arange(packets, device=u.device)
    last = torch.where((bad | good)[:, 1:], number, -1).cummax(dim=1).values
    return torch.where(last < 0, start, bad[:, 1:].gather(1, last.clamp(min=0)))


@operator(
    stage="transmission",
    family="transport",
    refs=(
        "Gilbert, Bell Syst. Tech. J. 39(5), 1960; Elliott, Bell Syst. Tech. J. 42(5), 1963",
        "Wang & Zhu, Proc. IEEE 86(5), 1998: error concealment",
    ),
)
def block_loss(
    x: Images,
    share: Annotated[
        PerImage, Severity(0.0, 0.65, unit="share of packets lost", size_power=0.12, most=1.0)
    ],
    burst: Annotated[PerImage, Draw(5.0, 9.0, unit="packets, mean length of a burst", least=1.0)],
    block: Annotated[PerImage, Draw(0.027, 0.036, unit="px", relative=True)],
    run: Annotated[PerImage, Draw(3, 9, unit="blocks per packet", integer=True, least=1)],
    concealment: Annotated[PerImage, Choice(_CONCEALMENT)],
    seed: FrameSeed,
) -> Images:
    """Lose runs of macroblocks in bursts, and conceal them as decoders do.

    Blocks are sent row by row, a ``run`` of them to a packet; the channel is Gilbert's (see
    ``lost_packets``). A lost block turns ``grey``, is a copy of the next block above that arrived
    (``copy above``), or draws its last row of pixels down (``smear``); where none above arrived it
    is the first below, and a column without any is grey.
    """
    if not len(x):
        return x
    height, width = x.shape[-2:]
    size = block.round().clamp(min=1.0).long()[:, None]
    rows, columns = ((n + size - 1) // size for n in (height, width))
    most = int((rows * columns).max())
    packet = torch.arange(most, device=x.device) // run.long()[:, None]
    lost = lost_packets(seed, share, burst, int(packet.max()) + 1).gather(1, packet)

    # By row of blocks and column of pixels: is it lost, and which row takes its place?
    down = torch.arange(int(rows.max()), device=x.device)
    across = torch.arange(width, device=x.device) // size
    cell = (down * columns)[:, :, None] + across[:, None]
    away = lost.gather(1, cell.clamp(max=most - 1).flatten(1)).view(cell.shape)
    there = ~away & (down < rows)[:, :, None]
    line = down[:, None].expand_as(cell)
    above = torch.where(there, line, -1).cummax(dim=1).values
    below = torch.where(there, line, 1 << 30).flip(1).cummin(dim=1).values.flip(1)
    source = torch.where(above >= 0, above, below)

    y = torch.arange(height, device=x.device)
    mine = (y // size)[:, :, None].expand(-1, -1, width)
    away, source = away.gather(1, mine), source.gather(1, mine)
    edge = size[..., None]
    last = torch.where(source < mine, edge - 1, 0)
    inside = torch.where((concealment == 2)[:, None, None], last, (y[:, None] % edge))
    place = torch.where(away, (source * edge + inside), y[:, None]).clamp(max=height - 1)
    shown = x.gather(2, place[:, None].expand_as(x))
    grey = away & ((source >= 1 << 30) | (concealment == 0)[:, None, None])
    return torch.where(grey[:, None], 0.5, shown)
