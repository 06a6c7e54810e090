"""What is measured of a pair of pictures, and of how varied chains are."""

from __future__ import annotations

import time

import numpy as np
import pytest

from annotate import diversity
from annotate.measure import CELLS, measure

# ---------------------------------------------------------------------------------- measurements


def picture(seed: int, height: int = 300, width: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), np.uint8)
    return np.kron(coarse, np.ones((6, 6, 1), np.uint8))[:height, :width]


def test_an_undamaged_pair_loses_nothing():
    found = measure(picture(0), picture(0))
    assert found.kept == (1.0,) * 9
    assert found.noise == 0.0
    assert found.luma_clean == found.luma_degraded


def test_detail_is_missed_where_it_was_taken():
    clean = picture(0)
    degraded = clean.copy()
    degraded[200:, 267:] = 128
    found = measure(clean, degraded)
    assert found.kept[CELLS.index("lower right")] < 0.2
    assert min(found.kept[:8]) > 0.8


def test_noise_darkness_and_colors_are_measured():
    clean = np.full((300, 400, 3), 128, np.uint8)
    noise = np.random.default_rng(0).normal(0, 20, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).astype(np.uint8)
    assert measure(clean, noisy).noise == pytest.approx(20 * 0.663 / 255, rel=0.1)  # of luma
    assert measure(clean, clean // 4).luma_degraded == pytest.approx(32 / 255, abs=0.01)
    red = clean.copy()
    red[:100, :133] = (200, 20, 20)
    assert measure(red, red).colors[0] == "red"
    assert measure(red, red).palette == ("gray", "red")


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (700, 2), (13, 13), (1200, 900)])
def test_any_size_is_measured(shape):
    clean = picture(1, *shape)
    assert len(measure(clean, clean // 2).kept) == 9


def test_pairs_that_are_none_are_refused():
    with pytest.raises(ValueError, match="degraded"):
        measure(picture(0), picture(0, 299))
    with pytest.raises(ValueError, match="uint8"):
        measure(picture(0) / 255.0, picture(0) / 255.0)


def test_measuring_is_quick():
    clean, degraded = picture(0, 480, 640), picture(1, 480, 640)
    measure(clean, degraded)
    start = time.process_time()
    for _ in range(10):
        measure(clean, degraded)
    assert (time.process_time() - start) / 10 < 0.025  # 5 to 9 ms; a crowded machine is slower


# ------------------------------------------------------------------------------------- diversity


def test_distinct_counts_n_grams():
    assert diversity.distinct(["a b a b"], 1) == 0.5
    assert diversity.distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert diversity.distinct(["a"], 2) == 0.0
    assert diversity.distinct(["1 a", "2 a"], 2, mask_numbers=True) == 0.5


def test_self_bleu_is_one_for_equal_and_small_for_different_texts():
    assert diversity.self_bleu(["a b c d e"] * 3) == pytest.approx(1.0)
    assert diversity.self_bleu(["a b c d", "e f g h", "i j k l"]) < 0.2
    half = diversity.self_bleu(["a b c d e f", "a b c d x y"])
    # p1 = 4/6, p2 = 3/5, p3 = 2/4
    assert half == pytest.approx((4 / 6 * 3 / 5 * 2 / 4) ** (1 / 3))


def test_spearman_is_that_of_ranks_with_ties():
    assert diversity.spearman([1, 2, 3], [10, 100, 1000]) == pytest.approx(1.0)
    assert diversity.spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert diversity.spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9486832980505138)
    assert diversity.spearman([1, 1], [1, 2]) == 0.0
    with pytest.raises(ValueError, match="pairs"):
        diversity.spearman([1], [1, 2])


def test_unique_and_opener_shares():
    assert diversity.unique_share(["a", "a", "b", "c"]) == 0.75
    assert diversity.opener_share(["a b c d", "a b c e", "x y z"], top=1) == pytest.approx(2 / 3)
