"""Promises of weather, shade and occlusion beyond those of every operator."""

from __future__ import annotations

import math

import pytest
import torch

from degrade import ops
from degrade.kernels import gaussian_blur, to_linear
from degrade.kernels.weather import pseudo_depth, skylight
from degrade.registry import Given


def flat(value: float, height: int = 256, width: int = 320) -> torch.Tensor:
    return torch.full((1, 3, height, width), value)


def made(
    name: str, x: torch.Tensor, intensity: float | None, given: Given | None = None, key: str = "k"
) -> tuple[torch.Tensor, dict[str, float]]:
    """The degraded picture and the values of its record."""
    op = ops.get(name)
    record = op.sample(intensity, key, min(x.shape[-2:]), given)
    values = {p.name: p.value for p in record.params} | {s.name: s.value for s in record.seeds}
    return op.apply(x, [record]), values


@pytest.mark.parametrize("visibility", [1000.0, 200.0, 60.0])
def test_fog_lets_through_what_koschmieder_says(visibility: float) -> None:
    given = {"visibility": visibility, "depth": 100.0}
    dark, value = made("fog", flat(0.2), None, given)
    bright, _ = made("fog", flat(0.6), None, given)
    through = (to_linear(bright) - to_linear(dark)) / (to_linear(flat(0.6)) - to_linear(flat(0.2)))
    seed, horizon = torch.tensor([int(value["seed"])]), torch.tensor([value["horizon"]])
    metres = pseudo_depth(dark, horizon, seed) * 100.0
    expected = torch.exp(-2.996 * metres / visibility).expand_as(through)
    assert torch.allclose(through, expected, atol=2e-4)
    assert float(metres[..., :40, :].mean()) == pytest.approx(100.0, rel=0.1), "far above ground"
    assert float(metres[..., -5:, :].mean()) < 40.0, "near at the lower edge"


def test_nothing_but_airlight_is_left_where_one_sees_a_metre_far() -> None:
    y, value = made("fog", flat(0.0), None, {"visibility": 1.0, "coolness": 0.0})
    assert torch.allclose(to_linear(y), torch.tensor(value["airlight"]), atol=1e-3)


@pytest.mark.parametrize("factor", [0.4, 0.05])
def test_contrast_is_lost_about_the_mean(photos: torch.Tensor, factor: float) -> None:
    x = photos[:1]
    y, _ = made("contrast_loss", x, None, {"factor": factor})
    assert torch.allclose(y.mean((-2, -1)), x.mean((-2, -1)), atol=1e-5)
    assert torch.allclose(y.std((-2, -1)), factor * x.std((-2, -1)), rtol=1e-3)


def clear(name: str, intensity: float, **given: float) -> torch.Tensor:
    """Streaks or flakes alone on black, in shares of the light of the sky: no air behind them."""
    x = flat(0.0)
    y, _ = made(name, x, intensity, {"depth": 0.0, **given})
    return to_linear(y)[:, :1] / skylight(x)[:, :1]


@pytest.mark.parametrize("name", ["rain", "snow"])
def test_streaks_and_flakes_come_one_after_another(name: str) -> None:
    before = clear(name, 0.1)
    assert float(before.mean()) > 0.0
    for intensity in (0.3, 0.6, 1.0):
        now = clear(name, intensity)
        assert float((now - before).min()) > -1e-5, "what is there stays"
        assert float(now.mean()) > float(before.mean())
        before = now


def test_the_number_of_drops_is_that_of_marshall_and_palmer() -> None:
    # Drops above 1 mm: 8000 exp(-L) / L per cubic metre with L = 4.1 R^-0.21.
    def count(rate: float) -> float:
        slope = 4.1 * rate**-0.21
        return float(math.exp(-slope) / slope)

    shade = [-torch.log1p(-clear("rain", 0.5, rate=r)).mean() for r in (25.0, 50.0, 100.0)]
    assert float(shade[0] / shade[2]) == pytest.approx(count(25.0) / count(100.0), rel=0.15)
    assert float(shade[1] / shade[2]) == pytest.approx(count(50.0) / count(100.0), rel=0.15)


@pytest.mark.parametrize("slant", [-15.0, 0.0, 12.0])
def test_streaks_lean_by_the_slant(slant: float) -> None:
    y = gaussian_blur(clear("rain", 1.0, slant=slant), torch.tensor([1.5]))[0, 0]
    across, down = y[1:-1, 2:] - y[1:-1, :-2], y[2:, 1:-1] - y[:-2, 1:-1]
    # The direction along which the picture changes least, by the structure tensor.
    xx, yy, xy = (float((a * b).sum()) for a, b in ((across, across), (down, down), (across, down)))
    angle = 0.5 * math.degrees(math.atan2(-2.0 * xy, xx - yy))
    assert angle == pytest.approx(slant, abs=2.5)


def test_longer_exposures_make_longer_streaks() -> None:
    def rough(exposure: float) -> float:
        y = clear("rain", 1.0, slant=0.0, exposure=exposure)
        return float(y.diff(dim=-2).square().sum() / y.diff(dim=-1).square().sum())

    assert rough(24.0) < 0.6 * rough(10.0)


@pytest.mark.parametrize("coverage", [0.05, 0.14])
def test_flakes_cover_what_the_record_says(coverage: float) -> None:
    seen = [
        (to_linear(made("snow", flat(0.0), 0.5, {"depth": 0.0, "coverage": coverage}, k)[0]) > 0.03)
        for k in "abcd"
    ]
    assert float(torch.cat(seen).float().mean()) == pytest.approx(coverage, rel=0.25)


def ice(coverage: float) -> torch.Tensor:
    y, _ = made("frost", flat(0.0), None, {"coverage": coverage})
    return (y > 0.005).any(dim=1)[0]


def test_ice_grows_from_the_frame_over_the_recorded_area() -> None:
    before = ice(0.1)
    for coverage in (0.3, 0.5, 0.8):
        now = ice(coverage)
        assert float(now.float().mean()) == pytest.approx(coverage, abs=0.02)
        assert float((before & ~now).float().mean()) < 1e-4, "ice stays"
        before = now
    middle = ice(0.5)[64:-64, 80:-80].float().mean()
    assert float(middle) < 0.3, "the frame freezes first"


@pytest.mark.parametrize("coverage", [0.1, 0.3, 0.4])
def test_mud_covers_what_the_record_says_and_stays(coverage: float) -> None:
    def covered(share: float, key: str) -> torch.Tensor:
        y, _ = made("spatter", flat(1.0), None, {"coverage": share, "kind": "mud"}, key)
        return y[:, 2] < 0.9

    now = torch.cat([covered(coverage, k) for k in "abcdef"])
    assert float(now.float().mean()) == pytest.approx(coverage, rel=0.25)
    less = torch.cat([covered(0.5 * coverage, k) for k in "abcdef"])
    assert float((less & ~now).float().mean()) < 1e-3


def test_a_drop_of_water_shows_the_scene_upside_down() -> None:
    x = torch.linspace(0.2, 0.8, 256)[None, None, :, None].expand(1, 3, 256, 320).contiguous()
    drops: Given = {"kind": "water", "coverage": 0.3}
    # The difference of a scene and its mirror image is free of glints and rims.
    pair = [to_linear(made("spatter", z, None, drops)[0]) for z in (x, x.flip(2))]
    rising = (pair[0] - pair[1])[0, 0].diff(dim=0)
    assert 0.1 < float((rising < 0.0).float().mean()) < 0.3, "in the drops, and nowhere else"


@pytest.mark.parametrize("kind", ["object", "foliage"])
def test_a_shadow_takes_a_share_of_the_light(kind: str) -> None:
    given: Given = {"kind": kind, "attenuation": 0.7}
    bright, dark = flat(0.9), flat(0.4)
    left, same = (
        to_linear(made("shadow", x, None, given)[0]) / to_linear(x) for x in (bright, dark)
    )
    assert torch.allclose(left, same, atol=1e-3), "it multiplies light, whatever is there"
    green = left[:, 1]
    assert float(green.min()) == pytest.approx(0.3, abs=0.02)
    assert float(green.max()) == pytest.approx(1.0, abs=0.02)
    umbra = left[..., green[0] < 0.32]
    assert float(umbra[:, 2].mean()) > float(umbra[:, 0].mean()), "skylight is bluish"


@pytest.mark.parametrize("kind", ["object", "foliage"])
def test_softness_is_the_width_of_the_penumbra(kind: str) -> None:
    def steep(softness: float) -> float:
        given: Given = {"kind": kind, "attenuation": 0.7, "softness": softness}
        y, _ = made("shadow", flat(0.5), None, given)
        return float(y.diff(dim=-1).square().mean())

    assert steep(7.0) < 0.7 * steep(2.0)


@pytest.mark.parametrize("angle", [0.0, 90.0, 200.0])
def test_light_falls_off_by_the_recorded_range(angle: float) -> None:
    x = flat(0.4)
    y, _ = made("uneven_illumination", x, None, {"ev_range": 2.0, "kind": "linear", "angle": angle})
    ev = torch.log2(to_linear(y) / to_linear(x))[0, 0]
    assert float(ev.max() - ev.min()) == pytest.approx(2.0, abs=0.02)
    rows, columns = torch.gradient(ev)
    turn = math.atan2(float(rows.mean()), -float(columns.mean()))
    assert math.cos(turn - math.radians(angle)) > 0.999, "it darkens towards the angle"


def test_a_spot_is_where_the_record_says() -> None:
    given: Given = {"ev_range": 2.0, "kind": "spot", "across": 0.25, "down": 0.75}
    y, _ = made("uneven_illumination", flat(0.4), None, given)
    row, column = divmod(int(y[0, 0].argmax()), 320)
    assert abs(row - 192) <= 3
    assert abs(column - 80) <= 3


@pytest.mark.parametrize("kind", ["center", "random", "grid"])
def test_objects_cover_the_recorded_area_and_grow_in_place(kind: str) -> None:
    def covered(area: float) -> torch.Tensor:
        y, _ = made(
            "occlusion", flat(0.95, 512, 640), None, {"area": area, "kind": kind, "fill": "flat"}
        )
        return (y < 0.93).any(dim=1)[0]

    before = covered(0.05)
    for area in (0.1, 0.3, 0.6):
        now = covered(area)
        assert float(now.float().mean()) == pytest.approx(area, abs=0.02)
        assert float((before & ~now).float().mean()) < 1e-4
        before = now
    if kind == "center":
        assert torch.equal(before, before.flip(0).flip(1))


def test_what_is_not_behind_an_object_is_untouched(photos: torch.Tensor) -> None:
    for fill in ("flat", "noise", "blurred"):
        y, _ = made("occlusion", photos[:1], None, {"area": 0.3, "fill": fill})
        same = ((y - photos[:1]).abs() < 1e-6).all(dim=1).float().mean()
        assert 0.6 < float(same) < 0.75
