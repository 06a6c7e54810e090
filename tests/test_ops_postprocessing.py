"""Promises of post-processing operators beyond those of every operator."""

from __future__ import annotations

import pytest
import torch

from degrade import ops
from tests.conftest import load_photo

PHOTOS = ["astronaut", "boats", "cat", "coffee", "house", "rocket"]


@pytest.mark.parametrize("photo", PHOTOS)
def test_sharpening_keeps_brightness_and_colour(photo: str) -> None:
    x = load_photo(photo, 224)[None]
    for intensity in (0.2, 0.5, 1.0):
        y, _ = ops.get("sharpness_change")(x, [intensity], ["a"])
        assert abs(float((y - x).mean())) < 6 / 255, "what clipping does; published: 39"
        inside = ((y > 0) & (y < 1)).all(dim=1, keepdim=True)
        change = (y - x) * inside
        assert float((change[:, 0] - change[:, 2]).abs().max()) < 1e-5, "the detail is grey"


def _painted(op: str, intensity: float, side: int = 192) -> torch.Tensor:
    x = torch.full((3, 3, side, side + 40), 0.37)
    y, _ = ops.get(op)(x, [intensity] * 3, ["a", "b", "c"])
    return ((y - x).abs() > 0.02).any(dim=1)


def test_graffiti_grows_stroke_by_stroke() -> None:
    before = _painted("graffiti", 0.1)
    for intensity in (0.2, 0.4, 0.7, 1.0):
        now = _painted("graffiti", intensity)
        assert float((before & ~now).float().mean()) < 1e-3, "what is painted stays painted"
        before = now
    assert 0.10 < float(before.float().mean()) < 0.30
    assert not torch.equal(before[0], before[1])


def test_a_removed_watermark_touches_half_of_the_picture_and_keeps_flat_areas() -> None:
    op = ops.get("watermark_damage")
    x = load_photo("coffee", 224)[None].expand(3, -1, -1, -1)
    before = torch.zeros_like(x[:, 0], dtype=torch.bool)
    for intensity in (0.2, 0.5, 1.0):
        y, records = op(x, [intensity] * 3, ["a", "b", "c"])
        now = (y != x).any(dim=1)
        assert float((before & ~now).float().mean()) < 1e-3, "what is painted over stays so"
        before = now
    assert 0.35 < float(before.float().mean()) < 0.75
    flat = torch.full_like(x, 0.5)
    tint = max(p.value for r in records for p in r.params if p.name == "ghost")
    assert float((op.apply(flat, records) - flat).abs().max()) <= tint + 1e-4
