"""How chains meet the gateway: opened per run, estimated dry, or asked through batches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from annotate.ask import Asker
from annotate.llm import LlmWriter, annotate_row
from annotate.rows import Rows, own_pixel_limit
from degrade.chat import Chat, Endpoint, Limits, Prices, Reply, Request, Usage
from degrade.shards import Stored

CHUNK = 200
"""Rows whose requests are held at a time: their pictures are most of the memory."""


DRAIN_SECONDS = 30.0
"""How long an interrupted run waits for answers that are paid for already."""


class PendingError(Exception):
    """An answer that is not stored yet: it goes into a batch."""


class _Collector:
    """An asker that answers from the journal and notes what is missing."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self.missing: dict[str, Request] = {}

    async def ask(self, request: Request) -> Reply:
        reply = await self._chat.stored(request)
        if reply is None:
            self.missing[request.key] = request
            raise PendingError
        return reply


class _Rehearsal:
    """An asker that notes every request and answers with as many words as are hoped for."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        form = request.json_schema
        fields: Any = {} if form is None else form.definition["properties"]
        # As many as fit each part's target, for a length that needs no mending.
        count = request.settings.max_tokens // (9 * len(fields) if len(fields) > 1 else 10)
        words = " ".join(["word"] * max(1, count))
        text = words
        if fields:
            text = json.dumps({name: (f.get("enum") or [words])[0] for name, f in fields.items()})
        return Reply(
            key=request.key,
            text=text,
            finish_reason="stop",
            refusal=None,
            usage=Usage(prompt=0, completion=0),
            cost_micro_usd=0,
            cached=True,
            request_id="",
            attempt=1,
        )


class Gateway:
    """The gateway of one annotation.

    Args:
        endpoint: Where requests go.
        journal: File of paid answers; it outlives the chains, so that nothing is paid twice.
        limits: How fast and how much.
        prices: A price table of the user's.
        tell: Called with what a person who waits should know.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Path,
        limits: Limits,
        prices: Path | None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._endpoint, self._journal, self._limits = endpoint, journal, limits
        self._prices, self._tell = Prices(prices), tell
        self._bill: dict[str, Any] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Chat]:
        """The gateway for a run; its bill is kept when it closes."""
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        async with Chat(self._endpoint, self._journal, self._limits, self._prices) as chat:
            try:
                yield chat
            finally:
                chat.stop()
                if chat.in_flight:
                    self._tell(
                        f"Stopping. Waiting up to {DRAIN_SECONDS:.0f} s for {chat.in_flight} "
                        "answers that are being paid for; ^C again gives them up."
                    )
                await chat.drain(DRAIN_SECONDS)
                this, total = chat.bill(this_run=True), chat.bill()
                self._bill = {
                    "this_run": this.total.model_dump(mode="json"),
                    "in_all": total.total.model_dump(mode="json"),
                    "stages": {k: v.model_dump(mode="json") for k, v in total.stages.items()},
                    "answers_from_the_journal": chat.hits,
                }

    def bill(self) -> dict[str, Any]:
        """What was spent, by the journal: in this run and in all."""
        if not self._bill:  # nothing was asked, for the chains were there already
            asyncio.run(self._read())
        return self._bill

    async def _read(self) -> None:
        async with self.open():
            pass

    def estimate(self, writer: LlmWriter, rows: Rows) -> dict[str, Any]:
        """What a run would ask for and cost; sends nothing. One attempt per row is assumed."""
        with own_pixel_limit():
            return asyncio.run(self._estimate(writer, rows))

    async def _estimate(self, writer: LlmWriter, rows: Rows) -> dict[str, Any]:
        once = writer.options.model_copy(update={"attempts": 1})
        total: dict[str, Any] = {}
        async with self.open() as chat:
            for chunk in _chunks(rows):
                rehearsal = _Rehearsal()
                await _all(chunk, rows, rehearsal, once, writer.name)
                found = await chat.estimate(rehearsal.asked)
                for name, value in found.model_dump(mode="json").items():
                    total[name] = _added(total.get(name), value)
        return total

    def batch(self, writer: LlmWriter, rows: Rows) -> bool:
        """Collect what came back and hand in what is missing; True where nothing is.

        Repeat the command until it is True: then every answer is in
        the journal and the run costs nothing more.
        """
        with own_pixel_limit():
            return asyncio.run(self._batch(writer, rows))

    async def _batch(self, writer: LlmWriter, rows: Rows) -> bool:
        async with self.open() as chat:
            collected = await chat.collect()
            under_way = [s for s in await chat.poll() if s.status != "completed"]
            if under_way:
                states = ", ".join(f"{s.requests} requests {s.status}" for s in under_way)
                self._tell(f"Under way: {states}. Give the same command later.")
                return False
            requests = 0

            async def missing() -> AsyncIterator[Request]:
                nonlocal requests
                for chunk in _chunks(rows):
                    collector = _Collector(chat)
                    await _all(chunk, rows, collector, writer.options, writer.name)
                    for request in collector.missing.values():
                        requests += 1
                        yield request

            submitted = await chat.submit(missing())
        self._tell(
            f"Collected {collected.answers} answers; handed in {requests} requests in "
            f"{len(submitted)} batches. Give the same command later to collect them."
        )
        return not requests


def _chunks(rows: Iterable[Stored]) -> Iterator[list[Stored]]:
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


async def _all(chunk: list[Stored], rows: Rows, asker: Asker, options: Any, writer: str) -> None:
    async def one(item: Stored) -> None:
        with suppress(PendingError):  # noted by the asker
            await annotate_row(rows, item, asker, options, writer)

    await asyncio.gather(*(one(item) for item in chunk))


def _added(a: Any, b: Any) -> Any:
    if a is None or b is None or isinstance(b, str):
        return b if a is None else a
    if isinstance(b, list):
        if (b and isinstance(b[0], str)) or (a and isinstance(a[0], str)):
            return sorted({*a, *b})
        return [x + y for x, y in zip(a, b, strict=True)] if a and b else a or b
    return a + b
