"""Corruption errors against a reference model, and the scores of R-Bench, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import metrics as m
from trainer.metrics import rbench


def answers(right: int, of: int) -> list[int]:
    return [1] * right + [0] * (of - right)


def cells(errors: dict[tuple[str, float], tuple[int, ...]]) -> dict[str, list[Any]]:
    """Ten answers a cell, with so many errors of (model, reference, clean, clean reference)."""
    columns: dict[str, list[Any]] = {"operator": [], "level": []}
    names = ("correct", "reference", "clean", "clean_reference")
    for (operator, level), counts in errors.items():
        columns["operator"] += [operator] * 10
        columns["level"] += [level] * 10
        for name, count in zip(names, counts, strict=True):
            columns.setdefault(name, []).extend(answers(10 - count, 10))
    return columns


WORKED = cells(
    {
        ("fog", 0.5): (2, 3, 1, 2),
        ("fog", 1.0): (4, 5, 1, 2),
        ("jpeg", 0.5): (5, 4, 1, 1),
        ("jpeg", 1.0): (7, 8, 1, 1),
    }
)
PLAIN = {k: v for k, v in WORKED.items() if not k.startswith("clean")}


def values(found: m.Corruption) -> tuple[dict[str, float | None], float | None]:
    return {k: f.value for k, f in found.by_operator.items()}, found.mean.value


def test_corruption_error() -> None:
    # fog (0.2 + 0.4) / (0.3 + 0.5) = 75 %, jpeg (0.5 + 0.7) / (0.4 + 0.8) = 100 %, mean 87.5
    by, mean = values(m.corruption_error(**PLAIN))
    assert by == {"fog": pytest.approx(75), "jpeg": pytest.approx(100)}
    assert mean == pytest.approx(87.5)


def test_relative_corruption_error() -> None:
    # fog ((0.2 - 0.1) + (0.4 - 0.1)) / ((0.3 - 0.2) + (0.5 - 0.2)) = 0.4 / 0.4 = 100 %
    # jpeg (0.4 + 0.6) / (0.3 + 0.7) = 100 %
    by, mean = values(m.relative_corruption_error(**WORKED))
    assert by == {"fog": pytest.approx(100), "jpeg": pytest.approx(100)}
    assert mean == pytest.approx(100)


def test_mean_error_needs_no_reference() -> None:
    own = {k: WORKED[k] for k in ("correct", "operator", "level")}
    # fog (0.2 + 0.4) / 2 = 0.3, jpeg (0.5 + 0.7) / 2 = 0.6; mean 45 %
    assert m.mean_error(**own).value == pytest.approx(45)
    assert m.mean_error([], [], []).value is None


def test_levels_count_alike_however_many_answers_they_have() -> None:
    # error 0 of 30 at 0.5, 1 of 1 at 1.0; reference 1/2 at both: (0 + 1) / (0.5 + 0.5)
    found = m.corruption_error(
        correct=[1] * 30 + [0, 0],
        reference=[1, 0] * 16,
        operator=["fog"] * 32,
        level=[0.5] * 30 + [1.0] * 2,
    )
    assert found.mean.value == pytest.approx(100)


def test_a_reference_that_loses_nothing_gives_no_ratio() -> None:
    same = cells(
        {("fog", 0.5): (2, 3, 1, 2), ("jpeg", 0.5): (5, 1, 1, 1), ("snow", 0.5): (5, 1, 1, 3)}
    )
    found = m.relative_corruption_error(**same)
    # jpeg: the reference loses nothing, snow: it gains; fog alone: 0.1 / 0.1
    assert found.undefined == ("jpeg", "snow")
    assert found.by_operator["jpeg"].value is None
    assert found.mean.value == pytest.approx(100)
    perfect = m.corruption_error([1, 0], [1, 1], ["fog", "fog"], [0.5, 0.5])
    assert (perfect.undefined, perfect.mean.value) == (("fog",), None)
    nothing = m.corruption_error([], [], [], [])
    assert (nothing.by_operator, nothing.mean.value) == ({}, None)


def test_the_reference_against_itself_is_hundred() -> None:
    found = m.corruption_error(**{**PLAIN, "correct": PLAIN["reference"]})
    assert found.mean.value == pytest.approx(100)
    with pytest.raises(ValueError, match="reference 3"):
        m.corruption_error(**{**PLAIN, "reference": [1, 0, 1]})


def test_corruption_errors_have_intervals() -> None:
    group = np.arange(40) % 10
    how = m.Bootstrap(resamples=200)
    for found in (m.corruption_error(**PLAIN), m.relative_corruption_error(**WORKED)):
        estimate = how.estimate(found.mean, group)
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < found.mean.value < estimate.high
        assert (estimate.n, estimate.groups) == (40, 10)


# --------------------------------------------------------------------------------------- R-Bench

# Robust-R1 (arXiv 2512.17532), table 1: MCQ, VQA and CAP at low, mid, high, and Overall.
TABLE = {
    "Qwen2.5-VL-3B": (".6411 .6022 .5732 .4872 .4854 .4904 .3778 .3704 .3330", 0.4845),
    "Gemma3-4B": (".5823 .5776 .5060 .4865 .4630 .4419 .4048 .3746 .3480", 0.4649),
    "InternVL-4B": (".6235 .6024 .5914 .4982 .4539 .5108 .3667 .3041 .2851", 0.4706),
    "TeCoA": (".4647 .4223 .4024 .4687 .3994 .4461 .2111 .2195 .1937", 0.3586),
    "Robust CLIP": (".4705 .4658 .4024 .4503 .4339 .4743 .2290 .2219 .1983", 0.3718),
    "Robust LLaVA": (".3352 .2608 .3048 .2607 .2212 .2443 .0068 .0065 .0067", 0.1830),
    "Robust-R1 SFT": (".6176 .6087 .5610 .4804 .4836 .5012 .4080 .3858 .3518", 0.4886),
    "Robust-R1": (".6529 .6391 .6097 .4914 .4909 .4980 .4068 .3781 .3484", 0.5017),
}
CELLS = [(t, s) for t in rbench.TASKS for s in rbench.STRENGTHS]
LEVELS = {"low": 0.33, "mid": 0.67, "high": 1.0}
# Answers in the release's cells: MCQ by strength, VQA, CAP.
COUNTS = (170, 161, 164, 163, 165, 167, 162, 169, 164)


@pytest.mark.parametrize("model", TABLE)
def test_overall_of_the_published_table_is_the_mean_of_its_nine_cells(model: str) -> None:
    text, overall = TABLE[model]
    means = [float(v) for v in text.split()]
    # As many answers in each cell as in the release, so that no other mean gives the same.
    found = rbench.absolute(
        score=[v for v, n in zip(means, COUNTS, strict=True) for _ in range(n)],
        task=[t for (t, _), n in zip(CELLS, COUNTS, strict=True) for _ in range(n)],
        level=[LEVELS[s] for (_, s), n in zip(CELLS, COUNTS, strict=True) for _ in range(n)],
    )
    assert [found.cells[cell].value for cell in CELLS] == pytest.approx(means)
    assert [found.cells[cell].n for cell in CELLS] == list(COUNTS)
    # Printed with four digits, rounded here and cut off there.
    assert found.overall.value == pytest.approx(overall, abs=1e-4)
    assert found.tasks["vqa"].value == pytest.approx(sum(means[3:6]) / 3)


def test_published_cells_are_counts_of_right_answers() -> None:
    # 109 of 170 and 94 of 164 right
    score = answers(109, 170) + answers(94, 164)
    level = [0.33] * 170 + [1.0] * 164
    found = rbench.absolute(score, ["mcq"] * 334, level)
    assert found.cells["mcq", "low"].value == pytest.approx(0.6411, abs=1e-4)
    assert found.cells["mcq", "high"].value == pytest.approx(0.5732, abs=1e-4)
    # a mean with an empty cell would be of something else
    assert found.cells["mcq", "mid"].value is None
    assert found.tasks["mcq"].value is None
    assert found.overall.value is None


def test_relative_without_a_judge() -> None:
    dis, ref = ["A", "B", "", "C"], ["A", "C", "", "C"]
    com = rbench.agreement(dis, ref)
    assert com.tolist() == [1, 0, 0, 1]
    # right on the undamaged picture: 1 1 0 0; kept and right: (1 + 0 + 0 + 0) / 4
    found = rbench.relative(com, [1, 1, 0, 0], ["mcq"] * 4, [1.0] * 4)
    assert found.cells["mcq", "high"].value == 0.25
    # judged ones are worth parts: (0.5 x 0.8 + 1 x 0.6) / 2
    judged = rbench.relative([0.5, 1.0], [0.8, 0.6], ["vqa"] * 2, [0.67] * 2)
    assert judged.cells["vqa", "mid"].value == pytest.approx(0.5)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_relative_is_at_most_the_clean_score(found: list[tuple[float, float]]) -> None:
    com, ref = zip(*found, strict=True)
    task, level = ["caption"] * len(com), [1.0] * len(com)
    cell = ("caption", "high")
    relative = rbench.relative(com, ref, task, level).cells[cell].value
    clean = rbench.absolute(ref, task, level).cells[cell].value
    assert relative is not None
    assert clean is not None
    assert 0 <= relative <= clean + 1e-12


@pytest.mark.parametrize(
    ("task", "ratings", "score"),
    [
        ("mcq", [1, 1, 1, 0, 0], 1.0),  # int(3/5 + 0.5)
        ("mcq", [1, 1, 0, 0, 0], 0.0),  # int(2/5 + 0.5)
        ("vqa", [2, 2, 1, 2, 2], 0.9),  # 9/10
        ("caption", [2, 1, 0, 1, 2], 0.6),  # 6/(2 x 5)
        ("caption", [1], 0.5),
    ],
)
def test_ratings_of_the_judge(task: str, ratings: list[int], score: float) -> None:
    assert rbench.from_ratings(task, ratings) == pytest.approx(score)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: rbench.from_ratings("mcq", [2] * 5), "integers from 0 to 1"),
        (lambda: rbench.from_ratings("vqa", []), "no ratings of vqa: give five"),
        (lambda: rbench.from_ratings("caption", []), "no ratings of caption"),
        (lambda: rbench.from_ratings("qa", [1]), "task 'qa' is none of mcq, vqa, caption"),
        (lambda: rbench.absolute([1], ["qa"], [1.0]), "task 'qa' is none of"),
        (lambda: rbench.absolute([1], ["mcq"], [0.5]), r"level 0\.5 is no strength"),
        (lambda: rbench.absolute([2], ["mcq"], [1.0]), "score is 2"),
    ],
)
def test_what_is_none_of_r_bench_is_refused(call: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()
