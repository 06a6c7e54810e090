"""Ice on the window between scene and camera."""

import math
from typing import Annotated, NamedTuple

import torch

from degrade.kernels import col, grid, short_side, smooth_noise, soft_blur, to_linear, to_srgb, warp
from degrade.kernels.marks import level
from degrade.kernels.weather import skylight
from degrade.params import Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_STEMS, _SIDE_STEMS = 16, 4  # crystals that start at the frame, and more that branch off each
_COARSE = 80  # points per short side at which the crystals that are nearest are looked up
_TWIG, _BARB = 0.017, 0.0058  # spacing along a stem, and along a twig, in short sides
_COT = 0.577  # of 60 degrees, the angle at which ice branches
_SLOW = 1.9  # a crystal grows this much faster along its stem than to the sides
_FINEST = 512  # slopes are in heights of the relief per 1 / 512 of the short side
_BENT = 0.024  # short sides by which light is bent at a slope of 1
_TURN = 2.0 * math.pi


class _Stems(NamedTuple):
    """Arcs along which crystals grow; (B, M), lengths and times in short sides."""

    u: torch.Tensor
    v: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    bend: torch.Tensor
    birth: torch.Tensor
    phase: torch.Tensor


def _stems(x: Images, seed: torch.Tensor) -> _Stems:
    height, width = x.shape[-2:]
    half_u, half_v = (n / short_side(x) / 2.0 for n in (width, height))
    draw = uniform(seed, (len(x), 6, _STEMS))
    # Around the frame, clockwise from the upper left corner, evenly but for a jitter.
    way = (torch.arange(_STEMS, device=x.device) + draw[:, 0]) / _STEMS * 4.0
    edge, along = way.floor(), (way % 1.0) * 2.0 - 1.0
    quarter = edge * (_TURN / 4.0)
    u = along * torch.cos(quarter) * half_u + torch.sin(quarter) * half_u
    v = along * torch.sin(quarter) * half_v - torch.cos(quarter) * half_v
    angle = quarter + _TURN / 4.0 + (draw[:, 1] - 0.5) * 1.9
    sign = torch.where(draw[:, 2] < 0.5, -1.0, 1.0)
    bend = sign * (0.4 + 2.2 * draw[:, 3])
    birth = 0.22 * draw[:, 4]
    rows = [(u, v, angle, bend, birth)]
    more = uniform(seed, (len(x), 4, _SIDE_STEMS, _STEMS), stream=1)
    for k in range(_SIDE_STEMS):
        s = 0.06 + 0.14 * (k + more[:, 0, k])
        turned = angle + bend * s
        there_u = u + (torch.sin(turned) - torch.sin(angle)) / bend
        there_v = v - (torch.cos(turned) - torch.cos(angle)) / bend
        side = torch.where(more[:, 1, k] < 0.5, -1.0, 1.0)
        off = turned + side * (0.7 + 0.5 * more[:, 2, k])
        rows.append((there_u, there_v, off, side * (0.5 + 3.0 * more[:, 3, k]), birth + s))
    u, v, angle, bend, birth = (torch.cat(parts, dim=1) for parts in zip(*rows, strict=True))
    phase = uniform(seed, tuple(u.shape), stream=2)
    return _Stems(u, v, torch.cos(angle), torch.sin(angle), bend, birth, phase)


def _along(u: torch.Tensor, v: torch.Tensor, stem: _Stems) -> tuple[torch.Tensor, torch.Tensor]:
    """Way along the stem and signed distance from it, in short sides."""
    du, dv = u - stem.u, v - stem.v
    forward = (du * stem.cos + dv * stem.sin) * stem.bend
    aside = 1.0 - (dv * stem.cos - du * stem.sin) * stem.bend
    way = torch.atan2(forward, aside) / stem.bend
    return way, (1.0 - (forward.square() + aside.square()).sqrt()) / stem.bend


def _arrival(way: torch.Tensor, off: torch.Tensor, stem: _Stems) -> torch.Tensor:
    """When a crystal gets there; behind its start it hardly grows."""
    return stem.birth + way.clamp(min=0.0) - 3.0 * way.clamp(max=0.0) + _SLOW * off


def _nearest(x: Images, stems: _Stems) -> torch.Tensor:
    """(B, 2, H, W) int64: the two crystals that get to a pixel first, by coarse points."""
    step = math.ceil(short_side(x) / _COARSE)
    lines, fine = [], []
    for line in grid(x):
        count = line.numel()
        knots = torch.arange(math.ceil(count / step), device=x.device) * step + step // 2
        lines.append(line.flatten()[knots.clamp(max=count - 1)])
        fine.append(torch.arange(count, device=x.device) // step)
    u, v = lines[0][None, :], lines[1][:, None]
    each = _Stems(*(p[:, :, None, None] for p in stems))
    way, off = _along(u, v, each)
    first = _arrival(way, off.abs(), each).topk(2, dim=1, largest=False).indices
    return first[:, :, fine[1][:, None], fine[0]]


def _ridge(position: torch.Tensor) -> torch.Tensor:
    """1 on whole numbers, 0 half way between."""
    return 1.0 - 2.0 * (position - position.round()).abs()


def _ice(x: Images, seed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 1, H, W) each: when ice arrives, in short sides of growth, and its relief in [0, 1]."""
    stems = _stems(x, seed)
    first = _nearest(x, stems)
    uneven = smooth_noise(seed, x, 0.045, channels=2, stream=3)
    fine = smooth_noise(seed, x, 0.018, channels=2, stream=4)
    grain = smooth_noise(seed, x, 0.0045, stream=5)
    bend = uneven * 0.006 + fine * 0.0015
    u, v = grid(x)
    u, v = u + bend[:, :1], v + bend[:, 1:]
    crowding = 0.55 * uneven[:, :1]
    found = []
    for candidate in (first[:, :1], first[:, 1:]):
        flat = candidate.flatten(1)
        stem = _Stems(*(p.gather(1, flat).reshape(candidate.shape) for p in stems))
        way, signed = _along(u, v, stem)
        off = signed.abs()
        side = torch.where(signed < 0.0, 0.5, 0.0)
        # Twigs leave the stem at 60 degrees and bend towards its tip.
        twig = (way - _COT * off - 1.2 * off * off) / _TWIG + side + stem.phase + crowding
        number = twig.round()
        # Uneven like random numbers, and the same on any device: each twig has its own speed.
        pace = torch.cos(number * 2.4 + 40.0 * stem.phase + 3.0 * side)
        strong = 0.5 + 0.5 * torch.cos(number * 1.7 + 70.0 * stem.phase + 5.0 * side)
        on_twig = _ridge(twig)
        barb = _ridge(off / (_BARB * 0.87) - 0.9 * on_twig + 3.0 * stem.phase)
        # exp is many times slower where its result is no normal number.
        stalk = torch.exp(-(off / 0.0035).square().clamp(max=40.0))
        relief = on_twig * (0.45 + 0.55 * barb) * (0.35 + 0.65 * strong)
        relief = torch.maximum(relief, stalk)
        time = _arrival(way, off * (1.0 + 0.35 * pace), stem) + 0.06 * (1.0 - relief).square()
        found.append((time, relief))
    (time, relief), (other_time, other_relief) = found
    relief = torch.where(other_time < time, other_relief, relief)
    relief = (relief * (1.0 + 0.35 * grain) + 0.12 * grain).clamp(0.0, 1.0)
    return torch.minimum(time, other_time), relief


@operator(
    stage="environment",
    family="weather",
    refs=(
        "Kim & Lin, SCA 2003, Visual Simulation of Ice Crystal Growth: dendrites that start at a "
        "boundary and compete for space",
        "Hendrycks & Dietterich, ICLR 2019, frost: up to 0.75 of ice over the picture",
    ),
)
def frost(
    x: Images,
    coverage: Annotated[PerImage, Severity(0.0, 0.8, unit="share of the area", most=1.0)],
    opacity: Annotated[PerImage, Severity(0.75, 0.95, unit="of thick ice", most=1.0)],
    seed: Seed,
) -> Images:
    """Frost on a window: feathers of ice that grow in from the frame, and blur what is behind.

    Crystals start at the frame at places from the ``seed`` and grow along arcs; twigs leave them
    at 60 degrees, barbs leave the twigs. They branch, and stop where they meet. They have grown
    until they cover ``coverage`` of the picture. Ice refracts by its relief, diffuses more the
    longer it has grown, and scatters the light of the scene; where it is thick ``opacity`` of what
    is seen is that. In linear light. What is refracted is off by about 1 % of the short side under
    ice and in place on average: no coordinate map is declared.
    """
    light = to_linear(x)
    side = short_side(x)
    time, relief = _ice(x, seed)
    age = (level(time, coverage) - time).clamp(min=0.0)
    there = (age / 0.012).clamp(max=1.0)
    thick = 1.0 - torch.exp(-age / 0.22)
    height = relief * there
    slope_x, slope_y = torch.zeros_like(height), torch.zeros_like(height)
    slope_x[..., :-1] = height[..., 1:] - height[..., :-1]
    slope_y[..., :-1, :] = height[..., 1:, :] - height[..., :-1, :]
    slope_x, slope_y = slope_x * (side / _FINEST), slope_y * (side / _FINEST)
    seen = warp(light, slope_x[:, 0] * (_BENT * side), slope_y[:, 0] * (_BENT * side))
    seen = seen.lerp(soft_blur(light, 0.016), there * (0.35 + 0.6 * thick))
    sky = skylight(light)
    sky = sky.lerp(sky.mean(dim=1, keepdim=True), 0.5)
    glow = soft_blur(light, 0.12).lerp(sky, 0.8)
    lit = 1.0 + 0.9 * (slope_x + slope_y).clamp(-0.4, 0.4)
    density = there * (0.35 + 0.65 * thick) * (0.35 + 0.65 * relief)
    ice = glow * lit * x.new_tensor((0.97, 1.0, 1.04))[:, None, None]
    return to_srgb(seen.lerp(ice, density * col(opacity)))
