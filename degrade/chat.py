"""The one gateway to OpenAI-compatible endpoints: cached, journaled, costed, resumable.

``await Chat(...).ask(request)`` returns the stored answer where there is one, and otherwise buys
it: sets the cost aside, writes the attempt down, sends it, writes the raw answer down, and only
then reads it. So a finished answer is never paid twice. After a crash at most the requests that
were in flight (``Limits.concurrency``) can be; the bill names them as ``unknown`` with an upper
bound. At the batch endpoint (:meth:`Chat.submit`) not even those can.

The answer's content is not judged here: a refusal or a cut-off text is an answer. To get another,
ask with another ``attempt``, prompt or setting, which make another key.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from degrade.chat_bill import Bill, Estimate, Line, estimate, read_bill
from degrade.chat_cost import Budget, Prices, guess_usage, prompt_tokens, upper_usage
from degrade.chat_headers import retry_after
from degrade.chat_journal import BALLAST_BYTES, Intent, Journal, Outcome, Stored
from degrade.chat_limits import QUOTA, Clock, Gate, Limits, decide
from degrade.chat_request import (
    FatalError,
    JsonSchema,
    Message,
    Picture,
    Reply,
    Request,
    RowError,
    Settings,
    Text,
    Usage,
    read_answer,
)
from degrade.chat_transport import Endpoint, Received, Wire
from degrade.errors import StoppedError

if TYPE_CHECKING:
    from degrade.chat_batch import Batches
    from degrade.chat_batch_files import BatchState, Collected

__all__ = [
    "Bill", "Chat", "Clock", "Endpoint", "Estimate", "FatalError", "JsonSchema", "Limits",
    "Line", "Message", "Picture", "Prices", "Reply", "Request", "RowError", "Settings", "Text",
    "Usage",
]  # fmt: skip


class Chat:
    """A gateway with its journal; an async context manager. Belongs to one event loop.

    Args:
        endpoint: Where requests go.
        journal: The file of answers and attempts. One process at a time.
        limits: How fast and how much.
        prices: The price table.
        clock: Time.
        ballast: Bytes set aside on the journal's disk, see :mod:`degrade.chat_journal`.

    Raises:
        UserError: The journal is in use or none.
        StoppedError: The disk is full.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Path,
        limits: Limits | None = None,
        prices: Prices | None = None,
        clock: Clock | None = None,
        ballast: int = BALLAST_BYTES,
    ) -> None:
        self.limits, self.prices = limits or Limits(), prices or Prices()
        self.clock = clock or Clock()
        self.endpoint, self.wire = endpoint, Wire(endpoint)
        self.journal = Journal(journal, ballast, self.wire.redact)
        self.gate = Gate(self.limits, self.clock)
        cost = self.limits.max_cost
        self.budget = Budget(None if cost is None else round(cost * 1e6), self.journal.spent())
        self._answers = self.journal.answers()
        self._refused: Counter[str] = Counter()
        self._heard = self._served = False  # any response, any completion since it was opened
        self._running: dict[str, asyncio.Task[Reply]] = {}
        self.hits = 0
        """Replies that no request was sent for."""

    def __repr__(self) -> str:
        return f"Chat({self.endpoint.url!r}, {str(self.journal.path)!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel what is in flight (see :meth:`drain`), and give the journal back."""
        await self.drain(0.0)
        await self.wire.close()
        await asyncio.to_thread(self.journal.close)

    def stop(self, reason: str = "Interrupted.") -> None:
        """Send nothing more; who waits to send gets a StoppedError. In flight goes on."""
        self.gate.stop(StoppedError(reason))

    @property
    def in_flight(self) -> int:
        """How many requests are on the wire, or about to be."""
        return self.gate.active

    async def drain(self, seconds: float) -> int:
        """Wait for what is in flight; cancel what is not done by then, as of unknown outcome.

        Returns:
            How many were cancelled.
        """
        tasks = set(self._running.values())
        if tasks and seconds > 0:
            await asyncio.wait(tasks, timeout=seconds)
        late = {task for task in tasks if not task.done()}
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        return len(late)

    # ------------------------------------------------------------------------------- asking

    async def stored(self, request: Request) -> Reply | None:
        """The stored answer; nothing is ever sent."""
        found = await asyncio.wrap_future(self.journal.stored(request.key))
        return None if found is None else self._reply(request, found)

    async def ask(self, request: Request) -> Reply:
        """The model's answer, stored or bought. Equal requests at the same time are one.

        Cancelling the caller does not cancel what is in flight: its answer is paid for.

        Raises:
            RowError: This request has no answer.
            FatalError: Nothing can be answered any more, for the same reason for all.
            StoppedError: The gateway was stopped, or the disk is full.
            UserError: ``openai`` is not installed, or there is no key.
        """
        task = self._running.get(request.key)
        joined = task is not None
        if task is None:
            task = asyncio.create_task(self._ask(request))
            self._running[request.key] = task
            task.add_done_callback(lambda done: self._done(request.key, done))
        reply = await asyncio.shield(task)
        if joined or reply.cached:
            self.hits += 1
        return reply.model_copy(update={"cached": True}) if joined else reply

    def _done(self, key: str, task: asyncio.Task[Reply]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits any more

    async def _ask(self, request: Request) -> Reply:
        found, on_order = await asyncio.wrap_future(self.journal.look_up(request.key))
        if found is not None:
            return self._reply(request, found)
        if on_order:
            raise RowError("in_batch", "it is in a batch that is not collected yet")
        failures = empty = 0
        while True:
            received, found = await self._attempt(request)
            self._heard = self._heard or received.status is not None
            self._served = self._served or received.state == "got"
            move = decide(received.status, received.reason, received.code)
            said = _say(received, self.endpoint)
            if move == "answer":
                self._answers += 1
                return self._reply(request, found, cached=False)
            if move == "fatal":
                raise self._fatal(_code(received), said)
            if move == "row":
                self._blame(received, said)
                raise RowError(received.reason, said)
            if move == "again":
                empty += 1
                if empty >= self.limits.empty_attempts:
                    raise RowError("empty", f"{empty} completions without content")
                continue
            self.gate.check()  # perhaps this was the failure that stops the run
            if move == "retry":
                self._doubt(received, said)
                failures += 1
                if failures >= self.limits.attempts:
                    raise RowError(received.reason, f"{failures} attempts failed; the last: {said}")
                await self.gate.rest(failures - 1)

    async def _attempt(self, request: Request) -> tuple[Received, Stored]:
        """One HTTP request: from setting its cost aside to writing its outcome down."""
        self.gate.check()
        self.wire.client()  # a missing key is an error before anything is written down
        model = request.model
        price = self.prices.of(model) if self.budget.limit is None else self.prices.need(model)
        upper = upper_usage(request, price)
        most = self.prices.cost(model, upper)
        allowance = round(prompt_tokens(request, price).likely) + upper.completion
        await self._reserve(most or 0)
        spent, used = 0, allowance
        try:
            await self.gate.enter(allowance)
            try:
                n = await self._begin(Intent(request.key, model, request.stage, most, self._now()))
                started = await self._ready(request.key, n)
                spent = most or 0  # unless more becomes known
                received = await self._send(request, n)
                outcome = self._outcome(request, received)
                spent = spent if outcome.state == "unknown" else outcome.cost or 0
                usage = outcome.usage or Usage(prompt=0, completion=0)
                used = usage.prompt + usage.completion if outcome.usage else allowance
                await self._finish(request.key, n, outcome)
                self._pace(received, started)
            finally:
                self.gate.leave(allowance, used)
        finally:
            self.budget.settle(most or 0, spent)
        return received, Stored(n, received.body, usage, outcome.cost, received.request_id)

    async def _reserve(self, amount: int) -> None:
        try:
            await self.budget.reserve(amount)
        except FatalError as error:
            self.gate.stop(error)
        self.gate.check()

    async def _begin(self, intent: Intent) -> int:
        begun = asyncio.ensure_future(asyncio.wrap_future(self.journal.begin([intent])))
        try:
            return (await asyncio.shield(begun))[0]
        except asyncio.CancelledError:
            self.journal.finish(intent.key, (await begun)[0], self._unsent())
            raise
        except StoppedError as error:
            self.gate.stop(error)
            raise

    async def _ready(self, key: str, n: int) -> float:
        try:
            return await self.gate.ready()
        except BaseException:
            self.journal.finish(key, n, self._unsent())  # closing the journal waits for it
            raise

    async def _send(self, request: Request, n: int) -> Received:
        try:
            return await self.wire.send(request)
        except BaseException:
            lost = Outcome("unknown", "cancelled", self._now())
            self.journal.finish(request.key, n, lost)
            raise

    async def _finish(self, key: str, n: int, outcome: Outcome) -> None:
        try:
            # Shielded: what is paid for is written, whoever stops waiting.
            await asyncio.shield(asyncio.wrap_future(self.journal.finish(key, n, outcome)))
        except StoppedError as error:
            self.gate.stop(error)
            raise

    def _unsent(self) -> Outcome:
        return Outcome("failed", "not_sent", self._now())

    def _now(self) -> float:
        return self.clock.wall()

    def _outcome(self, request: Request, received: Received) -> Outcome:
        usage = cost = None
        if received.state == "got":
            answer = read_answer(received.body)
            usage = answer.usage
            if usage is None:
                usage = guess_usage(request, self.prices.of(request.model), answer.text)
            cost = self.prices.cost(request.model, usage)
        return Outcome(
            received.state,  # type: ignore[arg-type]
            received.reason,
            self._now(),
            received.status,
            received.request_id,
            usage,
            cost,
            dict(received.headers) or None,
            received.body or None,
        )

    def _pace(self, received: Received, started: float) -> None:
        self.gate.heard(received.headers, started)
        move = decide(received.status, received.reason, received.code)
        if move in {"answer", "again", "row"}:
            self.gate.succeeded()
        elif move in {"slow", "retry"}:
            asked = retry_after(received.headers, self._now())
            self.gate.failed(started, move == "slow", asked)

    def _fatal(self, code: str, detail: str) -> StoppedError:
        """Stop the run; the reason that came first, for all the same."""
        error = FatalError(code, detail)
        self.gate.stop(error)
        return self.gate.stopped or error

    def _blame(self, received: Received, said: str) -> None:
        """Stop where the first requests are all refused alike: the rows are not to blame."""
        self._refused[received.reason] += 1
        count = self._refused[received.reason]
        if not self._answers and count >= self.limits.alike:
            raise self._fatal("configuration", f"The first {count} requests were refused: {said}")

    def _doubt(self, received: Received, said: str) -> None:
        """Stop soon where nothing was ever reached, or no model: waiting would not help."""
        if self.gate.failures < self.limits.unreached:
            return
        if received.reason == "connect" and not self._heard:
            raise self._fatal("connect", f"{said} Start the server, or correct the base URL.")
        if received.reason in {"not_json", "no_completion"} and not self._served:
            raise self._fatal("no_model", f"{said} The base URL of a model's API ends in /v1.")

    def _reply(self, request: Request, found: Stored, cached: bool = True) -> Reply:
        answer = read_answer(found.body)
        return Reply(
            key=request.key,
            text=answer.text,
            finish_reason=answer.finish_reason,
            refusal=answer.refusal,
            usage=found.usage,
            cost_micro_usd=found.cost,
            cached=cached,
            request_id=found.request_id,
            attempt=found.n,
        )

    # ------------------------------------------------------------------------------- money

    def bill(self, this_run: bool = False) -> Bill:
        """What the journal's requests cost, or those since it was opened."""
        return read_bill(self.journal, self.journal.first if this_run else 0)

    async def estimate(self, requests: Iterable[Request], batch: bool = False) -> Estimate:
        """What it would take to answer requests, without sending any; needs no key."""
        return await estimate(requests, self.journal, self.prices, batch)

    # ------------------------------------------------------------------------------- batches

    async def submit(self, requests: Iterable[Request] | AsyncIterable[Request]) -> list[str]:
        """Hand requests in to the batch endpoint; see :class:`degrade.chat_batch.Batches`."""
        return await self._batches().submit(requests)

    async def poll(self) -> tuple[BatchState, ...]:
        """How the batches that are not collected are doing."""
        return await self._batches().poll()

    async def collect(self) -> Collected:
        """Store what finished batches hold; then :meth:`stored` and :meth:`ask` return it."""
        return await self._batches().collect()

    def _batches(self) -> Batches:
        from degrade.chat_batch import Batches

        return Batches(self.wire, self.journal, self.prices, self.budget, self.limits, self.clock)


def _code(received: Received) -> str:
    known = received.code == "insufficient_quota"
    return received.code if known else received.reason


def _say(received: Received, endpoint: Endpoint) -> str:
    """An outcome, and what to do about it, for people."""
    status, hint = received.status, ""
    if received.code in QUOTA or status == 402:
        hint = " The account is out of credit: add some and run the command again."
    elif status in {401, 403}:
        hint = f" Check the key in {endpoint.key_env}."
    elif status == 404:
        hint = " Check the model's name and the base URL."
    what = {"connect": "cannot be reached", "timeout": "did not answer in time"}
    what |= {"reset": "broke the connection off", "not_json": "answered with something else"}
    done = what.get(received.reason, f"answered {status or received.reason}")
    said = f": {received.detail}" if received.detail else ""
    return f"{endpoint.url} {done}{said}.{hint}".replace("..", ".")
