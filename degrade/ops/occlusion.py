"""Things in front of the scene."""

import math
from typing import Annotated

import torch

from degrade.kernels import col, grid, short_side, smooth_noise, soft_blur
from degrade.kernels.kinds import by_kind
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

    def central(_: Images, rows: torch.Tensor) -> torch.Tensor:
        aspect = col(torch.exp(0.7 * (shape[rows, 0] - 0.5)))
        # The frame's own proportions: an object in the middle reaches all its sides at once.
        field = torch.maximum((u / half_u).abs() * aspect, (v / half_v).abs() / aspect)
        return torch.cat((field, torch.zeros_like(field)), dim=1)

    def scattered(y: Images, rows: torch.Tensor) -> torch.Tensor:
        draw = place[rows]
        field = torch.full((len(y), 1, *y.shape[-2:]), 1e9, device=y.device)
        owner = torch.zeros_like(field)
        for k in range(_OBJECTS):
            turn, size = draw[:, 2, k] * _TURN, 0.5 + draw[:, 3, k]
            cos, sin = col(torch.cos(turn)), col(torch.sin(turn))
            du = u - col((draw[:, 0, k] * 1.9 - 0.95) * half_u)
            dv = v - col((draw[:, 1, k] * 1.9 - 0.95) * half_v)
            stretch = torch.exp(0.9 * (draw[:, 4, k] - 0.5))
            along = (du * cos + dv * sin) / col(size * stretch)
            beside = (dv * cos - du * sin) / col(size / stretch)
            disc = (along.square() + beside.square()).sqrt()
            box = torch.maximum(along.abs(), beside.abs())
            distance = torch.where(col(draw[:, 5, k]) < 0.5, disc, box)
            owner = torch.where(distance < field, float(k), owner)
            field = torch.minimum(distance, field)
        return torch.cat((field, owner), dim=1)

    def regular(_: Images, rows: torch.Tensor) -> torch.Tensor:
        pitch = col(0.16 + 0.16 * shape[rows, 1])
        cells = [
            (line / pitch + col(shape[rows, 2 + i]) + 0.5) % 1.0 - 0.5
            for i, line in enumerate((u, v))
        ]
        field = 2.0 * torch.maximum(cells[0].abs(), cells[1].abs())
        return torch.cat((field, torch.zeros_like(field)), dim=1)

    both = by_kind(x, kind, (central, scattered, regular))
    return both[:, :1], both[:, 1:]


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

    def flat(y: Images, rows: torch.Tensor) -> Images:
        colours = uniform(seed[rows], (len(y), 3, _OBJECTS), stream=2) * 0.8 + 0.1
        number = owner[rows].long().flatten(1)[:, None].expand(-1, 3, -1)
        return colours.gather(2, number).reshape(y.shape)

    def noise(y: Images, rows: torch.Tensor) -> Images:
        return 0.5 + 0.22 * smooth_noise(seed[rows], y, 0.006, channels=3, stream=3)

    def blurred(y: Images, _: torch.Tensor) -> Images:
        return soft_blur(y, 0.06)

    return x.lerp(by_kind(x, fill, (flat, noise, blurred)), alpha)
