"""AVIF, the still picture of the AV1 video codec."""

from typing import Annotated

from degrade.codecs import Pixels, avif_encode, pillow_decode, through
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


def _round_trip(pixels: Pixels, quality: float) -> Pixels:
    return pillow_decode(avif_encode(pixels, round(quality)))


@operator(
    stage="transmission",
    family="compression",
    refs=(
        "AOMedia, AV1 Bitstream & Decoding Process Specification (2019)",
        "AOMedia, AV1 Image File Format v1.1.0 (2022)",
        "libavif: quality 0 to 100 to quantiser indices 63 to 0",
    ),
    differentiable=False,
    off_scale="AV1's coarsest quantiser keeps edges: detail goes, structure stays.",
)
def avif_compression(
    x: Images,
    quality: Annotated[
        PerImage,
        Severity(
            100,
            5,
            unit="AVIF quality",
            curve="geometric",
            power=0.7,
            integer=True,
            size_power=0.45,
            least=0,
            most=100,
        ),
    ],
) -> Images:
    """Write the picture as an AVIF of a quality from 100 to 5 and read it back.

    The codec is libaom through libavif, chroma at full size, fast settings. Large transforms,
    directed prediction and three filters behind it: texture turns to smooth patches, edges stay
    sharp, and there are no blocks to see. Quality is a whole number, one or two to a step of the
    quantiser, so that neighbouring intensities may look the same.
    """
    return through(_round_trip, x, quality.tolist())
