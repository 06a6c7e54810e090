"""Things in front of the scene."""

import math
from typing import Annotated

import torch

from degrade.kernels import col, grid, short_side, smooth_noise, soft_blur
from degrade.kernels.marks import level, slopes
from degrade.params import Choice, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_OBJECTS = 6
_TURN = 2.0 * math.pi


def _order(x: Images, kind: PerImage, seed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 1, H, W) each: a field that objects cover from its lowest value up, and whose it is."""
    u, v = grid(x)
    half_u, half_v = (n / short_side(x) / 2.0 for n in (x.shape[-1], x.shape[-2]))
    shape, place = uniform(seed, (len(x), 6)), uniform(seed, (len(x), 6, _OBJECTS), stream=1)
    aspect = torch.exp(0.7 * (shape[:, 0] - 0.5))
    # The frame's own proportions: an object in the middle reaches all its sides at once.
    central = torch.maximum((u / half_u).abs() * col(aspect), (v / half_v).abs() / col(aspect))

    pitch = 0.16 + 0.16 * shape[:, 1]
    cells = [
        (line / col(pitch) + col(shape[:, 2 + i]) + 0.5) % 1.0 - 0.5
        for i, line in enumerate((u, v))
    ]
    regular = 2.0 * torch.maximum(cells[0].abs(), cells[1].abs())

    scattered = torch.full_like(central, 1e9)
    owner = torch.zeros_like(central)
    for k in range(_OBJECTS):
        turn, size = place[:, 2, k] * _TURN, 0.5 + place[:, 3, k]
        du = u - col((place[:, 0, k] * 1.9 - 0.95) * half_u)
        dv = v - col((place[:, 1, k] * 1.9 - 0.95) * half_v)
        stretch = torch.exp(0.9 * (place[:, 4, k] - 0.5))
        along = (du * col(torch.cos(turn)) + dv * col(torch.sin(turn))) / col(size * stretch)
        beside = (dv * col(torch.cos(turn)) - du * col(torch.sin(turn))) / col(size / stretch)
        disc = (along.square() + beside.square()).sqrt()
        box = torch.maximum(along.abs(), beside.abs())
        distance = torch.where(col(place[:, 5, k]) < 0.5, disc, box)
        owner = torch.where(distance < scattered, float(k), owner)
        scattered = torch.minimum(distance, scattered)
    number = col(kind)
    field = torch.where(number == 0.0, central, torch.where(number == 1.0, scattered, regular))
    return field, torch.where(number == 1.0, owner, torch.zeros_like(owner))


@operator(
    stage="environment",
    family="shading",
    refs=(
        "DeVries & Taylor, 2017, arXiv 1708.04552, Cutout",
        "Chen et al., 2020, arXiv 2001.04086, GridMask",
        "Zhong et al., AAAI 2020, Random Erasing: boxes of noise",
    ),
)
def occlusion(
    x: Images,
    area: Annotated[PerImage, Severity(0.0, 0.6, unit="share of the area", most=1.0)],
    kind: Annotated[PerImage, Choice(("center", "random", "grid"))],
    fill: Annotated[PerImage, Choice(("flat", "noise", "blurred"))],
    seed: Seed,
) -> Images:
    """Objects in front of the scene that grow, each in its place, to a share of the picture.

    ``center``: one box in the middle; ``random``: six turned boxes and ellipses; ``grid``: a
    regular grid of squares. They are ``flat`` in colour, a coloured ``noise``, or ``blurred``:
    the picture behind frosted glass. Together they cover ``area`` exactly, with smooth edges.
    """
    field, owner = _order(x, kind, seed)
    gx, gy = slopes(field)
    steep = (gx.square() + gy.square()).sqrt().clamp(min=0.25 / short_side(x))
    alpha = ((level(field, area, points=256) - field) / steep + 0.5).clamp(0.0, 1.0)

    colours = uniform(seed, (len(x), 3, _OBJECTS), stream=2) * 0.8 + 0.1
    flat = colours.gather(2, owner.long().flatten(1)[:, None].expand(-1, 3, -1)).reshape(x.shape)
    noise = 0.5 + 0.22 * smooth_noise(seed, x, 0.006, channels=3, stream=3)
    which = col(fill)
    cover = torch.where(which == 0.0, flat, noise)
    cover = torch.where(which == 2.0, soft_blur(x, 0.06), cover)
    return x.lerp(cover, alpha)
