"""The sections of a report about what each model does; :mod:`.versus` has those of several.

Figures are those of ``scores.json``. What it has not, accuracy by what training has seen and of the
clean pictures by operator, is made here by the same metrics with the same bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from degrade.pages import Table
from trainer.evaluation.records import Judged
from trainer.evaluation.report import plots
from trainer.evaluation.report.content import (
    Plot,
    Section,
    at,
    cell,
    level_name,
    listed,
    operator_name,
    told,
)
from trainer.evaluation.report.plots import Line
from trainer.evaluation.report.read import Evaluated
from trainer.evaluation.score import columns_of
from trainer.metrics import Bootstrap, Figure, accuracy_by
from trainer.metrics.levels import chance
from trainer.metrics.table import label

ACROSS = "nominal intensity"
_BINS = (0.0, 0.5, 1.0, 2.0, float("inf"))


def bootstrap_of(model: Evaluated) -> Bootstrap:
    """How an evaluation's own intervals were made."""
    return Bootstrap(**model.scores["bootstrap"])


def estimated(model: Evaluated, found: Mapping[Any, tuple[Figure, Sequence[Judged]]]) -> Any:
    """Figures of some rows with the intervals of the model's evaluation."""
    groups = ((figure, [row.group for row in rows]) for figure, rows in found.values())
    return {
        key: estimate._asdict()
        for key, estimate in zip(found, bootstrap_of(model).estimates(groups), strict=True)
    }


def accuracy_of(
    model: Evaluated, rows: Sequence[Judged], by: Callable[[Judged], Any]
) -> dict[Any, dict[str, Any]]:
    """Accuracy of every cell of some rows."""
    figures = accuracy_by([row.correct for row in rows], [by(row) for row in rows])
    return estimated(model, {key: (figure, rows) for key, figure in figures.items()})  # type: ignore[no-any-return]


def said(title: str, curves: Iterable[tuple[str, Sequence[tuple[str, Any]]]], percent: bool) -> str:
    """A plot in words."""
    parts = [
        f"{name}: " + "; ".join(f"{x}: {told(e, percent, 1 if percent else 2)}" for x, e in points)
        for name, points in curves
    ]
    return f"{title}. " + ". ".join(parts) + "."


def curve_plot(
    title: str,
    up: str,
    curves: Sequence[tuple[Evaluated, Mapping[str, Any]]],
    style: Mapping[str, int],
    percent: bool = True,
    reference: tuple[float, str] | None = None,
    caption: str = "",
    zero: bool = True,
) -> Plot:
    """One curve a model over the levels.

    Args:
        title: Above.
        up: What the figures are.
        curves: Each model with its figures by level.
        style: Number of the color of each letter.
        percent: As of :func:`.plots.lines`.
        reference: As of :func:`.plots.lines`.
        caption: Below.
        zero: As of :func:`.plots.lines`.
    """
    label_ = len(style) > 1
    drawn = [
        Line(m.tag if label_ else "", style[m.tag], [(float(k), e) for k, e in found.items()])
        for m, found in curves
    ]
    words = said(title, ((m.name, list(found.items())) for m, found in curves), percent)
    return Plot(plots.lines(drawn, title, ACROSS, up, percent, reference, zero), words, caption)


def styles(models: Sequence[Evaluated]) -> dict[str, int]:
    """Number of the color of each model."""
    return {model.tag: i for i, model in enumerate(models)}


# ------------------------------------------------------------------------------------ accuracy


def accuracy(models: Sequence[Evaluated], unseen: Collection[str]) -> Section:
    """Accuracy against intensity: all operators, and those that training saw and did not see."""
    section = Section("accuracy", "Accuracy against intensity")
    if not models[0].levels:
        return _without_levels(section, models)
    style = styles(models)
    guess = _chance(models[0])
    section.text.append(
        "Share of right answers. Bands and brackets are 95 % intervals, by resampling the source "
        "pictures with all their questions and levels; n is the number of answers."
    )
    section.plots.append(
        curve_plot(
            "All operators",
            "accuracy, %",
            [(m, m.plain["accuracy"]["level"]) for m in models],
            style,
            reference=guess,
            caption=_guessing(guess),
        )
    )
    section.tables.append(_levels(models))
    for name, title in (("seen", "operators in training"), ("unseen", "operators not in training")):
        curves = [(m, part(m, unseen, name)) for m in models]
        if unseen and any(found for _, found in curves):
            own = [(m, found) for m, found in curves if found]
            section.plots.append(
                curve_plot(title.capitalize(), "accuracy, %", own, style, reference=guess)
            )
            rows = [(m.called, [cell(e) for e in found.values()]) for m, found in own]
            head = ("model", *map(level_name, own[0][1]))
            section.tables.append(Table(f"Accuracy in percent, {title}", head, rows))
    if unseen:
        section.text.append(
            f"Not in training: {listed([operator_name(n) for n in sorted(unseen)])}. Clean "
            "pictures count with the operators that their question meets."
        )
    return section


def _levels(models: Sequence[Evaluated]) -> Table:
    """Accuracy, drop and retention at every level."""
    rows = []
    for model in models:
        for key, found in model.plain["accuracy"]["level"].items():
            kept = at(model.plain, "robustness", "level", key) or {}
            corrected = kept.get("chance_corrected_retention")
            cells = [cell(found), *(cell(kept.get(k)) for k in ("drop", "retention"))]
            cells += [cell(corrected), cell(kept.get("destructive"))]
            rows.append((model.at(level_name(key)), cells))
    head = (
        "model and level", "accuracy, %", "drop, points", "retention, %",
        "retention above chance, %", "right answers that became wrong, %",
    )  # fmt: skip
    return Table("Accuracy by level, and what is lost to damage", head, rows)


def _chance(model: Evaluated) -> tuple[float, str] | None:
    values = chance(columns_of(model.judged)["choices"])
    return (float(values.mean()), "guessing") if values.any() else None


def _guessing(guess: tuple[float, str] | None) -> str:
    return f"Guessing would be right in {100 * guess[0]:.1f} %." if guess else ""


def part(model: Evaluated, unseen: Collection[str], name: str) -> dict[str, Any]:
    """Accuracy by level of the questions whose damage training has seen, or none of which it has.

    Args:
        model: Whose.
        unseen: Operators that training has not seen.
        name: ``seen`` or ``unseen``.
    """
    items = {
        item
        for item, row in model.of_item.items()
        if {t.label.replace(" ", "_") in unseen for t in row.truth} == {name == "unseen"}
    }
    rows = [row for row in model.judged if row.item in items and row.level is not None]
    found = accuracy_of(model, rows, lambda row: row.level)
    return {label(key): estimate for key, estimate in found.items()}


def _without_levels(section: Section, models: Sequence[Evaluated]) -> Section:
    """Rows without levels: accuracy against the summed intensity of what was applied, in bins."""
    section.text.append(
        "This is a data set without levels: every picture has damage of its own. Accuracy is "
        "shown by the summed intensity of what was applied; there is no drop, as the same question "
        "is not asked about a clean picture. In brackets: 95 % intervals; n: answers."
    )
    title, guess = "Accuracy by summed intensity", _chance(models[0])
    heads = [_bin_name(place) for place in range(len(_BINS))]
    curves, rows, words = [], [], []
    for number, model in enumerate(models):
        found = accuracy_of(model, model.judged, lambda row: _bin(row.intensity_sum))
        points = [(_mean_damage(model, place), estimate) for place, estimate in found.items()]
        curves.append(Line("" if model.alone else model.tag, number, points))
        cells = [cell(found.get(place)) for place in range(len(_BINS))]
        rows.append((model.called, [cell(model.plain["accuracy"]["all"]), *cells]))
        words.append((model.name, [(heads[place], e) for place, e in found.items()]))
    image = plots.lines(curves, title, "summed intensity", "accuracy, %", reference=guess)
    section.plots.append(Plot(image, said(title, words, True), _guessing(guess)))
    section.tables.append(Table(f"{title}, in percent", ("model", "all", *heads), rows))
    return section


def _bin(damage: float) -> int:
    return next(i for i, end in enumerate(_BINS) if damage <= end)


def _bin_name(place: int) -> str:
    if not place:
        return "clean"
    low, high = _BINS[place - 1], _BINS[place]
    return f"above {low:g}" if high == float("inf") else f"above {low:g} to {high:g}"


def _mean_damage(model: Evaluated, place: int) -> float:
    sums = [row.intensity_sum for row in model.judged if _bin(row.intensity_sum) == place]
    return round(sum(sums) / len(sums), 2)
