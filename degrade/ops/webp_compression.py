"""WebP as browsers and messengers write it."""

from typing import Annotated

from degrade.codecs import Pixels, pillow_decode, through, webp_encode
from degrade.params import Images, PerImage, Severity
from degrade.registry import operator


def _round_trip(pixels: Pixels, quality: float) -> Pixels:
    return pillow_decode(webp_encode(pixels, quality))


@operator(
    stage="transmission",
    family="compression",
    refs=(
        "IETF RFC 6386 (2011): VP8 data format and decoding guide",
        "IETF RFC 9649 (2024): WebP image format",
        "libwebp: quality 0 to 100 to the index of VP8's quantiser tables",
    ),
    differentiable=False,
    off_scale="VP8's coarsest quantiser with its loop filter leaves more structure than JPEG's.",
)
def webp_compression(
    x: Images,
    quality: Annotated[
        PerImage,
        Severity(
            100.0,
            0.001,
            unit="WebP quality",
            curve="geometric",
            power=1.3,
            size_power=0.1,
            least=0.0,
            most=100.0,
        ),
    ],
) -> Images:
    """Write the picture as a lossy WebP of a quality from 100 to near 0 and read it back.

    The codec is libwebp itself: prediction from neighbouring blocks, a 4 x 4 transform, 4:2:0
    chroma and a loop filter, so that flat patches smear where JPEG shows blocks. Quality may be a
    fraction, as libwebp takes it. The index of the quantiser follows its cube root, so that a fifth
    of all indices lies below quality 1: it falls by equal ratios, 56, 15, 0.9 and 0.02 at 0.1,
    0.25, 0.5 and 0.8 where the short side is 512 px. Sides up to 16383 px.
    """
    return through(_round_trip, x, quality.tolist())
