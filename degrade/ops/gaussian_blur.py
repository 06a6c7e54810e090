"""Softness of no particular cause."""

from typing import Annotated

from degrade import kernels
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="blur",
    refs=(
        "Hendrycks & Dietterich, ICLR 2019, gaussian_blur: 1 to 6 px at 224 px",
        "Lin et al., KADID-10k, QoMEX 2019: Gaussian blur",
    ),
)
def gaussian_blur(
    x: Images,
    sigma: Annotated[PerImage, Severity(0.0, 0.027, unit="px", relative=True, power=1.5)],
) -> Images:
    """Gaussian blur: what many small errors of a lens and a filter in front of a sensor add up to.

    The point spread function is a Gaussian with a standard deviation of ``sigma``, in linear light,
    edges mirrored.
    """
    return kernels.to_srgb(kernels.gaussian_blur(kernels.to_linear(x), sigma))
