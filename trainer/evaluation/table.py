"""The summary of an evaluation for people: figures with intervals and n, rules, the bill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from degrade.chat_tables import UNPRICED, bill_lines

_PERCENT = 100


def figure(estimate: Mapping[str, Any] | None, percent: bool = True, digits: int = 1) -> str:
    """``81.2 [77.9, 84.3]``; a dash where a figure is undefined.

    Args:
        estimate: ``value``, ``low``, ``high``.
        percent: Times 100.
        digits: After the point.
    """
    if not estimate or estimate["value"] is None:
        return "-"
    scale = _PERCENT if percent else 1
    value, low, high = (
        None if estimate[k] is None else scale * estimate[k] for k in ("value", "low", "high")
    )
    ends = "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{value:.{digits}f}{ends}"


def tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """Accuracy by level under each control, what damage does, how answers were read, the bill.

    Args:
        summary: What :meth:`trainer.evaluation.runner.Evaluation.run` returns.
    """
    scores, counts = summary["scores"], summary["counts"]
    for control, found in scores["controls"].items():
        yield _levels(control, found, scores["against_none"].get(control))
    if published := scores.get("rbench"):
        yield _rbench(published)
    yield _rules(counts)
    for name, title in (("bill", "bill"), ("judge_bill", "bill of the judge")):
        if name in summary:
            yield _bill(title, summary[name])


_TITLES = {
    "none": "the pictures as they are",
    "blind": "control: no picture",
    "clean": "control: the clean picture",
    "told": "control: the damage is told",
}


def _levels(control: str, found: Mapping[str, Any], against: Mapping[str, Any] | None) -> Table:
    robust = {} if against else found.get("robustness", {}).get("level", {})
    table = Table(title=_TITLES[control], title_justify="left", box=None)
    headings = ["level", "n", "accuracy, %"]
    headings += ["drop", "retention, %"] if robust else []
    headings += ["difference to the pictures as they are"] if against else []
    for heading in headings:
        table.add_column(heading, no_wrap=heading != headings[-1])
    rows = {**found["accuracy"]["level"], "all": found["accuracy"]["all"]}
    if list(found["accuracy"]["level"]) == ["none"]:
        rows.pop("none")
    for level, accuracy in rows.items():
        cells = [level, f"{accuracy['n']:,}", figure(accuracy)]
        if robust:
            at = robust.get(level, {})
            cells += [figure(at.get("drop")), figure(at.get("retention"))]
        if against:
            cells.append(figure(against.get(level)))
        table.add_row(*cells)
    if "vanilla" in found:
        table.add_row("unrotated", f"{found['vanilla']['n']:,}", figure(found["vanilla"]))
    return table


def _rbench(published: Mapping[str, Any]) -> Table:
    table = Table("R-Bench", "low", "mid", "high", "mean", title_justify="left", box=None)
    for name in ("absolute", "relative"):
        if name not in published:
            continue
        table.add_row(f"[bold]{name}[/]", "", "", "", figure(published[name]["overall"]))
        for task, cells in published[name]["cells"].items():
            row = [figure(cells[k]) for k in ("low", "mid", "high", "mean")]
            table.add_row(f"  {task}", *row)
    return table


def _rules(counts: Mapping[str, Any]) -> Table:
    """How many answers each rule read, under each control."""
    controls = list(counts["rules"])
    table = Table("how answers were read", *controls, title_justify="left", box=None)
    names = sorted({rule for rules in counts["rules"].values() for rule in rules})
    for name in names:
        table.add_row(name, *(f"{counts['rules'][c].get(name, 0):,}" for c in controls))
    return table


def _bill(title: str, bill: Mapping[str, Any]) -> Table:
    table = Table(title, box=None, caption_justify="left")
    if bill["in_all"]["unpriced"]:
        table.caption = UNPRICED
    for heading in ("this run", "in all"):
        table.add_column(heading, justify="right")
    for name, this, total in bill_lines(dict(bill)):
        table.add_row(name, this, total)
    return table
