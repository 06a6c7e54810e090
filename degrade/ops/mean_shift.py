"""Colours flattened to the nearest mode."""

import math
from typing import Annotated

import torch

from degrade.kernels import col, sample, short_side
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator

_CELLS = 32  # per short side: cells of the local histograms
_LEVELS = 32  # of each histogram
_FINEST = 6.0  # grey levels: the narrowest kernel that so many levels can carry
_CHROMA = 0.7  # chroma spans less than luma: its kernel is narrower by this
_ROUNDS = 3  # each doubles the number of steps: 8

# RGB -> luma, B - Y and R - Y (ITU-R BT.601), the latter two scaled to a range of 1 around 0.
_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.299, -0.587, 0.886], [0.701, -0.587, -0.114]])
_YCC /= torch.tensor([[1.0], [1.772], [1.402]])
_RGB = torch.linalg.inv(_YCC)
_MIDDLE = torch.tensor([0.0, 0.5, 0.5]).reshape(-1, 1, 1)


@operator(
    stage="transmission",
    family="filtering",
    refs=(
        "Comaniciu & Meer, IEEE TPAMI 24(5), 2002: mean shift filtering",
        "van de Weijer & van den Boomgaard, CVPR 2001: local mode filtering",
        "Paris & Durand, CVPR 2007: mean shift on a coarse grid of position and value",
    ),
)
def mean_shift(
    x: Images,
    value_radius: Annotated[PerImage, Severity(0.0, 15.0, unit="grey levels")],
    radius: Annotated[PerImage, Severity(0.012, 0.025, unit="px", relative=True, least=1e-3)],
) -> Images:
    """Flatten colours as mean shift filtering does: texture goes, edges stay, areas look painted.

    Each of luma, B - Y and R - Y moves to the mode of the values around it: eight mean shift steps
    in a local histogram, with Gaussian kernels of standard deviation ``radius`` in position and
    ``value_radius`` in value. The steps are taken on a coarse grid of position and value, once for
    all pixels, so that the cost does not grow with the radii. Kernels narrower than the grid's 6
    grey levels are mixtures with the picture.

    The name is that of the paper. The image quality literature calls a change of brightness by a
    constant "mean shift", which is something else.
    """
    side, (height, width) = short_side(x), x.shape[-2:]
    middle = _MIDDLE.to(x.device)
    planes = (_YCC.to(x.device) @ x.flatten(2)).view_as(x)  # chroma from -0.5 to 0.5
    rows, columns = (min(n, math.ceil(_CELLS * n / side)) for n in (height, width))

    # Histograms: counts and sums of values per cell and level. A quarter million pixels will do.
    step = max(1, side // 256)
    v = ((planes[..., ::step, ::step] + middle) * (_LEVELS - 1)).clamp(0, _LEVELS - 1)
    down = torch.arange(0, height, step, device=x.device) * rows // height
    across = torch.arange(0, width, step, device=x.device) * columns // width
    place = (((down[:, None] * columns + across) * _LEVELS) + v.round().long()).flatten(2)
    empty = x.new_zeros(*planes.shape[:2], rows * columns * _LEVELS)
    shape = (*planes.shape[:2], rows, columns, _LEVELS)
    count = empty.scatter_add(2, place, torch.ones_like(v).flatten(2)).view(shape)
    total = empty.scatter_add(2, place, v.flatten(2)).view(shape)

    # Mean of the values around each point of the grid; where there are none, its own value.
    spread = radius * (_CELLS / side)
    narrow = value_radius.clamp(min=_FINEST)[:, None] * ((_LEVELS - 1) / 255.0)
    narrow = narrow * x.new_tensor([1.0, _CHROMA, _CHROMA])
    by_row = _gaussian(rows, spread[:, None])
    by_column, by_level = _gaussian(columns, spread[:, None, None]), _gaussian(_LEVELS, narrow)

    def around(h: torch.Tensor) -> torch.Tensor:
        h = (by_row @ h.flatten(3)).view(shape)
        return by_column @ h @ by_level[:, :, None]

    level = torch.arange(_LEVELS, device=x.device, dtype=torch.float32)
    count, total = around(count), around(total)
    few = 1e-3 * count.mean(dim=-1, keepdim=True)
    mode = (total + few * level) / (count + few)
    for _ in range(_ROUNDS):
        below = mode.detach().floor().clamp(0, _LEVELS - 2)
        low, high = mode.gather(-1, below.long()), mode.gather(-1, below.long() + 1)
        mode = low + (high - low) * (mode - below)

    flat = _look_up(mode / (_LEVELS - 1) - middle[..., None], planes, middle)
    mix = (value_radius / _FINEST).clamp(max=1.0)
    return torch.lerp(x, (_RGB.to(x.device) @ flat.flatten(2)).view_as(x), col(mix))


def _gaussian(size: int, sigma: torch.Tensor) -> torch.Tensor:
    """(..., size, size) weights of a Gaussian of ``sigma`` steps."""
    k = torch.arange(size, device=sigma.device, dtype=torch.float32)
    exponent = -0.5 * ((k[:, None] - k) / sigma[..., None, None]).square()
    return exponent.clamp(min=-30.0).exp()  # denormal numbers are slow


def _look_up(table: torch.Tensor, planes: torch.Tensor, middle: torch.Tensor) -> torch.Tensor:
    """Interpolate (B, 3, rows, columns, levels) at each pixel and its value plus ``middle``."""
    height, width = planes.shape[-2:]
    rows, columns, levels = table.shape[2:]
    y = (torch.arange(height, device=planes.device) + 0.5) * (rows / height) - 0.5
    y = y.clamp(0, rows - 1)[:, None]
    weight = (1.0 - (y - torch.arange(rows, device=planes.device)).abs()).clamp(min=0.0)
    # A table of columns x levels for each pixel row; below one another they are a picture, and the
    # bilinear sampler of pictures is a twentieth the price of the trilinear one of volumes.
    stack = (weight @ table.flatten(3)).reshape(-1, 1, height * columns, levels)
    c = (torch.arange(width, device=planes.device) + 0.5) * (columns / width) - 0.5
    line = torch.arange(height, device=planes.device)[:, None] * columns + c.clamp(0, columns - 1)
    value = (planes + middle) * (levels - 1)
    where = torch.stack((value, line.expand_as(value)), dim=-1).flatten(0, 1) + 0.5
    return sample(stack, where).view_as(planes)
