"""Falling snow between the scene and the camera."""

from typing import Annotated

import torch

from degrade.kernels import col, short_side, to_linear, to_srgb
from degrade.kernels.marks import boxes, how_many, scatter, stamp
from degrade.kernels.weather import KOSCHMIEDER, pseudo_depth, skylight, veil
from degrade.params import Draw, FrameSeed, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_MOST = 0.14  # coverage at which all flakes are there
# Layers from near to far: radius in flake sizes, flakes per square of the short side at size 0.006,
# softness of the edge (near flakes are out of focus), and their opacity.
_LAYERS = ((3.6, 22, 1.3, 0.45), (0.95, 600, 1.0, 0.85), (0.38, 3400, 0.9, 0.9))
_SIZE = 0.006


def _flakes(
    x: Images, coverage: PerImage, size: PerImage, wind: PerImage, seed: torch.Tensor
) -> torch.Tensor:
    """(B, 1, H, W): -ln of the share of the picture's light that the flakes let through."""
    side = short_side(x)
    # Shares of the area overlap as independent events do.
    share = torch.log1p(-coverage.clamp(max=0.99)) / torch.log1p(coverage.new_tensor(-_MOST))
    density = (_SIZE * side / size).square()  # larger flakes are fewer
    total = x.new_zeros(len(x), 1, *x.shape[-2:])
    for layer, (near, number, soft, opacity) in enumerate(_LAYERS):
        count = how_many(x, number * 4.0)
        draw = uniform(seed, (len(x), 7, count), stream=layer)
        order = (torch.arange(count, device=x.device) + draw[:, 0]) / how_many(x, number)
        on = (((share * density)[:, None] * 1.04 - order) * 25.0).clamp(0.0, 1.0)
        kept = max(1, int((on > 0).sum(dim=1).max())) if len(x) else 0
        on, draw = on[:, :kept], draw[:, :, :kept]
        radius = size[:, None] * near * (0.55 + 0.9 * draw[:, 1].pow(3.0))
        # What a flake moves while the shutter is open, about its own size and along the wind.
        turn = torch.deg2rad(wind[:, None] + 30.0 * (draw[:, 2] - 0.5))
        travel = radius * (0.2 + 1.0 * draw[:, 3])
        step = torch.stack((torch.sin(turn), torch.cos(turn)))[..., None, None]
        columns, rows = scatter(draw[:, 4:6], x, 0.06)
        # Thinner than a pixel is a pixel, and fainter.
        drawn = radius.clamp(min=0.7)
        faint = (radius / drawn).square()
        reach = float((1.2 * drawn * (1.0 + 0.5 * soft) + travel).max()) if kept else 0.0
        where = boxes(x, columns, rows, (reach, reach))
        along = where.dx * step[0] + where.dy * step[1]
        across = where.dx * step[1] - where.dy * step[0]
        beyond = (along.abs() - travel[..., None, None]).clamp(min=0.0)
        # Clumps of crystals are no discs.
        lobes = torch.atan2(across, along) * (2.0 + (draw[:, 6] * 3.0).floor())[..., None, None]
        uneven = 1.0 + 0.10 * torch.cos(lobes + 40.0 * draw[:, 6, :, None, None])
        distance = (beyond.square() + across.square()).sqrt() * uneven
        edge = (soft * drawn).clamp(min=0.7)[..., None, None]
        value = ((drawn[..., None, None] - distance) / edge + 0.5).clamp(0.0, 1.0)
        value = value * value * (3.0 - 2.0 * value)
        strength = on * faint * (opacity * (0.6 + 0.4 * draw[:, 1]))
        total = total + stamp(x, where, -torch.log1p(-value * strength[..., None, None]))
    return total


@operator(
    stage="environment",
    family="weather",
    refs=(
        "Hendrycks & Dietterich, ICLR 2019, snow: flakes smeared by the wind, over a paler picture",
        "Liu et al., IEEE TIP 27, 2018, DesnowNet: flakes of three sizes, and a veil behind them",
        "Koschmieder, Beitr. Phys. freien Atm. 12, 1924: horizontal visual range",
    ),
)
def snow(
    x: Images,
    coverage: Annotated[
        PerImage, Severity(0.0, _MOST, unit="share of the area", power=1.35, most=0.99)
    ],
    visibility: Annotated[PerImage, Severity(1e6, 600.0, unit="m", curve="reciprocal", power=1.8)],
    size: Annotated[PerImage, Draw(0.005, 0.007, unit="px", relative=True, least=1e-3)],
    wind: Annotated[PerImage, Draw(-45.0, 45.0, unit="deg", drifts=True)],
    depth: Annotated[PerImage, Draw(160.0, 240.0, unit="m")],
    horizon: Annotated[PerImage, Draw(0.25, 0.5, unit="x height", most=0.99)],
    scene: Seed,
    seed: FrameSeed,
) -> Images:
    """Falling snow: flakes in three layers of depth, and the veil of those too far to be seen.

    ``size`` is the radius of a flake of the middle distance; near flakes are some four times as
    large, out of focus and translucent, far ones are dots. They move during the exposure, by about
    their size, ``wind`` degrees from straight down. Flakes come one after another until they cover
    ``coverage`` of the picture. They are as bright as the sky. Behind them Koschmieder's law with
    ``visibility`` metres as in ``fog``. In linear light.
    """
    light = to_linear(x)
    sky = skylight(light)
    distance = pseudo_depth(x, horizon, scene) * col(depth)
    white = sky.mean(dim=1, keepdim=True).expand_as(sky)
    behind = veil(light, distance * col(KOSCHMIEDER / visibility), white * 0.8)
    return to_srgb(veil(behind, _flakes(x, coverage, size, wind, seed), white * 1.05))
