"""Promises of post-processing operators beyond those of every operator."""

from __future__ import annotations

import pytest

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
