"""Accuracy by cells and what damage does to it, against arithmetic done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import metrics as m

CLEAN, DAMAGED = [1, 1, 1, 0], [1, 0, 0, 1]
zero_one = st.sampled_from([0.0, 1.0])
pairs = st.lists(st.tuples(zero_one, zero_one), min_size=1, max_size=20)


def test_accuracy_is_the_mean_and_says_of_how_many() -> None:
    # (1 + 0 + 1 + 1) / 4
    assert (m.accuracy([1, 0, 1, 1]).value, m.accuracy([1, 0, 1, 1]).n) == (0.75, 4)
    # circular answers and judged ones may be worth a part: (0.5 + 1) / 2
    assert m.accuracy([0.5, 1]).value == 0.75
    assert (m.accuracy([]).value, m.accuracy([]).n) == (None, 0)


def test_accuracy_of_cells() -> None:
    correct = [1, 0, 1, 0, 1]
    level, operator = [0.0, 0.5, 0.5, 0.5, 1.0], ["clean", "fog", "fog", "jpeg", "jpeg"]
    found = m.accuracy_by(correct, level)
    assert {k: (f.value, f.n) for k, f in found.items()} == {
        0.0: (1.0, 1),
        0.5: (pytest.approx(1 / 3), 3),
        1.0: (1.0, 1),
    }
    both = m.accuracy_by(correct, level, operator)
    assert {k: (f.value, f.n) for k, f in both.items()} == {
        (0.0, "clean"): (1.0, 1),
        (0.5, "fog"): (0.5, 2),
        (0.5, "jpeg"): (0.0, 1),
        (1.0, "jpeg"): (1.0, 1),
    }


def test_macro_counts_operators_alike() -> None:
    # fog 3 of 3, jpeg 0 of 1: macro (1 + 0) / 2, micro 3 / 4
    correct, operator = [1, 1, 1, 0], ["fog", "fog", "fog", "jpeg"]
    assert m.macro_accuracy(correct, operator).value == 0.5
    assert m.accuracy(correct).value == 0.75
    assert m.macro_accuracy([], []).value is None


def test_drop_retention_and_flips() -> None:
    # accuracies 3/4 and 2/4
    assert m.drop(CLEAN, DAMAGED).value == 0.25
    assert m.retention(CLEAN, DAMAGED).value == pytest.approx(0.5 / 0.75)
    # of three that were right two are wrong; the one that was wrong is right
    assert (m.destructive(CLEAN, DAMAGED).value, m.destructive(CLEAN, DAMAGED).n) == (
        pytest.approx(2 / 3),
        3,
    )
    assert (m.corrective(CLEAN, DAMAGED).value, m.corrective(CLEAN, DAMAGED).n) == (1.0, 1)
    # A = A; B is not C; no answer twice is no answer that was kept
    kept = m.consistency(["A", "B", ""], ["A", "C", ""])
    assert kept.value == pytest.approx(1 / 3)


def test_chance_is_taken_off_by_the_number_of_options() -> None:
    # (0.5 - 0.25) / (0.75 - 0.25)
    assert m.chance_corrected_retention(CLEAN, DAMAGED, [4] * 4).value == 0.5
    # chance is (1/2 + 1/4 + 1/4 + 0) / 4 = 0.25, free text has none
    assert m.chance([2, 4, 4, 0]).tolist() == [0.5, 0.25, 0.25, 0.0]
    assert m.chance_corrected_retention(CLEAN, DAMAGED, [2, 4, 4, 0]).value == 0.5
    # below chance nothing is left, and less: (0 - 0.5) / (0.75 - 0.5)
    assert m.chance_corrected_retention(CLEAN, [0] * 4, [2] * 4).value == -2.0


def test_what_divides_by_nothing_is_undefined() -> None:
    assert m.retention([0, 0], [1, 0]).value is None
    assert m.destructive([0, 0], [1, 0]).value is None
    assert m.corrective([1, 1], [1, 0]).value is None
    # clean accuracy 1/2 of two options is chance, and 0 is below
    assert m.chance_corrected_retention([1, 0], [1, 0], [2, 2]).value is None
    assert m.chance_corrected_retention([0, 0], [1, 0], [2, 2]).value is None
    assert m.robustness_auc([[0, 1], [0, 1]], [0, 1]).value is None
    assert m.drop([], []).value is None


def test_area_under_retention() -> None:
    # accuracies 4/5, 3/5, 1/5: retention 1, 0.75, 0.25
    # 0.5 (1 + 0.75) / 2 + 0.5 (0.75 + 0.25) / 2 = 0.4375 + 0.25
    table = [[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert m.robustness_auc(table, [0, 0.5, 1]).value == pytest.approx(0.6875)
    # half the width at half the levels is the same area over the same width
    assert m.robustness_auc(table, [0, 0.25, 0.5]).value == pytest.approx(0.6875)
    uneven = [0, 0.25, 1]
    expected = np.trapezoid([1, 0.75, 0.25], uneven)
    assert m.robustness_auc(table, uneven).value == pytest.approx(expected)
    assert m.robustness_auc([[1, 1]], [0, 0.9]).value == 1.0


def test_every_item_is_found_at_all_levels() -> None:
    item, level = ["b", "a", "a", "c", "b"], [0.0, 0.5, 0.0, 0.0, 0.5]
    found = m.wide(item, level)
    assert (found.items, found.levels) == (("a", "b"), (0.0, 0.5))
    assert found.rows.tolist() == [[2, 1], [0, 4]]
    assert found.incomplete == ("c",)
    assert m.wide(item, level, [0.0]).rows.tolist() == [[2], [0], [3]]
    with pytest.raises(ValueError, match=r"item 'b' occurs twice at level 0\.5"):
        m.wide([*item, "b"], [*level, 0.5])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: m.accuracy([0.2, 1.2]), r"correct is 1\.2 in row 1: give numbers in \[0, 1\]"),
        (lambda: m.accuracy([float("nan")]), "correct is nan in row 0"),
        (lambda: m.accuracy(["yes"]), "correct is no column of numbers: .*'yes'"),
        (lambda: m.accuracy([[1], [0]]), r"correct has shape \(2, 1\)"),
        (lambda: m.drop([1, 0], [1]), "columns of different length: clean 2, damaged 1"),
        (lambda: m.consistency(["A"], []), "clean 1, damaged 0"),
        (lambda: m.chance_corrected_retention([1], [1], [-4]), "choices is -4"),
        (lambda: m.robustness_auc([[1, 1]], [0.25, 1]), "ascending from 0"),
        (lambda: m.robustness_auc([[1, 1]], [0, 1, 0.5]), "ascending from 0"),
        (lambda: m.robustness_auc([[1, 1]], [0, 0.5, 1]), r"give \(items, 3 levels\)"),
    ],
)
def test_wrong_columns_are_refused_by_name(call: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()


@given(pairs)
def test_bounds_and_what_ties_the_figures(found: list[tuple[float, float]]) -> None:
    clean, damaged = ([p[i] for p in found] for i in (0, 1))
    a, b = m.accuracy(clean).value, m.accuracy(damaged).value
    assert a is not None
    assert b is not None
    assert m.drop(clean, damaged).value == pytest.approx(a - b)
    lost, won = m.destructive(clean, damaged).value, m.corrective(clean, damaged).value
    # accuracy afterwards = what was kept and what was won
    assert b == pytest.approx(a * (1 - (lost or 0)) + (1 - a) * (won or 0))
    for share in (lost, won):
        assert share is None or 0 <= share <= 1
    retained = m.retention(clean, damaged).value
    assert retained is None if a == 0 else retained == pytest.approx(b / a)
    free = m.chance_corrected_retention(clean, damaged, [0] * len(clean)).value
    assert free == (None if a == 0 else pytest.approx(b / a))
    auc = m.robustness_auc(np.array(found), [0, 1]).value
    assert auc is None if a == 0 else auc == pytest.approx((1 + b / a) / 2)


@given(pairs, st.randoms(use_true_random=False))
def test_order_changes_no_bit(found: list[tuple[float, float]], rng: Any) -> None:
    parts = [(a / 3, b / 7) for a, b in found]
    mixed = rng.sample(parts, len(parts))
    for function in (m.drop, m.retention, m.destructive, m.corrective):
        first, second = (function(*zip(*rows, strict=True)).value for rows in (parts, mixed))
        assert first == second


@given(pairs)
def test_rows_twice_change_nothing(found: list[tuple[float, float]]) -> None:
    for function in (m.drop, m.retention, m.destructive, m.corrective):
        once, twice = (function(*zip(*rows, strict=True)).value for rows in (found, found * 2))
        assert once == (None if twice is None else pytest.approx(twice))
