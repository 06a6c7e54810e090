"""Dust, smears and finger grease on the front element."""

import math
from typing import Annotated

import torch

from degrade.kernels import smooth_noise, soft_blur, soft_field, soft_grid, to_linear, to_srgb
from degrade.params import Images, PerImage, Seed, Severity, col
from degrade.registry import operator
from degrade.rng import uniform

SPOTS, SMEARS = 30, 8
_CELL = 1 / 72  # share of the short side: dirt is far out of focus, nothing on it is finer
_TURN = 2.0 * math.pi


@operator(
    stage="acquisition",
    family="glare",
    refs=(
        "Gu et al., SIGGRAPH Asia 2009, Removing Image Artifacts Due to Dirty Camera Lenses and "
        "Thin Occluders: dirt attenuates the picture and scatters light into it, both out of focus",
    ),
)
def dirty_lens(
    x: Images,
    coverage: Annotated[PerImage, Severity(0.0, 1.0, unit="share of the dirt", power=0.85)],
    opacity: Annotated[PerImage, Severity(0.6, 1.0, unit="x densest dirt", most=1.0)],
    seed: Seed,
) -> Images:
    """Dirt on the front element, far out of focus: soft spots of dust, blotches and greasy smears.

    In linear light y = (1 - a) ((1 - h) x + h blur(x)) + v (blur(x) + mean(x)) / 2. Dust absorbs
    (a), blue a little more than red; grease diffuses (h: light is mixed with that of a wide
    neighbourhood) and both scatter light of the whole scene into the shadows (v). The ``seed``
    places spots and smears; with ``coverage`` they appear one after another, clean glass stays
    clean.
    """
    light = to_linear(x)
    a, h, v = soft_field(_dirt(x, coverage, opacity, seed), x, _CELL).chunk(3, dim=1)
    wide = soft_blur(light, 0.05)
    veil = wide.lerp(light.mean(dim=(-2, -1), keepdim=True), 0.5)
    brown = x.new_tensor((0.92, 1.0, 1.12))[:, None, None]
    return to_srgb(light.lerp(wide, h) * (1.0 - a * brown) + v * veil)


def _dirt(x: Images, coverage: PerImage, opacity: PerImage, seed: torch.Tensor) -> torch.Tensor:
    """(B, 3, h, w) on the soft grid: what is absorbed, diffused and scattered in."""
    u, v = soft_grid(x, _CELL)
    count, reach = len(seed), (u[0, -1], v[-1, 0])
    frame = x.new_empty(count, 1, v.shape[0], u.shape[1])
    # Nothing on glass is a perfect disc or a straight stroke: bend the plane a little.
    bend = smooth_noise(seed, frame, 0.09, channels=2).mul_(0.012)
    plane = (u + bend[:, :1], v + bend[:, 1:])

    def scattered(n: int, stream: int) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Offsets (B, n, h, w) from n random places, and six more draws (B, n, 1, 1)."""
        draws = uniform(seed, (count, 8, n, 1, 1), stream=stream)
        du = plane[0] - (draws[:, 0] * 2.0 - 1.0) * reach[0]
        dv = plane[1] - (draws[:, 1] * 2.0 - 1.0) * reach[1]
        order = (torch.arange(n, device=x.device)[:, None, None] + draws[:, 2]) / n
        # One after another, each over a third of the range.
        on = ((col(coverage) * 1.3 - order) / 0.3).clamp(0.0, 1.0)
        return du, dv, [on * col(opacity), *draws[:, 3:].unbind(1)]

    du, dv, (on, size, milky, density, _, _) = scattered(SPOTS, 1)
    radius = 0.020 * torch.pow(5.0, size)
    distance = (du.square() + dv.square()).sqrt()
    spot = torch.sigmoid((1.0 - distance / radius) * (2.0 + 90.0 * radius).clamp(max=6.0))
    spot = spot * on * (0.35 + 0.65 * density)
    milky = (milky > 0.55).float()
    absorbed = (spot * (1.0 - 0.85 * milky)).sum(1, keepdim=True)
    diffused = (spot * (0.8 + 0.6 * milky)).sum(1, keepdim=True)
    scatter = (spot * (0.06 + 0.5 * milky)).sum(1, keepdim=True)

    du, dv, (on, angle, length, width, curve, phase) = scattered(SMEARS, 2)
    c, s = torch.cos(angle * _TURN), torch.sin(angle * _TURN)
    along = (du * c + dv * s) / (0.25 + 0.35 * length)
    across = (dv * c - du * s + (curve - 0.5) * 0.3 * along.square()) / (0.05 + 0.09 * width)
    # A finger leaves parallel streaks.
    streaks = 0.7 + 0.3 * torch.cos(across * (4.0 + 5.0 * curve) + phase * _TURN)
    smear = on * streaks / (1.0 + along.square().square() + across.square().square())
    absorbed = absorbed + 0.12 * smear.sum(1, keepdim=True)
    diffused = diffused + 2.4 * smear.sum(1, keepdim=True)
    scatter = scatter + 0.30 * smear.sum(1, keepdim=True)
    return 1.0 - torch.exp(-torch.cat((absorbed, diffused, scatter), dim=1))
