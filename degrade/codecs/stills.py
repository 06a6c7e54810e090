"""Still picture codecs: JPEG, WebP, AVIF and JPEG 2000, by the libraries that the world uses.

Every encoder takes (H, W, 3) uint8 sRGB of any size from 1 x 1 and gives the bytes of a file or
codestream; every decoder gives the pixels back, in the same shape.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, features

from degrade.codecs.batches import Pixels
from degrade.errors import UserError

_LIMITS = {"JPEG": 65_500, "WebP": 16_383, "AVIF": 65_536}
"""Longest side in pixels that the format, or its library, can hold."""

_AVIF_SPEED = 9  # of 0 to 10: a tenth of the time of the default 6, files a tenth larger


def jpeg_encode(pixels: Pixels, quality: int, restart: int = 0) -> bytes:
    """A baseline JPEG with 4:2:0 chroma, as libjpeg writes it at this quality (1 to 100).

    Args:
        pixels: (H, W, 3) uint8.
        quality: Of the Independent JPEG Group's scale.
        restart: Macroblocks between restart markers; 0 writes none.

    Raises:
        UserError: The quality is out of range, or a side exceeds 65 500 pixels, libjpeg's limit.
    """
    _check("JPEG", pixels)
    within("JPEG quality", quality, 1, 100)
    # OpenCV rather than Pillow: both call libjpeg-turbo and agree to the bit (tested), and
    # this one takes half the time.
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    data: bytes = cv2.imencode(".jpg", bgr, options)[1].tobytes()
    return data


def jpeg_decode(data: bytes) -> Pixels:
    """The pixels of a JPEG, as libjpeg decodes them; the inverse of :func:`jpeg_encode`."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    rgb: Pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb


def webp_encode(pixels: Pixels, quality: float) -> bytes:
    """A lossy WebP (VP8 intra frame, 4:2:0) of libwebp's quality, 0 to 100, fractions too.

    Raises:
        UserError: The quality is out of range, a side exceeds 16 383 pixels, or Pillow was built
            without WebP.
    """
    within("WebP quality", quality, 0, 100)
    return _pillow(pixels, "WebP", "webp", quality=quality)


def avif_encode(pixels: Pixels, quality: int) -> bytes:
    """An AVIF (AV1 intra frame, 4:4:4 as avifenc writes) of libavif's quality, 0 to 100.

    Raises:
        UserError: The quality is out of range, a side exceeds 65 536 pixels, or Pillow was built
            without AVIF.
    """
    within("AVIF quality", quality, 0, 100)
    options = {"speed": _AVIF_SPEED, "subsampling": "4:4:4", "max_threads": 1}
    return _pillow(pixels, "AVIF", "avif", quality=quality, **options)


def jpeg2000_encode(pixels: Pixels, ratio: float) -> bytes:
    """A JPEG 2000 codestream (9/7 wavelet, one layer) of 1 / ``ratio`` of the raw size.

    Raises:
        UserError: The ratio is below 1, or Pillow was built without OpenJPEG.
    """
    within("The compression ratio of JPEG 2000", ratio, 1, 1e6)
    return _pillow(
        pixels,
        "JPEG2000",
        "jpg_2000",
        quality_mode="rates",
        quality_layers=[ratio],
        irreversible=True,
        mct=1,
        no_jp2=True,
    )


def pillow_decode(data: bytes) -> Pixels:
    """The pixels of a WebP, AVIF or JPEG 2000."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def within(what: str, value: float, low: float, high: float) -> None:
    """Raise :class:`UserError` unless a setting of a codec is within its range."""
    if not low <= value <= high:
        raise UserError(f"{what} is {value:g}; give a value from {low:g} to {high:g}.")


def _pillow(pixels: Pixels, format_: str, feature: str, **options: object) -> bytes:
    _check(format_, pixels)
    if not features.check(feature):
        raise UserError(
            f"This Pillow was built without {format_}. Install Pillow 11.3 or later from PyPI, "
            "whose wheels have it, or leave the operator out of the recipe."
        )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_, **options)
    return file.getvalue()


def _check(format_: str, pixels: Pixels) -> None:
    limit = _LIMITS.get(format_)
    if limit and max(pixels.shape[:2]) > limit:
        raise UserError(
            f"{format_} holds at most {limit} pixels a side, the picture has {pixels.shape[1]} x "
            f"{pixels.shape[0]}. Tile it or resize it first."
        )
