"""What requests have cost, and what they would."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

from pydantic import Field

from degrade.chat_cost import Prices, prompt_tokens
from degrade.chat_journal import Journal
from degrade.chat_request import Request, Usage
from degrade.schema import Record

UNSENT = frozenset({"connect", "not_sent"})
"""Reasons that say the endpoint never saw the attempt."""


class Line(Record):
    """A line of the bill. A request is one HTTP request, or one line of a batch.

    Requests are ``answers``; ``empty`` completions, paid for; ``failed`` ones, which cost nothing;
    ``unknown`` ones, whose outcome was not seen and which may have cost up to
    ``unknown_max_micro_usd``; and ``pending`` ones, in flight or in a batch that is not collected.
    ``unsent`` attempts never reached the endpoint. Money of models without a price is missing,
    ``unpriced`` counts such requests. ``estimated`` answers came without usage. ``reasons`` names
    what went wrong, how often.
    """

    requests: int = 0
    answers: int = 0
    empty: int = 0
    failed: int = 0
    unknown: int = 0
    pending: int = 0
    unsent: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: int = 0
    unpriced: int = 0
    cost_micro_usd: int = 0
    unknown_max_micro_usd: int = 0
    pending_max_micro_usd: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)


class Bill(Record):
    """What the journal has spent, in all and by stage."""

    total: Line
    stages: dict[str, Line]


def read_bill(journal: Journal, since: int = 0) -> Bill:
    """Sums over attempts from number ``since`` on: ``journal.first`` for those of this run."""
    rows = journal.run(
        lambda db: db.execute(
            "SELECT stage, state, reason, count(*), coalesce(sum(prompt), 0), "
            "coalesce(sum(completion), 0), coalesce(sum(cached), 0), "
            "coalesce(sum(estimated), 0), coalesce(sum(cost), 0), coalesce(sum(cost_max), 0), "
            "sum(cost_max IS NULL) FROM attempts WHERE seq>=? GROUP BY stage, state, reason",
            (since,),
        ).fetchall()
    ).result()
    stages = {row[0] for row in rows}
    return Bill(
        total=_line(rows),
        stages={s: _line([row for row in rows if row[0] == s]) for s in sorted(stages)},
    )


def _line(rows: list[tuple[Any, ...]]) -> Line:
    sums: dict[str, int] = dict.fromkeys(set(Line.model_fields) - {"reasons"}, 0)
    reasons: dict[str, int] = {}
    for _, state, reason, count, prompt, completion, cached, estimated, cost, most, free in rows:
        kind = {"failed": "failed", "unknown": "unknown", "intent": "pending"}.get(state)
        kind = "unsent" if reason in UNSENT else kind or ("empty" if reason else "answers")
        sums[kind] += count
        sums["requests"] += count if kind != "unsent" else 0
        sums["prompt_tokens"] += prompt
        sums["completion_tokens"] += completion
        sums["cached_tokens"] += cached
        sums["estimated"] += estimated
        sums["cost_micro_usd"] += cost if state == "got" else 0
        sums["unpriced"] += free if state != "failed" else 0
        if kind in {"unknown", "pending"}:
            sums[f"{kind}_max_micro_usd"] += most
        if reason:
            reasons[reason] = reasons.get(reason, 0) + count
    return Line(**sums, reasons=dict(sorted(reasons.items())))


# ------------------------------------------------------------------------------------ estimate


class Estimate(Record):
    """What asking would take, see :func:`estimate`. Tokens and money: least, likely, most.

    ``requests`` are those given, ``unique`` of them differ, ``stored`` are answered, ``to_send``
    remain. Retries are not in it. ``cost_micro_usd`` is ``None`` where a model has no price.
    """

    requests: int
    unique: int
    stored: int
    to_send: int
    prompt_tokens: tuple[int, int, int]
    completion_tokens: tuple[int, int, int]
    cost_micro_usd: tuple[int, int, int] | None
    unpriced_models: tuple[str, ...]


async def estimate(
    requests: Iterable[Request], journal: Journal, prices: Prices, batch: bool
) -> Estimate:
    """What it would take to answer requests.

    The length of an answer is between 1 token and ``max_tokens``; likely the mean of what the
    journal holds for the stage and model, else half of ``max_tokens``.
    """
    given = stored = 0
    seen: set[str] = set()
    prompt, completion, cost = [0, 0, 0], [0, 0, 0], [0, 0, 0]
    unpriced: set[str] = set()
    means: dict[tuple[str, str], float | None] = {}
    for request in requests:
        given += 1
        if request.key in seen:
            continue
        seen.add(request.key)
        if await asyncio.wrap_future(journal.stored(request.key)) is not None:
            stored += 1
            continue
        group = (request.stage, request.model)
        if group not in means:
            means[group] = await asyncio.wrap_future(journal.mean_completion(*group))
        price, most = prices.of(request.model), request.settings.max_tokens
        likely = min(most, round(means[group] or most / 2))
        spans = zip(prompt_tokens(request, price), (1, likely, most), strict=True)
        for i, (words, written) in enumerate(spans):
            usage = Usage(prompt=math.ceil(words), completion=written)
            prompt[i] += usage.prompt
            completion[i] += usage.completion
            cost[i] += price.micro_usd(usage, batch) if price else 0
        if price is None:
            unpriced.add(request.model)
    return Estimate(
        requests=given,
        unique=len(seen),
        stored=stored,
        to_send=len(seen) - stored,
        prompt_tokens=(prompt[0], prompt[1], prompt[2]),
        completion_tokens=(completion[0], completion[1], completion[2]),
        cost_micro_usd=None if unpriced else (cost[0], cost[1], cost[2]),
        unpriced_models=tuple(sorted(unpriced)),
    )
