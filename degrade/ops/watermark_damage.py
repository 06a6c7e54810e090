"""What is left where a watermark was taken out."""

import math
from functools import lru_cache
from typing import Annotated

import torch
import torch.nn.functional as F

from degrade.kernels import col, short_side
from degrade.params import Draw, Images, PerImage, Seed, Severity
from degrade.registry import operator
from degrade.rng import uniform

_ROWS, _COLUMNS = 8, 16  # letters of the tile that repeats over the picture
_HIGH, _WIDE = 24, 12  # texels of a letter with its margins
_TEXEL = 0.0085  # as a share of the short side
_GROWTH = 0.4  # share of the work during which one letter goes from a hairline to full width
_SEGMENTS = (  # x0, y0, x1, y1 in texels: what letters are made of
    (2, 5, 2, 12), (2, 12, 2, 19), (10, 5, 10, 12), (10, 12, 10, 19), (2, 5, 10, 5),
    (2, 12, 10, 12), (2, 19, 10, 19), (2, 5, 10, 19), (2, 19, 10, 5),
)  # fmt: skip


@lru_cache(maxsize=8)
def _distances(device: torch.device) -> torch.Tensor:
    """(segments, _HIGH, _WIDE) distance of each texel to each segment, in texels."""
    x0, y0, x1, y1 = torch.tensor(_SEGMENTS, device=device, dtype=torch.float32).mT[..., None, None]
    px = torch.arange(_WIDE, device=device) + 0.5 - x0
    py = torch.arange(_HIGH, device=device)[:, None] + 0.5 - y0
    dx, dy = x1 - x0, y1 - y0
    t = ((px * dx + py * dy) / (dx.square() + dy.square())).clamp(0.0, 1.0)
    distance: torch.Tensor = ((px - t * dx).square() + (py - t * dy).square()).sqrt()
    return distance


def _when(x: Images, seed: torch.Tensor, angle: PerImage, brush: PerImage) -> torch.Tensor:
    """(B, 1, H, W): the share of the work after which each pixel has been painted over."""
    letters = uniform(seed, (len(x), _ROWS, _COLUMNS, len(_SEGMENTS) + 2))
    on = letters[..., 2:, None, None] < 0.5
    texels = torch.where(on, _distances(x.device), 99.0).amin(dim=3)
    turn = letters[..., 0, None, None] + 9.0 * (letters[..., 1, None, None] < 0.15)  # blanks
    texel = _TEXEL * short_side(x)
    tile = (1.0 - _GROWTH) * turn + _GROWTH * texel / brush.reshape(-1, 1, 1, 1, 1) * texels
    tile = tile.transpose(2, 3).reshape(len(x), 1, _ROWS * _HIGH, _COLUMNS * _WIDE)
    tile = F.pad(tile.clamp(max=4.0), (1, 1, 1, 1), mode="circular")

    step = max(1, short_side(x) // 256)
    lines = []
    for pixels in x.shape[-2:]:
        n = math.ceil(pixels / step)
        lines.append(((torch.arange(n, device=x.device) + 0.5) / n - 0.5) * (pixels / texel))
    cos, sin = torch.deg2rad(angle).cos()[:, None, None], torch.deg2rad(angle).sin()[:, None, None]
    down, across = lines[0][:, None], lines[1]
    where = [
        ((position % size) + 1.0) * (2.0 / (size + 2)) - 1.0
        for position, size in (
            (cos * across + sin * down, _COLUMNS * _WIDE),
            (cos * down - sin * across, _ROWS * _HIGH),
        )
    ]
    field = F.grid_sample(tile, torch.stack(where, dim=-1), align_corners=False)
    return F.interpolate(field, x.shape[-2:], mode="bilinear") if step > 1 else field


def _halve(x: torch.Tensor) -> torch.Tensor:
    """Sums of 2 x 2 pixels; beyond an odd edge there is nothing."""
    if x.shape[-1] % 2 or x.shape[-2] % 2:
        x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
    rows = x[..., ::2, :] + x[..., 1::2, :]
    return rows[..., ::2] + rows[..., 1::2]


def _double(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear")[..., : size[-2], : size[-1]]


def _fill(x: torch.Tensor, known: torch.Tensor, tint: torch.Tensor) -> torch.Tensor:
    """Colours of the known pixels, spread over the unknown by push and pull through a pyramid."""
    levels, sums = [], torch.cat((_halve(x * known), _halve(known)), dim=1)
    while True:
        weight = sums[:, 3:]
        levels.append(sums * (weight.clamp(max=1.0) / weight.clamp(min=1e-6)))
        if max(sums.shape[-2:]) == 1:
            break
        sums = _halve(levels[-1])
    filled = levels.pop()[:, :3]
    for level in reversed(levels):
        filled = level[:, :3] + (1.0 - level[:, 3:]) * _double(filled, level.shape)
    return _double(filled + tint, x.shape)


@operator(
    stage="postprocessing",
    family="overlay",
    off_scale="The residue is where the mark was, and the rest stays.",
    refs=(
        "Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4: push-pull",
        "Tang et al., Robust-R1, AAAI 2026: watermark damage, inpainted boxes",
    ),
)
def watermark_damage(
    x: Images,
    removed: Annotated[PerImage, Severity(0.0, 1.0, unit="share of the mark", power=0.6, most=1.0)],
    brush: Annotated[PerImage, Draw(0.012, 0.015, unit="px", relative=True, least=1e-3)],
    angle: Annotated[PerImage, Draw(-40.0, 40.0, unit="deg")],
    ghost: Annotated[PerImage, Draw(0.01, 0.04, unit="full scale")],
    seed: Seed,
) -> Images:
    """A removed watermark: smudges in the shape of its letters, and a faint ghost of them.

    A tiled, slanted mark of random letters is painted over letter by letter in a random order, each
    from a hairline to strokes twice ``brush`` wide; at 1 they cover about half of the picture. The
    gap is filled smoothly from around it, by push and pull through a pyramid; ``ghost`` is the
    lightness that remains of the mark.
    """
    when = _when(x, seed, angle, brush)
    feather = 1.0 + 0.2 * brush
    mask = (0.5 + (col(removed) - when) * col(brush / (_GROWTH * feather))).clamp(0.0, 1.0)
    return torch.lerp(x, _fill(x, 1.0 - mask, col(ghost)), mask)
