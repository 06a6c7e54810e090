"""Promises of the acquisition operators beyond those that every operator makes."""

from __future__ import annotations

import colorsys
import math

import pytest
import torch

from degrade import ops
from degrade.kernels import convolve, soft_blur, soft_field, soft_grid, to_linear
from degrade.schema import Applied, Param


def with_params(record: Applied, **values: float) -> Applied:
    """The record with some parameters replaced."""
    params = [
        Param(name=p.name, value=values.get(p.name, p.value), unit=p.unit) for p in record.params
    ]
    return record.model_copy(update={"params": tuple(params)})


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, 135.0])
def test_motion_blur_draws_a_line_of_that_length_and_angle(angle: float) -> None:
    x = torch.zeros(1, 3, 101, 101)
    x[..., 50, 50] = 1.0
    op = ops.get("motion_blur")
    record = with_params(op.sample(1.0, "line", 101), length=30.0, angle=angle)
    light = to_linear(op.apply(x, [record]))[0, 0]
    offset = torch.arange(-50.0, 51.0)
    right, up = offset[None, :], -offset[:, None]
    turn = math.radians(angle)
    along = right * math.cos(turn) + up * math.sin(turn)
    across = up * math.cos(turn) - right * math.sin(turn)
    total = float(light.sum())
    assert total == pytest.approx(1.0, abs=0.02)
    # An even line of length L has a standard deviation of L / sqrt(12), about its own middle.
    assert float((light * along).sum()) / total == pytest.approx(0.0, abs=0.05)
    assert float((light * along.square()).sum() / total) ** 0.5 == pytest.approx(
        30 / 12**0.5, rel=0.05
    )
    assert float((light * across.square()).sum() / total) ** 0.5 < 0.7


@pytest.mark.parametrize("intensity", [0.25, 0.7])
def test_hsv_saturation_keeps_hue_and_value(photos: torch.Tensor, intensity: float) -> None:
    y, _ = ops.get("hsv_saturation")(photos[:1], [intensity], ["hue"])
    before, after = (t[0, :, ::16, ::16].reshape(3, -1).T.tolist() for t in (photos, y))
    for a, b in zip(before, after, strict=True):
        (h0, s0, v0), (h1, s1, v1) = colorsys.rgb_to_hsv(*a), colorsys.rgb_to_hsv(*b)
        assert v1 == pytest.approx(v0, abs=1e-6)
        assert s1 == pytest.approx(s0 * (1.0 - intensity), abs=1e-5)
        if s0 > 0.05 and v0 > 0.05:
            assert abs((h1 - h0 + 0.5) % 1.0 - 0.5) < 1e-3


def test_lens_flare_adds_light_and_most_at_the_source() -> None:
    x = torch.full((1, 3, 120, 160), 0.2)
    op = ops.get("lens_flare")
    record = with_params(op.sample(0.4, "sun", 120), across=0.25, down=0.4)
    added = (op.apply(x, [record]) - x)[0].mean(0)
    assert float(added.min()) > 0.0
    row, column = divmod(int(added.argmax()), 160)
    assert abs(row - 48) <= 4
    assert abs(column - 40) <= 4


def test_dirty_lens_leaves_clean_glass_clean(photos: torch.Tensor) -> None:
    y, _ = ops.get("dirty_lens")(photos, [0.3] * 3, ["a", "b", "c"])
    untouched = ((y - photos).abs() < 2.5 / 255).all(1).float().mean((-2, -1))
    assert float(untouched.min()) > 0.1, "dirt in places, not a darkening of everything"
    assert float((y.mean() / photos.mean() - 1.0).abs()) < 0.1


def test_convolution_is_the_sum_over_the_psf() -> None:
    generator = torch.Generator().manual_seed(0)
    x, psf = (torch.rand(s, generator=generator) for s in ((2, 3, 20, 31), (2, 1, 7, 7)))
    padded = torch.nn.functional.pad(x, (3, 3, 3, 3), mode="reflect")
    slow = torch.zeros_like(x)
    for dy in range(7):
        for dx in range(7):
            weight = psf[:, :, 6 - dy, 6 - dx][..., None, None]
            slow += weight * padded[..., dy : dy + 20, dx : dx + 31]
    assert torch.allclose(convolve(x, psf), slow, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (50, 81), (300, 200)])
def test_soft_fields_are_where_they_should_be(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    u, v = soft_grid(x, 1 / 20)
    ramp = soft_field((u + 2.0 * v)[None, None], x, 1 / 20)[0, 0]
    side = min(size)
    rows = (torch.arange(size[0]) + 0.5 - size[0] / 2) / side
    columns = (torch.arange(size[1]) + 0.5 - size[1] / 2) / side
    assert torch.allclose(ramp, columns[None, :] + 2.0 * rows[:, None], atol=1e-3)
    flat = torch.full_like(x, 0.3)
    assert torch.allclose(soft_blur(flat, 0.1), flat, atol=1e-5)
