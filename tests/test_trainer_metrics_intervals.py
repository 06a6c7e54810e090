"""Intervals: every resample is the metric on the rows drawn; McNemar; coverage."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, t

from benchmarks import coverage
from benchmarks.evaluations import evaluation
from trainer import metrics as m
from trainer.metrics.figure import Figure
from trainer.metrics.intervals import t_quantile

RNG = np.random.default_rng(5)
N = 24
A, B = (RNG.integers(0, 2, N).astype(float) for _ in range(2))
X, Y = RNG.integers(0, 9, N), RNG.random(N)
LEVEL = np.tile([0.5, 1.0], N // 2)
OPERATOR = np.repeat(["fog", "rain", "jpeg"], N // 3)
TRUTH = [[{"label": "fog", "intensity": s}] if s < 0.7 else [] for s in Y]
NAMED = [[{"label": "fog", "intensity": s / 9}] if s < 6 else [] for s in X]
TASKS = np.tile(["mcq", "vqa", "caption"], N // 3)
THIRDS = np.repeat([0.33, 0.67, 1.0], N // 3)


def part(values: Any, rows: Any) -> list[Any]:
    return [values[i] for i in rows]


# Every kind of figure: rows -> figure of these rows.
FIGURES: dict[str, Callable[[Any], Figure]] = {
    "accuracy": lambda i: m.accuracy(A[i]),
    "macro": lambda i: m.macro_accuracy(A[i], OPERATOR[i].tolist()),
    "drop": lambda i: m.drop(A[i], B[i]),
    "retention": lambda i: m.retention(A[i], B[i]),
    "corrected": lambda i: m.chance_corrected_retention(A[i], B[i], [8] * len(i)),
    "auc": lambda i: m.robustness_auc(np.stack([A[i], B[i]], 1), [0, 1]),
    "destructive": lambda i: m.destructive(A[i], B[i]),
    "mce": lambda i: m.corruption_error(A[i], B[i], OPERATOR[i].tolist(), LEVEL[i].tolist()).mean,
    "error": lambda i: m.mean_error(A[i], OPERATOR[i].tolist(), LEVEL[i].tolist()),
    "overall": lambda i: m.rbench.absolute(Y[i], TASKS[i].tolist(), THIRDS[i].tolist()).overall,
    "f1": lambda i: m.macro_f1(m.match(part(TRUTH, i), part(NAMED, i))),
    "mae": lambda i: m.intensity_mae(m.match(part(TRUTH, i), part(NAMED, i))),
    "per 1k": lambda i: m.accuracy_per_1k_tokens(A[i], X[i].tolist()),
    "spearman": lambda i: m.spearman(X[i], Y[i]),
    "spearman of many ties": lambda i: m.spearman(X[i] // 5, X[i] // 3),
    "p80": lambda i: m.tokens_quantile(X[i].tolist(), 0.8),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_resample_is_worth_what_the_metric_is_on_the_rows_drawn(name: str) -> None:
    make, group = FIGURES[name], np.arange(N) % 8
    figure = make(np.arange(N))
    code = group[figure.used]
    weights = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), 20).astype(float)
    drawn = figure.replicates(code, 8).drawn(weights)
    for value, line in zip(drawn, weights, strict=True):
        rows = np.repeat(np.arange(N), line[group].astype(int))
        expected = make(rows).value
        if name == "macro" or expected is not None:
            assert value == pytest.approx(expected, nan_ok=True)
        else:
            assert math.isnan(value)
    left_out = figure.replicates(code, 8).left_out()
    expected = [make(np.flatnonzero(group != g)).value for g in range(8)]
    assert left_out == pytest.approx([np.nan if v is None else v for v in expected], nan_ok=True)


@pytest.mark.parametrize("name", FIGURES)
def test_intervals_do_not_depend_on_the_order_of_rows(name: str) -> None:
    make, group = FIGURES[name], np.array([f"g{i % 8}" for i in range(N)])
    how = m.Bootstrap(resamples=100)
    found = how.estimate(make(np.arange(N)), group)
    mixed = np.random.default_rng(1).permutation(N)
    assert how.estimate(make(mixed), group[mixed]) == found
    assert found.low is None or found.low <= found.value <= found.high  # type: ignore[operator]


def test_the_interval_of_a_mean_is_that_of_the_library() -> None:
    values = np.random.default_rng(3).random(200) ** 3
    found = m.Bootstrap(resamples=4000).estimate(m.accuracy(values), np.arange(200))
    theirs = bootstrap(
        (values,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found.low == pytest.approx(theirs.low, abs=0.004)
    assert found.high == pytest.approx(theirs.high, abs=0.004)


def test_rows_of_one_picture_are_no_independent_draws() -> None:
    right = np.repeat(np.random.default_rng(0).integers(0, 2, 50), 4)
    how = m.Bootstrap()
    alone = how.estimate(m.accuracy(right), np.arange(200))
    clustered = how.estimate(m.accuracy(right), np.repeat(np.arange(50), 4))
    # four copies of an answer are one answer: twice the width
    ratio = (clustered.high - clustered.low) / (alone.high - alone.low)  # type: ignore[operator]
    assert ratio == pytest.approx(2.0, rel=0.1)
    assert (clustered.n, clustered.groups) == (200, 50)


def test_levels_and_models_are_paired() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 300).astype(float)
    second = np.where(rng.random(300) < 0.05, 1 - first, first)
    group = np.arange(300) // 2
    how = m.Bootstrap()
    gap = how.compare(m.accuracy(first), group, m.accuracy(second), group)
    means = m.paired_bootstrap(first, second, group.tolist())
    assert tuple(gap) == pytest.approx(tuple(means))
    alone = how.estimate(m.accuracy(first), group)
    assert gap.high - gap.low < 0.6 * (alone.high - alone.low)  # type: ignore[operator]
    # the drop between levels is the same thing, the other way round
    drop = how.estimate(m.drop(first, second), group)
    assert drop.value == pytest.approx(-gap.value)  # type: ignore[operator]
    assert drop.high - drop.low == pytest.approx(gap.high - gap.low, rel=0.05)  # type: ignore[operator]


def test_models_may_differ_in_which_rows_count() -> None:
    # pictures on which one was wrong at first have no part in its flips, and stay in the draw
    group = np.arange(N)
    found = m.Bootstrap(200).compare(m.destructive(A, B), group, m.destructive(B, A), group)
    assert found.value == pytest.approx(m.destructive(B, A).value - m.destructive(A, B).value)  # type: ignore[operator]
    assert found.low is not None
    with pytest.raises(ValueError, match="different pictures, such as 0, 24"):
        m.Bootstrap(200).compare(m.accuracy(A), group, m.accuracy(A), group + 1)


@pytest.mark.parametrize("count", [3, 10, 60])
def test_agreement_of_all_pictures_is_bounded_as_by_clopper_and_pearson(count: int) -> None:
    exact = binomtest(count, count).proportion_ci(0.95, method="exact")
    found = m.Bootstrap().estimate(m.accuracy([1] * count), np.arange(count))
    assert (found.low, found.high) == (pytest.approx(exact.low), 1.0)
    none = m.Bootstrap().estimate(m.accuracy([0] * count), np.arange(count))
    assert (none.low, none.high) == (0.0, pytest.approx(1 - exact.low))
    # no answer changed: at most 1 - exact.low of all could
    kept = m.Bootstrap().estimate(m.drop([1] * count, [1] * count), np.arange(count))
    cells = [(task, level) for task in m.rbench.TASKS for level in (0.33, 0.67, 1.0)] * count
    nine = m.rbench.absolute([1] * 9 * count, [c[0] for c in cells], [c[1] for c in cells])
    best = m.Bootstrap().estimate(nine.overall, np.repeat(np.arange(count), 9))
    assert (best.low, best.high) == (pytest.approx(exact.low), 1.0)
    assert (kept.low, kept.high) == (pytest.approx(exact.low - 1), pytest.approx(1 - exact.low))


def test_there_is_no_interval_where_nothing_can_be_said() -> None:
    how = m.Bootstrap(resamples=200)
    assert how.estimate(m.accuracy([1, 0]), ["a", "a"]) == m.Estimate(0.5, None, None, 2, 1)
    assert how.estimate(m.accuracy([]), []) == m.Estimate(None, None, None, 0, 0)
    # one right clean answer in ten pictures: a third of the resamples have no denominator
    lone = how.estimate(m.retention([1] + [0] * 9, [1] + [0] * 9), range(10))  # type: ignore[arg-type]
    assert (lone.value, lone.low, lone.high) == (1.0, None, None)
    # tokens have no upper bound that a missed picture could not exceed
    assert how.estimate(m.mean_tokens([7, 7, 7]), [1, 2, 3]).low is None
    with pytest.raises(ValueError, match="rows 2, group 1"):
        how.estimate(m.accuracy([1, 0]), ["a"])
    with pytest.raises(ValueError, match="at least 100 resamples"):
        m.Bootstrap(resamples=10)


def test_the_seed_decides() -> None:
    figure, group = m.accuracy(Y), np.arange(N)
    first, second, other = (m.Bootstrap(seed=s).estimate(figure, group) for s in (1, 1, 2))
    assert first == second
    assert first.low != other.low
    many = m.Bootstrap(seed=1).estimates([(figure, group), (m.accuracy(A), group)])
    assert tuple(many[0]) == pytest.approx(tuple(first))


def test_a_group_that_is_average_narrows_and_does_not_move() -> None:
    values = np.tile([0.0, 1.0], 10)
    group = np.arange(20)
    how = m.Bootstrap()
    before = how.estimate(m.accuracy(values), group)
    after = how.estimate(
        m.accuracy(np.r_[values, np.full(20, 0.5)]), np.r_[group, np.arange(20, 40)]
    )
    assert after.value == before.value
    assert after.high - after.low < before.high - before.low  # type: ignore[operator]


@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 9, 30, 200])
@pytest.mark.parametrize("share", [0.9, 0.975, 0.995])
def test_quantiles_of_t_are_those_of_scipy(freedom: int, share: float) -> None:
    tolerance = 0.01 if freedom < 5 else 0.001
    assert t_quantile(share, freedom) == pytest.approx(t.ppf(share, freedom), rel=tolerance)


# --------------------------------------------------------------------------------------- McNemar


def outcomes(only_first: int, only_second: int, both: int = 3) -> tuple[list[int], list[int]]:
    return (
        [1] * only_first + [0] * only_second + [1] * both,
        [0] * only_first + [1] * only_second + [1] * both,
    )


def test_mcnemar_by_hand() -> None:
    # b = 1, c = 5: 2 (C(6,0) + C(6,1)) / 2**6 = 14/64
    assert m.mcnemar(*outcomes(1, 5)) == m.McNemar(1, 5, 0.21875, "exact", 9, 6)
    assert m.mcnemar(*outcomes(0, 0)).p == 1.0
    assert m.mcnemar(*outcomes(3, 3)).p == 1.0
    with pytest.raises(ValueError, match="right or wrong"):
        m.mcnemar([0.5], [1])


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_test_and_mid_p_from_25_on(b: int, c: int) -> None:
    found = m.mcnemar(*outcomes(b, c))
    exact = binomtest(b, b + c).pvalue if b + c else 1.0
    if b + c < 25:
        assert (found.method, found.p) == ("exact", pytest.approx(exact))
    else:
        point = math.comb(b + c, b) / 2 ** (b + c)
        assert (found.method, found.p) == ("mid-p", pytest.approx(1 if b == c else exact - point))
    assert found.p == m.mcnemar(*outcomes(c, b)).p


def test_mcnemar_takes_the_answers_about_a_picture_for_one_draw() -> None:
    first, second = outcomes(1, 5, 0)
    # d = -1 and 5: all sums are 4 or 6, none below the 4 observed. d = -1, 2 and 3: 6, 4, 2 and 0
    # twice each, half of them at least 4.
    assert m.mcnemar(first, second, [*"abbbbb"])[2:] == (pytest.approx(1.0), "exact", 6, 2)
    assert m.mcnemar(first, second, [*"abbccc"]).p == pytest.approx(0.5)
    assert m.mcnemar(first, second, [*"abcdef"]) == m.mcnemar(first, second)
    # Four levels of one picture say no more than one: 20 pictures, each with all its levels.
    a, b = outcomes(6, 14, 0)
    four = [[x for x in side for _ in range(4)] for side in (a, b)]
    told = m.mcnemar(*four, [i // 4 for i in range(80)])
    assert told.p == pytest.approx(m.mcnemar(a, b).p)
    assert m.mcnemar(*four).p < 0.01
    assert told.p > 0.1
    with pytest.raises(ValueError, match="different length"):
        m.mcnemar(a, b, ["g"])


@given(st.lists(st.integers(-3, 3), max_size=9))
def test_mcnemar_by_picture_is_what_all_signs_come_to(gaps: list[int]) -> None:
    rows = [(int(g < 0), int(g > 0), i) for i, g in enumerate(gaps) for _ in range(abs(g))]
    first, second, group = zip(*rows, strict=True) if rows else ((), (), ())
    sums = [
        abs(sum(s * g for s, g in zip(signs, gaps, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(gaps))
    ]
    expected = sum(s >= abs(sum(gaps)) for s in sums) / len(sums)
    assert m.mcnemar(first, second, group).p == pytest.approx(expected)


def test_mcnemar_of_very_many_items() -> None:
    # chi-square of (6000 - 5500)**2 / 11500 = 21.7 with one degree: p = 3.1e-6
    found = m.mcnemar(*outcomes(6000, 5500))
    assert found.p == pytest.approx(math.erfc(math.sqrt(500**2 / 11500 / 2)), rel=0.05)


# -------------------------------------------------------------------------------------- coverage


def test_intervals_cover() -> None:
    found = coverage.measured(coverage.Setting(pictures=40, ability=1.5), 80, 300, 20_000)
    # 95 % of 80 with a standard error of 2.4 %
    for name, covered in found.items():
        assert 0.88 <= covered.ours.share <= 1.0, name
    assert {"accuracy", "drop", "retention", "difference"} <= found.keys()


def test_thousands_of_answers_are_scored_quickly() -> None:
    import time

    columns = evaluation(500, 400)
    start = time.process_time()
    m.scores(columns, m.Bootstrap(resamples=500))
    # a fifth of 10,000 answers with a quarter of the resamples; benchmarks/coverage.py has all
    assert time.process_time() - start < 10.0
