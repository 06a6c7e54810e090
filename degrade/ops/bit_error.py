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


def _hit(pixels: Pixels, setting: tuple[float, float, int]) -> Pixels:
    share, quality, seed = setting
    restart = -(-pixels.shape[1] // _BLOCK)
    sent = jpeg_encode(pixels, round(quality), restart)
    parts = intervals(sent)
    order, inside = uniform(torch.tensor([seed]), (1, len(parts), 2))[0].double().numpy().T
    places = []
    for k in order.argsort(kind="stable")[: round(share * len(parts))]:
        byte, bit = divmod(int(inside[k] * 8 * len(parts[k])), 8)
        if len(parts[k]):
            places.append((int(parts[k][byte]), bit))
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
        "Kar et al., CVPR 2022, 3D Common Corruptions: bit error",
    ),
    differentiable=False,
)
def bit_error(
    x: Images,
    hit: Annotated[PerImage, Severity(0.0, 1.0, unit="share of restart intervals")],
    quality: Annotated[PerImage, Draw(75, 92, unit="JPEG quality", integer=True)],
    seed: FrameSeed,
) -> Images:
    """Flip bits of the JPEG that the picture is sent as, and decode what arrives.

    The JPEG is libjpeg's, baseline, 4:2:0, with a restart marker after each row of macroblocks. One
    bit flips in the share ``hit`` of these rows; libjpeg decodes what it gets. After a flip the
    variable-length codes are read out of step: wrong blocks, shifted ones, and a colour that stays
    off up to the next marker. A bit error rate p hits the share 1 - (1 - p)^n of rows with n bits
    each; a further error in the same row would only change what is lost already. The rows and the
    places in them are drawn once: more errors are the same ones and others. Headers and markers
    arrive intact. Where the decoder shows what it would without errors, the picture stays as it
    was: what JPEG itself leaves out is ``jpeg_compression``.
    """
    settings = zip(hit.tolist(), quality.tolist(), seed.tolist(), strict=True)
    return through(_hit, x, list(settings))
