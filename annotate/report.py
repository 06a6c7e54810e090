"""The summary of an annotation as a table, under the keys that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from degrade.chat_tables import UNPRICED, bill_lines, words


def summary_table(summary: dict[str, Any]) -> Table:
    """Rows by status, speed, depth, diversity and, where a model was asked, the bill.

    Args:
        summary: What :func:`annotate.job.annotate_run` returns. The bill has two columns: this
            run, and all runs that shared the journal.
    """
    bill = summary.get("bill")
    table = Table("", box=None, caption_justify="left")
    if bill and bill["in_all"]["unpriced"]:
        table.caption = UNPRICED
    for heading in ("this run", "in all") if bill else ("chains",):
        table.add_column(heading, justify="right")
    for name, this, total in _lines(summary):
        table.add_row(name, *((this, total) if bill else (this or total,)))
    return table


def _lines(summary: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, figure of this run, figure of all; empty where there is none."""
    counts, bill = summary["counts"], summary.get("bill")
    yield "[bold]rows[/]", "", f"{counts['rows']:,}"
    for status, number in counts["statuses"].items():
        yield f"  {status}", "", f"{number:,}"
    if unmatched := summary["unmatched_questions"]:
        yield "unmatched questions", "", f"{unmatched:,}"
    if counts["judged"]:
        yield "answerable", "", f"{counts['answerable']:,} of {counts['judged']:,} judged"
    if bill:
        yield "[bold]bill[/]", "", ""
        yield from bill_lines(bill)
    yield "[bold]speed[/]", "", ""
    for name, value in summary["speed"].items():
        yield f"  {words(name)}", f"{value:,}", ""
    if counts["ok"]:
        yield from _texts(counts)


def _texts(counts: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "[bold]depth[/]", "", ""
    for name in ("reasoning_tokens_mean", "chain_tokens_mean"):
        yield f"  {words(name)}", "", f"{counts[name]:,.1f}"
    for name in ("depth_spearman", "chain_spearman"):
        yield f"  {words(name)}", "", f"{counts[name]:.3f}"
    varied = counts["diversity"]
    yield f"[bold]diversity[/] of {varied['sample']:,}", "", ""
    yield "  unique", "", f"{varied['unique']:.1%}"
    for name in ("distinct_3", "self_bleu_3"):
        yield f"  {words(name)}", "", f"{varied[name]:.3f}"
