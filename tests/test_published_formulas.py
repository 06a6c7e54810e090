"""The formulas that Robust-R1 released, written once more: to the grey level, defects kept."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from degrade import codecs, published
from degrade.rng import derive
from degrade.schema import PUBLISHED
from tests.published_help import LEVELS, SEED, Grid, made

every_formula = pytest.mark.parametrize("name", published.names())


@pytest.fixture(scope="module")
def picture(photos: torch.Tensor) -> Grid:
    """(96, 120, 3) uint8 RGB."""
    return codecs.to_pixels(photos[:1])[0]


def stream(thing: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(derive(SEED, thing)))


def floor(values: Grid) -> Grid:
    return np.floor(np.clip(values, 0, 255)).astype(np.uint8)


# -------------------------------------------------------------------- formulas, written once more


def gauss(taps: int, sigma: float) -> Grid:
    """A Gaussian by its definition, as a square kernel that adds up to 1."""
    x = np.arange(taps) - (taps - 1) / 2
    line = np.exp(-(x**2) / (2 * sigma**2))
    return np.outer(line, line) / line.sum() ** 2


def mixed(a: Grid, x: float, b: Grid, y: float) -> Grid:
    """A weighted sum; OpenCV's float32 decides what is half a grey level."""
    return cv2.addWeighted(a, x, b, y, 0)


def off_the_mirror(rgb: Grid, kernel: Grid) -> Grid:
    """Correlation shift by shift in float64, edges mirrored about the outermost pixel."""
    half = len(kernel) // 2
    before, after = half, len(kernel) - 1 - half
    wide = np.pad(rgb.astype(np.float64), ((before, after), (before, after), (0, 0)), "reflect")
    total = np.zeros(rgb.shape)
    for (dy, dx), weight in np.ndenumerate(kernel):
        if weight:
            total += weight * wide[dy : dy + rgb.shape[0], dx : dx + rgb.shape[1]]
    return total


def lens_blur(rgb: Grid, i: float) -> Grid:
    kernel = gauss(int(3 + 300 * i) | 1, 20 * i)
    blurred = [cv2.filter2D(rgb[..., c].astype(np.float32), -1, kernel) for c in range(3)]
    return mixed(rgb, 1 - 0.7 * i, floor(np.stack(blurred, axis=2)), 0.9 * i)


def color_diffusion(rgb: Grid, i: float) -> Grid:
    kernel = gauss(3 + 2 * int(20 * i), 50 * i) * i**2
    blurred = [cv2.filter2D(rgb[..., c].astype(np.float32), -1, kernel) for c in range(3)]
    blur = floor(np.stack(blurred, axis=2))
    return mixed(rgb, max(0.1, 1 - 0.9 * i), blur, min(0.9, 0.9 * i))


def motion_blur(rgb: Grid, i: float) -> Grid:
    k = max(5, int(30 * i))
    turn = cv2.getRotationMatrix2D((k / 2, k / 2), 360 * stream("angle").random(), 1)
    kernel = cv2.warpAffine(np.diag(np.ones(k)), turn, (k, k))
    kernel /= kernel.sum()
    return cv2.filter2D(rgb[..., ::-1], -1, kernel)[..., ::-1]


def hsv_saturation(rgb: Grid, i: float) -> Grid:
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb[..., ::-1]), cv2.COLOR_BGR2HSV)
    hsv[..., 1] = floor(hsv[..., 1].astype(np.float32) * np.float32(1 - i))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[..., ::-1]


def jpeg_compression(rgb: Grid, i: float) -> Grid:
    file = io.BytesIO()
    quality = min(max(int(100 - 95 * i), 5), 100)
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file))


def mean_shift(rgb: Grid, i: float) -> Grid:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    return cv2.pyrMeanShiftFiltering(bgr, int(40 * i), int(40 * i))[..., ::-1]


def scan_lines(rgb: Grid, i: float) -> Grid:
    every, thick = max(3, int(20 / (i + 0.1))), max(5, int(7 * i))
    out = rgb.copy()
    for start in range(0, len(rgb), every):
        for row in range(start, min(start + thick, len(rgb))):
            out[row] = floor(out[row] * 0.01)
    return out


def dark_illumination(rgb: Grid, i: float) -> Grid:
    return floor(rgb * (1 - i**2))


def atmospheric_turbulence(rgb: Grid, i: float) -> Grid:
    across, down = np.empty((2, *rgb.shape[:2]), np.float32)
    for y in range(rgb.shape[0]):
        d = 40 * i * np.sin(y / 30 + 5 * i)
        across[y] = np.arange(rgb.shape[1]) + d
        down[y] = y + 0.7 * d
    border = cv2.BORDER_REPLICATE
    return cv2.remap(
        rgb,
        across.clip(0, rgb.shape[1] - 1),
        down.clip(0, rgb.shape[0] - 1),
        cv2.INTER_LINEAR,
        borderMode=border,
    )


def gaussian_noise(rgb: Grid, i: float) -> Grid:
    return floor(rgb + 75 * i * stream("noise").standard_normal(rgb.shape))


def sharpness_change(rgb: Grid, i: float) -> Grid:
    cross = 80 * i * np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    sharp = np.clip(np.rint(off_the_mirror(rgb, cross)), 0, 255).astype(np.uint8)
    return mixed(rgb, 0.7, sharp, 0.3)


FORMULAS: dict[str, Callable[[Grid, float], Grid]] = {
    f.__name__: f
    for f in (
        lens_blur,
        color_diffusion,
        motion_blur,
        hsv_saturation,
        jpeg_compression,
        mean_shift,
        scan_lines,
        dark_illumination,
        atmospheric_turbulence,
        gaussian_noise,
        sharpness_change,
    )
}


@pytest.mark.parametrize("intensity", LEVELS)
@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_agree_to_the_grey_level(name: str, intensity: float, picture: Grid) -> None:
    assert np.array_equal(made(name, picture, intensity), FORMULAS[name](picture, intensity))


def test_the_blur_inside_lens_blur_is_a_gaussian_on_mirrored_edges(picture: Grid) -> None:
    small = picture[:40, :48]
    blur = off_the_mirror(small, gauss(int(3 + 300 * 0.1) | 1, 2.0))
    wanted = np.clip(small * (1 - 0.07) + 0.09 * blur, 0, 255)
    assert np.abs(made("lens_blur", small, 0.1) - wanted).max() < 0.5 + 0.09 + 1e-3


# --------------------------------------------------------------------------- those that draw shapes


def test_flares_are_hard_discs_of_one_cold_colour_and_only_add_light(picture: Grid) -> None:
    black = np.zeros((300, 400, 3), np.uint8)
    flare = made("lens_flare", black, 0.5)
    colours, counts = np.unique(flare.reshape(-1, 3), axis=0, return_counts=True)
    assert colours[0].tolist() == [0, 0, 0]
    assert colours[-1].tolist() == [int(0.45 * c) for c in (235, 255, 255)]
    assert counts[0] + counts[-1] > 0.9 * counts.sum()  # few pixels lie between: edges are hard
    assert (made("lens_flare", picture, 0.5) >= picture).all()


@pytest.mark.parametrize("intensity", LEVELS)
def test_dirt_is_a_darkening_with_grey_spots(intensity: float, picture: Grid) -> None:
    kept = (1 - 0.7 * intensity) * picture
    added = made("dirty_lens", picture, intensity) - kept
    assert added.min() > -1
    assert added.max() < 0.8 * intensity * 120 + 1
    assert np.ptp(added, axis=2).max() <= 1  # grey: alike in all channels but for rounding


def test_blocks_are_exchanged_and_nothing_else(picture: Grid) -> None:
    for intensity, size in zip(LEVELS, (11, 18, 32), strict=True):
        out = made("block_exchange", picture, intensity)
        rows, columns = 96 // size, 120 // size

        def blocks(rgb: Grid, shape: tuple[int, int, int]) -> list[bytes]:
            rows, columns, size = shape
            return [
                rgb[r : r + size, c : c + size].tobytes()
                for r in range(0, rows * size, size)
                for c in range(0, columns * size, size)
            ]

        shape = (rows, columns, size)
        before, after = blocks(picture, shape), blocks(out, shape)
        assert sorted(before) == sorted(after)
        changed = sum(a != b for a, b in zip(before, after, strict=True))
        assert 0 < changed <= 2 * int(35 * intensity)
        rest = np.ones(picture.shape[:2], bool)
        rest[: rows * size, : columns * size] = False
        assert np.array_equal(out[rest], picture[rest])


def test_graffiti_adds_lines_to_those_of_a_weaker_level_and_a_word_above_055() -> None:
    white = np.full((300, 500, 3), 255, np.uint8)
    drawn = [(made("graffiti", white, i) != 255).any(axis=2) for i in (0.09, 0.1, 0.19, 0.2)]
    assert not drawn[0].any()
    assert drawn[1].any()
    assert np.array_equal(drawn[1], drawn[2])
    assert drawn[3][drawn[1]].all()
    assert drawn[3].sum() > drawn[1].sum()
    without, word = made("graffiti", white, 0.55), made("graffiti", white, 0.56)
    added = word[(without != word).any(axis=2) & (without == 255).all(axis=2)]
    assert (added[:, 0] == 255).all()  # red, mixed with white where OpenCV smooths letters
    assert np.array_equal(added[:, 1], added[:, 2])
    assert (added == [255, 0, 0]).all(axis=1).sum() > 200


def test_discs_of_color_diffusion_show_above_the_strongest_published_level_alone() -> None:
    flat = np.full((120, 160, 3), 200, np.uint8)
    assert np.ptp(made("color_diffusion", flat, 0.9)) == 0
    assert np.ptp(made("color_diffusion", flat, 0.91)) > 50


def test_watermark_damage_touches_its_rectangles_alone(picture: Grid) -> None:
    rgb = cv2.resize(picture, (480, 384))
    seen = []
    for intensity in LEVELS:
        changed = (made("watermark_damage", rgb, intensity) != rgb).any(axis=2)
        mask = np.zeros(changed.shape, bool)
        boxes = stream("boxes")
        for _ in range(1 + int(15 * intensity)):
            x, y, w, h = (
                low + int(boxes.random() * (high - low + 1))
                for low, high in ((0, 430), (0, 334), (50, 200), (20, 80))
            )
            mask[y : y + h + 1, x : x + w + 1] = True
        edges = cv2.Canny(mask.astype(np.uint8) * 255, 50, 150) > 0
        assert not changed[~mask & ~edges].any()
        assert changed[mask].mean() > 0.5 * intensity
        seen.append(changed.sum())
    assert seen == sorted(seen)


# -------------------------------------------------------------------------------------- defects


def test_defects_are_kept(picture: Grid) -> None:
    def brightness(name: str, intensity: float) -> float:
        return float(made(name, picture, intensity).mean() / picture.mean())

    assert brightness("lens_blur", 0.3) == pytest.approx(1.06, abs=0.01)
    diffused = [brightness("color_diffusion", i) for i in LEVELS]
    assert diffused == pytest.approx([0.80, 0.68, 0.85], abs=0.02)
    assert made("dark_illumination", picture, 1.0).max() == 0
    sharp = [made("sharpness_change", picture, i).astype(int) for i in LEVELS]
    assert np.abs(sharp[0] - sharp[2]).mean() < 4  # the levels are alike
    first, last = made("motion_blur", picture, 0.01), made("motion_blur", picture, 0.19)
    assert np.array_equal(first, last)


@pytest.mark.parametrize(
    "name",
    [
        "motion_blur",
        "hsv_saturation",
        "jpeg_compression",
        "mean_shift",
        "scan_lines",
        "sharpness_change",
    ],
)
def test_intensity_0_is_no_identity_where_it_was_none(name: str, picture: Grid) -> None:
    assert not np.array_equal(made(name, picture, 0.0), picture)


@every_formula
def test_every_formula_says_its_defects(name: str) -> None:
    assert re.search(r"Defects?:\s\w", published.get(name).doc)


@every_formula
def test_any_picture_that_is_large_enough_is_taken(name: str) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 9), (9, 1), (24, 24), (50, 50)):
        rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        small = min(height, width) < 50
        if name == f"{PUBLISHED}watermark_damage" and small:
            continue
        if name == f"{PUBLISHED}block_exchange" and small:
            continue
        for intensity in (0.0, 0.23, 1.0):
            out = made(name.removeprefix(PUBLISHED), rgb, intensity)
            assert (out.shape, out.dtype) == (rgb.shape, np.uint8)
