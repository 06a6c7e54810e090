"""Pictures of every kind, good and bad: decoded as a viewer would show them, or named as broken."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from degrade import images
from degrade.errors import UserError
from degrade.images import UnreadableError, decode

MAX = 10_000_000


def saved(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def gradient(width: int = 40, height: int = 30) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack((x, y, 255 - x), axis=-1).astype(np.uint8))


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    picture = decode(saved(Image.fromarray(values), format="PNG"), MAX)
    assert np.abs(picture.pixels[..., 0] - values / 257.0).max() <= 0.5
    assert picture.altered


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode(saved(gradient(40, 30), format="JPEG", exif=exif), MAX)
    assert picture.pixels.shape == (40, 30, 3)


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decode(saved(image, format="PNG"), MAX).pixels == 255).all()
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0] * 256)
    assert (decode(saved(palette, format="PNG", transparency=0), MAX).pixels == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "LA"])
def test_other_modes_become_rgb(mode: str) -> None:
    kind = {"CMYK": "JPEG", "YCbCr": "JPEG"}.get(mode, "PNG")
    picture = decode(saved(gradient().convert(mode), format=kind), MAX)
    assert picture.pixels.shape == (30, 40, 3)
    assert picture.pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF"])
def test_every_format_is_read(kind: str) -> None:
    assert decode(saved(gradient(), format=kind), MAX).pixels.shape == (30, 40, 3)


def _animated() -> bytes:
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    return saved(frames[0], format="GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"hello, not a picture", "not_a_picture"),
        (saved(gradient(400, 300), format="JPEG")[:2000], "broken"),
        (saved(gradient(400, 300), format="PNG")[:900], "broken"),
        (_animated(), "animated"),
        (saved(Image.new("F", (4, 4)), format="TIFF"), "unsupported_mode"),
        (saved(Image.new("1", (4000, 4000)), format="PNG"), "too_many_pixels"),
    ],
    ids=["empty", "text", "truncated-jpeg", "truncated-png", "animated", "float", "bomb"],
)
def test_unusable_files_have_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode(data, MAX)
    assert caught.value.reason == reason
    assert caught.value.detail


def test_any_damage_to_a_file_is_a_reason_never_another_exception() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        good = saved(gradient(), format=kind)
        for _ in range(60):
            bad = bytearray(good)
            for at in rng.integers(0, len(bad), 3):
                bad[at] = rng.integers(256)
            try:
                assert decode(bytes(bad), MAX).pixels.ndim == 3
            except UnreadableError as error:
                assert error.reason


def test_max_side_reduces_only_what_is_larger() -> None:
    data = saved(gradient(40, 30), format="PNG")
    assert decode(data, MAX, max_side=20).pixels.shape == (15, 20, 3)
    assert decode(data, MAX, max_side=100).pixels.shape == (30, 40, 3)
    assert decode(saved(gradient(500, 1), format="PNG"), MAX, max_side=20).pixels.shape == (
        1,
        20,
        3,
    )


@pytest.mark.parametrize("ext", ["png", "webp"])
def test_lossless_encodings_keep_every_pixel_and_the_profile(ext: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    back = decode(images.encode(pixels, ext, icc=b"profile"), MAX)
    assert np.array_equal(back.pixels, pixels)
    assert back.icc == b"profile"


def test_keep_follows_the_source_and_jpg_is_noted() -> None:
    assert images.extension("keep", "JPEG") == "jpg"
    assert images.extension("keep", "TIFF") == "png"
    assert images.extension("webp", "JPEG") == "webp"
    assert "95" in images.described("jpg")
    assert images.described("png").endswith("lossless")


@pytest.mark.parametrize(
    ("ext", "longest"), [("png", 1_000_000), ("webp", 16_383), ("jpg", 65_500)]
)
def test_the_longest_side_that_a_format_holds_is_written_and_no_longer_one(
    ext: str, longest: int
) -> None:
    for shape in ((1, longest, 3), (longest, 1, 3)):
        data = images.encode(np.zeros(shape, np.uint8), ext, None)
        assert images.decode(data, longest).pixels.shape == shape
    with pytest.raises(UserError, match=f"{ext} holds {longest} pixels"):
        images.encode(np.zeros((1, longest + 1, 3), np.uint8), ext, None)
