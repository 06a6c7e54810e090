"""Figures of an evaluation: independent of the order of rows, quick, and what the table says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evaluate import measured
from degrade.schema import Degradation
from trainer.evaluation.records import Judged
from trainer.evaluation.score import score
from trainer.evaluation.table import figure, tables


def judged(item: int, level: float, correct: float, **changes: Any) -> Judged:
    damaged = level > 0
    fields: dict[str, Any] = {
        "id": f"i{item}@{level}",
        "item": f"i{item}",
        "group": f"g{item // 2}",
        "split": f"level_{round(100 * level):03d}" if damaged else "clean",
        "level": level,
        "operator": "lens_blur" if damaged else "clean",
        "stage": "acquisition" if damaged else "clean",
        "intensity_sum": level,
        "task": "mcq",
        "control": "none",
        "choices": 4,
        "correct": correct,
        "vanilla": correct,
        "chosen": "A" if correct else "B",
        "rule": "exact",
        "agreement": None,
        "well_formed": None,
        "truth": (Degradation(label="lens blur", intensity=level),) if damaged else (),
        "named": None,
        "tokens": 3,
        "reasoning_tokens": None,
        "cut": False,
        **changes,
    }
    return Judged(**fields)


ROWS = st.lists(
    st.tuples(*[st.sampled_from([0.0, 1.0])] * 4, st.booleans()), min_size=2, max_size=8
)


@given(ROWS, st.integers(0, 100))
def test_scores_do_not_depend_on_the_order_of_rows(rows: list[tuple[Any, ...]], seed: int) -> None:
    made = [
        judged(i, level, right, tokens=3 + i, control=control)
        for i, (*rights, told) in enumerate(rows)
        for control in (("none", "told") if told else ("none",))
        for level, right in zip((0.0, 0.25, 0.5, 1.0), rights, strict=True)
    ]
    before = score(made, 100, 0)
    random.Random(seed).shuffle(made)
    assert score(made, 100, 0) == before


def test_figures_are_those_of_a_hand_worked_example() -> None:
    clean, damaged = [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]
    made = [judged(i, 0.0, c) for i, c in enumerate(clean)]
    made += [judged(i, 0.5, c) for i, c in enumerate(damaged)]
    blind = [judged(i, level, 0.0, control="blind") for i in range(4) for level in (0.0, 0.5)]
    found = score([*made, *blind], 100, 0)
    at = found["controls"]["none"]["robustness"]["level"]["0.50"]
    assert at["drop"]["value"] == 0.25
    assert at["retention"]["value"] == pytest.approx(0.5 / 0.75)
    assert at["chance_corrected_retention"]["value"] == pytest.approx(0.5)
    assert at["destructive"]["value"] == pytest.approx(2 / 3)
    assert found["controls"]["none"]["accuracy"]["operator"]["lens_blur"]["n"] == 4
    assert found["against_none"]["blind"]["0.00"]["value"] == -0.75
    assert found["against_none"]["blind"]["all"]["groups"] == 2
    assert "rbench" not in found


def test_a_data_set_without_levels_has_accuracies_and_no_drop() -> None:
    leveled = [judged(i, 0.5, float(i % 2), split="test") for i in range(6)]
    made = [row.model_copy(update={"level": None}) for row in leveled]
    found = score(made, 100, 0)["controls"]["none"]
    assert found["accuracy"]["all"]["value"] == 0.5
    assert "robustness" not in found


def test_rotations_show_what_the_first_alone_would_have_given() -> None:
    made = [judged(i, 0.0, 0.0, vanilla=float(i < 3)) for i in range(4)]
    assert score(made, 100, 0)["controls"]["none"]["vanilla"]["value"] == 0.75


def test_guessing_anew_in_every_rotation_is_the_chance_of_circular_evaluation() -> None:
    made = [judged(i, 0.0, float(i < 2), rotations=2, choices=2) for i in range(4)]
    made += [judged(i, 0.5, float(i < 1), rotations=2, choices=2) for i in range(4)]
    found = score(made, 100, 0)["controls"]["none"]["robustness"]["level"]["0.50"]
    # Chance is 1/4, not 1/2, of which an accuracy of 1/2 would hold no knowledge.
    assert found["chance_corrected_retention"]["value"] == 0.0


def test_free_answers_are_kept_whatever_their_case_articles_and_marks() -> None:
    said = ("A red car.", "the red car"), ("two", "2"), ("blue", "red"), ("", "")
    made = [
        judged(i, level, 1.0, task="vqa", choices=0, chosen=chosen)
        for i, both in enumerate(said)
        for level, chosen in zip((0.0, 0.5), both, strict=True)
    ]
    found = score(made, 100, 0)["controls"]["none"]["robustness"]["level"]["0.50"]
    assert found["consistency"]["value"] == 0.5


def test_figures_are_printed_with_their_intervals() -> None:
    assert figure({"value": 0.5, "low": 0.25, "high": 0.75}) == "50.0 [25.0, 75.0]"
    assert figure({"value": 3.0, "low": None, "high": None}, percent=False) == "3.0"
    assert figure({"value": None, "low": None, "high": None}) == figure(None) == "-"
    made = [judged(i, level, 1.0) for i in range(4) for level in (0.0, 0.5)]
    counts = {"rules": {"none": {"exact": 8}}}
    first, second = tables({"scores": score(made, 100, 0), "counts": counts})
    assert [c.header for c in first.columns][:3] == ["level", "n", "accuracy, %"]
    assert list(second.columns[0].cells) == ["exact"]


def test_ten_thousand_answers_are_scored_in_under_ten_seconds(tmp_path: Path) -> None:
    found = measured(tmp_path, 2500)
    assert found["judged"] == 10_000
    assert sum(cpu for _, cpu in found["seconds"].values()) < 10
