"""The sections of several models, paired by row, and of the controls and scores beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from degrade.pages import Cell, Table
from trainer.evaluation.items import CLEAN
from trainer.evaluation.records import Judged
from trainer.evaluation.report import plots
from trainer.evaluation.report.content import (
    Plot,
    Section,
    at,
    cell,
    level_name,
    operator_name,
    told,
)
from trainer.evaluation.report.read import Evaluated
from trainer.evaluation.report.sections import bootstrap_of
from trainer.evaluation.score import columns_of
from trainer.metrics import (
    McNemar,
    comparison,
    corruption_error,
    relative_corruption_error,
)

_FIGURES = (
    ("area under retention", ("robustness", "auc"), False, 2),
    ("F1 of named types, %", ("perception", "all", "f1"), True, 1),
    ("false alarms on clean, %", ("perception", "all", "false_alarms"), True, 1),
    ("intensity error", ("perception", "all", "intensity_mae"), False, 2),
    ("tokens of an answer", ("cost", "all", "tokens"), False, 1),
)


def versus(models: Sequence[Evaluated]) -> Section:
    """Every further model less the first, on the rows that both have."""
    section = Section("comparison", "Comparison")
    first = models[0]
    section.text.append(
        f"Every model less {first.called}, paired: both answered the same questions "
        "about the same pictures. Intervals (95 %) resample the source pictures with both models' "
        "answers; one that does not hold 0 is a difference beyond chance. McNemar's test takes "
        "all answers about a picture for one draw. With many figures some will differ by chance."
    )
    found = [(m, *_compared(section, first, m)) for m in models[1:]]
    levels = list(first.plain["accuracy"]["level"])
    shown = [key for key in levels if key != "none"]
    names = ["all", *map(level_name, shown)]
    paths = [("all",), *(("level", key) for key in shown)]
    for model, result, _ in found:
        gaps = [_estimate(at(result, "accuracy", *path)) for path in paths]
        title = f"{model.tag} less {first.tag}: accuracy"
        color = plots.COLORS[models.index(model)]
        words = "; ".join(f"{n}: {told(e)}" for n, e in zip(names, gaps, strict=True))
        image = plots.dots(names, gaps, [color] * len(names), title, "points")
        caption = f"{model.called} less {first.called}."
        section.plots.append(Plot(image, f"{title}, points. {words}.", caption))
        section.tables.append(_accuracies(first, model, result, shown))
        section.tables.append(_operators(first, model, result))
        if table := _further(first, model, result):
            section.tables.append(table)
    errors = [(m, rows) for m, _, rows in found if first.has_clean]
    if errors:
        section.tables.append(_corruption(first, errors))
    return section


Pairs = list[tuple[Judged, Judged]]


def _compared(section: Section, first: Evaluated, other: Evaluated) -> tuple[dict[str, Any], Pairs]:
    """The table of differences and the rows that both have."""
    theirs = {row.id: row for row in other.judged}
    pairs = [(row, theirs[row.id]) for row in first.judged if row.id in theirs]
    left = len(first.judged) + len(other.judged) - 2 * len(pairs)
    if left:
        section.text.append(
            f"{left} answers of {first.tag} or {other.tag} have no counterpart, as the other's row "
            "failed; they are not compared."
        )
    a, b = (columns_of([p[i] for p in pairs]) for i in range(2))
    return comparison(a, b, bootstrap_of(first)), pairs


def _accuracies(
    first: Evaluated, model: Evaluated, result: Mapping[str, Any], levels: Sequence[str]
) -> Table:
    tests = result.get("mcnemar", {})
    rows = []
    for key in ("all", *levels):
        path = ("all",) if key == "all" else ("level", key)
        test: McNemar | None = at(tests, *path)
        rows.append(
            (
                "all" if key == "all" else level_name(key),
                [
                    *(cell(at(m.plain, "accuracy", *path)) for m in (first, model)),
                    cell(_estimate(at(result, "accuracy", *path))),
                    cell(_estimate(at(result, "robustness", *path, "drop"))),
                    *_tested(test),
                ],
            )
        )
    head = (
        "level", f"{first.tag}: accuracy, %", f"{model.tag}: accuracy, %",
        f"{model.tag} less {first.tag}, points", "difference of drops, points",
        f"only {first.tag} right / only {model.tag} right", "McNemar, p (n: pictures that differ)",
    )  # fmt: skip
    return Table(f"{model.tag} less {first.tag}: accuracy by level", head, rows)


def _tested(test: McNemar | None) -> list[Cell]:
    if test is None:
        return [Cell("-"), Cell("-")]
    p = "<0.001" if test.p < 0.001 else f"{test.p:.3f}"
    both = Cell(f"{test.only_first} / {test.only_second}", f"n = {test.n:,}")
    return [both, Cell(f"{p} ({test.method})", f"n = {test.groups:,}")]


def _estimate(found: Any) -> Mapping[str, Any] | None:
    """An estimate as the mapping that ``scores.json`` would have."""
    return found._asdict() if hasattr(found, "_asdict") else None


def _operators(first: Evaluated, model: Evaluated, result: Mapping[str, Any]) -> Table:
    found = result["accuracy"]["operator"]
    rows = [
        (
            operator_name(name),
            [
                *(cell(at(m.plain, "accuracy", "operator", name)) for m in (first, model)),
                cell(_estimate(gap)),
            ],
        )
        for name, gap in found.items()
        if name != CLEAN
    ]
    head = (
        "operator", f"{first.tag}: accuracy, %", f"{model.tag}: accuracy, %",
        f"{model.tag} less {first.tag}, points",
    )  # fmt: skip
    return Table(f"{model.tag} less {first.tag}: accuracy by operator", head, rows)


def _further(first: Evaluated, model: Evaluated, result: Mapping[str, Any]) -> Table | None:
    rows = []
    for title, path, percent, digits in _FIGURES:
        gap = _estimate(at(result, *path))
        if gap is not None and gap["value"] is not None:
            both = (cell(at(m.plain, *path), percent, digits) for m in (first, model))
            rows.append((title, [*both, cell(gap, percent, digits)]))
    head = ("figure", first.tag, model.tag, f"{model.tag} less {first.tag}")
    return Table(f"{model.tag} less {first.tag}: further figures", head, rows) if rows else None


def _corruption(first: Evaluated, found: Sequence[tuple[Evaluated, Pairs]]) -> Table:
    """Corruption errors of Hendrycks and Dietterich with the first model as reference."""
    rows = []
    for model, pairs in found:
        clean = {a.item: (a.correct, b.correct) for a, b in pairs if a.operator == CLEAN}
        used = [(a, b) for a, b in pairs if a.operator != CLEAN and a.item in clean]
        own, reference = [b.correct for _, b in used], [a.correct for a, _ in used]
        operator, level = [a.operator for a, _ in used], [a.level or 0.0 for a, _ in used]
        before = [clean[a.item] for a, _ in used]
        groups = [a.group for a, _ in used]
        plain = corruption_error(own, reference, operator, level)
        lost = relative_corruption_error(
            own, reference, [b for _, b in before], [a for a, _ in before], operator, level
        )
        how = bootstrap_of(first)
        values = [how.estimate(found.mean, groups)._asdict() for found in (plain, lost)]
        left = Cell(f"{len(plain.undefined)} / {len(lost.undefined)}")
        rows.append((model.called, [*(cell(v, False) for v in values), left]))
    head = ("model", "mCE", "relative mCE", "operators left out, with nothing to divide by")
    caption = (
        f"Corruption errors, {first.tag} being 100: of all errors, and of those that damage adds "
        "(less is better)"
    )
    return Table(caption, head, rows)


# ---------------------------------------------------------------------- controls and R-Bench

_CONTROLS = {
    "blind": "no picture",
    "clean": "the clean picture",
    "told": "the damage is told",
}


def controls(models: Sequence[Evaluated]) -> Section | None:
    """What was asked beside the pictures as they are; None where nothing was."""
    rows = []
    for model in models:
        for control, gap in model.scores["against_none"].items():
            found = model.scores["controls"][control]["accuracy"]["all"]
            both = (model.plain["accuracy"]["all"], found, gap["all"])
            rows.append((model.at(_CONTROLS[control]), [cell(e) for e in both]))
    if not rows:
        return None
    section = Section("controls", "Controls")
    section.text.append(
        "The same rows asked otherwise: without a picture, about the clean picture, or with the "
        "damage named in the prompt. Differences are paired by row, in points."
    )
    head = ("control", "pictures as they are, %", "control, %", "difference")
    section.tables.append(Table("Accuracy under controls, all rows", head, rows))
    return section


def r_bench(models: Sequence[Evaluated]) -> Section | None:
    """Scores as R-Bench counts; None where the damage is not R-Bench's."""
    names = ("low", "mid", "high", "mean")
    rows = []
    for model in models:
        for kind, found in model.scores.get("rbench", {}).items():
            rows.append((model.at(kind), [*[Cell("")] * 3, cell(found["overall"], False, 3)]))
            for task, cells in found["cells"].items():
                line = [cell(cells.get(name), False, 3) for name in names]
                rows.append((model.at(f"{kind}, {task}"), line))
    if not rows:
        return None
    section = Section("r-bench", "R-Bench")
    section.text.append(
        "Absolute: mean score of the damaged pictures. Relative: agreement with the model's own "
        "answer about the clean picture times what that answer is worth."
    )
    section.tables.append(Table("Scores of R-Bench, 0 to 1", ("score", *names), rows))
    return section
