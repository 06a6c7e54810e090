"""Promises of the operators of light, tone, color and filtering beyond those of every operator."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from degrade import ops
from degrade.kernels import luma, to_linear
from degrade.kernels.kinds import by_kind
from degrade.kernels.whites import planckian
from tests.conftest import load_photo
from tests.test_ops_sensor import flat, given


def pixels(x: torch.Tensor) -> np.ndarray:
    return np.round(x[0].permute(1, 2, 0).numpy() * 255.0).astype(np.uint8)


def eight_bit(x: torch.Tensor) -> torch.Tensor:
    return (x * 255.0).round() / 255.0


@pytest.mark.parametrize(("direction", "sign"), [("over", 1.0), ("under", -1.0)])
def test_exposure_is_a_factor_in_linear_light(
    direction: str, sign: float, photos: torch.Tensor
) -> None:
    y = given("exposure_error", photos, ev=1.5, direction=direction)
    wanted = (to_linear(photos) * 2.0 ** (sign * 1.5)).clamp(max=1.0)
    assert torch.allclose(to_linear(y), wanted, atol=1e-4)


def test_an_offset_moves_the_mean_and_nothing_else() -> None:
    x = flat(0.4)
    for direction, level in (("brighter", 0.55), ("darker", 0.25)):
        y = given("brightness_shift", x, delta=0.15, direction=direction, kind="offset")
        assert torch.allclose(y, flat(level), atol=1e-6)


@pytest.mark.parametrize(("direction", "step"), [("brighter", 0.3), ("darker", -0.2)])
def test_value_is_that_of_hsv(direction: str, step: float, photos: torch.Tensor) -> None:
    y = given("brightness_shift", photos[:1], delta=abs(step), direction=direction, kind="value")
    before, after = (t[0, :, ::16, ::16].reshape(3, -1).T.tolist() for t in (photos[:1], y))
    for a, b in zip(before, after, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*a)
        assert b == pytest.approx(colorsys.hsv_to_rgb(h, s, min(1.0, max(0.0, v + step))), abs=1e-4)


def test_black_has_no_hue_and_turns_grey() -> None:
    y = given("brightness_shift", flat(0.0, 8), delta=0.5, direction="brighter", kind="value")
    assert torch.allclose(y, flat(0.5, 8))


@pytest.mark.parametrize("kind", ["contrast", "bright", "dark"])
def test_tone_curves_keep_black_and_white_and_order(kind: str) -> None:
    x = torch.linspace(0.0, 1.0, 256).reshape(1, 1, 1, -1).expand(1, 3, 4, 256)
    for intensity in (0.05, 1.0):
        op = ops.get("tone_curve")
        y = op.apply(x, [op.sample(intensity, "k", 4, given={"kind": kind})])[0, 0, 0]
        assert float(y[0]) == pytest.approx(0.0, abs=1e-3)
        assert float(y[-1]) == pytest.approx(1.0, abs=1e-3)
        assert bool((y.diff() >= 0.0).all())


def test_gamma_is_a_power_of_two_stops() -> None:
    y = given("tone_curve", flat(0.25, 8), stops=1.0, kind="bright")
    assert torch.allclose(y, flat(0.5, 8), atol=1e-4)
    y = given("tone_curve", flat(0.5, 8), stops=2.0, kind="dark")
    assert torch.allclose(y, flat(0.5**4, 8), atol=1e-4)


@pytest.mark.parametrize("levels", [2, 7, 20])
def test_so_many_levels_are_left(levels: int, photos: torch.Tensor) -> None:
    y = given("quantization", photos, levels=levels)
    assert len(y.unique()) <= levels
    assert float((y - photos).abs().max()) <= 0.5 / (levels - 1) + 1e-6
    ramp = torch.linspace(0.0, 1.0, 999).reshape(1, 1, 1, -1).expand(1, 3, 2, 999)
    even = torch.linspace(0.0, 1.0, levels)
    assert torch.allclose(given("quantization", ramp, levels=levels).unique(), even, atol=1e-6)


@pytest.mark.parametrize(("factor", "offset"), [(2.0, 0.0), (5.0, 0.1), (20.0, 0.2)])
def test_saturation_of_imagenet_c_is_reached(
    factor: float, offset: float, photos: torch.Tensor
) -> None:
    y = given("over_saturation", photos[:1], factor=factor, offset=offset, kind="hsv")
    before, after = (t[0, :, ::16, ::16].reshape(3, -1).T.tolist() for t in (photos[:1], y))
    for a, b in zip(before, after, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*a)
        more = min(1.0, s * factor + offset) if s > 0.0 else 0.0  # grey has no hue
        assert b == pytest.approx(colorsys.hsv_to_rgb(h, more, v), abs=1e-3)


def test_chroma_grows_at_constant_luma() -> None:
    x = torch.tensor([0.5, 0.45, 0.4]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8)
    y = given("over_saturation", x, factor=3.0, kind="chroma")
    assert torch.allclose(luma(y), luma(x), atol=1e-5)
    assert torch.allclose(y - luma(y), 3.0 * (x - luma(x)), atol=1e-5)


def test_the_black_body_is_where_it_should_be() -> None:
    # CIE standard illuminant A: a black body of 2856 K with x = 0.44757, y = 0.40745.
    u, v = (float(t) for t in planckian(torch.tensor(1e6 / 2856.0)))
    assert (u, v) == pytest.approx((0.25597, 0.34953), abs=3e-4)


def test_white_balance_errors_are_warm_or_cool_and_keep_luminance() -> None:
    x = flat(0.4, 8)
    weights = torch.tensor([0.2126, 0.7152, 0.0722]).reshape(1, 3, 1, 1)
    for direction in ("warm", "cool"):
        y = to_linear(given("white_balance_error", x, shift=100, tint=0.0, direction=direction))
        red, green, blue = y[0, :, 0, 0].tolist()
        assert (red > green > blue) == (direction == "warm")
        assert (blue > green > red) == (direction == "cool")
        assert float((y * weights).sum(1).mean()) == pytest.approx(
            float(to_linear(x).mean()), rel=1e-3
        )


def test_a_white_balance_error_is_undone_by_its_opposite(photos: torch.Tensor) -> None:
    x = 0.3 + 0.2 * photos[:1]  # no color leaves the gamut
    there = given("white_balance_error", x, shift=60, tint=0.0, direction="warm")
    back = given("white_balance_error", there, shift=60, tint=0.0, direction="cool")
    assert float((there - x).abs().max()) > 0.03
    ratio = to_linear(back) / to_linear(x)
    assert torch.allclose(ratio, ratio.mean().expand_as(ratio), atol=0.01)


def test_tint_is_green_or_pink() -> None:
    for lean, greener in ((1.0, True), (-1.0, False)):
        y = given("white_balance_error", flat(0.5, 8), shift=0, tint=0.02, lean=lean)
        red, green, blue = y[0, :, 0, 0].tolist()
        assert (green > max(red, blue)) if greener else (green < min(red, blue))


def test_one_channel_is_shifted_to_where_it_should_be() -> None:
    x = torch.zeros(1, 3, 41, 41)
    x[..., 20, 20] = 1.0
    for angle, place in ((0.0, (20, 25)), (90.0, (15, 20))):
        y = given("channel_error", x, kind="shift", channel="green", shift=5.0, angle=angle)
        assert torch.equal(y[0, ::2], x[0, ::2])
        assert divmod(int(y[0, 1].argmax()), 41) == place
        assert float(y[0, 1].max()) == pytest.approx(1.0, abs=1e-4)


def test_channels_are_swapped_and_lost(photos: torch.Tensor) -> None:
    swapped = given("channel_error", photos, kind="swap", channel="green", mix=1.0)
    assert torch.allclose(swapped, photos.flip(1))
    lost = given("channel_error", photos, kind="loss", channel="blue", mix=1.0)
    assert torch.equal(lost[:, :2], photos[:, :2])
    assert float(lost[:, 2].max()) == 0.0


def test_kinds_of_a_batch_do_not_mix() -> None:
    x = torch.arange(4.0).reshape(4, 1, 1, 1)
    ways = (lambda y, rows: y + 10.0, lambda y, rows: y + 100.0 * rows.reshape(-1, 1, 1, 1))
    y = by_kind(x, torch.tensor([1.0, 0.0, 1.0, 0.0]), ways)
    assert y.flatten().tolist() == [0.0, 11.0, 202.0, 13.0]


def test_hue_turns_at_constant_luma_and_comes_round() -> None:
    x = torch.tensor([0.55, 0.5, 0.42]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    y = given("color_filter", x, kind="hue", amount=1.0)
    assert torch.allclose(luma(y), luma(x), atol=1e-5)
    assert torch.allclose(y - luma(y), luma(x) - x, atol=1e-5), "half a turn is the opposite color"
    third = x
    for _ in range(3):
        third = given("color_filter", third, kind="hue", amount=0.75**0.5, side=1.0)
    assert torch.allclose(third, x, atol=1e-4)


def test_full_filters_are_those_of_editors(photos: torch.Tensor) -> None:
    x = eight_bit(photos[:1])
    picture = Image.fromarray(pixels(x))
    y = given("color_filter", x, kind="solarize", amount=1.0)
    assert np.array_equal(pixels(y), np.asarray(ImageOps.solarize(picture, 128)))
    y = given("color_filter", x, kind="invert", amount=1.0)
    assert np.array_equal(pixels(y), np.asarray(ImageOps.invert(picture)))
    y = given("color_filter", x, kind="grayscale", amount=1.0)
    grey = np.asarray(ImageOps.grayscale(picture)).astype(int)
    assert np.abs(pixels(y).astype(int) - grey[..., None]).max() <= 1


def test_equalisation_is_that_of_opencv(photos: torch.Tensor) -> None:
    x = eight_bit(photos[:1])
    y = pixels(given("equalize", x, kind="histogram", mix=1.0))
    for channel in range(3):
        wanted = cv2.equalizeHist(np.ascontiguousarray(pixels(x)[..., channel]))
        assert np.abs(y[..., channel].astype(int) - wanted).max() <= 1


def test_autocontrast_is_that_of_pillow(photos: torch.Tensor) -> None:
    pale = eight_bit(0.25 + 0.4 * photos[:1])
    y = given("equalize", pale, kind="autocontrast", mix=1.0, cutoff=0.0)
    wanted = np.asarray(ImageOps.autocontrast(Image.fromarray(pixels(pale))))
    assert np.abs(pixels(y).astype(int) - wanted).max() <= 1


def test_clahe_is_that_of_opencv() -> None:
    x = eight_bit(luma(load_photo("coffee", 512)[None, :, :512, :640])).expand(1, 3, 512, 640)
    y = given("equalize", x, kind="clahe", mix=1.0, clip_limit=4.0)
    wanted = cv2.createCLAHE(4.0, (8, 8)).apply(pixels(x)[..., 0])
    gap = np.abs(pixels(y)[..., 0].astype(int) - wanted)
    # OpenCV deals out whole pixels, we fractions of them.
    assert gap.mean() < 1.0
    assert gap.max() <= 4


def test_a_flat_picture_has_no_contrast_to_raise() -> None:
    x = flat(77.0 / 255.0, 32)
    for kind in ("histogram", "autocontrast"):
        assert torch.allclose(given("equalize", x, kind=kind, mix=1.0), x, atol=1e-6)


def test_an_edge_overshoots_by_nine_percent_and_echoes() -> None:
    x = torch.full((1, 3, 128, 256), 0.3)
    x[..., 128:] = 0.7
    y = given("ringing", x, cutoff=np.pi / 5.0)[0, 0, 64]
    assert float(y.max()) - 0.7 == pytest.approx(0.0895 * 0.4, rel=0.15)
    right = y[129:170] - 0.7
    crossings = (right[1:] * right[:-1] < 0.0).nonzero()[:, 0].float()
    assert float(crossings.diff()[1:].mean()) == pytest.approx(5.0, rel=0.1), "pi / cutoff pixels"


def test_ringing_keeps_what_is_below_the_cutoff_and_removes_what_is_above() -> None:
    column = torch.arange(256, dtype=torch.float32)
    below, above = (0.5 + 0.3 * torch.cos(f * column) for f in (0.45, 0.85))
    for wave, share in ((below, 1.0), (above, 0.0)):
        y = given("ringing", wave.expand(1, 3, 64, 256), cutoff=np.pi / 5.0)[0, 0, 32, 80:176]
        assert float((y - 0.5).abs().max()) == pytest.approx(0.3 * share, abs=0.01)


def test_a_cutoff_beyond_the_corner_of_the_spectrum_removes_nothing(photos: torch.Tensor) -> None:
    y = given("ringing", photos, cutoff=2.0 * np.pi)
    assert torch.allclose(y, photos, atol=1e-4)
