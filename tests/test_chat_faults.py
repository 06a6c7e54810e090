"""The gateway against a server that fails as told; the server's bill is the oracle."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from annotate.testing.faultserver import FaultServer
from degrade.chat import (
    Chat,
    FatalError,
    Limits,
    Reply,
    RowError,
)
from degrade.chat_limits import Clock, Gate, decide, retry_after
from tests.chat_help import (
    ROUND,
    ROUND_COST,
    ask,
    prices,
    row,
    total,
    with_chat,
)

# ------------------------------------------------------------------------------ transport

TRANSIENT = [
    *("h500", "h502", "h503", "h529", "h408", "h409", "r429none", "r429:0.02"),
    *("r429ms:20", "reset", "close", "html", "blank", "huge", "torn", "errorbody"),
]


def test_transient_faults_are_retried_and_every_attempt_is_on_the_bill(
    server: FaultServer, tmp_path: Path
) -> None:
    requests = [row(f"{f.replace(':', '_')}", f"{f}*2") for f in TRANSIENT]

    async def in_turn(chat: Chat) -> list[Reply]:
        return [await chat.ask(r) for r in requests]

    replies = with_chat(server, tmp_path / "j", in_turn)
    assert [r.text and r.attempt for r in replies] == [3] * len(TRANSIENT)
    assert all(r["requests"] == 3 for r in server.ids.values())
    bill = total(tmp_path / "j")
    assert bill.requests == server.requests
    assert bill.answers == len(TRANSIENT)
    assert bill.failed + bill.unknown == 2 * len(TRANSIENT)
    named = {"http_500", "http_429", "reset", "not_json", "huge", "no_completion"}
    assert named <= bill.reasons.keys()
    with sqlite3.connect(tmp_path / "j") as db:
        assert db.execute("SELECT max(length(body)) FROM attempts").fetchone()[0] < 1 << 20
    db.close()


def test_a_request_that_always_fails_is_given_up_alone(server: FaultServer, tmp_path: Path) -> None:
    requests = [row("bad", "h500"), *[row(i) for i in range(8)]]
    replies = with_chat(server, tmp_path / "j", ask(*requests), attempts=4)
    assert isinstance(replies[0], RowError)
    assert replies[0].code == "http_500"
    assert server.ids["bad"]["requests"] == 4
    assert all(isinstance(r, Reply) for r in replies[1:])


@pytest.mark.parametrize("fault", ["r429:1", "r429ms:700", "r429date:2", "h503:1"])
def test_one_retry_after_holds_all_workers(server: FaultServer, tmp_path: Path, fault: str) -> None:
    server.delay = 0.02
    requests = [row("first", f"{fault}*1"), *[row(i) for i in range(20)]]
    with_chat(server, tmp_path / "j", ask(*requests), concurrency=4)
    told = server.ids["first"]["at"][0] + server.delay
    arrivals = sorted(t for r in server.ids.values() for t in r["at"])
    # Those that were on the wire when the answer came are not held; a date has whole seconds.
    held = [t for t in arrivals if t > told + 0.1]
    assert len(held) >= 17
    assert min(held) - told > {"r429ms:700": 0.69}.get(fault, 0.95)


def test_concurrency_is_bounded_and_halved_when_told_to_slow_down(
    server: FaultServer, tmp_path: Path
) -> None:
    server.delay = 0.03

    async def work(chat: Chat) -> float:
        await ask(*[row(i, "r429ms:1*1" if i == 20 else "") for i in range(40)])(chat)
        assert chat.gate.width < 8
        await ask(*[row(f"x{i}") for i in range(60)])(chat)
        return chat.gate.width

    assert with_chat(server, tmp_path / "j", work, concurrency=8) > 7
    assert 4 <= server.most_active <= 8


def test_a_timeout_may_have_been_paid_for(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    (reply,) = with_chat(server, tmp_path / "j", ask(row(1, "hang*2")), timeout=0.3, prices=table)
    assert reply.attempt == 3
    bill = total(tmp_path / "j")
    assert (bill.answers, bill.unknown, bill.reasons) == (1, 2, {"timeout": 2})
    assert bill.cost_micro_usd == ROUND_COST
    assert bill.unknown_max_micro_usd >= 2 * ROUND_COST
    assert server.ids["1"]["answered"] == 3  # the server did bill all of them
    assert bill.cost_micro_usd + bill.unknown_max_micro_usd >= 3 * ROUND_COST


def test_no_server_stops_the_run_and_costs_nothing(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    replies = with_chat(
        "http://127.0.0.1:9/v1", tmp_path / "j", ask(*[row(i) for i in range(30)]),
        prices=table, breaker=6, backoff=0.001,
    )  # fmt: skip
    assert {(type(r), r.code) for r in replies} <= {(FatalError, "breaker"), (RowError, "connect")}
    assert sum(isinstance(r, FatalError) for r in replies) > 15
    bill = total(tmp_path / "j")
    assert (bill.requests, bill.cost_micro_usd, bill.unknown_max_micro_usd) == (0, 0, 0)
    assert bill.reasons["connect"] == bill.unsent
    assert all(isinstance(r, Reply) for r in with_chat(server, tmp_path / "j", ask(row(0), row(1))))


def test_a_burst_of_failures_counts_once(server: FaultServer, tmp_path: Path) -> None:
    """A server that restarts fails all that is in flight: no reason to stop the run."""
    server.delay = 0.3
    requests = [row(i, "h503*1") for i in range(12)]
    replies = with_chat(server, tmp_path / "j", ask(*requests), concurrency=12, breaker=4)
    assert all(isinstance(r, Reply) for r in replies)


def test_a_longer_pause_than_allowed_stops_the_run(server: FaultServer, tmp_path: Path) -> None:
    (error,) = with_chat(server, tmp_path / "j", ask(row(1, "r429:86400")), longest_pause=60)
    assert isinstance(error, FatalError)
    assert error.code == "wait"
    assert server.requests == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("quota", "insufficient_quota"),
        ("h401", "http_401"),
        ("h402", "http_402"),
        ("h403", "http_403"),
        ("h404", "http_404"),
    ],
)
def test_what_dooms_all_requests_stops_the_run(
    server: FaultServer, tmp_path: Path, fault: str, code: str
) -> None:
    server.delay = 0.05
    requests = [row("first", f"{fault}*1"), *[row(i, f"{fault}*1") for i in range(30)]]
    replies = with_chat(server, tmp_path / "j", ask(*requests), concurrency=4)
    assert {(type(r), r.code) for r in replies} == {(FatalError, code)}
    assert "127.0.0.1" in str(replies[0])
    assert "\n" not in str(replies[0])
    assert server.requests <= 4
    again = with_chat(server, tmp_path / "j", ask(*[row(i) for i in range(3)]))
    assert all(isinstance(r, Reply) for r in again)


def test_a_refused_request_is_its_own_fault_unless_all_are(
    server: FaultServer, tmp_path: Path
) -> None:
    requests = [row("ok"), *[row(i, "context") for i in range(9)]]

    async def in_turn(chat: Chat) -> list[Any]:
        return [(await ask(r)(chat))[0] for r in requests]

    replies = with_chat(server, tmp_path / "j", in_turn)
    assert [type(r) for r in replies] == [Reply] + [RowError] * 9
    assert all(server.ids[str(i)]["requests"] == 1 for i in range(9))
    assert "exceeds the context" in str(replies[1])

    requests = [row(f"n{i}", "h400") for i in range(9)]
    replies = with_chat(server, tmp_path / "fresh", in_turn)
    assert [type(r) for r in replies] == [RowError] * 4 + [FatalError] * 5
    assert replies[-1].code == "configuration"


# ------------------------------------------------------------------------------ pure parts


def test_retry_after_in_all_its_forms() -> None:
    assert retry_after({"retry-after": "2"}, 0) == 2
    assert retry_after({"retry-after-ms": "250", "retry-after": "2"}, 0) == 0.25
    date = {"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}
    assert retry_after(date, 1445412500) == 10
    assert retry_after(date, 1445412600) == 0
    # A wrong clock here does not matter where the server says what time it is.
    assert retry_after({**date, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 5) == 30
    for text in ("", "soon", "nan", "inf", "-5"):
        assert retry_after({"retry-after": text}, 0) in {None, 0.0}


def test_the_table_of_outcomes() -> None:
    moves = {
        "answer": [(200, "", "")],
        "again": [(200, "empty", "")],
        "fatal": [(s, "", "") for s in (301, 401, 402, 403, 404)]
        + [(429, "", "insufficient_quota"), (400, "", "billing_hard_limit_reached")],
        "row": [(s, "", "") for s in (400, 413, 415, 422)],
        "slow": [(429, "", "rate_limit_exceeded")],
        "retry": [(s, "", "") for s in (204, 408, 409, 500, 502, 503, 504, 529)]
        + [(None, "timeout", ""), (200, "not_json", "")],
    }
    for move, cases in moves.items():
        assert {decide(*case) for case in cases} == {move}


class Simulated(Clock):
    """Time passes when somebody waits; the wall clock jumps about."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1e9 * (1 - 2 * (int(self.now) % 2))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds


@pytest.mark.parametrize(
    ("limits", "tokens", "per_minute"),
    [
        (Limits(requests_per_minute=120, concurrency=50), 10, 120),
        (Limits(tokens_per_minute=60_000, concurrency=50), 1000, 60),
        (Limits(tokens_per_minute=600, concurrency=50), 1000, 0.6),  # larger than a minute's worth
    ],
)
def test_the_pace_is_kept(limits: Limits, tokens: int, per_minute: float) -> None:
    async def main() -> list[float]:
        clock = Simulated()
        gate = Gate(limits, clock)
        times = []
        for _ in range(40):
            await gate.enter(tokens)
            times.append(clock.now)
            gate.leave()
        return times

    times = asyncio.run(main())
    span = times[-1] - times[0]
    burst = max(1, per_minute / 30)
    assert (39 - burst) * 60 / per_minute <= span * 1.001
    assert span <= 39 * 60 / per_minute * 1.001
