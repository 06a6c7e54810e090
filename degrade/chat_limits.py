"""When a request may be sent, and what its outcome means: pace, pauses, backoff, breaker.

All time here is monotonic, so that a clock that is set does not stop or release anything.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from degrade.chat_headers import FORECAST_SECONDS, RESOURCES, Resource, left
from degrade.chat_request import FatalError
from degrade.errors import StoppedError
from degrade.schema import Record

Move = Literal["answer", "again", "fatal", "row", "slow", "retry"]


class Clock:
    """Time, to be replaced in tests."""

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Limits(Record):
    """How fast, how often and how much.

    Attributes:
        concurrency: Most requests in flight. Halved by a failure or a 429, regained one by one.
        requests_per_minute: Most requests in a minute, on average; ``None``: any.
        tokens_per_minute: The same of tokens, counted as providers do: prompt and ``max_tokens``,
            corrected by the usage that comes back.
        max_cost: US dollars. Bounds what the journal has spent over all its runs, attempts of
            unknown outcome at their upper bound; needs a price for every model.
        attempts: HTTP requests for one question that may fail in transport.
        empty_attempts: Completions without content that are paid for before giving up.
        breaker: Failures in a row, of all requests together, that stop the run. Requests that were
            in flight together count once.
        backoff: Seconds; the nth wait is drawn from 0 to ``min(60, backoff 2^n)`` (full jitter).
        longest_pause: Seconds; a longer ``Retry-After`` stops the run.
        unreached: Failures in a row to connect, before the endpoint has ever answered, that stop
            the run; also of answers that are none of a model's.
        alike: So many first requests refused with the same 4xx stop the run: not the rows are
            wrong, but the configuration.
    """

    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None
    attempts: Annotated[int, Field(ge=1)] = 6
    empty_attempts: Annotated[int, Field(ge=1)] = 2
    breaker: Annotated[int, Field(ge=1)] = 20
    backoff: Annotated[float, Field(gt=0)] = 0.5
    longest_pause: Annotated[float, Field(ge=0)] = 900.0
    unreached: Annotated[int, Field(ge=1)] = 3
    alike: Annotated[int, Field(ge=1)] = 5


QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_UNBILLED_RETRY = {408, 409, 425}


def decide(status: int | None, reason: str, code: str) -> Move:
    """What to do after an outcome: the one table.

    Args:
        status: HTTP status, ``None`` where no response came.
        reason: Of a 200 response: empty where it answers, ``empty`` where it says nothing.
        code: ``error.code`` or ``error.type`` of the body.

    Returns:
        ``answer``; ``again``: paid, empty, ask anew; ``fatal``: stop the run; ``row``: give this
        request up; ``slow``: all wait; ``retry``: this one waits.
    """
    if status is None:
        return "retry"
    if status == 200:
        return "answer" if not reason else "again" if reason == "empty" else "retry"
    if code in QUOTA or status in {401, 402, 403, 404} or 300 <= status < 400:
        return "fatal"
    if status == 429:
        return "slow"
    if status in _UNBILLED_RETRY or status >= 500 or status < 300:
        return "retry"
    return "row"


def maybe_billed(status: int | None) -> bool:
    """Whether the model may have answered although we did not get it: a gateway gave up waiting."""
    return status in {502, 504, 524}


class _Bucket:
    """A token bucket that holds two seconds' worth; a request larger than that leaves a debt."""

    def __init__(self, per_minute: float, now: float) -> None:
        self.rate = per_minute / 60.0
        self.size = max(1.0, 2.0 * self.rate)
        self.level, self.at = self.size, now

    def wait(self, amount: float, now: float) -> float:
        self.level = min(self.size, self.level + self.rate * (now - self.at))
        self.at = now
        return max(0.0, (min(amount, self.size) - self.level) / self.rate)


class _Forecast(NamedTuple):
    """What was left when a request went out at ``started``, and when all of it is there again."""

    amount: float
    until: float
    started: float


class Gate:
    """Lets requests through, in order of arrival, at the pace that limits and server allow."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits, self.clock = limits, clock
        self.active = 0
        self.width = float(limits.concurrency)
        self.failures = 0
        self._judged = -math.inf
        self._pause_until = -math.inf
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._halt = asyncio.Event()
        self._stopped: StoppedError | None = None
        now, per = clock.monotonic(), (limits.requests_per_minute, limits.tokens_per_minute)
        self._buckets = {
            what: None if p is None else _Bucket(p, now)
            for what, p in zip(RESOURCES, per, strict=True)
        }
        self._flying = dict.fromkeys(RESOURCES, 0)
        self._left: dict[Resource, _Forecast] = {}

    def stop(self, error: StoppedError) -> None:
        """Let nothing through any more; the first reason stays."""
        self._stopped = self._stopped or error
        self._changed.set()
        self._halt.set()

    @property
    def stopped(self) -> StoppedError | None:
        """Why nothing is let through."""
        return self._stopped

    def check(self) -> None:
        """Raise the reason where the gate is closed for good."""
        if self._stopped is not None:
            raise self._stopped

    async def enter(self, tokens: int) -> None:
        """Wait for a slot, the pace and the end of a pause."""
        async with self._turn:
            while True:
                self.check()
                if (delay := self._delay(tokens)) > 0:
                    await self._wait(delay)
                elif self.active >= max(1, int(self.width)):
                    self._changed.clear()
                    await self._changed.wait()
                else:
                    break
            self.active += 1
            for what, amount in self._amounts(tokens):
                self._flying[what] += amount
                if (bucket := self._buckets[what]) is not None:
                    bucket.level -= amount

    async def ready(self) -> float:
        """Wait for the end of a pause that began after entering; the time it is."""
        while (delay := self._pause_until - self.clock.monotonic()) > 0 and not self._stopped:
            await self._wait(delay)
        self.check()
        return self.clock.monotonic()

    async def rest(self, n: int) -> None:
        """The backoff of one request after its nth failure, counted from 0."""
        await self._wait(self._backoff(n, 0.0))

    def leave(self, tokens: int, used: int) -> None:
        """Free the slot that was entered with ``tokens``, of which some were used."""
        self.active -= 1
        for what, amount in self._amounts(tokens):
            self._flying[what] -= amount
        if (bucket := self._buckets["tokens"]) is not None:
            bucket.level += tokens - used
        self._changed.set()

    def heard(self, headers: Mapping[str, str], started: float) -> None:
        """Take note of what the endpoint says is left, to stop short of a 429.

        Args:
            headers: Of an answer, see :func:`degrade.chat_headers.left`.
            started: When its request was sent: that is when the endpoint counted.
        """
        now = self.clock.monotonic()
        for what in RESOURCES:
            found, known = left(headers, what), self._left.get(what)
            if found is not None and (known is None or started >= known.started):
                until = now + min(found.reset, FORECAST_SECONDS)
                self._left[what] = _Forecast(found.amount, until, started)

    def succeeded(self) -> None:
        """An answer came: one more slot per round of answers, no failures in a row."""
        self.failures = 0
        self.width = min(float(self.limits.concurrency), self.width + 1.0 / self.width)

    def failed(self, started: float, slow: bool, asked: float | None) -> None:
        """A request failed. Those in flight together are judged once.

        Args:
            started: When it was sent.
            slow: The server asks for less (429), rather than being broken.
            asked: Seconds of its ``Retry-After``.
        """
        now = self.clock.monotonic()
        if asked is not None:
            if asked > self.limits.longest_pause:
                self.stop(
                    FatalError(
                        "wait",
                        f"The endpoint asks to wait {asked:.0f} s, longer than "
                        f"{self.limits.longest_pause:.0f} s. Run the command again later.",
                    )
                )
                return
            self._pause_until = max(self._pause_until, now + asked)
        if started < self._judged:
            return
        self._judged = now
        self.failures += 1
        self.width = max(1.0, self.width / 2)
        # One row that always fails must not halt the others: a broken server shows as three.
        n = self.failures - 1 if slow else self.failures - 3
        if asked is None and n >= 0:
            self._pause_until = max(self._pause_until, now + self._backoff(n, 0.5))
        if self.failures >= self.limits.breaker:
            self.stop(
                FatalError(
                    "breaker",
                    f"{self.failures} failures in a row and no answer. Run the command again when "
                    "the endpoint works.",
                )
            )

    def _backoff(self, n: int, least: float) -> float:
        return random.uniform(least, 1.0) * min(60.0, self.limits.backoff * 2.0 ** min(n, 20))

    def _delay(self, tokens: int) -> float:
        now = self.clock.monotonic()
        waits = [self._pause_until - now]
        for what, amount in self._amounts(tokens):
            if (bucket := self._buckets[what]) is not None:
                waits.append(bucket.wait(amount, now))
            # What is in flight may not have been counted yet. Waiting until all is there again
            # loses nothing: it fills up at the same pace meanwhile.
            said = self._left.get(what)
            if said is not None and said.amount < self._flying[what] + amount:
                waits.append(said.until - now)
        return max(waits)

    @staticmethod
    def _amounts(tokens: int) -> tuple[tuple[Resource, int], ...]:
        return ("requests", 1), ("tokens", tokens)

    async def _wait(self, seconds: float) -> None:
        """Sleep, or less where the gate closes meanwhile."""
        step = asyncio.ensure_future(self.clock.sleep(seconds))
        halt = asyncio.ensure_future(self._halt.wait())
        try:
            await asyncio.wait({step, halt}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            step.cancel()
            halt.cancel()
