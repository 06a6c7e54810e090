"""Too few pixels, scaled back up."""

from typing import Annotated

import torch

from degrade.kernels.resample import Filter, resize
from degrade.params import Choice, Images, PerImage, Severity
from degrade.registry import operator

_DOWN: tuple[Filter, ...] = ("area", "bilinear", "bicubic")
_UP: tuple[Filter, ...] = ("bilinear", "bicubic")


@operator(
    stage="transmission",
    family="resolution",
    refs=(
        "Wang et al., Real-ESRGAN, ICCVW 2021: area, bilinear or bicubic resizing at random",
        "Keys, IEEE Trans. ASSP 29(6), 1981: cubic convolution",
    ),
)
def low_resolution(
    x: Images,
    scale: Annotated[
        PerImage,
        Severity(
            1.0,
            0.04,
            unit="of the pixels a side",
            curve="geometric",
            power=1.35,
            size_power=0.3,
            most=1.0,
        ),
    ],
    down_filter: Annotated[PerImage, Choice(_DOWN)],
    up_filter: Annotated[PerImage, Choice(_UP)],
) -> Images:
    """Scale the picture down to ``scale`` of its pixels a side, and up again.

    Each way with a filter that programs use, antialiased on the way down, on the coded sRGB values
    as they do. The small picture has a whole number of pixels a side: as many as are nearest.
    A larger picture has less detail per pixel and loses more of them for the same damage.
    """
    height, width = x.shape[-2:]
    rows = []
    settings = (scale.tolist(), down_filter.tolist(), up_filter.tolist())
    for row, share, i, j in zip(x, *settings, strict=True):
        tall, wide = (max(1, round(n * share)) for n in (height, width))
        # A file has no room for what bicubic filters overshoot.
        low = resize(row[None], tall, wide, _DOWN[int(i)]).clamp(0.0, 1.0)
        rows.append(resize(low, height, width, _UP[int(j)]))
    return torch.cat(rows) if rows else x
