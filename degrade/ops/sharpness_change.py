"""Sharpening overdone by an editor or a phone."""

from typing import Annotated

from degrade.kernels import col, gaussian_blur, luma
from degrade.params import Draw, Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="postprocessing",
    refs=(
        "Polesel, Ramponi & Mathews, IEEE Trans. Image Processing 9(3), 2000: unsharp masking",
        "Lin et al., KADID-10k, QoMEX 2019: high sharpen, amount 1 to 12",
    ),
)
def sharpness_change(
    x: Images,
    amount: Annotated[PerImage, Severity(0.0, 10.0, unit="x detail", power=1.25)],
    radius: Annotated[PerImage, Draw(0.003, 0.006, unit="px", relative=True)],
) -> Images:
    """Over-sharpening: halos along edges, grain and texture blown up.

    Unsharp mask y = x + amount (Y - G Y) on luma Y in gamma-coded values, as editors do it; G is a
    Gaussian with a standard deviation of ``radius``. Every channel gets the same detail, so that
    hue and brightness stay what they were until a channel clips.
    """
    y = luma(x)
    return x + col(amount) * (y - gaussian_blur(y, radius))
