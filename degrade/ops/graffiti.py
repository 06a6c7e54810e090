"""Scribbles drawn over the picture."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F

from degrade.kernels import col, short_side, smooth_noise
from degrade.params import Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_STROKES, _WAVES = 8, 4
_POINTS = 192  # per stroke, equally far apart
_CORE = 0.62  # standard deviation of the Gaussians as a share of half the width
_PALETTE = (  # markers and spray cans
    (0.80, 0.05, 0.08), (0.05, 0.05, 0.06), (0.95, 0.95, 0.93), (0.05, 0.20, 0.75),
    (0.98, 0.82, 0.05), (0.05, 0.55, 0.20), (0.92, 0.10, 0.55), (0.98, 0.45, 0.02),
    (0.02, 0.68, 0.80), (0.45, 0.10, 0.60),
)  # fmt: skip


def _paths(seed: torch.Tensor, x: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Scribbles: (B, strokes, 2, points) u and v in short sides, (B, strokes) point spacing."""
    height, width = x.shape[-2:]
    side = short_side(x)
    draw = uniform(seed, (len(x), _STROKES, 5 + 4 * _WAVES))[..., None]
    t = torch.linspace(0.0, 1.0, 2 * _POINTS, device=x.device)
    # A base line that the hand follows, and loops on top of it, the quicker the smaller.
    angle = (draw[..., 0, :] - 0.5) * 2.4
    reach = (0.25 + 0.45 * draw[..., 1, :]) * (t - 0.5)
    u = (draw[..., 2, :] - 0.5) * 0.7 * width / side + reach * angle.cos()
    v = (draw[..., 3, :] - 0.5) * 0.7 * height / side + reach * angle.sin()
    turns = 1.0 + 2.0 * draw[..., 4, :]
    for k in range(_WAVES):
        size, phase, lean, skew = (draw[..., 5 + 4 * k + i, :] for i in range(4))
        turn = 2.0 * math.pi * ((k + 1) * 0.5 * turns * t + phase)
        size = (0.04 + 0.11 * size) / (1.0 + 0.6 * k)
        u = u + size * (0.4 + 0.6 * lean) * turn.cos()
        v = v + size * (turn + 2.0 * skew).sin()
    path = torch.stack((u, v), dim=2)
    # Resample to equal steps along the way, so that the line grows and inks evenly.
    way = path.diff(dim=-1).square().sum(dim=2).sqrt().cumsum(dim=-1)
    way = F.pad(way, (1, 0))
    spacing = way[..., -1] / (_POINTS - 1)
    target = spacing[..., None] * torch.arange(_POINTS, device=x.device)
    index = torch.searchsorted(way, target).clamp(1, 2 * _POINTS - 1)
    before, after = way.gather(-1, index - 1), way.gather(-1, index)
    part = ((target - before) / (after - before).clamp(min=1e-9)).clamp(0.0, 1.0)[:, :, None]
    where = index[:, :, None].expand(-1, -1, 2, -1)
    return torch.lerp(path.gather(-1, where - 1), path.gather(-1, where), part), spacing


@operator(
    stage="postprocessing",
    family="overlay",
    off_scale="Strokes cover a part of the picture and leave the rest alone.",
    refs=(
        "Tang et al., Robust-R1, AAAI 2026: graffiti, random lines",
        "Blinn, ACM Trans. Graphics 1(3), 1982: outlines as level sets of summed Gaussians",
    ),
)
def graffiti(
    x: Images,
    strokes: Annotated[
        PerImage, Severity(0.0, float(_STROKES), unit="strokes", most=float(_STROKES))
    ],
    width: Annotated[PerImage, Severity(0.012, 0.029, unit="px", relative=True)],
    seed: Seed,
) -> Images:
    """Scribbles in the colours of markers and spray cans, drawn one after another.

    Each stroke grows along its way before the next begins: 2.5 ``strokes`` are two and a half. A
    stroke is a level set of Gaussians along its way: round caps, and paint that pools at crossings.
    """
    height, across = x.shape[-2:]
    side = short_side(x)
    count = max(1, min(_STROKES, math.ceil(float(strokes.max()))))
    path, spacing = (p[:, :count] for p in _paths(seed, x))
    look = uniform(seed, (len(x), _STROKES, 4), stream=1)[:, :count, :, None]
    drawn = (strokes[:, None] - torch.arange(count, device=x.device))[..., None] * _POINTS
    drawn = (drawn - torch.arange(_POINTS, device=x.device)).clamp(0.0, 1.0)

    # Shares of the short side from here on. A hand presses now more, now less.
    half = (width / (2.0 * side))[:, None, None] * (0.75 + 0.5 * look[..., 1, :])
    core = torch.maximum(_CORE * half, 0.62 * spacing[..., None])
    phase = 2.0 * torch.linspace(0.0, 1.0, _POINTS, device=x.device) + look[..., 2, :]
    ink = drawn * (1.0 + 0.4 * torch.sin(2.0 * math.pi * phase))
    ink = ink * spacing[..., None] / (math.sqrt(2.0 * math.pi) * core)
    # Squared distances are smooth: a grid of at least 256 pixels carries them.
    step = max(1, side // 256)
    falls = []
    for pixels, line in ((height, path[:, :, 1]), (across, path[:, :, 0])):
        n = math.ceil(pixels / step)
        centre = ((torch.arange(n, device=x.device) + 0.5) / n - 0.5) * (pixels / side)
        fall = -0.5 * ((centre[:, None] - line[:, :, None, :]) / core[..., None]).square()
        falls.append(torch.exp(fall.clamp_(min=-30.0)))
    density = (falls[0] * ink[:, :, None]) @ falls[1].mT
    square = density.clamp_(min=1e-26).log_() * (-2.0 * core.square())[..., None]

    # Markers have an edge of a pixel, spray cans a soft and slightly grainy one.
    spray = (look[..., 3, :] > 0.5).float()
    sharp = 1.0 / (1.0 / side + 0.6 * half * spray)
    grain = smooth_noise(seed, x, 0.006, stream=2)
    clear, layers = torch.ones_like(grain), []
    for k in reversed(range(count)):  # from the top: the last stroke lies over the others
        distance = square[:, k : k + 1]
        if step > 1:
            distance = F.interpolate(distance, (height, across), mode="bilinear")
        alpha = distance.clamp(min=0.0).sqrt_().mul_(-col(sharp[:, k]))
        alpha.add_(col(half[:, k] * sharp[:, k] + 0.5)).addcmul_(grain, col(0.25 * spray[:, k]))
        begun = (drawn[:, k, 0] > 0.0).float()  # the others exist for other rows of the batch
        layers.append(alpha.clamp_(0.0, 1.0).mul_(clear).mul_(col(begun)))
        clear = clear - layers[-1]
    colours = torch.tensor(_PALETTE, device=x.device)[(look[..., 0, 0] * len(_PALETTE)).long()]
    paint = colours.flip(1).mT @ torch.cat(layers, dim=1).flatten(2)
    return x * clear + paint.reshape(x.shape)
