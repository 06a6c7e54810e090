"""One use of the gateway from ordinary code: opened, interrupted, estimated, billed, batched."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from degrade.chat import Chat, Endpoint, Limits, Prices, Request

C = TypeVar("C")
Item = TypeVar("Item")
T = TypeVar("T")

DRAIN_SECONDS = 30.0
"""How long an interrupted run waits for answers that are paid for already."""


class Session:
    """A gateway with its bill.

    Args:
        endpoint: Where requests go.
        journal: File of paid answers; it outlives what is made of them: nothing is paid twice.
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
        if not self._bill:  # nothing was asked, for what was to be written was there already
            asyncio.run(self._read())
        return self._bill

    async def _read(self) -> None:
        async with self.open():
            pass

    async def estimate_requests(
        self, chunks: Callable[[], AsyncIterable[Sequence[Request]]]
    ) -> dict[str, Any]:
        """What requests would cost, as :class:`degrade.chat.Estimate`; sends nothing.

        Args:
            chunks: Makes the requests, a few at a time: their pictures are most of the memory.
        """
        total: dict[str, Any] = {}
        async with self.open() as chat:
            async for chunk in chunks():
                found = await chat.estimate(chunk)
                for name, value in found.model_dump(mode="json").items():
                    total[name] = _added(total.get(name), value)
        return total

    async def batch_requests(self, missing: Callable[[Chat], AsyncIterable[Request]]) -> bool:
        """Collect what came back and hand in what is missing; True where nothing is.

        Repeat the command until it is True: then every answer is in the journal and the run costs
        nothing more.

        Args:
            missing: Gives the requests that the journal has no answer to.
        """
        async with self.open() as chat:
            collected = await chat.collect()
            under_way = [s for s in await chat.poll() if s.status != "completed"]
            if under_way:
                states = ", ".join(f"{s.requests} requests {s.status}" for s in under_way)
                self._tell(f"Under way: {states}. Give the same command later.")
                return False
            requests = 0

            async def counted() -> AsyncIterator[Request]:
                nonlocal requests
                async for request in missing(chat):
                    requests += 1
                    yield request

            submitted = await chat.submit(counted())
        self._tell(
            f"Collected {collected.answers} answers; handed in {requests} requests in "
            f"{len(submitted)} batches. Give the same command later to collect them."
        )
        return not requests


def _added(a: Any, b: Any) -> Any:
    if a is None or b is None or isinstance(b, str):
        return b if a is None else a
    if isinstance(b, list):
        if (b and isinstance(b[0], str)) or (a and isinstance(a[0], str)):
            return sorted({*a, *b})
        return [x + y for x, y in zip(a, b, strict=True)] if a and b else a or b
    return a + b


async def in_order(
    opened: Callable[[], AbstractAsyncContextManager[C]],
    items: Iterable[Item],
    one: Callable[[C, Item], Coroutine[Any, Any, T]],
    concurrency: int,
) -> AsyncGenerator[T]:
    """What becomes of each item, in the order of the items, twice ``concurrency`` at a time.

    Args:
        opened: Opens what all items are asked of, for as long as the stream lasts.
        items: Taken as they are needed.
        one: Deals with an item; what is under way is cancelled where the stream ends early.
        concurrency: Requests that may be in flight; as many items wait for their turn.
    """
    async with opened() as chat:
        waiting: list[asyncio.Task[T]] = []
        try:
            for item in items:
                waiting.append(asyncio.create_task(one(chat, item)))
                if len(waiting) >= 2 * concurrency:
                    yield await waiting.pop(0)
            while waiting:
                yield await waiting.pop(0)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def drained(stream: AsyncGenerator[T]) -> Generator[T]:
    """The items of a stream, on an event loop of its own.

    An interrupt (^C) ends the stream where it waits, lets it clear up to the end, and is raised
    then; a second one cuts the clearing up short. Closing the generator closes the stream.
    """

    async def step() -> list[T]:
        async for item in stream:
            return [item]
        return []

    async def close() -> None:
        await stream.aclose()

    # Its `run` turns the first ^C into a cancellation of the step, rather than an exception from
    # the middle of the loop that would leave requests in flight behind.
    with asyncio.Runner() as runner:
        try:
            while found := runner.run(step()):
                yield found[0]
        except GeneratorExit:
            runner.run(close())
            raise
