"""The section about operators: a map operator by level, the worst of them, stages and means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from degrade.pages import Table
from degrade.schema import STAGES
from trainer.evaluation.items import CLEAN
from trainer.evaluation.report import plots
from trainer.evaluation.report.content import Plot, Section, at, cell, operator_name
from trainer.evaluation.report.read import Evaluated
from trainer.evaluation.report.sections import ACROSS, accuracy_of, said

WORST = 10
_NO_LEVEL = "0.00"


def operators(models: Sequence[Evaluated]) -> Section:
    """Operator by level as maps, and the operators that cost most."""
    section = Section("operators", "Operators")
    section.text.append(
        "A cell of the maps is the accuracy in percent over n answers. Few answers make it "
        "uncertain; the tables give intervals."
    )
    section.plots += [_map(model) for model in models if model.levels]
    section.tables += [_worst(model) for model in models]
    section.tables += [_by_stage(model) for model in models]
    return section


def _map(model: Evaluated) -> Plot:
    damaged = model.plain["accuracy"]["level_operator"]
    names = sorted({name for found in damaged.values() for name in found})
    clean = _clean_by_operator(model)
    grid = {**({_NO_LEVEL: clean} if clean else {}), **damaged}
    heads = ["clean" if key == _NO_LEVEL else key for key in grid]
    cells = [[found.get(name) for found in grid.values()] for name in names]
    shown = [operator_name(name) for name in names]
    lines = [
        (name, list(zip(heads, line, strict=True))) for name, line in zip(shown, cells, strict=True)
    ]
    caption = f"{model.called}."
    if clean:
        caption += " Clean: the same questions about the undamaged pictures."
    image = plots.heat(shown, heads, cells, model.caption("accuracy, %"), ACROSS)
    return Plot(image, said(f"Map of {model.name}, operator by level", lines, True), caption)


def _clean_by_operator(model: Evaluated) -> dict[str, Any]:
    """Accuracy about clean pictures, by the operator that the same question meets."""
    rows = [row for row in model.judged if row.level == 0 and row.item in model.of_item]
    return accuracy_of(model, rows, lambda row: model.of_item[row.item].operator)


def _worst(model: Evaluated) -> Table:
    """The operators that cost most, by the drop at the strongest level; else by accuracy."""
    by_operator = at(model.plain, "robustness", "operator") or {}
    if not by_operator:
        found = model.plain["accuracy"]["operator"]
        names = sorted((n for n in found if n != CLEAN), key=lambda n: (found[n]["value"], n))
        rows = [(operator_name(n), [cell(found[n])]) for n in names[:WORST]]
        caption = model.caption("operators of lowest accuracy (no clean level to compare with)")
        return Table(caption, ("operator", "accuracy, %"), rows)
    levels = [key for key in model.levels if float(key)]
    drops = {
        name: {key: at(found, "level", key, "drop") for key in levels}
        for name, found in by_operator.items()
    }
    names = sorted(drops, key=lambda name: (-_value(drops[name][levels[-1]]), name))[:WORST]
    rows = [
        (
            operator_name(name),
            [
                *(cell(drops[name][key]) for key in levels),
                cell(by_operator[name]["auc"], False, 2),
            ],
        )
        for name in names
    ]
    caption = model.caption(
        f"the most damaging operators ({len(names)} of {len(drops)}), by points of accuracy "
        f"lost at intensity {levels[-1]}"
    )
    head = ("operator", *(f"drop at {key}" for key in levels), "area under retention")
    return Table(caption, head, rows)


def _value(estimate: Mapping[str, Any] | None) -> float:
    return float("-inf") if not estimate or estimate["value"] is None else float(estimate["value"])


def _by_stage(model: Evaluated) -> Table:
    found = model.plain["accuracy"]
    names = sorted(found["stage"], key=(CLEAN, *STAGES, *found["stage"]).index)
    rows = [(operator_name(name), [cell(found["stage"][name])]) for name in names]
    means = {
        "micro": "damaged: every answer alike",
        "macro_operator": "damaged: every operator alike",
        "macro_stage": "damaged: every stage alike",
    }
    rows += [
        (title, [cell(found["damaged"][key])])
        for key, title in means.items()
        if found["damaged"][key]["value"] is not None
    ]
    return Table(model.caption("accuracy by stage, and means"), ("stage", "accuracy, %"), rows)
