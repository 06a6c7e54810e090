"""Real codecs for batches of tensors: stills, video frames, and bit errors in a JPEG stream."""

from degrade.codecs.batches import Pixels, from_pixels, through, to_pixels
from degrade.codecs.stills import (
    avif_encode,
    jpeg2000_encode,
    jpeg_decode,
    jpeg_encode,
    pillow_decode,
    webp_encode,
)

__all__ = [
    "Pixels",
    "avif_encode",
    "from_pixels",
    "jpeg2000_encode",
    "jpeg_decode",
    "jpeg_encode",
    "pillow_decode",
    "through",
    "to_pixels",
    "webp_encode",
]
