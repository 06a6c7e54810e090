"""Defocus of a round aperture."""

from typing import Annotated

from degrade.kernels import convolve, normalised, psf_grid, to_linear, to_srgb
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


@operator(
    stage="acquisition",
    family="blur",
    refs=(
        "Potmesil & Chakravarty, SIGGRAPH 1981: circle of confusion of a thin lens",
        "Hendrycks & Dietterich, ICLR 2019, defocus_blur: radius 10 px at 224 px, severity 5",
    ),
)
def lens_blur(
    x: Images,
    radius: Annotated[PerImage, Severity(0.0, 0.03, unit="px", relative=True)],
) -> Images:
    """Defocus: each point of light spreads to a uniform disc, the circle of confusion.

    The convolution is in linear light, so that highlights bloom as they do in a camera.
    """
    u, v = psf_grid(float(radius.max()), x.device)
    distance = (u.square() + v.square()).sqrt()
    # The edge is antialiased over two pixels, as by bilinear sampling: over one pixel, all radii
    # below half a pixel would leave the picture as it is.
    disc = ((radius[:, None, None] + 1.0 - distance) / 2.0).clamp(0.0, 1.0)
    return to_srgb(convolve(to_linear(x), normalised(disc)))
