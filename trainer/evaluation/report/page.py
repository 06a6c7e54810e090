"""A report as one HTML page that needs nothing else, and its tables as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from degrade import __version__
from degrade.errors import unknown
from degrade.pages import Cell
from degrade.pages import render as filled
from degrade.runs import read_json
from trainer.evaluation.items import CLEAN, INFO, Benchmark
from trainer.evaluation.report import behind, plots, sections, versus
from trainer.evaluation.report.content import cell, level_name, operator_name
from trainer.evaluation.report.operators import operators
from trainer.evaluation.report.read import Evaluated
from trainer.evaluation.report.samples import samples

HTML, MARKDOWN = "report.html", "report.md"


def unseen_of(models: Sequence[Evaluated], bench: Benchmark | None) -> frozenset[str]:
    """The operators that training has not seen, where the benchmark's recipe lists them."""
    folder = bench.folder if bench else Path(models[0].summary["settings"]["source"])
    if not (folder / INFO).exists():
        return frozenset()
    recipe = (read_json(folder / INFO).get("settings") or {}).get("recipe") or {}
    held = recipe.get("held_out")
    return frozenset(held.get("operators") or ()) if isinstance(held, dict) else frozenset()


def check_unseen(models: Sequence[Evaluated], names: Collection[str]) -> frozenset[str]:
    """Operators as a person names them.

    Raises:
        UserError: One of them damages no picture of the benchmark.
    """
    known = {t.label.replace(" ", "_") for row in models[0].judged for t in row.truth}
    for name in names:
        if name not in known:
            raise unknown("operator of the benchmark", name, known)
    return frozenset(names)


def content(
    models: Sequence[Evaluated], bench: Benchmark | None, unseen: Collection[str], failures: int
) -> dict[str, Any]:
    """All that the templates show.

    Args:
        models: The evaluations, the reference first.
        bench: What they are about; None shows no failures.
        unseen: Operators that training has not seen.
        failures: How many to show.
    """
    seen = {t.label.replace(" ", "_") for row in models[0].judged for t in row.truth}
    there = [sections.accuracy(models, unseen if seen - set(unseen) else ()), operators(models)]
    there += [behind.perception(models), behind.cost(models)]
    if len(models) > 1:
        there.append(versus.versus(models))
    beside = (versus.controls(models), versus.r_bench(models))
    there += [section for section in beside if section]
    settings = models[0].summary["settings"]
    lines = [_model(number, model) for number, model in enumerate(models)]
    return {
        "title": f"Evaluation on {settings['benchmark']}",
        "models": lines,
        "summary": _summary(lines, models[0]),
        "levels": bool(models[0].levels),
        "has_clean": models[0].has_clean,
        "facts": _facts(models),
        "sections": there,
        "samples": samples(models, bench, failures) if bench and failures else [],
        "asked_for_samples": bool(bench and failures),
        "reading": behind.reading(models),
        "provenance": [_provenance(model) for model in models],
        "version": __version__,
        "multiple": len(models) > 1,
    }


def _facts(models: Sequence[Evaluated]) -> list[tuple[str, str]]:
    counts, settings = models[0].summary["counts"], models[0].summary["settings"]
    damaged = {row.operator for row in models[0].judged} - {CLEAN}
    return [
        ("benchmark", settings["benchmark"]),
        ("questions", f"{counts['items']:,}"),
        ("source pictures", f"{counts['pictures']:,}"),
        ("rows", f"{counts['rows']:,}"),
        ("levels", str(len(models[0].levels)) if models[0].levels else "none"),
        ("operators", str(len(damaged))),
    ]


def _summary(shown: Sequence[dict[str, Any]], reference: Evaluated) -> dict[str, Any]:
    """A table whose rows have a model for their heading."""
    head = ["model", "all rows", *(level_name(key) for key in reference.levels)]
    if reference.has_clean:
        head += ["lost at the strongest level, points", "most damaging there"]
    rows = [(model, model["cells"]) for model in shown]
    return {"caption": "Accuracy in percent, with 95 % intervals", "head": head, "rows": rows}


def _model(number: int, model: Evaluated) -> dict[str, Any]:
    found = model.plain
    keys = model.levels or ()
    cells = [cell(found["accuracy"]["all"])]
    cells += [cell(found["accuracy"]["level"][key]) for key in keys]
    if model.has_clean:
        lost = cell(found["robustness"]["level"][keys[-1]]["drop"])
        by_operator = {
            name: part["level"][keys[-1]]["drop"]
            for name, part in found["robustness"]["operator"].items()
            if (part["level"][keys[-1]]["drop"]["value"] or 0.0) > 0
        }
        name = max(sorted(by_operator), key=lambda n: by_operator[n]["value"], default="none")
        cells += [lost, Cell(operator_name(name))]
    return {
        "tag": "" if model.alone else model.tag,
        "name": model.name,
        "color": plots.COLORS[number],
        "cells": cells,
        "left_out": sum(model.summary["counts"]["left_out"].values()),
    }


def _provenance(model: Evaluated) -> dict[str, Any]:
    settings, how = model.summary["settings"], model.scores["bootstrap"]
    asked = {k: v for k, v in (settings["model"] or {}).items() if v not in (None, "", {})}
    return {
        "called": model.called,
        "lines": [
            ("fingerprint", model.summary["fingerprint"]),
            ("rows", settings["rows"]),
            ("model", ", ".join(f"{k} {v}" for k, v in asked.items()) or "answers made elsewhere"),
            ("prompt", " ".join(settings["prompt"])),
            ("controls", ", ".join(settings["controls"])),
            ("circular", "yes" if settings["circular"] else "no"),
            ("judge", ", ".join(f"{k} {v}" for k, v in settings["judge"].items()) or "none"),
            ("intervals", f"{how['resamples']} resamples, seed {how['seed']}"),
            ("rules version", str(settings["rules"])),
            ("degrade", str(settings["degrade"])),
        ],
    }


def render(shown: dict[str, Any], name: str) -> str:
    """The text of ``report.html`` or ``report.md``.

    Args:
        shown: Of :func:`content`.
        name: Which.
    """
    return filled("trainer", name, shown)
