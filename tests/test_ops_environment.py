"""Promises of environment operators beyond those of every operator."""

from __future__ import annotations

import pytest
import torch

from degrade import ops
from degrade.kernels import luma
from tests.conftest import load_photo


@pytest.mark.parametrize("photo", ["astronaut", "boats", "cat", "coffee", "house", "rocket"])
def test_colour_diffusion_leaves_luma_alone(photo: str) -> None:
    x = load_photo(photo, 224)[None]
    for intensity in (0.1, 0.5, 1.0):
        y, _ = ops.get("color_diffusion")(x, [intensity], ["a"])
        assert float((luma(y) - luma(x)).abs().max()) < 0.5 / 255
        assert float((y - x).abs().max()) > 1 / 255


def test_turbulence_moves_points_both_ways_as_fried_says() -> None:
    side = 256
    ramp = torch.linspace(0.2, 0.8, side).expand(1, 3, side, side).contiguous()
    op = ops.get("atmospheric_turbulence")
    y, (record,) = op(ramp, [0.6], ["a"])
    moved = ((y - ramp)[0, 0, 16:-16, 16:-16]) * (side - 1) / 0.6  # px to the right
    ratio = next(p.value for p in record.params if p.name == "d_over_r0")
    expected = 0.427 * ratio ** (5 / 6) * 0.006 * side
    assert float(moved.square().mean().sqrt()) == pytest.approx(expected, rel=0.35)
    assert abs(float(moved.mean())) < 0.35 * expected
