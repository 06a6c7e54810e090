"""Promises of optics and geometry beyond those of every operator."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from degrade import ops
from degrade.kernels import centres, to_linear, to_srgb
from degrade.ops.geometric_edit import KINDS
from degrade.schema import Applied
from tests.conftest import load_photo


def record(name: str, side: int, key: str = "k", **given: float | str) -> Applied:
    return ops.get(name).sample(1.0, key, side, given=given)


def done(x: torch.Tensor, name: str, key: str = "k", **given: float | str) -> torch.Tensor:
    return ops.get(name).apply(x, [record(name, min(x.shape[-2:]), key, **given)] * len(x))


def source(x: torch.Tensor, applied: Applied, points: torch.Tensor | None = None) -> torch.Tensor:
    """Where the operator says that points, all pixels if none, come from: (N, 2)."""
    op = ops.get(applied.operator)
    assert op.comes_from is not None
    at = centres(x) if points is None else points[None]
    return op.comes_from(x, at, **op.values([applied]))[0]


def point(height: int, width: int, row: int, column: int) -> torch.Tensor:
    x = torch.zeros(1, 3, height, width)
    x[..., row, column] = 1.0
    return x


def moments(light: torch.Tensor) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Total, centroid (2,) and covariance (2, 2) of an (H, W) distribution of light, x first."""
    where = centres(light[None, None])[0]
    weight = light.flatten() / light.sum()
    middle = (weight[:, None] * where).sum(0)
    away = where - middle
    return float(light.sum()), middle, (weight[:, None] * away).T @ away


# --------------------------------------------------------------------------------- edits


def test_turns_flips_and_shifts_are_those_of_the_array() -> None:
    x = load_photo("coffee", 96)[None, :, :, :96].contiguous()
    quarter = done(x, "geometric_edit", kind="rotate", angle=90.0, direction=10.0)
    assert torch.allclose(quarter, x.rot90(1, (-2, -1)), atol=1e-3)
    back = done(x, "geometric_edit", kind="rotate", angle=90.0, direction=190.0)
    assert torch.allclose(back, x.rot90(-1, (-2, -1)), atol=1e-3)
    wide = load_photo("coffee", 96)[None]
    assert torch.allclose(
        done(wide, "geometric_edit", kind="flip_horizontal"), wide.flip(-1), atol=1e-3
    )
    assert torch.allclose(
        done(wide, "geometric_edit", kind="flip_vertical"), wide.flip(-2), atol=1e-3
    )
    up = done(wide, "geometric_edit", kind="translate", shift=8.0, direction=90.0)
    assert torch.allclose(up[..., :-8, :], wide[..., 8:, :], atol=1e-3)
    assert torch.allclose(up[..., -8:, :], wide[..., -8:, :].flip(-2), atol=1e-3), "mirrored"


def test_shear_and_perspective_have_the_strength_they_say() -> None:
    x = torch.zeros(1, 3, 100, 160)
    shear = record("geometric_edit", 100, kind="shear", shear=0.25, direction=0.0)
    rows = torch.tensor([[80.0, 10.0], [80.0, 50.0], [80.0, 90.0]])
    lean = (source(x, shear, rows) - rows)[:, 0]
    assert lean.tolist() == pytest.approx([10.0, 0.0, -10.0], abs=1e-3)
    tilt = record("geometric_edit", 100, kind="perspective", perspective=0.25, direction=0.0)
    op = ops.get("geometric_edit")
    assert op.goes_to is not None
    edges = torch.tensor([[160.0, 30.0], [160.0, 70.0], [0.0, 30.0], [0.0, 70.0]])
    right, right_low, left, left_low = op.goes_to(x, edges[None], **op.values([tilt]))[0]
    assert float(right_low[1] - right[1]) == pytest.approx(40 / 1.25, rel=1e-4)
    assert float(left_low[1] - left[1]) == pytest.approx(40 / 0.75, rel=1e-4)


def test_flips_are_only_done_when_asked_for() -> None:
    op = ops.get("geometric_edit")
    drawn = {int(op.sample(0.5, i, 64).params[0].value) for i in range(200)}
    assert {KINDS[i] for i in drawn} == {"rotate", "shear", "perspective", "translate"}


def test_an_elastic_field_has_the_rms_and_the_correlation_it_says() -> None:
    x = torch.zeros(1, 3, 120, 120)
    op = ops.get("elastic_warp")
    assert op.comes_from is not None
    given = {"rms": 3.0, "correlation": 6.0, "affine": 0.0}
    records = [record("elastic_warp", 120, f"{i}", **given) for i in range(24)]
    moved = op.comes_from(x, centres(x), **op.values(records)) - centres(x)
    field = moved.mT.reshape(-1, 120, 120)
    assert float(field.square().mean().sqrt()) == pytest.approx(3.0, rel=0.05)
    for lag in (4, 8, 12):
        product = (field[:, :, lag:] * field[:, :, :-lag]).mean() / 9.0
        assert float(product) == pytest.approx(math.exp(-((lag / 12.0) ** 2)), abs=0.08)
    still = record("elastic_warp", 120, rms=0.0, affine=9.0, correlation=6.0)
    plane = (source(x, still) - centres(x)[0]).T.view(2, 120, 120)
    assert float(plane.diff(n=2, dim=1).abs().max()) < 1e-3, "affine: no bend"
    assert 1.0 < float(plane.abs().max()) < 40.0


def test_published_elastic_noise_has_the_rms_in_the_docstring() -> None:
    noise = torch.rand(400, 400, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    smooth = gaussian_filter(noise.numpy(), 2.24, mode="wrap")
    assert float(smooth.std()) == pytest.approx(0.163 / 2.24, rel=0.05)


# ------------------------------------------------------------------------------ geometry


@pytest.mark.parametrize("kind", ["barrel", "pincushion"])
@pytest.mark.parametrize("size", [(100, 100), (90, 160), (160, 90)])
def test_a_distorted_picture_fills_its_frame(kind: str, size: tuple[int, int]) -> None:
    x = torch.zeros(1, 3, *size)
    applied = ops.get("lens_distortion").sample(1.0, "k", min(size), given={"kind": kind})
    where = source(x, applied)
    assert float(where.min()) >= -0.01
    assert bool((where <= torch.tensor([size[1], size[0]]) + 0.01).all())


def test_lines_bend_out_in_a_barrel_and_in_in_a_pincushion() -> None:
    x = torch.zeros(1, 3, 100, 100)
    op = ops.get("lens_distortion")
    line = torch.stack((torch.full((5,), 20.0), torch.linspace(10.0, 90.0, 5)), -1)
    for kind, sign in (("barrel", 1.0), ("pincushion", -1.0)):
        applied = record("lens_distortion", 100, k1=0.2, k2=0.0, kind=kind)
        ends = source(x, applied, line)[:, 0]
        # The clean line shows further left in the middle if what the middle shows is further right.
        assert sign * float(ends[2] - (ends[0] + ends[4]) / 2) > 0.5
        radius = (source(x, applied, line) - 50.0).norm(dim=1) / (line - 50.0).norm(dim=1)
        r2 = (line - 50.0).square().sum(1) / 5000.0
        assert torch.allclose(radius / radius[2], (1 + sign * 0.2 * r2) / (1 + sign * 0.2 * r2[2]))
    assert op.goes_to is None


def test_a_rolling_shutter_leans_verticals_and_keeps_rows() -> None:
    x = torch.zeros(1, 3, 101, 140)
    x[..., 60:80] = 1.0
    for pan, lean in (("right", 1.0), ("left", -1.0)):
        y = done(x, "rolling_shutter", skew=20.0, wobble=0.0, pan=pan)[0, 1]
        middle = (y * (torch.arange(140) + 0.5)).sum(1) / y.sum(1)
        assert float(middle[0] - middle[100]) == pytest.approx(lean * 20.0, abs=0.5)
        assert float(middle[50]) == pytest.approx(70.0, abs=0.05)
    photo = load_photo("cat", 64)[None]
    flat = photo.mean(-1, keepdim=True).expand_as(photo).contiguous()
    assert torch.allclose(done(flat, "rolling_shutter", wobble=5.0), flat, atol=1e-4)


def test_wobble_is_a_sine_of_the_readout() -> None:
    x = torch.zeros(1, 3, 200, 60)
    applied = record("rolling_shutter", 60, skew=0.0, wobble=4.0, cycles=3.0, phase=90.0)
    rows = torch.stack((torch.full((200,), 30.0), torch.arange(200) + 0.5), -1)
    shift = (source(x, applied, rows) - rows)[:, 0]
    expected = 4.0 * torch.cos(2.0 * math.pi * 3.0 * (torch.arange(200) + 0.5) / 200)
    assert torch.allclose(shift, expected, atol=1e-4)


# -------------------------------------------------------------------------------- lenses


def test_chromatic_aberration_scales_red_and_blue_and_leaves_green() -> None:
    x = point(121, 161, 20, 140)
    given = {"red": 0.04, "blue": 0.03, "across": 0.5, "down": 0.5}
    for kind, sign in (("red_larger", 1.0), ("blue_larger", -1.0)):
        y = done(x, "chromatic_aberration", kind=kind, **given)
        axis = torch.tensor([80.5, 60.5])
        offset = torch.tensor([140.5, 20.5]) - axis
        for channel, scale in ((0, 1.0 + sign * 0.04), (2, 1.0 - sign * 0.03)):
            _, middle, _ = moments(to_linear(y)[0, channel])
            assert torch.allclose(middle, axis + offset * scale, atol=0.15)
        assert torch.allclose(y[:, 1], x[:, 1], atol=1e-5)


def test_vignetting_is_cos_4_with_the_corner_as_said() -> None:
    x = to_srgb(torch.full((1, 3, 120, 200), 0.5))
    light = to_linear(done(x, "vignetting", corner=2.0, across=0.5, down=0.5))[0, 0] / 0.5
    assert float(light[59:61, 99:101].mean()) == pytest.approx(1.0, abs=0.01)
    half = math.hypot(60, 100)  # there cos^4 is 2^-2, so that the tangent is 1
    for row, column in ((0, 0), (119, 199), (60, 10), (20, 100)):
        r = math.hypot(row + 0.5 - 60, column + 0.5 - 100) / half
        assert float(light[row, column]) == pytest.approx(math.cos(math.atan(r)) ** 4, rel=0.01)
    assert float(light[0, 0]) == pytest.approx(0.25, rel=0.03)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.5])
def test_gaussian_blur_spreads_a_point_by_its_sigma(sigma: float) -> None:
    light = to_linear(done(point(61, 61, 30, 30), "gaussian_blur", sigma=sigma))[0, 0]
    total, middle, covariance = moments(light)
    assert total == pytest.approx(1.0, abs=0.01)
    assert torch.allclose(middle, torch.full((2,), 30.5), atol=0.02)
    assert float(covariance[0, 0]) == pytest.approx(sigma**2, rel=0.05)
    assert float(covariance[1, 1]) == pytest.approx(sigma**2, rel=0.05)


def test_shake_draws_one_crooked_path_that_keeps_light_and_place() -> None:
    x = point(161, 161, 80, 80)
    shapes = []
    for key in ("a", "b", "c"):
        light = to_linear(done(x, "camera_shake", key, extent=40.0))[0, 0]
        total, middle, covariance = moments(light)
        assert total == pytest.approx(1.0, abs=0.01)
        assert torch.allclose(middle, torch.full((2,), 80.5), atol=0.1)
        away = (centres(x)[0] - 80.5).norm(dim=1).view(161, 161)
        reach = float(away[light > 1e-5].max())
        assert 19.0 <= reach <= 21.5
        # A path, not a spot: most of the disc stays dark.
        assert float((light > 1e-5).float().sum()) < 0.4 * math.pi * 20.0**2
        shapes.append(covariance)
    assert not torch.allclose(shapes[0], shapes[1], rtol=0.1)


def test_two_frames_shake_differently() -> None:
    op = ops.get("camera_shake")
    first = record("camera_shake", 64, extent=20.0)
    seed = first.seeds[0]
    other = first.model_copy(
        update={"seeds": (seed.model_copy(update={"value": (seed.value + 1) % 2**32}),)}
    )
    x = point(64, 64, 32, 32)
    assert float((op.apply(x, [first]) - op.apply(x, [other])).abs().max()) > 0.05


def test_zoom_draws_streaks_that_point_to_its_axis() -> None:
    given = {"zoom": 1.2, "across": 0.5, "down": 0.5}
    x = point(161, 161, 80, 130)  # 50 px to the right of the axis
    light = to_linear(done(x, "zoom_blur", **given))[0, 0]
    row, column = (light > 0.02 * light.max()).nonzero().unbind(1)
    assert int((row - 80).abs().max()) <= 2
    assert int(column.min()) - 80 == pytest.approx(50, abs=2)
    assert int(column.max()) - 80 == pytest.approx(60, abs=2)
    on_axis = to_linear(done(point(161, 161, 80, 80), "zoom_blur", **given))[0, 0]
    assert float(on_axis[80, 80]) > 0.9


@pytest.mark.parametrize("passes", [1, 2])
def test_frosted_glass_reaches_as_far_as_its_panes(passes: int) -> None:
    x = torch.zeros(1, 3, 96, 120)
    x[..., 60:] = 1.0
    y = done(x, "glass_blur", delta=4.0, sigma=0.0, passes=passes)
    changed = (y - x).abs().amax((0, 1, 2)) > 0.02
    first, last = int(changed.nonzero().min()), int(changed.nonzero().max())
    reach = 4 * passes
    assert 60 - reach - 1 <= first < 60 - 4 * (passes - 1) <= 60
    assert 60 + 4 * (passes - 1) <= last <= 60 + reach
    rough = (y[0, 1] > 0.5).float().sum(1)
    assert float(rough.std()) > 0.5, "every row is displaced by itself"


def test_moire_has_the_period_and_direction_it_says_and_keeps_the_mean() -> None:
    x = to_srgb(torch.full((1, 3, 240, 240), 0.3))
    for direction in (0.0, 60.0):
        given = {"contrast": 0.4, "period": 15.0, "direction": direction}
        light = to_linear(done(x, "moire", **given))[0]
        assert torch.allclose(light.mean((-2, -1)), torch.full((3,), 0.3), rtol=0.05)
        window = torch.hann_window(240)[:, None] * torch.hann_window(240)
        power = torch.fft.fft2((light[0] - light[0].mean()) * window).abs()
        power[60:180] = 0.0  # what is finer than the fringes is the mosaic
        power[:, 60:180] = 0.0
        row, column = divmod(int(power.argmax()), 240)
        fy, fx = ((n + 120) % 240 - 120 for n in (row, column))
        assert math.hypot(fx, fy) == pytest.approx(240 / 15, abs=2.5)
        angle = math.degrees(math.atan2(-fy, fx)) % 180.0
        assert min(abs(angle - direction), 180.0 - abs(angle - direction)) < 12.0
        spread = (light.amax(0) - light.amin(0)).mean()
        assert float(spread) > 0.05, "fringes have colours"


# ----------------------------------------------------------------------------- published


PUBLISHED = [  # ImageNet-C at 224 px, the mildest and the strongest
    ("gaussian_blur", {"sigma": 1.0}),
    ("gaussian_blur", {"sigma": 6.0}),
    ("glass_blur", {"sigma": 0.7, "delta": 1.0, "passes": 2}),
    ("glass_blur", {"sigma": 1.5, "delta": 4.0, "passes": 2}),
    ("glass_blur", {"sigma": 1.0, "delta": 2.0, "passes": 3}),
    ("zoom_blur", {"zoom": 1.11}),
    ("zoom_blur", {"zoom": 1.33}),
    ("elastic_warp", {"rms": 0.163 * 488 / 170.8, "correlation": 170.8, "affine": 24.4}),
    ("elastic_warp", {"rms": 0.163 * 29.28 / 2.44, "correlation": 2.44, "affine": 4.88}),
]


@pytest.mark.parametrize(("name", "given"), PUBLISHED)
def test_published_values_are_taken_as_they_are(name: str, given: dict[str, float]) -> None:
    x = load_photo("coffee", 224)[None]
    applied = ops.get(name).sample(None, "published", 224, given=given)
    told = {p.name: p.value for p in applied.params}
    assert {k: told[k] for k in given} == given
    assert 0.0 < applied.intensity <= 1.0
    y = ops.get(name).apply(x, [applied])
    assert bool(torch.isfinite(y).all())
    assert float((y - x).abs().mean()) > 0.002
