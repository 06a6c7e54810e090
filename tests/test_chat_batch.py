"""The batch endpoint: matched by id, paid once, whatever is lost in between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.testing.faultserver import FaultServer
from degrade.chat import (
    Chat,
    FatalError,
    Reply,
    Request,
)
from tests.chat_help import (
    ROUND,
    ROUND_COST,
    ask,
    prices,
    row,
    total,
    with_chat,
)

# ------------------------------------------------------------------------------ batches


def submitted(*requests: Request) -> Callable[[Chat], Awaitable[list[str]]]:
    async def work(chat: Chat) -> list[str]:
        return await chat.submit(requests)

    return work


async def collected(chat: Chat) -> Any:
    for _ in range(5):
        if all(b.status in {"completed", "failed", "expired", "lost"} for b in await chat.poll()):
            break
    return await chat.collect()


def test_requests_may_come_as_a_stream(server: FaultServer, tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[Request]:
        for i in range(3):
            yield row(i)

    async def work(chat: Chat) -> list[str]:
        return await chat.submit(stream())

    assert len(with_chat(server, tmp_path / "j", work)) == 1


def found(*requests: Request) -> Callable[[Chat], Awaitable[list[Reply | None]]]:
    async def work(chat: Chat) -> list[Reply | None]:
        return [await chat.stored(r) for r in requests]

    return work


def test_a_batch_is_matched_by_id_and_paid_once(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    server.answer = lambda body: f"\u2028 {json.dumps(body)[-30:]}"
    journal = tmp_path / "j"
    faults = {"d": "bdup*1", "f": "bforeign*1", "e": "bexpired*1", "b": "b500*1", "q": "b400*1"}
    faults |= {"m": "bdrop*1", "t": "btorn*1", "n": "nousage*1"}
    requests = [row(i, faults.get(i, "")) for i in "abcdefghmnqt"]
    run = {"prices": table}
    ids = with_chat(server, journal, submitted(*requests, *requests), **run)
    assert ids == ["batch_0"]
    assert with_chat(server, journal, submitted(*requests), **run) == []  # already handed in
    (error,) = with_chat(server, journal, ask(requests[0]), **run)
    assert (error.code, server.requests) == ("in_batch", 0)  # nor bought beside it
    pending = total(journal)
    assert (pending.pending, pending.requests) == (12, 12)
    assert pending.pending_max_micro_usd > 12 * ROUND_COST / 2

    async def too_early(chat: Chat) -> Any:
        return await chat.collect()

    assert with_chat(server, journal, too_early, **run).batches == 0
    result = with_chat(server, journal, collected, **run)
    assert (result.batches, result.answers, result.failed, result.unknown) == (1, 7, 3, 2)
    assert (result.duplicates, result.foreign, result.damaged) == (1, 1, 1)
    assert result.reasons == {"batch_expired": 1, "http_400": 1, "http_500": 1, "missing": 2}
    replies = with_chat(server, journal, found(*requests), **run)
    for request, reply in zip(requests, replies, strict=True):
        if reply is not None:
            assert json.dumps(request.body("max_completion_tokens"))[-30:] in reply.text
            assert "\u2028" in reply.text
    bill = total(journal)
    assert bill.estimated == 1
    assert bill.cost_micro_usd >= 6 * ROUND_COST / 2

    # The next day only what is missing is handed in again.
    assert len(with_chat(server, journal, submitted(*requests), **run)) == 1
    assert with_chat(server, journal, collected, **run).answers == 5
    assert None not in with_chat(server, journal, found(*requests), **run)
    assert {i: r["requests"] for i, r in server.ids.items()} == {
        i: 1 + (i in "ebqmt") for i in "abcdefghmnqt"
    }
    assert server.requests == total(journal).requests
    assert with_chat(server, journal, submitted(*requests), **run) == []


@pytest.mark.parametrize("fault", ["reset", "lost", "h500"])
def test_a_batch_is_created_once_whatever_happens_to_the_answer(
    server: FaultServer, tmp_path: Path, fault: str
) -> None:
    server.batches.create_faults = [fault]
    journal, requests = tmp_path / "j", [row(i) for i in range(3)]

    if fault == "lost":
        with pytest.raises(FatalError, match="not known whether"):
            with_chat(server, journal, submitted(*requests))
    with_chat(server, journal, submitted(*requests))
    assert len(server.batches.batches) == 1
    assert with_chat(server, journal, collected).answers == 3
    assert server.requests == 3


@pytest.mark.parametrize("step", ["before upload", "before create", "before the id is written"])
def test_a_crash_while_handing_in_neither_loses_nor_pays_twice(
    server: FaultServer, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from degrade import chat_batch

    journal, requests = tmp_path / "j", [row(i) for i in range(3)]

    async def crash(*_: Any, **values: Any) -> Any:
        raise KeyboardInterrupt

    original = chat_batch.Batches._set

    async def crash_at_id(self: Any, shard: str, **values: Any) -> None:
        if "batch_id" in values:
            raise KeyboardInterrupt
        await original(self, shard, **values)

    with monkeypatch.context() as patch:
        name = {"before upload": "_upload", "before create": "_create"}.get(step, "_set")
        patch.setattr(chat_batch.Batches, name, crash_at_id if name == "_set" else crash)
        with pytest.raises(KeyboardInterrupt):
            with_chat(server, journal, submitted(*requests))
    server.batches.hidden = False
    with_chat(server, journal, submitted(*requests))
    assert len(server.batches.batches) == 1
    assert with_chat(server, journal, collected).answers == 3
    assert server.requests == 3


def test_a_batch_that_may_exist_is_not_created_again_before_it_can_be_seen(
    server: FaultServer, tmp_path: Path
) -> None:
    server.batches.create_faults, server.batches.hidden = ["reset"], True
    journal, requests = tmp_path / "j", [row(i) for i in range(3)]
    with pytest.raises(FatalError, match="Run the command again"):
        with_chat(server, journal, submitted(*requests))
    server.batches.hidden = False
    with_chat(server, journal, submitted(*requests))
    assert len(server.batches.batches) == 1


@pytest.mark.parametrize(
    ("status", "no_output", "failed", "unknown", "reason"),
    [
        ("failed", False, 3, 0, "batch_failed"),
        ("expired", True, 3, 0, "batch_expired"),
        ("completed", True, 0, 3, "missing"),
    ],
)
def test_batches_that_end_badly_free_their_rows(
    server: FaultServer, tmp_path: Path, status: str, no_output: bool,
    failed: int, unknown: int, reason: str,
) -> None:  # fmt: skip
    journal, requests = tmp_path / "j", [row(i) for i in range(3)]
    server.batches.status, server.batches.no_output = status, no_output
    with_chat(server, journal, submitted(*requests))
    result = with_chat(server, journal, collected)
    assert (result.failed, result.unknown, result.reasons) == (failed, unknown, {reason: 3})
    server.batches.status, server.batches.no_output = "completed", False
    assert len(with_chat(server, journal, submitted(*requests))) == 1
    assert with_chat(server, journal, collected).answers == 3


def test_a_batch_the_provider_forgot_is_of_unknown_outcome(
    server: FaultServer, tmp_path: Path
) -> None:
    with_chat(server, tmp_path / "j", submitted(row(1)))
    server.batches.batches.clear()
    result = with_chat(server, tmp_path / "j", collected)
    assert (result.unknown, result.reasons) == (1, {"lost": 1})


def test_shards_are_bounded_in_lines_and_bytes(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("degrade.chat_batch.MOST_LINES", 4)
    assert len(with_chat(server, tmp_path / "j", submitted(*[row(i) for i in range(10)]))) == 3
    monkeypatch.setattr("degrade.chat_batch.MOST_SHARD_BYTES", 700)
    with_chat(server, tmp_path / "k", submitted(*[row(f"k{i}") for i in range(10)]))
    files = list(server.batches.files.values())
    assert [len(f.splitlines()) for f in files[:3]] == [4, 4, 2]
    assert all(len(f) <= 700 for f in files[3:])
    assert sum(len(f.splitlines()) for f in files[3:]) == 10
    assert with_chat(server, tmp_path / "k", collected).answers == 10


def test_a_batch_over_budget_is_not_handed_in(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    with pytest.raises(FatalError, match="Raise the maximal cost"):
        with_chat(
            server, tmp_path / "j", submitted(*[row(i) for i in range(9)]),
            prices=table, max_cost=0.001,
        )  # fmt: skip
    assert not server.batches.batches
    assert total(tmp_path / "j").requests == 0
