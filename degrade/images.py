"""Pictures on disk <-> RGB arrays: decode, orient, check, resize, encode. No torch."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from degrade.errors import UserError, unknown

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

Encoding = Literal["png", "jpg", "webp", "keep"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .bmp .dib .tif .tiff .gif "
    ".pgm .ppm .pnm .jp2 .j2k .avif".split()
)
_KEPT = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
JPEG_QUALITY = 95
_PNG = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
)
_PNG_HEADER = 8 + 25
"""Bytes of the signature and of the IHDR chunk, behind which a profile stands."""
WRITER = 2
"""Part of a run's fingerprint: raised when :func:`encode` gives other bytes for the same pixels."""
_LONGEST = {"png": 1_000_000, "webp": 16_383, "jpg": 65_500}
"""Pixels a side that libpng (by default), libwebp and libjpeg take."""
_SAVE: dict[str, dict[str, Any]] = {
    "webp": {"format": "WEBP", "lossless": True, "quality": 0, "method": 0},
    "jpg": {"format": "JPEG", "quality": JPEG_QUALITY, "subsampling": "4:4:4"},
}


class UnreadableError(Exception):
    """A source that is not a usable picture: ``reason`` is countable, ``detail`` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Picture:
    """A decoded picture. ``altered``: the pixels are not simply what the file's decoder gives."""

    pixels: Pixels
    format: str
    icc: bytes | None
    altered: bool


def decode(data: bytes, max_pixels: int, max_side: int | None = None) -> Picture:
    """Decode to upright 8-bit RGB.

    EXIF orientation is applied; 16-bit grey is scaled to 8 bits; transparency is laid on white, as
    viewers show it; CMYK, palette and grey become RGB. Pixel values are otherwise those stored: a
    colour profile is carried along, not applied.

    Args:
        data: The file.
        max_pixels: Larger pictures are refused before they are decompressed.
        max_side: Where given, larger pictures are reduced (Lanczos) to this longer side in pixels.

    Raises:
        UnreadableError: Not a picture, broken, animated, too large or of an unknown kind.
    """
    if not data:
        raise UnreadableError("empty_file", "the file has no bytes")
    Image.init()  # or the first threads would find the formats half registered
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise UnreadableError(
                    "too_many_pixels", f"{width}x{height} is above the limit of {max_pixels} pixels"
                )
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":  # MPO: a photograph with its previews
                raise UnreadableError("animated", f"{frames} frames; extract the one you mean")
            image.load()
            return _rgb(image, max_side)
    except UnreadableError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        bomb = isinstance(error, Image.DecompressionBombError)
        raise UnreadableError(
            "too_many_pixels" if bomb else "not_a_picture",
            str(error) if bomb else "no known picture format",
        ) from None
    except MemoryError:
        raise UnreadableError("out_of_memory", "not enough memory to decode it") from None
    except Exception as error:
        # Decoders raise whatever their parsers trip over: OSError, SyntaxError, struct.error ...
        # Each is one broken file, kept with its reason; the run must go on.
        raise UnreadableError("broken", f"{type(error).__name__}: {error}") from None


def _rgb(image: Image.Image, max_side: int | None) -> Picture:
    kind, mode, icc = image.format or "", image.mode, image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)  # the copy of an upright one would be for nothing
    upright = image
    altered = False
    if mode.startswith("I"):
        upright = _from_16_bit(upright)
        altered = True
    elif mode == "F":
        raise UnreadableError("unsupported_mode", "32-bit float has no defined white")
    elif mode in {"RGBA", "RGBa", "LA", "La", "PA"} or "transparency" in image.info:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        altered = True
    if mode not in {"RGB", "L", "P", "RGBA", "LA", "PA"}:
        icc = None  # it describes another colour space than the RGB we write
        altered = True
    if mode in {"L", "LA"}:
        icc = None
    rgb = upright if upright.mode == "RGB" else upright.convert("RGB")
    if max_side is not None and max(rgb.size) > max_side:
        rgb = _fitted(rgb, max_side)
        altered = True
    return Picture(np.asarray(rgb), kind, icc, altered or kind not in _KEPT)


def _fitted(image: Image.Image, side: float) -> Image.Image:
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def shipped() -> Traversable:
    """The photograph that comes with the package, CC0."""
    return resources.files("degrade") / "assets" / "photo.jpg"


def reduced(pixels: Pixels, side: float) -> Pixels:
    """The picture with this longer side in pixels at most (Lanczos)."""
    if max(pixels.shape[:2]) <= side:
        return pixels
    return np.asarray(_fitted(Image.fromarray(pixels), side))


def webp(pixels: Pixels, quality: int, method: int = 4) -> bytes:
    """A picture for people to look at, as lossy WebP; ``method`` 0 is quick, 6 small."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=method)
    return buffer.getvalue()


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise UnreadableError("unsupported_mode", "32-bit integers beyond 0..65535")
    return Image.fromarray(np.round(values / 257.0).astype(np.uint8))


def extension(encoding: Encoding, source_format: str) -> str:
    """File extension to write: ``keep`` follows the source where it can be written back."""
    return _KEPT.get(source_format, "png") if encoding == "keep" else encoding


def check_sides(pixels: Pixels, ext: str) -> None:
    """See that :func:`encode` can write a picture of this size.

    Raises:
        UserError: Another format, or a side is longer than it holds.
    """
    if ext not in _LONGEST:
        raise unknown("format of pictures", ext, _LONGEST)
    longest = max(pixels.shape[:2])
    if longest > _LONGEST[ext]:
        raise UserError(
            f"{ext} holds {_LONGEST[ext]} pixels a side and the picture has {longest}; reduce it "
            "with --max-side, or write another format"
        )


def encode(pixels: Pixels, ext: str, icc: bytes | None) -> bytes:
    """Encode RGB as ``png`` or ``webp`` (both lossless) or ``jpg`` (quality 95, 4:4:4).

    Raises:
        UserError: A side is longer than the format can hold.
    """
    check_sides(pixels, ext)
    if ext == "png":
        return _png(pixels, icc)
    buffer = io.BytesIO()
    options: dict[str, Any] = {"icc_profile": icc} if icc else {}
    Image.fromarray(pixels).save(buffer, **_SAVE[ext], **options)
    return buffer.getvalue()


def _png(pixels: Pixels, icc: bytes | None) -> bytes:
    """By OpenCV: half of Pillow's time for files 1 % larger than its level 1 (docs/speed.md)."""
    done, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _PNG)
    if not done:
        raise ValueError(f"OpenCV cannot encode {pixels.shape} {pixels.dtype} as PNG.")
    if not icc:
        return data.tobytes()
    # OpenCV refuses profiles that libpng finds fault with; a picture keeps the one it came with.
    body = b"iCCP" + b"ICC Profile\0\0" + zlib.compress(icc)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_PNG_HEADER].tobytes() + chunk + data[_PNG_HEADER:].tobytes()


def original(ext: str) -> str:
    """What a row says of a picture that was not written here: its bytes are the source's own."""
    return f"{ext} original"


def reencoded(encoding: str) -> bool:
    """Whether writing a picture as a row says has changed its pixels."""
    return encoding.rsplit(" ", maxsplit=1)[-1] not in {"lossless", "original"}


def is_original(encoding: str) -> bool:
    """Whether a row's picture is a file of the source, byte for byte."""
    return encoding.endswith(" original")


def described(ext: str) -> str:
    """How a picture was written, for its row: the last step a reader must know of."""
    return f"jpg quality {JPEG_QUALITY} 4:4:4" if ext == "jpg" else f"{ext} lossless"
