"""The sections about what is behind an answer: perception of damage, tokens, how it was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from degrade.pages import Cell, Table
from trainer.evaluation.report import plots
from trainer.evaluation.report.content import Plot, Section, cell, level_name, told
from trainer.evaluation.report.read import Evaluated
from trainer.evaluation.report.sections import curve_plot, styles

_CURVES = (
    ("precision", "Precision of named types", "%", True),
    ("recall", "Recall of applied types", "%", True),
    ("f1", "F1 of types", "%", True),
    ("intensity_mae", "Intensity: mean absolute error", "error", False),
    ("intensity_bias", "Intensity: bias", "named less true", False),
)
_ALL = (
    ("precision", "precision, %", True),
    ("recall", "recall, %", True),
    ("f1", "F1, %", True),
    ("exact_match", "exactly right, %", True),
    ("false_alarms", "false alarms on clean, %", True),
    ("intensity_mae", "intensity error", False),
    ("intensity_bias", "intensity bias", False),
)


def perception(models: Sequence[Evaluated]) -> Section:
    """Whether the models name the degradations, and how strong they are."""
    section = Section("perception", "Perception of degradations")
    able = [m for m in models if "perception" in m.plain]
    section.text += [
        f"{m.called} was not asked to name degradations: its answers have no tagged blocks, so "
        "nothing is shown of it here."
        for m in models
        if m not in able
    ]
    if not able:
        return section
    section.text.append(
        "Named against applied types; named against true intensity where the type was named "
        "rightly. An answer that is no chain names nothing: it misses what is there. False alarms: "
        "clean pictures of which something is named."
    )
    for key, title, up, percent in _CURVES:
        curves = [(m, _damaged(m, key)) for m in able if m.levels]
        if any(e["value"] is not None for _, found in curves for e in found.values()):
            bias = key == "intensity_bias"
            reference = (0.0, "as strong as it is") if bias else None
            section.plots.append(
                curve_plot(title, up, curves, styles(models), percent, reference, zero=not bias)
            )
    if plot := _alarms(able):
        section.plots.append(plot)
    section.tables.append(_perceived(able))
    section.tables += [_types(model) for model in able]
    return section


def _damaged(model: Evaluated, key: str) -> dict[str, Any]:
    """A figure of perception at every level above 0."""
    found = model.plain["perception"]["level"]
    return {k: found[k][key] for k in model.levels if k in found and float(k)}


def _alarms(models: Sequence[Evaluated]) -> Plot | None:
    """False alarms on clean pictures; None where there are no clean pictures."""
    found = [(m, m.plain["perception"]["all"]["false_alarms"]) for m in models]
    found = [(m, e) for m, e in found if e["value"] is not None]
    if not found:
        return None
    title = "False alarms on clean pictures"
    names = ["all clean" if m.alone else m.tag for m, _ in found]
    colors = [plots.COLORS[styles(models)[m.tag]] for m, _ in found]
    image = plots.dots(names, [e for _, e in found], colors, title, "% of them", (0, 103))
    return Plot(image, f"{title}. " + "; ".join(f"{m.name}: {told(e)}" for m, e in found) + ".", "")


def _perceived(models: Sequence[Evaluated]) -> Table:
    rows = []
    for model in models:
        found = model.plain["perception"]
        parts = {"all": found["all"], **{k: found["level"][k] for k in model.levels}}
        for key, part in parts.items():
            where = "all" if key == "all" else level_name(key)
            cells = [cell(part.get(k), percent, 1 if percent else 2) for k, _, percent in _ALL]
            rows.append((model.at(where), cells))
    head = ("model and level", *(title for _, title, _ in _ALL))
    return Table("Perception by level", head, rows)


def _types(model: Evaluated) -> Table:
    keys = (("precision", True), ("recall", True), ("f1", True), ("mae", False), ("bias", False))
    rows = [
        (name, [cell(part.get(k), percent, 1 if percent else 2) for k, percent in keys])
        for name, part in model.plain["perception"]["type"].items()
    ]
    head = ("type", "precision, %", "recall, %", "F1, %", "intensity error", "intensity bias")
    return Table(model.caption("perception by type"), head, rows)


_COSTS = (
    ("tokens", "tokens, mean", False, 1),
    ("tokens_p95", "tokens, 95th percentile", False, 1),
    ("reasoning_tokens", "reasoning tokens, mean", False, 1),
    ("tokens_damage_spearman", "tokens with damage, Spearman", False, 2),
    ("reasoning_damage_spearman", "reasoning with damage, Spearman", False, 2),
    ("accuracy_per_1k_tokens", "right answers per 1,000 tokens", False, 1),
    ("validity", "chains as asked for, %", True, 1),
    ("truncation", "cut off, %", True, 1),
)


def cost(models: Sequence[Evaluated]) -> Section:
    """Tokens against damage, chains in order, answers cut off."""
    section = Section("tokens", "Tokens against damage")
    for key, title in (("tokens", "Tokens of an answer"), ("reasoning_tokens", "of reasoning")):
        known = [m for m in models if m.plain["cost"]["all"][key]["value"] is not None]
        if key == "tokens":
            section.text += [
                f"{m.called}: how many tokens it used is not known."
                for m in models
                if m not in known
            ]
        curves = [
            (m, {k: m.plain["cost"]["level"][k][key] for k in m.levels}) for m in known if m.levels
        ]
        if curves:
            full = title if key == "tokens" else "Tokens of reasoning"
            section.plots.append(curve_plot(full, "tokens, mean", curves, styles(models), False))
    rows = [
        (
            m.called,
            [cell(m.plain["cost"]["all"][key], p, digits) for key, _, p, digits in _COSTS],
        )
        for m in models
    ]
    head = ("model", *(title for _, title, _, _ in _COSTS))
    section.tables.append(Table("What answers cost", head, rows))
    return section


def reading(models: Sequence[Evaluated]) -> Section:
    """How answers were read, and what is in no figure."""
    section = Section("reading", "How answers were read")
    section.text.append(
        "Share of answers that each rule read; docs/evaluation.md says what they are. What names "
        "no option counts as wrong. A row that failed is in no figure and is counted below."
    )
    names = sorted({name for m in models for name in m.plain["cost"]["all"]["rule"]})
    rows = [
        (name, [cell(m.plain["cost"]["all"]["rule"].get(name)) for m in models]) for name in names
    ]
    section.tables.append(Table("Rules, % of answers", ("rule", *(m.tag for m in models)), rows))
    keys = ("rows", "items", "pictures", "answers", "judged", "ignored_answers")
    counts = [
        (
            m.called,
            [*(Cell(f"{m.summary['counts'][k]:,}") for k in keys), _reasons(m.summary["counts"])],
        )
        for m in models
    ]
    head = ("model", "rows", "questions", "pictures", "answers", "judged", "ignored", "left out")
    section.tables.append(Table("Counts, under all controls", head, counts))
    return section


def _reasons(counts: Mapping[str, Any]) -> Cell:
    found = {**counts["unaskable"], **counts["left_out"]}
    return Cell(", ".join(f"{number} {reason}" for reason, number in found.items()) or "none")
