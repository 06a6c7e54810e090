"""JPEG as the world writes it."""

from typing import Annotated

from degrade.codecs import Pixels, jpeg_decode, jpeg_encode, through
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


def _round_trip(pixels: Pixels, quality: float) -> Pixels:
    return jpeg_decode(jpeg_encode(pixels, round(quality)))


@operator(
    stage="transmission",
    family="compression",
    refs=(
        "ITU-T T.81 (1992): JPEG, quantisation tables of annex K",
        "Independent JPEG Group, libjpeg: quality Q scales the tables by 50/Q, above 50 by 2-Q/50",
    ),
    differentiable=False,
)
def jpeg_compression(
    x: Images,
    quality: Annotated[
        PerImage,
        Severity(
            100,
            5.3,
            unit="JPEG quality",
            curve="reciprocal",
            power=1.5,
            integer=True,
            size_power=0.21,
            least=1,
            most=100,
        ),
    ],
) -> Images:
    """Write the picture as a JPEG of a quality from 100 to 5 and read it back.

    The codec is libjpeg itself, baseline with 4:2:0 chroma: the result is to the bit what it gives
    at that quality. The width of the quantisation steps is proportional to 1/Q, so it is 1/Q that
    rises with the intensity: at 512 px qualities 64, 38, 14 and 6 at 0.1, 0.2, 0.5 and 0.9. Blocks
    are 8 px at any size, so that a larger picture takes a lower quality for the same damage. As
    quality is a whole number, neighbouring intensities may share one.
    """
    return through(_round_trip, x, quality.tolist())
