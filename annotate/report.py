"""The summary of an annotation as a table, under the keys that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from degrade.chat_cost import dollars

_MONEY = "_micro_usd"
_ALWAYS = frozenset({"requests", "answers", "prompt_tokens", "completion_tokens", "cost_micro_usd"})


def summary_table(summary: dict[str, Any]) -> Table:
    """Rows by status, speed, depth, diversity and, where a model was asked, the bill.

    Args:
        summary: What :func:`annotate.job.annotate_run` returns. The bill has two columns: this
            run, and all runs that shared the journal.
    """
    bill = summary.get("bill")
    table = Table("", box=None, caption_justify="left")
    if bill and bill["in_all"]["unpriced"]:
        table.caption = "Unpriced: requests to a model without a price. Give one with --prices."
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
        yield from _bill(bill["this_run"], bill["in_all"])
        yield "  answers from the journal", f"{bill['answers_from_the_journal']:,}", ""
    yield "[bold]speed[/]", "", ""
    for name, value in summary["speed"].items():
        yield f"  {_words(name)}", f"{value:,}", ""
    if counts["ok"]:
        yield from _texts(counts)


def _texts(counts: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "[bold]depth[/]", "", ""
    for name in ("reasoning_tokens_mean", "chain_tokens_mean"):
        yield f"  {_words(name)}", "", f"{counts[name]:,.1f}"
    for name in ("depth_spearman", "chain_spearman"):
        yield f"  {_words(name)}", "", f"{counts[name]:.3f}"
    varied = counts["diversity"]
    yield f"[bold]diversity[/] of {varied['sample']:,}", "", ""
    yield "  unique", "", f"{varied['unique']:.1%}"
    for name in ("distinct_3", "self_bleu_3"):
        yield f"  {_words(name)}", "", f"{varied[name]:.3f}"


def _bill(this: dict[str, Any], total: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in total.items():
        if name == "reasons" or not (value or name in _ALWAYS):
            continue
        yield f"  {_words(name)}", _amount(name, this), _amount(name, total)
    # What went wrong on the way, by name; a retry may have mended it.
    for reason, number in total["reasons"].items():
        yield f"    {reason}", f"{this['reasons'].get(reason, 0):,}", f"{number:,}"


def _amount(name: str, line: dict[str, Any]) -> str:
    if not name.endswith(_MONEY):
        return f"{line[name]:,}"
    if name != "cost" + _MONEY or not line["unpriced"]:
        return dollars(line[name])
    return f"{dollars(line[name])} and unknown" if line[name] else "unknown"


def estimate_table(found: dict[str, Any]) -> Table:
    """What a dry run counted."""
    table = Table("", box=None)
    for heading in ("least", "likely", "most"):
        table.add_column(heading, justify="right")
    for name in ("requests", "unique", "stored", "to_send"):
        table.add_row(_words(name), "", f"{found[name]:,}", "")
    for name in ("prompt_tokens", "completion_tokens"):
        table.add_row(_words(name), *(f"{n:,}" for n in found[name]))
    cost = found["cost" + _MONEY]
    if cost is None:
        models = ", ".join(found["unpriced_models"])
        table.add_row("cost", "", f"unknown: no price of {models}; give --prices", "")
    else:
        table.add_row("cost", *map(dollars, cost))
    return table


def _words(name: str) -> str:
    return name.removesuffix(_MONEY).replace("_", " ")
