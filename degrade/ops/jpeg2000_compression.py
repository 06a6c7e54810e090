"""JPEG 2000, the wavelet codec of cinema, medicine and satellites."""

from typing import Annotated

from degrade.codecs import Pixels, jpeg2000_encode, pillow_decode, through
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


def _round_trip(pixels: Pixels, ratio: float) -> Pixels:
    return pillow_decode(jpeg2000_encode(pixels, ratio))


@operator(
    stage="transmission",
    family="compression",
    refs=(
        "ITU-T T.800 (2002): JPEG 2000 core coding system",
        "Lin, Hosu & Saupe, QoMEX 2019, KADID-10k: compression ratios 16 to 170",
    ),
    differentiable=False,
)
def jpeg2000_compression(
    x: Images,
    ratio: Annotated[
        PerImage,
        Severity(
            4.0,
            1000.0,
            unit="raw bytes per coded byte",
            curve="geometric",
            power=0.5,
            size_power=0.3,
            least=1.0,
            most=1e6,
        ),
    ],
) -> Images:
    """Write the picture as JPEG 2000 at a compression ratio of 4 and more and read it back.

    The codec is OpenJPEG, 9/7 wavelet, one quality layer, colours decorrelated. The rate control
    keeps the bit planes that lower the error most per byte: first texture blurs, then edges ring
    and dissolve into wavelets. A ratio means less damage in a larger picture, whose pixels tell
    less each. Headers take about 100 bytes, which a tiny picture cannot go below.
    """
    return through(_round_trip, x, ratio.tolist())
