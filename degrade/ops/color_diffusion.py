"""Colour that has run out of its outlines."""

from typing import Annotated

import torch

from degrade.kernels import col, luma, short_side, soft_field, soft_grid
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator

_CELL = 0.008  # spacing of the grid on which chroma is blurred, as a share of the short side


@operator(
    stage="environment",
    family="color",
    off_scale="Luma, which holds the structure, is left alone.",
    refs=(
        "Lin et al., KADID-10k, QoMEX 2019: color diffusion blurs and amplifies Lab a and b",
        "ITU-R BT.601: luma and colour differences",
    ),
)
def color_diffusion(
    x: Images,
    sigma: Annotated[PerImage, Severity(0.0, 0.08, unit="px", relative=True)],
    delay: Annotated[PerImage, Severity(0.0, 0.03, unit="px", relative=True)],
    gain: Annotated[PerImage, Severity(1.0, 2.0, unit="x chroma")],
) -> Images:
    """Colour bleeds over edges while the outlines stay sharp: only chroma is blurred.

    The colour differences B - Y and R - Y are blurred by a Gaussian, come late (to the right, as
    with analogue video) and are amplified, which keeps small coloured things from fading to grey.
    Colours that do not exist at their luma are brought back towards grey: luma never changes.
    """
    y = luma(x)
    chroma = x[:, ::2] - y  # R - Y, B - Y
    side = short_side(x)
    step = max(_CELL * side, 1.0)
    # Spline interpolation from the grid has a variance of step^2 / 3, sampling adds the rest. What
    # is too narrow for the grid is a mixture of the sharp and the narrowest, of the same variance.
    narrowest = 0.75 * step**2
    share = (sigma.square() / narrowest).clamp(max=1.0)
    spread = 2.0 * (sigma.square().clamp(min=narrowest) - step**2 / 3.0)

    def sample(knots: torch.Tensor, pixels: int, late: torch.Tensor) -> torch.Tensor:
        where = (torch.arange(pixels, device=x.device) + 0.5 - pixels / 2)[None, None, :]
        distance = where - knots.reshape(1, -1, 1) * side + late[:, None, None]
        # Below exp(-30) are only denormal numbers, which make the products ten times as slow.
        weight = torch.exp((-distance.square() / spread[:, None, None]).clamp_(min=-30.0))
        return (weight / weight.sum(dim=-1, keepdim=True))[:, None]

    u, v = soft_grid(x, _CELL)
    height, width = x.shape[-2:]
    down, across = sample(v, height, 0.0 * delay), sample(u, width, delay)
    wide = soft_field(down @ chroma @ across.mT, x, _CELL)
    chroma = chroma * col(gain * (1.0 - share)) + wide * col(gain * share)

    red, blue = chroma[:, 0:1], chroma[:, 1:2]
    green = (red * 0.299 + blue * 0.114) * (-1.0 / 0.587)
    most = torch.maximum(torch.maximum(red, blue), green).clamp_(min=1e-6)
    least = torch.minimum(torch.minimum(red, blue), green).clamp_(max=-1e-6)
    room = torch.minimum((1.0 - y) / most, -y / least).clamp(max=1.0)
    return y + torch.cat((red, green, blue), dim=1) * room
