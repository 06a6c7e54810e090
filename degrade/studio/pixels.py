"""Records on pixels, and how far the result is from the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from kornia.metrics import ssim

from degrade import codecs, pipeline
from degrade.images import Pixels
from degrade.schema import Applied
from degrade.studio.chain import rescaled

_WINDOW = 11  # taps; the Gaussian has a standard deviation of 1.5, as Wang et al. (TIP 2004)
_STRIP = 1 << 20  # pixels at a time: a large picture must not need ten times its size


@dataclass(frozen=True)
class Distance:
    """How far two pictures are apart.

    Attributes:
        psnr: In dB over all channels; infinite for equal pictures.
        ssim: Mean over pixels and channels; None where a side is shorter than the window.
    """

    psnr: float
    ssim: float | None


def degraded(pixels: Pixels, records: Sequence[Applied]) -> Pixels:
    """The picture with the records applied, scaled to its size where they are for another.

    Args:
        pixels: (H, W, 3) uint8.
        records: In order.

    Returns:
        (H, W, 3) uint8.

    Raises:
        UserError: An operator refuses the picture, or a codec cannot hold it.
    """
    side = min(pixels.shape[:2])
    plan = [rescaled(record, side) for record in records]
    with torch.inference_mode():
        x = codecs.from_pixels([pixels], torch.device("cpu"))
        made: Pixels = codecs.to_pixels(pipeline.run(x, [plan]))[0]
    return made


def distance(clean: Pixels, made: Pixels) -> Distance:
    """PSNR and SSIM of two pictures of one size, (H, W, 3) uint8.

    SSIM has the Gaussian window and the constants of Wang et al., IEEE TIP 2004, over the pixels
    whose window lies inside, as scikit-image's with ``gaussian_weights`` and without sample
    covariance.
    """
    height, width = clean.shape[:2]
    inner = height - _WINDOW + 1
    rows = max(1, _STRIP // width)
    squares = total = 0.0
    with torch.inference_mode():
        for top in range(0, height, rows):
            a, b = (torch.from_numpy(p[top : top + rows].astype("float32")) for p in (clean, made))
            squares += float((a - b).square().sum(dtype=torch.float64))
        if inner > 0 and width >= _WINDOW:
            for top in range(0, inner, rows):
                span = slice(top, min(top + rows, inner) + _WINDOW - 1)
                a, b = (_batch(p[span]) for p in (clean, made))
                found = ssim(a, b, _WINDOW, 255.0, eps=0.0, padding="valid")
                total += float(found.sum(dtype=torch.float64))
            total /= 3 * inner * (width - _WINDOW + 1)
    mean = squares / clean.size
    return Distance(
        psnr=10.0 * math.log10(255.0**2 / mean) if mean else math.inf,
        ssim=total if inner > 0 and width >= _WINDOW else None,
    )


def _batch(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.astype("float32")).permute(2, 0, 1)[None].contiguous()
