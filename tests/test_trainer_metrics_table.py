"""The whole table of scores, and of two models compared."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from benchmarks.evaluations import evaluation, rows
from trainer import metrics as m

FAST = m.Bootstrap(resamples=100)
COLUMNS = evaluation(60, 25)


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in tree.items():
        inner = isinstance(value, dict)
        found |= leaves(value, (*path, key)) if inner else {(*path, key): value}
    return found


def where(**wanted: Any) -> list[int]:
    return [
        i
        for i in range(len(COLUMNS["item"]))
        if all(COLUMNS[name][i] == value for name, value in wanted.items())
    ]


def test_cells_are_those_of_the_rows() -> None:
    found = m.scores(COLUMNS, FAST)
    correct = np.array(COLUMNS["correct"])
    assert found["accuracy"]["all"].value == pytest.approx(correct.mean())
    cell = where(level=0.5, operator="fog")
    estimate = found["accuracy"]["level_operator"]["0.50"]["fog"]
    assert (estimate.value, estimate.n) == (pytest.approx(correct[cell].mean()), len(cell))
    assert sorted(found["accuracy"]["level"]) == ["0.00", "0.25", "0.50", "1.00"]
    clean, worst = correct[where(level=0.0)].mean(), correct[where(level=1.0)].mean()
    assert found["robustness"]["level"]["1.00"]["drop"].value == pytest.approx(clean - worst)
    # the clean accuracy of an operator is of the same items
    fog = {COLUMNS["item"][i] for i in where(operator="fog")}
    before = np.mean([correct[i] for i in where(level=0.0) if COLUMNS["item"][i] in fog])
    after = correct[where(level=1.0, operator="fog")].mean()
    drop = found["robustness"]["operator"]["fog"]["level"]["1.00"]["drop"]
    assert (drop.value, drop.n) == (pytest.approx(before - after), len(fog))
    tokens = np.array(COLUMNS["tokens"])
    assert found["cost"]["level"]["0.25"]["tokens"].value == tokens[where(level=0.25)].mean()
    assert found["perception"]["all"]["false_alarms"].n == len(where(level=0.0))
    assert found["incomplete"] == []


def test_every_figure_says_of_how_many_and_lies_in_its_interval() -> None:
    for path, found in leaves(m.scores(COLUMNS, FAST)).items():
        if path == ("incomplete",):
            continue
        assert isinstance(found, m.Estimate), path
        assert 0 <= found.groups <= found.n, path
        if found.low is not None:
            assert found.low <= found.value <= found.high, path


def test_the_order_of_rows_changes_no_bit() -> None:
    order = random.Random(3).sample(range(len(COLUMNS["item"])), len(COLUMNS["item"]))
    assert m.scores(rows(COLUMNS, order), FAST) == m.scores(COLUMNS, FAST)


def test_items_that_lack_a_level_are_named_and_left_out_of_robustness() -> None:
    keep = [i for i in range(len(COLUMNS["item"])) if i != where(item="i00007", level=0.5)[0]]
    found = m.scores(rows(COLUMNS, keep), FAST)
    assert found["incomplete"] == ["i00007"]
    assert found["robustness"]["level"]["1.00"]["drop"].n == 59
    assert found["accuracy"]["all"].n == 239


def test_what_was_not_asked_for_is_not_in_the_table() -> None:
    plain = {
        **COLUMNS,
        "item": [f"row {i}" for i in range(240)],
        "level": [None] * 240,
        "well_formed": [None] * 240,
        "named": [None] * 240,
        "tokens": [None] * 240,
    }
    found = m.scores(plain, FAST)
    assert sorted(found) == ["accuracy", "cost", "incomplete"]
    assert found["accuracy"]["level"]["none"].n == 240
    assert found["cost"]["all"]["tokens"] == m.Estimate(None, None, None, 0, 0)


def test_published_rewards_are_there_where_the_texts_are() -> None:
    texts = ["<TYPE>lens blur(0.50)<TYPE_END>"] * 240
    found = m.scores({**COLUMNS, "text": texts}, FAST)["perception"]["level"]["0.50"]
    # lens blur(0.5) is worth 1.5 where it is true, else -1 and -1 for what was missed
    share = len(where(level=0.5, operator="lens_blur")) / 60
    assert found["r1_type"].value == pytest.approx(1.5 * share - 2 * (1 - share))
    assert found["r1_deg"].value == pytest.approx(share - (1 - share))
    assert "r1_type" not in m.scores(COLUMNS, FAST)["perception"]["all"]


def test_no_answers_are_no_figures() -> None:
    for path, found in leaves(m.scores(rows(COLUMNS, []), FAST)).items():
        assert path == ("incomplete",) or (found.value, found.n) == (None, 0)


def test_two_models_are_compared_figure_by_figure() -> None:
    other = {
        **COLUMNS,
        "correct": [1.0 if i % 7 == 0 else c for i, c in enumerate(COLUMNS["correct"])],
    }
    order = random.Random(1).sample(range(240), 240)
    found = m.comparison(COLUMNS, rows(other, order), FAST)
    first, second = (m.scores(c, FAST) for c in (COLUMNS, other))
    for path, gap in leaves(found).items():
        if path[0] == "mcnemar":
            continue
        a, b = leaves(first)[path].value, leaves(second)[path].value
        expected = None if a is None or b is None else pytest.approx(b - a, abs=1e-12)
        assert gap.value == expected, path
    won = sum(b > a for a, b in zip(COLUMNS["correct"], other["correct"], strict=True))
    assert found["mcnemar"]["all"][:2] == (0, won)
    assert found["mcnemar"]["level"]["0.00"].n == 60
    assert found["mcnemar"]["all"] == m.mcnemar(
        *(np.array(c["correct"]) for c in (COLUMNS, other)), COLUMNS["group"]
    )
    same = m.comparison(COLUMNS, rows(COLUMNS, order), FAST)
    assert all(g.value in (0, None) for p, g in leaves(same).items() if p[0] != "mcnemar")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda c: rows(c, range(239)),
            r"1 answers are of one model alone, such as \('i00059', 1.0\)",
        ),
        (lambda c: {**c, "group": ["g"] * 240}, "different groups for the same items"),
        (lambda c: {k: v for k, v in c.items() if k not in ("rule", "cut")}, "missing: rule, cut"),
        (lambda c: {**c, "tokens": [1]}, "tokens 1"),
        (lambda c: {**c, "correct": [2.0] * 240}, r"correct is 2\.0 in row 0"),
        (lambda c: rows(c, [*range(240), 0]), r"more than one answer of \('i00000', 0\.0\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        m.comparison(COLUMNS, change(COLUMNS), FAST)


def test_metrics_load_no_torch() -> None:
    code = "import sys, trainer.metrics; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
