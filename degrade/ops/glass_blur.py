"""Looking through frosted glass."""

from typing import Annotated

import torch

from degrade import kernels
from degrade.kernels import smooth_noise, to_linear, to_srgb, warp
from degrade.params import Draw, Images, PerImage, Seed, Severity
from degrade.registry import operator

_GRAIN = 1 / 224  # share of the short side: width of a facet, a pixel at 224 px
_PASSES = 4  # at most


@operator(
    stage="acquisition",
    family="blur",
    refs=("Hendrycks & Dietterich, ICLR 2019, glass_blur: up to 4 px and 2 passes at 224 px",),
)
def glass_blur(
    x: Images,
    delta: Annotated[PerImage, Severity(0.0, 0.014, unit="px", relative=True, power=1.7)],
    sigma: Annotated[PerImage, Severity(0.0, 0.004, unit="px", relative=True, power=1.5)],
    passes: Annotated[PerImage, Draw(2, 2, unit="panes", integer=True, least=1, most=_PASSES)],
    seed: Seed,
) -> Images:
    """Frosted glass: every facet of its surface shows what is a little beside it.

    The light goes through ``passes`` panes, two unless told otherwise and four at most. Each facet,
    1/224 of the short side wide and drawn from the ``seed``, displaces by up to ``delta`` per axis,
    uniformly. Then the whole is blurred by a Gaussian of ``sigma``. In linear light.
    """
    light = to_linear(x)
    for pane in range(int(passes.clamp(max=_PASSES).max()) if len(x) else 0):
        # The error function makes normal displacements uniform ones.
        facets = smooth_noise(seed, x, _GRAIN, channels=2, stream=pane).mul_(2.0**-0.5).erf_()
        reach = torch.where(passes > pane, delta, 0.0)[:, None, None]
        light = warp(light, facets[:, 0] * reach, facets[:, 1] * reach)
    return to_srgb(kernels.gaussian_blur(light, sigma)) if len(x) else x
