"""Flare of a bright light in or near the frame."""

import math
from typing import Annotated, NamedTuple

import torch

from degrade.kernels import grid, short_side, soft_field, soft_grid, to_linear, to_srgb
from degrade.params import Draw, Images, PerImage, Seed, Severity, col
from degrade.registry import operator
from degrade.rng import uniform

GHOSTS = 8
_CELL = 1 / 128  # share of the short side: all that has soft edges is drawn on this grid
_WIEN = (0.0, 0.0043, 0.0105)  # per mired: by how much R, G, B of a black body fall (Wien's law)
_TURN = 2.0 * math.pi

Plane = tuple[torch.Tensor, torch.Tensor]
"""Coordinates u (1, W) and v (H, 1) in short sides from the middle of the picture."""


class _Light(NamedTuple):
    u: PerImage
    v: PerImage
    tint: torch.Tensor  # (B, 3, 1, 1)
    blades: PerImage
    start: PerImage  # radians
    seed: torch.Tensor


@operator(
    stage="acquisition",
    family="glare",
    refs=(
        "Hullin et al., SIGGRAPH 2011, Physically-Based Real-Time Lens Flare Rendering: ghosts lie "
        "on the line through source and image centre and have the shape of the aperture",
        "Wu et al., ICCV 2021, How to Train Neural Networks for Flare Removal: flare is added in "
        "linear light, before the sensor saturates",
        "Ritschel et al., Eurographics 2009, Temporal Glare: glare as diffraction at edges",
    ),
)
def lens_flare(
    x: Images,
    energy: Annotated[PerImage, Severity(0.0, 1.0, unit="x strongest flare", power=1.2)],
    across: Annotated[PerImage, Draw(0.05, 0.95, unit="x width", drifts=True)],
    down: Annotated[PerImage, Draw(-0.05, 0.45, unit="x height", drifts=True)],
    temperature: Annotated[PerImage, Draw(2800.0, 6000.0, unit="K", least=1000.0)],
    blades: Annotated[PerImage, Draw(5.0, 9.0, unit="aperture blades", integer=True, least=3)],
    turn: Annotated[PerImage, Draw(0.0, 360.0, unit="degrees")],
    seed: Seed,
) -> Images:
    """Flare of a light source: glow, starburst, a chain of ghosts and a veil.

    y = x + energy * flare in linear light, clipped as a sensor clips, so that the core burns out
    and grows with the energy. The source stands at (``across``, ``down``) of the frame, above it
    where ``down`` is negative, and has the colour of a black body of ``temperature``. Diffraction
    at straight aperture blades draws as many rays, twice as many if their number is odd. Ghosts,
    reflections between coated surfaces, are rounded images of the aperture on the line from the
    source through the image centre; the ``seed`` places, sizes and tints them. The veil, light
    scattered in the lens, lifts the blacks, most of all near the source.
    """
    height, width = x.shape[-2:]
    side = short_side(x)
    light = _Light(
        (across - 0.5) * (width / side),
        (down - 0.5) * (height / side),
        # 154 mired, 6500 K, is the white of sRGB.
        torch.exp(-torch.outer(1e6 / temperature - 154.0, x.new_tensor(_WIEN)))[:, :, None, None],
        blades,
        turn * (_TURN / 360.0),
        seed,
    )
    soft = soft_field(_soft(soft_grid(x, _CELL), light), x, _CELL)
    flare = torch.addcmul(soft, _starburst(grid(x), light, 0.7 / side), light.tint)
    return to_srgb(torch.addcmul(to_linear(x), flare, col(energy)))


def _polar(plane: Plane, u: PerImage, v: PerImage) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 1, H, W) angle and squared distance as seen from (u, v)."""
    du, dv = plane[0] - col(u), plane[1] - col(v)
    return torch.atan2(dv, du), du.square() + dv.square()


def _off_axis(angle: torch.Tensor, count: PerImage, start: PerImage) -> torch.Tensor:
    """Angle to the nearest of ``count`` axes that are spread evenly from ``start`` on."""
    k = (angle - col(start)) * col(count / _TURN)
    return (k - k.round()).mul_(col(_TURN / count))


def _starburst(plane: Plane, light: _Light, thinnest: float) -> torch.Tensor:
    """(B, 1, H, W): the core that burns out and the diffraction rays."""
    angle, squared = _polar(plane, light.u, light.v)
    rays = light.blades * (1.0 + light.blades % 2)
    lateral = _off_axis(angle, rays, light.start).sin_().square_().mul_(squared)
    ray = lateral.mul_(1.0 / max(0.006, thinnest) ** 2).add_(1.0).square_().reciprocal_()
    phase = uniform(light.seed, (len(light.seed), 1), stream=1) * _TURN
    uneven = angle.mul_(2.0).add_(col(phase)).cos_().mul_(0.9).add_(2.1)
    reach = (squared * (1.0 / 0.05**2)).add_(1.0).reciprocal_()
    core = (squared * (1.0 / 0.018**2)).add_(1.0).square_().reciprocal_().mul_(20.0)
    return torch.addcmul(core, ray.mul_(reach), uneven)


def _soft(plane: Plane, light: _Light) -> torch.Tensor:
    """(B, 3, h, w): glow with fine fibres, veil and ghosts."""
    count, seed = len(light.seed), light.seed
    angle, squared = _polar(plane, light.u, light.v)
    phase = uniform(seed, (count, 2), stream=2) * _TURN
    fibres = torch.cos(angle * 17.0 + col(phase[:, 0])) + torch.cos(angle * 29.0 + col(phase[:, 1]))
    # Closer to the source than this they would be finer than the grid.
    fibres = 1.0 + 0.2 * fibres * squared / (squared + 0.03**2)
    glow = (1.0 + squared / 0.10**2).pow(-1.5) * fibres
    veil = (1.0 + squared / 0.60**2).reciprocal()
    total = (1.2 * glow + 0.50 * veil + 0.06) * light.tint

    place, size, hue, gain = uniform(seed, (count, 4, GHOSTS)).unbind(1)
    third = torch.arange(3, device=seed.device, dtype=torch.float32) / 3.0
    # Coatings reflect the colours they do not cancel; glass bends blue more than red.
    tints = light.tint[:, None, :, 0, 0] * (1.0 + 0.6 * torch.cos((hue[..., None] + third) * _TURN))
    dispersion = 1.0 + 0.05 * (third - 1.0 / 3.0)[None, :, None, None]
    along = (torch.arange(GHOSTS, device=seed.device) + place) * (2.6 / GHOSTS) - 0.5
    radius = 0.025 * torch.pow(7.0, size)
    # A small ghost is bright and a large one faint: both hold about the same light.
    colours = tints * ((0.06 + 0.20 * gain) * 0.08 / (radius + 0.02))[..., None]
    crisp = (radius / 0.007).clamp(max=12.0)
    for g in range(GHOSTS):
        angle, squared = _polar(plane, -along[:, g] * light.u, -along[:, g] * light.v)
        # Half way between a disc and the polygon of the blades.
        edge = 0.5 + 0.5 * _off_axis(angle, light.blades, light.start).cos_()
        inside = squared.sqrt_().mul_(edge) * (1.0 / (col(radius[:, g]) * dispersion))
        shape = torch.sigmoid((1.0 - inside) * col(crisp[:, g]))
        bright_rim = inside.clamp_(max=1.2).square_().mul_(0.45).add_(0.55)
        total = torch.addcmul(total, shape.mul_(bright_rim), colours[:, g, :, None, None])
    return total
