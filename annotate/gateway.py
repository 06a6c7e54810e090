"""How chains meet the gateway: estimated dry, or asked through batches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from annotate.ask import Asker
from annotate.llm import LlmWriter, annotate_row
from annotate.rows import Rows, own_pixel_limit
from degrade.chat import Chat, Reply, Request, Usage
from degrade.chat_session import Session
from degrade.shards import Stored

CHUNK = 200
"""Rows whose requests are held at a time: their pictures are most of the memory."""


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


class Gateway(Session):
    """The gateway of one annotation."""

    def estimate(self, writer: LlmWriter, rows: Rows) -> dict[str, Any]:
        """What a run would ask for and cost; sends nothing. One attempt per row is assumed."""
        once = writer.options.model_copy(update={"attempts": 1})

        async def chunks() -> AsyncIterator[list[Request]]:
            for chunk in _chunks(rows):
                rehearsal = _Rehearsal()
                await _all(chunk, rows, rehearsal, once, writer.name)
                yield rehearsal.asked

        with own_pixel_limit():
            return asyncio.run(self.estimate_requests(chunks))

    def batch(self, writer: LlmWriter, rows: Rows) -> bool:
        """See :meth:`Session.batch_requests`."""

        async def missing(chat: Chat) -> AsyncIterator[Request]:
            for chunk in _chunks(rows):
                collector = _Collector(chat)
                await _all(chunk, rows, collector, writer.options, writer.name)
                for request in collector.missing.values():
                    yield request

        with own_pixel_limit():
            return asyncio.run(self.batch_requests(missing))


def _chunks(rows: Iterable[Stored]) -> Iterator[list[Stored]]:
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


async def _all(chunk: list[Stored], rows: Rows, asker: Asker, options: Any, writer: str) -> None:
    async def one(item: Stored) -> None:
        with suppress(PendingError):  # noted by the asker
            await annotate_row(rows, item, asker, options, writer)

    await asyncio.gather(*(one(item) for item in chunk))
