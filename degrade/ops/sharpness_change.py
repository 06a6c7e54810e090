"""Sharpening overdone by an editor or a phone."""

from typing import Annotated

import torch

from degrade.kernels import col, convolve, luma, normalised, psf_grid, short_side
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator

_WIDEST = 0.006  # radius as a share of the short side


@operator(
    stage="postprocessing",
    family="filtering",
    refs=(
        "Polesel, Ramponi & Mathews, IEEE Trans. Image Processing 9(3), 2000: unsharp masking",
        "Lin et al., KADID-10k, QoMEX 2019: high sharpen, amount 1 to 12",
    ),
)
def sharpness_change(
    x: Images,
    amount: Annotated[PerImage, Severity(0.0, 10.0, unit="x detail", power=1.25)],
    radius: Annotated[
        PerImage, Draw(0.003, _WIDEST, unit="px", relative=True, least=1e-3, most=_WIDEST)
    ],
) -> Images:
    """Over-sharpening: halos along edges, grain and texture blown up.

    Unsharp mask y = x + amount (Y - G Y) on luma Y in gamma-coded values, as editors do it; G is a
    Gaussian with a standard deviation of ``radius``. Every channel gets the same detail, so that
    hue and brightness stay what they were until a channel clips.
    """
    y = luma(x)
    # The amount multiplies what a short kernel cuts off: four deviations, those of the widest, so
    # that the kernel's size depends on no picture of the batch.
    u, v = psf_grid(4.0 * _WIDEST * short_side(x), x.device)
    gaussian = torch.exp((u.square() + v.square()) * (-0.5 / radius.square())[:, None, None])
    return x + col(amount) * (y - convolve(y, normalised(gaussian)))
