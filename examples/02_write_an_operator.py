"""Write an operator: one typed function. Dropped into degrade/ops, this file would be one."""

from typing import Annotated

import torch

from degrade import ops
from degrade.kernels import col, grid, to_linear, to_srgb
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(stage="acquisition", family="shading", refs=("natural vignetting, cos^4 law",))
def vignette(
    x: Images,
    corner_loss: Annotated[PerImage, Severity(0.0, 3.0, unit="EV")],
    shift: Annotated[PerImage, Draw(-0.1, 0.1, unit="share of the short side")],
) -> Images:
    """Darken towards the corners by up to ``corner_loss`` stops, in linear light."""
    u, v = grid(x)
    radius = (u - col(shift)).square() + v.square()  # (B, 1, H, W)
    gain = torch.exp2(-col(corner_loss) * radius / radius.amax(dim=(-2, -1), keepdim=True))
    return to_srgb(to_linear(x) * gain)


pictures = torch.full((2, 3, 120, 160), 0.5)
dark, records = ops.get("vignette")(pictures, intensities=[0.2, 1.0], keys=["a", "b"])
print(records[1].params)
print("corner:", [round(float(p[:, 0, 0].mean()), 3) for p in dark])
assert dark[1, :, 0, 0].mean() < dark[0, :, 0, 0].mean() < 0.5
