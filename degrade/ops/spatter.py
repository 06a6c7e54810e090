"""Water or mud splashed on the window or lens in front of the scene."""

import math
from typing import Annotated

import torch

from degrade.kernels import (
    centres,
    col,
    sample,
    short_side,
    smooth_noise,
    soft_blur,
    to_linear,
    to_srgb,
)
from degrade.kernels.marks import boxes, how_many, scatter, slopes, stamp
from degrade.kernels.weather import skylight
from degrade.params import Choice, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_MOST = 0.4  # coverage at which all drops are there
_LAYERS = (  # radii in short sides from least to most, drops per square of the short side
    (0.045, 0.064, 6), (0.030, 0.045, 22), (0.018, 0.028, 60),
    (0.011, 0.018, 110), (0.006, 0.010, 250), (0.003, 0.006, 450),
)  # fmt: skip
_LOBES = 5  # a drop is a union of this many round ones
_WIDE = 1.6  # radius at which a round drop's field ends, in radii of the drop
_EDGE = 1.0 - _WIDE**-2  # root of the field at the outline
_LENS = 0.45  # short sides by which light is bent at the rim of a drop
_MUD = (0.17, 0.105, 0.055)  # reflectance
_TURN = 2.0 * math.pi


def _field(x: Images, coverage: PerImage, mud: PerImage, seed: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W): sum over the drops of (1 - r^2)^2, after Blinn: where they touch they merge."""
    side = short_side(x)
    share = torch.log1p(-coverage.clamp(max=0.99)) / math.log1p(-_MOST)
    total = x.new_zeros(len(x), 1, *x.shape[-2:])
    mud = mud[:, None]
    for layer, (least, most, number) in enumerate(_LAYERS):
        count = how_many(x, number * 2.0)
        draw = uniform(seed, (len(x), 4 + 3 * _LOBES, count), stream=layer)
        order = (torch.arange(count, device=x.device) + draw[:, 0]) / how_many(x, number)
        # One after another, each from nothing to its size.
        on = ((share[:, None] * 1.04 - order) / 0.04).clamp(0.0, 1.0)
        kept = max(1, int((on > 0).sum(dim=1).max())) if len(x) else 0
        on, draw = on[:, :kept], draw[:, :, :kept]
        radius = side * least * (most / least) ** draw[:, 1] * on
        columns, rows = scatter(draw[:, 2:4], x, 0.5 * least)
        where = boxes(x, columns, rows, (float(2.3 * radius.max()) if kept else 0.0,) * 2)
        # Mud flies fan-wise from below the picture, as from a wheel.
        fan = torch.atan2(rows - 1.4 * x.shape[-2], columns - 0.5 * x.shape[-1]) / _TURN
        value = torch.zeros_like(where.dx)
        for lobe in range(_LOBES):
            angle, far, size = (draw[:, 4 + 3 * lobe + i] for i in range(3))
            if lobe == 0:
                reach, size = torch.zeros_like(far), torch.ones_like(size)
            else:
                # Water draws together, mud is flung on in its direction and tapers.
                angle = angle.lerp(fan + 0.22 * (angle - 0.5), mud)
                reach = (0.55 * far).lerp(0.5 + 1.3 * far, mud)
                size = (0.35 + 0.35 * size).lerp((0.62 - 0.45 * far) * (0.55 + 0.6 * size), mud)
            off = reach * radius
            du = where.dx - (off * torch.cos(angle * _TURN))[..., None, None]
            dv = where.dy - (off * torch.sin(angle * _TURN))[..., None, None]
            end = (_WIDE * radius * size).clamp(min=1e-3)[..., None, None]
            part = (1.0 - (du.square() + dv.square()) / end.square()).clamp(min=0.0)
            value = value + part.square().square().square()
        # A smooth maximum of the lobes: their sum would be flat in the middle, like a pool.
        total = total + stamp(x, where, value.sqrt().sqrt())
    return total


def _water(light: torch.Tensor, rho: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W): what drops show; ``normal`` (B, 2, H, W) leans outwards, 1 at the rim."""
    bent = normal.permute(0, 2, 3, 1) * (-_LENS * short_side(light))
    places = centres(light).reshape(1, *light.shape[-2:], 2) + bent
    inside = sample(soft_blur(light, 0.012), places, padding="reflection")
    rim = ((rho - 0.5) / 0.5).clamp(min=0.0).square()
    nx, ny = normal[:, :1], normal[:, 1:]
    glint = torch.exp(-((nx + 0.38).square() + (ny + 0.48).square()) / 0.02)
    # The lower half gathers the light of the sky.
    return inside * ((1.15 + 0.45 * ny) * (1.0 - 0.8 * rim)) + glint * skylight(light)


def _mud(
    light: torch.Tensor, rho: torch.Tensor, normal: torch.Tensor, seed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 3, H, W) lit mud, lumpy and grainy, and (B, 1, H, W) how opaque it is."""
    lump, grain = smooth_noise(seed, light, 0.03, stream=8), smooth_noise(seed, light, 0.006, 1, 7)
    slant = 0.5 * normal[:, :1] + 0.85 * normal[:, 1:]
    lit = (1.0 - 0.25 * slant + 0.12 * grain + 0.15 * lump).clamp(min=0.1)
    # It lies thin, and light shows through, where the drop was flat.
    opaque = 1.0 - 0.30 * torch.sigmoid(2.5 * lump + 4.0 * rho - 3.0)
    return skylight(light) * light.new_tensor(_MUD)[:, None, None] * lit, opaque


@operator(
    stage="environment",
    family="weather",
    refs=(
        "Blinn, ACM Trans. Graphics 1(3), 1982: drops that merge, as level sets of summed fields",
        "Garg & Nayar, IJCV 75, 2007, Vision and Rain: a drop is a wide-angle lens, its picture of "
        "the scene upside down",
        "Hendrycks & Dietterich, ICLR 2019, spatter: water and mud",
    ),
)
def spatter(
    x: Images,
    coverage: Annotated[PerImage, Severity(0.0, _MOST, unit="share of the area", most=0.99)],
    kind: Annotated[PerImage, Choice(("water", "mud"))],
    seed: Seed,
) -> Images:
    """Splashes on the glass in front: drops of water, or mud.

    The ``seed`` places drops, large and small; they come one after another until they cover
    ``coverage`` of the picture, and merge where they touch. Water refracts: a drop shows the scene
    upside down, by up to 0.45 short sides away, in a dark rim, with a glint of the sky. Mud covers;
    it reflects the light of the scene as brown earth does. In linear light. No coordinate map is
    declared: the scene itself stays where it is, drops stand in front of it.
    """
    light = to_linear(x)
    # For a single drop sqrt(g / (1 - _EDGE)) is the distance from its middle in radii.
    g = 1.0 - _field(x, coverage, kind, seed).clamp(min=1e-6, max=1.0).sqrt()
    gx, gy = slopes(g)
    steep = (gx.square() + gy.square()).sqrt()
    soft = max(1.0, 0.002 * short_side(x))
    alpha = ((1.0 - _EDGE - g) / (steep.clamp(min=1e-4) * soft) + 0.5).clamp(0.0, 1.0)
    rho = (g / (1.0 - _EDGE)).clamp(1e-6, 1.0).sqrt()
    normal = torch.cat((gx, gy), dim=1) * (rho / steep.clamp(min=1e-6))
    cover = torch.zeros_like(light)
    if bool((kind == 0.0).any()):
        cover = _water(light, rho, normal)
    if bool((kind == 1.0).any()):
        mud, opaque = _mud(light, rho, normal, seed)
        cover = cover.lerp(mud, col(kind))
        alpha = alpha.lerp(alpha * opaque, col(kind))
    return to_srgb(light.lerp(cover, alpha))
