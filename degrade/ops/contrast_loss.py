"""Less contrast."""

from typing import Annotated

from degrade.kernels import col
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="environment",
    family="light",
    refs=("Hendrycks & Dietterich, ICLR 2019, contrast: factors 0.4 to 0.05",),
)
def contrast_loss(
    x: Images,
    factor: Annotated[PerImage, Severity(1.0, 0.05, unit="x contrast", power=0.6, most=1.0)],
) -> Images:
    """Pull all values towards the mean colour of the picture: y = m + factor (x - m).

    The mean m is per channel, of gamma-coded values.
    """
    return x.mean(dim=(-2, -1), keepdim=True).lerp(x, col(factor))
