"""Near-duplicates: copies are found whatever their size and compression, other pictures are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import neardup
from degrade import images
from tests.dataset_help import picture

PHOTOS = sorted((Path(__file__).parents[1] / "examples" / "photos").glob("*.jpg"))


def photo(path: Path) -> images.Pixels:
    return images.decode(path.read_bytes(), 10**8, 512).pixels


@pytest.mark.parametrize("path", PHOTOS, ids=lambda p: p.stem)
@pytest.mark.parametrize("scale", [0.35, 1.0, 1.7])
@pytest.mark.parametrize("quality", [40, 95])
def test_a_photograph_resized_and_compressed_is_the_same(
    path: Path, scale: float, quality: int
) -> None:
    pixels = photo(path)
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    made = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    made = cv2.imdecode(
        cv2.imencode(".jpg", made, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )
    both = np.stack([neardup.fingerprint(pixels), neardup.fingerprint(made)])
    assert list(neardup.similar_pairs(both)) == [(0, 1)]


def test_other_photographs_and_pictures_with_one_object_more_are_not() -> None:
    pixels = [photo(p) for p in PHOTOS] + [picture(n, 320, 240) for n in range(4)]
    for one in [p.copy() for p in pixels]:
        h, w = one.shape[:2]
        disc = (255, 255, 255) if one[h // 2, w // 2].mean() < 128 else (0, 0, 0)
        pixels.append(cv2.circle(one.copy(), (w // 2, h // 2), h // 12, disc, -1))
    prints = np.stack([neardup.fingerprint(p) for p in pixels])
    assert list(neardup.similar_pairs(prints)) == []
    assert list(neardup.groups(prints)) == list(range(len(pixels)))


def test_a_flat_picture_of_another_shape_is_another() -> None:
    wide, tall = (np.full(shape, 90, np.uint8) for shape in ((60, 90, 3), (90, 60, 3)))
    prints = np.stack([neardup.fingerprint(wide), neardup.fingerprint(tall)])
    assert list(neardup.similar_pairs(prints)) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 12))
def test_pairs_are_those_of_comparing_each_with_each(seed: int, count: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (3, neardup.SIZE - 2))
    values = base[rng.integers(0, 3, count)] + rng.integers(-spread, spread + 1, (count, 1))
    values = values + rng.integers(-spread, spread + 1, values.shape)
    prints = np.zeros((count, neardup.SIZE), np.uint8)
    prints[:, :-2] = np.clip(values, 0, 255)
    wanted = set()
    for i in range(count):
        for j in range(i + 1, count):
            gap = np.abs(prints[i, :-2].astype(int) - prints[j, :-2])
            if (gap**2).mean() <= neardup.RMSE**2 and gap.max() <= neardup.PEAK:
                wanted.add((i, j))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neardup, "_BLOCK", 16)  # or one block would hold all
        found = list(neardup.similar_pairs(prints))
    assert set(found) == wanted
    assert len(found) == len(wanted)
