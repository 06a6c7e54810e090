"""Bits of a JPEG that flipped on the way."""

from typing import Annotated

import numpy as np
import torch

from degrade.codecs import Pixels, jpeg_encode, pillow_decode, through
from degrade.codecs.jpeg_stream import coded_bits, flip
from degrade.params import Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import uniform

_BLOCK = 16  # pixels a side of a macroblock with 4:2:0 chroma


def _hit(pixels: Pixels, setting: tuple[float, float, int]) -> Pixels:
    rate, quality, seed = setting
    restart = -(-pixels.shape[1] // _BLOCK)
    sent = jpeg_encode(pixels, round(quality), restart)
    flips = round(rate * coded_bits(sent))
    places = uniform(torch.tensor([seed]), (1, flips))[0].double().numpy()
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
    rate: Annotated[PerImage, Severity(0.0, 3e-4, unit="bit error rate", size_power=-0.8)],
    quality: Annotated[PerImage, Draw(75, 92, unit="JPEG quality", integer=True)],
    seed: FrameSeed,
) -> Images:
    """Flip bits of the JPEG that the picture is sent as, and decode what arrives.

    The JPEG is libjpeg's, baseline, 4:2:0, with a restart marker after each row of macroblocks; a
    share ``rate`` of its coded bits flips, and libjpeg decodes the rest as best it can. After a
    flip the variable-length codes are read out of step: wrong blocks, shifted ones, and a colour
    that stays off until the next restart marker. More errors are the same ones and further ones.
    Headers and markers arrive intact. Where the decoder shows what it would without errors, the
    picture stays as it was: what JPEG itself leaves out is ``jpeg_compression``.
    """
    settings = zip(rate.tolist(), quality.tolist(), seed.tolist(), strict=True)
    return through(_hit, x, list(settings))
