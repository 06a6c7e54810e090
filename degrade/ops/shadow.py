"""The shadow of something outside the frame."""

import math
from typing import Annotated

import torch

from degrade.kernels import col, grid, short_side, soft_field, soft_grid, to_linear, to_srgb
from degrade.kernels.marks import boxes, how_many, stamp
from degrade.params import Choice, Draw, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import normal, uniform

_CELL = 1 / 160  # share of the short side: leaves are drawn on this grid
_SIDES, _PARTS = 4, 2  # half planes of a convex part of the object, and parts
_TWIGS, _LEAVES = 26, 620  # per square of the short side
_SKY = (1.01, 1.0, 0.97)  # what is left in a shadow is the blue light of the sky
_TURN = 2.0 * math.pi


def _object(x: Images, softness: PerImage, seed: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W): the shadow of two convex polygons, such as a wall and a roof."""
    u, v = grid(x)
    half_u, half_v = (n / short_side(x) / 2.0 for n in (x.shape[-1], x.shape[-2]))
    draw = uniform(seed, (len(x), 4 + 2 * _SIDES, _PARTS))
    # It comes in from one side of the frame.
    side = draw[:, 0, :1] * _TURN
    parts = []
    for part in range(_PARTS):
        turn = side[:, 0] + 1.1 * (draw[:, 1, part] - 0.5)
        far = 0.9 + 0.2 * draw[:, 2, part]
        edges = []
        for k in range(_SIDES):
            angle = (k + 0.8 * draw[:, 4 + k, part] + draw[:, 3, part]) / _SIDES * _TURN
            reach = 0.30 + 0.40 * draw[:, 4 + _SIDES + k, part]
            # The frame's own proportions, so that as much of it is covered whatever they are.
            along = (u / half_u - col(torch.cos(turn) * far)) * col(torch.cos(angle)) * 0.5
            down = (v / half_v - col(torch.sin(turn) * far)) * col(torch.sin(angle)) * 0.5
            edges.append(along + down - col(reach))
        parts.append(torch.cat(edges, dim=1).amax(dim=1, keepdim=True))
    inside = torch.minimum(*parts)
    # The farther from what casts it, the wider the penumbra.
    far = (1.0 - (u * col(torch.cos(side)) + v * col(torch.sin(side)))).clamp(0.4, 1.8)
    return torch.sigmoid(-2.0 * inside / (col(softness / short_side(x)) * far))


def _foliage(x: Images, softness: PerImage, seed: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W): leaves around twigs, with the sun between them."""
    u, v = soft_grid(x, _CELL)
    frame = x.new_empty(len(x), 1, v.shape[0], u.shape[1])
    knot = max(_CELL, 1.0 / short_side(x))
    twigs, leaves = how_many(x, _TWIGS), how_many(x, _LEAVES)
    draw = uniform(seed, (len(x), 4, leaves), stream=1)
    twig = (draw[:, 0] * twigs).long()
    rows = []
    for axis, count in enumerate((frame.shape[-1], frame.shape[-2])):
        middle = uniform(seed, (len(x), twigs), stream=2 + axis) * count
        spread = normal(seed, (len(x), leaves), stream=4 + axis) * (0.075 / knot)
        rows.append(middle.gather(1, twig) + spread)
    length = (0.022 + 0.03 * draw[:, 1]) / knot
    width = length * (0.32 + 0.25 * draw[:, 2])
    penumbra = (softness[:, None] / short_side(x) / knot).clamp(min=0.8)
    where = boxes(frame, rows[0], rows[1], (float(length.max() + penumbra.max()),) * 2)
    angle = draw[:, 3, :, None, None] * _TURN
    along = where.dx * torch.cos(angle) + where.dy * torch.sin(angle)
    across = where.dy * torch.cos(angle) - where.dx * torch.sin(angle)
    # A leaf is pointed at both ends: its half width falls like 1 - along^2.
    long = (along / length[..., None, None]).square()
    beyond = across.abs() - width[..., None, None] * (1.0 - long)
    value = (0.5 - beyond / (2.0 * penumbra[..., None, None])).clamp(0.0, 1.0) * (long < 1.6)
    return soft_field(1.0 - torch.exp(-2.2 * stamp(frame, where, value)), x, _CELL)


@operator(
    stage="environment",
    family="shading",
    refs=(
        "Finlayson, Hordley & Drew, ECCV 2002, Removing Shadows from Images: what is left in a "
        "shadow is the light of the sky, which is bluer",
        "Zhang et al., ACM Trans. Graphics 39(4), 2020, Portrait Shadow Manipulation: shadows of "
        "things outside the frame, their softness uneven",
    ),
)
def shadow(
    x: Images,
    attenuation: Annotated[
        PerImage, Severity(0.0, 0.88, unit="share of the light", power=0.45, most=1.0)
    ],
    softness: Annotated[PerImage, Draw(0.004, 0.03, unit="px", relative=True)],
    kind: Annotated[PerImage, Choice(("object", "foliage"))],
    seed: Seed,
) -> Images:
    """A cast shadow: light times 1 - attenuation where it falls, with a penumbra.

    ``object`` is a polygon that reaches in from one side, its penumbra wider with the distance
    from there; ``foliage`` is leaves around twigs with flecks of sun between them. ``softness`` is
    the width of the penumbra. Blue light is attenuated less. In linear light.
    """
    mask = _object(x, softness, seed).lerp(_foliage(x, softness, seed), col(kind))
    tint = x.new_tensor(_SKY)[:, None, None]
    return to_srgb(to_linear(x) * (1.0 - col(attenuation) * tint * mask.clamp(0.0, 1.0)))
