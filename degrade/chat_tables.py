"""Bills and estimates as lines of tables, under the names that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from degrade.chat_cost import dollars

MONEY = "_micro_usd"
UNPRICED = "Unpriced: requests to a model without a price. Give one with --prices."
_ALWAYS = frozenset({"requests", "answers", "prompt_tokens", "completion_tokens", "cost_micro_usd"})


def bill_lines(bill: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, figure of this run, figure of all runs that shared the journal.

    Args:
        bill: Of :meth:`degrade.chat_session.Session.bill`.
    """
    this, total = bill["this_run"], bill["in_all"]
    for name, value in total.items():
        if name == "reasons" or not (value or name in _ALWAYS):
            continue
        yield f"  {words(name)}", _amount(name, this), _amount(name, total)
    # What went wrong on the way, by name; a retry may have mended it.
    for reason, number in total["reasons"].items():
        yield f"    {reason}", f"{this['reasons'].get(reason, 0):,}", f"{number:,}"
    yield "  answers from the journal", f"{bill['answers_from_the_journal']:,}", ""


def _amount(name: str, line: dict[str, Any]) -> str:
    if not name.endswith(MONEY):
        return f"{line[name]:,}"
    if name != "cost" + MONEY or not line["unpriced"]:
        return dollars(line[name])
    return f"{dollars(line[name])} and unknown" if line[name] else "unknown"


def estimate_table(found: dict[str, Any]) -> Table:
    """What a dry run counted."""
    table = Table("", box=None)
    for heading in ("least", "likely", "most"):
        table.add_column(heading, justify="right")
    for name in ("requests", "unique", "stored", "to_send"):
        table.add_row(words(name), "", f"{found[name]:,}", "")
    for name in ("prompt_tokens", "completion_tokens"):
        table.add_row(words(name), *(f"{n:,}" for n in found[name]))
    cost = found["cost" + MONEY]
    if cost is None:
        models = ", ".join(found["unpriced_models"])
        table.add_row("cost", "", f"unknown: no price of {models}; give --prices", "")
    else:
        table.add_row("cost", *map(dollars, cost))
    return table


def words(name: str) -> str:
    """A key as words."""
    return name.removesuffix(MONEY).replace("_", " ")
