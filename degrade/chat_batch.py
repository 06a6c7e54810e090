"""The batch endpoint: hand in now, collect on another day, pay once.

Requests are packed into shards. A shard is written down with all its lines before it is uploaded,
and its hash travels as metadata of the batch: if the program dies between creating a batch and
writing its id down, the batch is found again by that hash and adopted. What comes back is matched
by ``custom_id``, the request's key, alone: order, repetitions and strangers do not matter.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import IO, Any, NamedTuple, TypeVar

from degrade.chat_batch_files import (
    BatchState,
    Collected,
    each,
    errors_of,
    read_line,
    split_lines,
    write_line,
)
from degrade.chat_cost import Budget, Prices, upper_usage
from degrade.chat_headers import retry_after
from degrade.chat_journal import SPENT, Intent, Journal
from degrade.chat_limits import Clock, Limits, decide
from degrade.chat_request import FatalError, Request
from degrade.chat_transport import Received, Wire

MOST_LINES = 50_000
MOST_SHARD_BYTES = 180_000_000
"""Providers allow 200 MB."""
TAG = "degrade_shard"
ENDED = frozenset({"completed", "failed", "expired", "cancelled", "lost"})

_TRANSFER_SECONDS = 3600.0
_LISTINGS = 3
T = TypeVar("T")


class _Shard(NamedTuple):
    intents: list[Intent]
    file: IO[bytes]
    size: int


class Batches:
    """Shards of one journal at one endpoint.

    Args:
        wire: The client.
        journal: Where shards and answers are written.
        prices: The price table.
        budget: What may be spent.
        limits: How often to try.
        clock: Time.
    """

    def __init__(
        self,
        wire: Wire,
        journal: Journal,
        prices: Prices,
        budget: Budget,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.wire, self.journal, self.prices, self.budget = wire, journal, prices, budget
        self.limits, self.clock = limits, clock
        self.most_lines, self.most_bytes = MOST_LINES, MOST_SHARD_BYTES

    # ---------------------------------------------------------------------------- handing in

    async def submit(self, requests: Iterable[Request] | AsyncIterable[Request]) -> list[str]:
        """Hand in what is neither stored nor handed in already; the new batches' ids.

        Requests are taken one by one, so that all of a run can be given as one stream: a batch
        then holds as many of them as it may.

        Raises:
            FatalError: The budget does not allow it, the endpoint refuses all, or nobody knows
                whether a batch was created; shards before that are handed in.
            UserError: A cost is bounded and a model has no price.
        """
        self.wire.client()  # a missing key is an error before anything is written down
        await self._recover()
        made = []
        async for shard in self._pack(requests):
            with shard.file:
                made.append(await self._hand_in(shard))
        return made

    async def _pack(
        self, requests: Iterable[Request] | AsyncIterable[Request]
    ) -> AsyncIterator[_Shard]:
        # Lines go to a file without a name, so that pictures neither fill the memory nor stay.
        intents: list[Intent] = []
        file, size = tempfile.TemporaryFile(dir=self.journal.path.parent), 0  # noqa: SIM115
        seen: set[str] = set()
        async for request in each(requests):
            if request.key in seen or await self._taken(request.key):
                continue
            seen.add(request.key)
            data = write_line(request, self.wire.endpoint.max_tokens_field)
            if intents and (len(intents) >= self.most_lines or size + len(data) > self.most_bytes):
                yield _Shard(intents, file, size)
                intents = []
                file, size = tempfile.TemporaryFile(dir=self.journal.path.parent), 0  # noqa: SIM115
            file.write(data)
            size += len(data)
            intents.append(self._intent(request))
        if intents:
            yield _Shard(intents, file, size)
        else:
            file.close()

    def _intent(self, request: Request) -> Intent:
        model = request.model
        price = self.prices.of(model) if self.budget.limit is None else self.prices.need(model)
        most = self.prices.cost(model, upper_usage(request, price), batch=True)
        return Intent(request.key, model, request.stage, most, self.clock.wall(), mode="batch")

    async def _taken(self, key: str) -> bool:
        sql = (
            "SELECT 1 FROM attempts WHERE key=? AND "
            "((state='got' AND reason='') OR state='intent') LIMIT 1"
        )
        return await self._run(lambda db: db.execute(sql, (key,)).fetchone()) is not None

    async def _hand_in(self, shard: _Shard) -> str:
        """Upload a shard and create its batch, writing each step down."""
        upper = sum(i.cost_max or 0 for i in shard.intents)
        await self.budget.reserve(upper)
        spent = 0
        try:
            name = await self._write_down(shard.intents)
            spent = upper  # until it is collected
            try:
                file_id = await self._upload(name, shard.file)
                await self._set(name, file_id=file_id)
                return await self._create(name, file_id)
            except FatalError as error:
                if error.code != "batch":
                    await self._drop(name, error.code)
                    spent = 0
                raise
        finally:
            self.budget.settle(upper, spent)

    async def _write_down(self, intents: list[Intent]) -> str:
        sql = "SELECT coalesce(max(n), 0) FROM attempts WHERE key=?"
        keys = [i.key for i in intents]
        before = await self._run(lambda db: [db.execute(sql, (k,)).fetchone()[0] for k in keys])
        # With the attempts' numbers: the same lines handed in again are another shard.
        text = "\n".join(sorted(f"{k} {n + 1}" for k, n in zip(keys, before, strict=True)))
        name = hashlib.sha256(text.encode()).hexdigest()
        sql_batch = (
            "INSERT OR REPLACE INTO batches (shard, status, created) VALUES (?, 'intent', ?)"
        )
        now = self.clock.wall()
        # The batch first: lines without a batch would be in flight for ever.
        await self._run(lambda db: db.execute(sql_batch, (name, now)))
        await asyncio.wrap_future(self.journal.begin([i._replace(shard=name) for i in intents]))
        return name

    async def _upload(self, name: str, file: IO[bytes]) -> str:
        async def call() -> Any:
            file.seek(0)
            create = self.wire.client().files.create
            return await create(file=(f"{name[:16]}.jsonl", file), purpose="batch")

        return str((await self._safe(call)).id)

    async def _create(self, name: str, file_id: str) -> str:
        async def call() -> Any:
            return await self.wire.client().batches.create(
                input_file_id=file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={TAG: name},
            )

        for n in range(self.limits.attempts):
            made = await self.wire.attempt(call)
            if not isinstance(made, Received):
                await self._set(name, batch_id=str(made.id), status=str(made.status))
                return str(made.id)
            if made.state == "unknown":
                return await self._search(name, made.reason)
            await self._again(made, n)
        raise AssertionError  # _again raises at the last

    async def _search(self, name: str, reason: str) -> str:
        """A batch that may have been created: never create it again before having looked."""
        for n in range(_LISTINGS):
            with suppress(FatalError):
                if found := await self._adopt([name]):
                    return found[name]
            await self.clock.sleep(self.limits.backoff * 2.0**n)
        raise FatalError(
            "batch",
            f"It is not known whether a batch was created ({reason}). Run the command again: it is "
            "looked for first.",
        )

    async def _recover(self) -> None:
        """Find the batches whose id was not written down; create those that do not exist."""
        sql = (
            "SELECT shard, file_id FROM batches WHERE batch_id IS NULL AND status != 'dropped' "
            "ORDER BY created"
        )
        lost = await self._run(lambda db: db.execute(sql).fetchall())
        if not lost:
            return
        found = await self._adopt([shard for shard, _ in lost])
        for shard, file_id in lost:
            if shard in found:
                continue
            if file_id is not None:
                await self._create(shard, file_id)
            else:
                before = await self._cost(shard)
                await self._drop(shard, "not_sent")
                self.budget.spent -= before

    async def _adopt(self, shards: list[str]) -> dict[str, str]:
        """Batches at the provider that carry these hashes; the oldest of each that lives."""

        async def call() -> Any:
            return [b async for b in self.wire.client().batches.list(limit=100)]

        named: dict[str, list[Any]] = {}
        for batch in await self._safe(call):
            shard = (batch.metadata or {}).get(TAG)
            if shard in shards:
                named.setdefault(shard, []).append(batch)
        adopted = {}
        for shard, batches in named.items():
            alive = [b for b in batches if b.status not in {"failed", "cancelled", "cancelling"}]
            first = min(alive or batches, key=lambda b: b.created_at)
            await self._set(shard, batch_id=str(first.id), status=str(first.status))
            adopted[shard] = str(first.id)
        return adopted

    async def _drop(self, shard: str, reason: str) -> None:
        """Give a shard up that was never created: its lines are free to be handed in again."""
        await self._close_rest(shard, "failed", reason)
        await self._set(shard, status="dropped", collected=1)

    # ---------------------------------------------------------------------------- collecting

    async def poll(self) -> tuple[BatchState, ...]:
        """Ask how each batch that is not collected is doing."""
        await self._recover()
        return tuple([await self._look(shard, batch) for shard, batch in await self._open()])

    async def _open(self) -> list[tuple[str, str]]:
        sql = (
            "SELECT shard, batch_id FROM batches WHERE batch_id IS NOT NULL AND collected=0 "
            "ORDER BY created"
        )
        return await self._run(lambda db: db.execute(sql).fetchall())

    async def _look(self, shard: str, batch_id: str) -> BatchState:
        batch = await self._retrieve(batch_id)
        status, detail = ("lost", "") if batch is None else (str(batch.status), errors_of(batch))
        await self._set(shard, status=status, detail=detail)
        sql = "SELECT count(*) FROM attempts WHERE shard=?"
        count = await self._run(lambda db: db.execute(sql, (shard,)).fetchone()[0])
        return BatchState(
            shard=shard, batch_id=batch_id, status=status, requests=count, detail=detail
        )

    async def _retrieve(self, batch_id: str) -> Any | None:
        async def call() -> Any:
            return await self.wire.client().batches.retrieve(batch_id)

        return await self._safe(call, missing=True)

    async def collect(self) -> Collected:
        """Store the results of batches that have ended. Can be interrupted and repeated."""
        await self._recover()
        total: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for shard, batch_id in await self._open():
            batch = await self._retrieve(batch_id)
            status = "lost" if batch is None else str(batch.status)
            if status not in ENDED:
                continue
            before = await self._cost(shard)
            for file_id in (batch.output_file_id, batch.error_file_id) if batch else ():
                if file_id:
                    await self._read(shard, file_id, total, reasons)
            # What an ended batch does not mention: not done if it was cut short, else unknown.
            state, reason = ("unknown", status if status == "lost" else "missing")
            if status in {"failed", "expired", "cancelled"}:
                state, reason = "failed", f"batch_{status}"
            rest = await self._close_rest(shard, state, reason)
            total[state] += rest
            reasons[reason] += rest
            await self._set(shard, status=status, collected=1, detail=errors_of(batch))
            total["batches"] += 1
            self.budget.spent += await self._cost(shard) - before
        counts = {name: total[name] for name in Collected.model_fields if name != "reasons"}
        return Collected(**counts, reasons={k: n for k, n in sorted(reasons.items()) if n})

    async def _read(
        self, shard: str, file_id: str, total: Counter[str], reasons: Counter[str]
    ) -> None:
        sql = "SELECT key, n, model, state FROM attempts WHERE shard=?"
        rows = await self._run(lambda db: db.execute(sql, (shard,)).fetchall())
        ours = {key: (n, model) for key, n, model, _ in rows}
        waiting = {key for key, _, _, state in rows if state == "intent"}
        done = set(ours) - waiting

        async def call() -> bool:
            content = self.wire.client().files.with_streaming_response.content
            async with content(file_id) as response:
                async for line in split_lines(response.iter_bytes()):
                    await take(line)
            return True

        async def take(line: bytes) -> None:
            key, outcome = read_line(line, ours, self.prices, self.clock.wall())
            if outcome is None:
                total["foreign" if key else "damaged"] += 1
                return
            assert key is not None
            if await asyncio.wrap_future(self.journal.finish(key, ours[key][0], outcome)):
                kind = {"got": "answers"}.get(outcome.state, outcome.state)
                total["failed" if outcome.reason == "empty" else kind] += 1
                if outcome.reason:
                    reasons[outcome.reason] += 1
            elif key not in done:
                total["duplicates"] += 1

        await self._safe(call, missing=True)  # an output file may have expired

    async def _cost(self, shard: str) -> int:
        sql = f"SELECT {SPENT} FROM attempts WHERE shard=?"
        return int(await self._run(lambda db: db.execute(sql, (shard,)).fetchone()[0]))

    # ---------------------------------------------------------------------------- helpers

    async def _safe(self, call: Callable[[], Awaitable[T]], missing: bool = False) -> T | Any:
        """Repeat what may be repeated; with ``missing``, ``None`` for a 404."""
        for n in range(self.limits.attempts):
            result = await self.wire.attempt(call, _TRANSFER_SECONDS)
            if not isinstance(result, Received):
                return result
            if missing and result.status == 404:
                return None
            await self._again(result, n)
        raise AssertionError  # _again raises at the last

    async def _again(self, received: Received, n: int) -> None:
        """Wait before another try, or raise where there is to be none."""
        move = decide(received.status, received.reason, received.code)
        said = f"{self.wire.endpoint.url}: {received.reason} {received.detail}".strip()
        tries = self.limits.unreached if received.reason == "connect" else self.limits.attempts
        if move not in {"retry", "slow"} or n + 1 >= tries:
            raise FatalError(received.code or received.reason, f"{said}. Run the command again.")
        asked = retry_after(received.headers, self.clock.wall())
        wait = self.limits.backoff * 2.0**n if asked is None else asked
        await self.clock.sleep(min(wait, self.limits.longest_pause))

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.wrap_future(self.journal.run(job))

    async def _set(self, shard: str, **values: str | int) -> None:
        names = ", ".join(f"{name}=?" for name in values)
        sql = f"UPDATE batches SET {names} WHERE shard=?"
        await self._run(lambda db: db.execute(sql, (*values.values(), shard)))

    async def _close_rest(self, shard: str, state: str, reason: str) -> int:
        sql = "UPDATE attempts SET state=?, reason=?, ended=? WHERE shard=? AND state='intent'"
        values = (state, reason, self.clock.wall(), shard)
        return await self._run(lambda db: db.execute(sql, values).rowcount)
