"""Bits of a JPEG that flipped on the way."""

from typing import Annotated

import numpy as np
import torch

from degrade.codecs import Pixels, jpeg_encode, pillow_decode, through
from degrade.codecs.jpeg_stream import flip, intervals
from degrade.params import Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import uniform

_BLOCK = 16  # pixels a side of a macroblock with 4:2:0 chroma
_STRIP = 256  # pixels of the short side to a row of macroblocks in a restart interval


def _hit(pixels: Pixels, setting: tuple[float, float, float, int]) -> Pixels:
    share, gap, quality, seed = setting
    rows = max(1, round(min(pixels.shape[:2]) / _STRIP))
    restart = rows * -(-pixels.shape[1] // _BLOCK)
    sent = jpeg_encode(pixels, round(quality), restart)
    parts = intervals(sent)
    # Two numbers for each interval, when its fade comes and where in it; then one for each error.
    most = int(8 * max(map(len, parts)) / gap) + 1
    key = torch.tensor([seed])
    draws = uniform(key, (1, len(parts), 2 + most))[0].double().numpy()
    places: list[tuple[int, int]] = []
    for k in draws[:, 0].argsort(kind="stable")[: round(share * len(parts))]:
        bits = 8 * len(parts[k])
        errors = draws[k, 1] * bits + (np.arange(most) + draws[k, 2:]) * gap
        where = errors[errors < bits].astype(np.int64)
        places += zip(parts[k][where >> 3].tolist(), (where & 7).tolist(), strict=True)
    # Pillow and not OpenCV: libjpeg reports what it conceals, and OpenCV prints that.
    intact, received = pillow_decode(sent), pillow_decode(flip(sent, places))
    hit = (intact != received).any(axis=-1, keepdims=True)
    return np.where(hit, received, pixels)


@operator(
    stage="transmission",
    family="transport",
    refs=(
        "ITU-T T.81 (1992): JPEG, restart intervals of annex F",
        "Wang & Zhu, Proc. IEEE 86(5), 1998: bit errors in variable-length codes",
        "Gilbert, Bell Syst. Tech. J. 39(5), 1960: errors in bursts",
        "Kar et al., CVPR 2022, 3D Common Corruptions: bit error",
    ),
    differentiable=False,
)
def bit_error(
    x: Images,
    hit: Annotated[PerImage, Severity(0.0, 1.0, unit="share of restart intervals", most=1.0)],
    gap: Annotated[PerImage, Draw(60.0, 240.0, unit="bits between errors in a fade", least=1.0)],
    quality: Annotated[
        PerImage, Draw(75, 92, unit="JPEG quality", integer=True, least=1, most=100)
    ],
    seed: FrameSeed,
) -> Images:
    """Flip bits of the JPEG that the picture is sent as, and decode what arrives.

    The JPEG is libjpeg's, baseline, 4:2:0, with a restart marker after each row of macroblocks, or
    after as many rows as the short side has times 256 px. In the share ``hit`` of these intervals
    the link fades: from some place on up to the next marker one bit in about ``gap`` flips; libjpeg
    decodes what it gets. The variable-length codes are then read out of step: wrong blocks, shifted
    ones, and colours that drift off. The intervals, the places and the bits are drawn once: more
    damage is the same errors and others. Headers and markers arrive intact. Where the decoder shows
    what it would without errors, the picture stays as it was: what JPEG itself leaves out is
    ``jpeg_compression``.
    """
    settings = zip(hit.tolist(), gap.tolist(), quality.tolist(), seed.tolist(), strict=True)
    return through(_hit, x, list(settings))
