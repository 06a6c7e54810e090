"""From judged rows to figures with intervals: the one place that calls ``trainer.metrics``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trainer.evaluation.free import comparable
from trainer.evaluation.items import CLEAN, DISTORTION
from trainer.evaluation.records import CONTROLS, Control, Judged
from trainer.metrics import Bootstrap, Figure, accuracy, paired_bootstrap, rbench, scores
from trainer.metrics.table import COLUMNS, TEXT, label

ALL = "all"
_STRENGTHS = {0.33, 0.67, 1.0}


def score(
    judged: Iterable[Judged],
    resamples: int,
    seed: int,
    texts: Mapping[tuple[str, Control], str] | None = None,
) -> dict[str, Any]:
    """All figures of an evaluation; the content of ``scores.json``.

    Args:
        judged: Rows under every control, in any order.
        resamples: Of the bootstrap over source pictures.
        seed: Of the bootstrap.
        texts: The answers as they stand, by row and control, for the rewards that Robust-R1
            published; left out without.

    Returns:
        ``bootstrap``: how intervals were made. ``controls``: per control the table of
        :func:`trainer.metrics.scores`, with ``vanilla``, accuracy without rotation, where answers
        were rotated. ``against_none``: per control accuracy less that of the picture as it is,
        paired, over all rows and by level. ``rbench``: absolute and relative scores, where the
        levels are its strengths. Every figure has ``value``, ``low``, ``high``, ``n``, ``groups``.
    """
    how = Bootstrap(resamples=resamples, seed=seed)
    rows: dict[Control, list[Judged]] = {}
    for row in judged:
        rows.setdefault(row.control, []).append(row)
    found: dict[str, Any] = {
        "bootstrap": {"resamples": resamples, "seed": seed, "confidence": how.confidence},
        "controls": {c: _control(rows[c], how, texts) for c in CONTROLS if c in rows},
        "against_none": {
            control: _against(rows["none"], rows[control], resamples, seed)
            for control in CONTROLS
            if control != "none" and control in rows and "none" in rows
        },
    }
    if published := _rbench(rows, how):
        found["rbench"] = published
    return found


def columns_of(rows: Sequence[Judged]) -> dict[str, list[Any]]:
    """Rows as the metrics take them.

    Free answers are compared without case, articles and marks. Who guesses anew in each of k
    rotations of k options is right in all with k**-k, which is as if there were k**k options.
    """
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns["choices"] = [row.choices**row.rotations for row in rows]
    columns["chosen"] = [r.chosen if r.task == "mcq" else comparable(r.chosen) for r in rows]
    return columns


def _control(
    rows: Sequence[Judged], how: Bootstrap, texts: Mapping[tuple[str, Control], str] | None
) -> dict[str, Any]:
    columns = columns_of(rows)
    if texts is not None:
        columns[TEXT] = [texts[row.id, row.control] for row in rows]
    found = _plain(scores(columns, how))
    if any(row.vanilla != row.correct for row in rows):
        figure = accuracy([row.vanilla for row in rows])
        found["vanilla"] = how.estimate(figure, [row.group for row in rows])._asdict()
    return found  # type: ignore[no-any-return]


def _plain(tree: Any) -> Any:
    """Estimates as mappings."""
    if hasattr(tree, "_asdict"):
        return tree._asdict()
    return {key: _plain(part) for key, part in tree.items()} if isinstance(tree, dict) else tree


def _against(
    before: Sequence[Judged], after: Sequence[Judged], resamples: int, seed: int
) -> dict[str, Any]:
    """Accuracy under a control less that without, on the rows that have both."""
    plain = {row.id: row for row in before}
    pairs = sorted(
        ((plain[row.id], row) for row in after if row.id in plain), key=lambda pair: pair[0].id
    )
    cells: dict[str, list[tuple[Judged, Judged]]] = {ALL: pairs}
    for pair in pairs:
        cells.setdefault(label(pair[0].level), []).append(pair)
    return {
        name: paired_bootstrap(
            [a.correct for a, _ in cell],
            [b.correct for _, b in cell],
            [a.group for a, _ in cell],
            resamples,
            seed,
        )._asdict()
        for name, cell in cells.items()
    }


def _rbench(rows: dict[Control, list[Judged]], how: Bootstrap) -> dict[str, Any]:
    """Scores as R-Bench counts, where all damage is its distortions at its strengths."""
    damaged = [row for row in rows.get("none", ()) if row.operator != CLEAN]
    theirs = all(r.operator.startswith(DISTORTION) and r.level in _STRENGTHS for r in damaged)
    if not damaged or not theirs:
        return {}
    found = {"absolute": _cells(damaged, [row.correct for row in damaged], None, how)}
    clean = {row.id: row.correct for row in rows.get("clean", ())}
    by_item = {row.item: row.correct for row in rows["none"] if row.operator == CLEAN}
    reference = {row.id: clean.get(row.id, by_item.get(row.item)) for row in damaged}
    both = [r for r in damaged if r.agreement is not None and reference[r.id] is not None]
    if both:
        kept = [row.agreement or 0.0 for row in both]
        found["relative"] = _cells(both, kept, [reference[row.id] or 0.0 for row in both], how)
    return found


def _cells(
    rows: Sequence[Judged], values: list[float], reference: list[float] | None, how: Bootstrap
) -> dict[str, Any]:
    tasks, levels = [row.task for row in rows], [row.level or 0.0 for row in rows]
    made = (
        rbench.absolute(values, tasks, levels)
        if reference is None
        else rbench.relative(values, reference, tasks, levels)
    )
    groups = [row.group for row in rows]

    def told(figure: Figure) -> dict[str, Any]:
        return how.estimate(figure, groups)._asdict()

    cells: dict[str, dict[str, Any]] = {}
    for (task, strength), figure in made.cells.items():
        cells.setdefault(task, {})[strength] = told(figure)
    for task, figure in made.tasks.items():
        cells[task]["mean"] = told(figure)
    return {"overall": told(made.overall), "cells": cells}
