"""Blocks of a coded picture that arrive in the wrong place."""

from typing import Annotated

import torch

from degrade.params import Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import bits

_LAST = 1 << 62  # sorts behind every key


def _start(k: torch.Tensor, parts: torch.Tensor, length: int) -> torch.Tensor:
    """First pixel of part ``k`` where ``length`` pixels are divided evenly."""
    return (k * length + parts - 1) // parts


def _sources(x: Images, share: PerImage, block: PerImage, seed: torch.Tensor) -> torch.Tensor:
    """(B, H * W): the number of the pixel that each pixel shows."""
    height, width = x.shape[-2:]
    side = block.clamp(min=1.0)
    rows, columns = ((n / side).round().clamp(min=1).long()[:, None] for n in (height, width))
    cells, most = rows * columns, int((rows * columns).max())
    number = torch.arange(most, device=x.device)

    # A random order of the blocks: neighbours in it form a pair. Keys are unique, so that every
    # device sorts alike; numbers beyond a picture's own blocks go to the end and stay there.
    key = bits(seed, (len(seed), most)).long() * most + number
    order = key.masked_fill(number >= cells, _LAST).argsort(dim=1)
    rank = torch.empty_like(order).scatter_(1, order, number.expand_as(order))
    partner = order.gather(1, (rank ^ 1).clamp(max=most - 1))
    done = (share[:, None] * (cells // 2) - rank // 2).clamp(0.0, 1.0)

    # Steps from each block to its partner. Blocks differ by up to a pixel in size: one that would
    # read past the edge starts a pixel earlier.
    down, across = number // columns, number % columns
    top, left = _start(down, rows, height), _start(across, columns, width)
    tall = _start(down + 1, rows, height) - top
    wide = _start(across + 1, columns, width) - left
    to_top = torch.minimum(top.gather(1, partner), height - tall) - top
    to_left = torch.minimum(left.gather(1, partner), width - wide) - left
    step = to_top * width + to_left
    moved = top + (done * tall).round().long()  # the first pixel row that stays

    # From blocks to (pixel row, column of blocks), and from there to pixels.
    y = torch.arange(height, device=x.device)
    place = torch.arange(int(columns.max()), device=x.device)
    block_of = ((y * rows // height * columns)[:, :, None] + place).clamp(max=most - 1)
    shape = block_of.shape
    block_of = block_of.flatten(1)
    exchanged = y[:, None] < moved.gather(1, block_of).view(shape)
    source = torch.where(exchanged, step.gather(1, block_of).view(shape), 0)
    column = torch.arange(width, device=x.device) * columns // width
    source = source.gather(2, column[:, None, :].expand(-1, height, -1)).flatten(1)
    source += torch.arange(height * width, device=x.device)
    return source


def _comes_from(
    x: Images, points: torch.Tensor, share: PerImage, block: PerImage, seed: torch.Tensor
) -> torch.Tensor:
    return _follow(x, points, _sources(x, share, block, seed))


def _goes_to(
    x: Images, points: torch.Tensor, share: PerImage, block: PerImage, seed: torch.Tensor
) -> torch.Tensor:
    source = _sources(x, share, block, seed)
    number = torch.arange(source.shape[1], device=x.device).expand_as(source)
    # Where blocks differ in size, a pixel may show twice: the first counts. Or not at all: -1.
    nowhere = torch.full_like(source, source.shape[1])
    shown = nowhere.scatter_reduce(1, source, number, "amin")
    return _follow(x, points, torch.where(shown < source.shape[1], shown, -1))


def _follow(x: Images, points: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
    """Points moved as the pixels that they lie in: to the pixels of these numbers, -1 is NaN."""
    height, width = x.shape[-2:]
    column = points[..., 0].floor().long().clamp(0, width - 1)
    row = points[..., 1].floor().long().clamp(0, height - 1)
    column, row = column.expand(len(pixel), -1), row.expand(len(pixel), -1)
    to = pixel.gather(1, row * width + column)
    step = torch.stack((to % width - column, to // width - row), -1)
    return torch.where((to < 0)[..., None], torch.nan, points + step)


@operator(
    stage="transmission",
    family="transport",
    comes_from=_comes_from,
    goes_to=_goes_to,
    refs=(
        "Wang & Zhu, Proc. IEEE 86(5), 1998: coded blocks misplaced when synchronisation is lost",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: non-eccentricity patch",
    ),
)
def block_exchange(
    x: Images,
    share: Annotated[
        PerImage, Severity(0.0, 0.5, unit="share of blocks", size_power=0.13, most=1.0)
    ],
    block: Annotated[PerImage, Draw(0.05, 0.075, unit="px", relative=True)],
    seed: FrameSeed,
) -> Images:
    """Exchange blocks of the picture in pairs, as if coded blocks were put in each other's place.

    The picture is divided evenly into blocks of about ``block`` x ``block`` pixels. The pairs and
    their order are drawn once; the first ``share`` of them are exchanged, the last of these row by
    row, so that the damage grows without steps.
    """
    if not len(x):
        return x
    source = _sources(x, share, block, seed)
    return x.flatten(2).gather(2, source[:, None].expand(-1, 3, -1)).view_as(x)
