"""The gateway against a server that fails as told; the server's bill is the oracle."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from annotate.testing.faults import Allowance
from annotate.testing.faultserver import FaultServer
from degrade.chat import (
    Chat,
    FatalError,
    Limits,
    Reply,
    RowError,
)
from degrade.chat_headers import left, retry_after
from degrade.chat_limits import Clock, Gate, decide
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


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:9/v1", "Connection refused"),
        ("http://no-such-host.invalid/v1", "no-such-host.invalid/v1 cannot be reached"),
    ],
)
def test_no_server_stops_the_run_soon_and_costs_nothing(
    server: FaultServer, tmp_path: Path, url: str, cause: str
) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    begun = time.monotonic()
    asked = ask(*[row(i) for i in range(30)])
    replies = with_chat(url, tmp_path / "j", asked, prices=table, backoff=0.5)
    assert time.monotonic() - begun < 5
    assert {(type(r), r.code) for r in replies} == {(FatalError, "connect")}
    assert url in str(replies[0])
    assert cause in str(replies[0])
    assert "Start the server, or correct the base URL" in str(replies[0])
    bill = total(tmp_path / "j")
    assert (bill.requests, bill.cost_micro_usd, bill.unknown_max_micro_usd) == (0, 0, 0)
    assert bill.reasons["connect"] >= 3
    assert bill.unsent <= 8 * 4  # every attempt is on the bill; three rounds of them
    assert all(isinstance(r, Reply) for r in with_chat(server, tmp_path / "j", ask(row(0), row(1))))


def test_an_endpoint_that_is_no_model_stops_the_run_soon(
    server: FaultServer, tmp_path: Path
) -> None:
    replies = with_chat(server, tmp_path / "j", ask(*[row(i, "html") for i in range(9)]))
    assert {(type(r), r.code) for r in replies} == {(FatalError, "no_model")}
    assert "ends in /v1" in str(replies[0])


def test_a_server_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """Once it has answered, it may be restarting."""

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def work(chat: Chat) -> tuple[Reply, Reply]:
        server = FaultServer()
        listener = await server.start(port)
        before = await chat.ask(row("before"))
        listener.close()  # and the next request breaks the connection that is left
        later = asyncio.create_task(chat.ask(row("after", "close*1")))
        await asyncio.sleep(0.3)
        async with await server.start(port):
            return before, await later

    limits: dict[str, Any] = {"attempts": 100, "breaker": 100, "backoff": 0.02}
    before, after = with_chat(f"http://127.0.0.1:{port}/v1", tmp_path / "j", work, **limits)
    assert before.attempt == 1
    assert "answer to after" in after.text
    assert after.attempt > 4


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


@pytest.mark.parametrize("told", [True, False])
def test_what_the_headers_say_is_left_is_kept_to(
    server: FaultServer, tmp_path: Path, told: bool
) -> None:
    # The control fills up slowly, so that a busy machine outruns it too.
    count, seconds = (70, 0.4) if told else (30, 2.0)
    server.allowance = Allowance(20, seconds, told)
    requests = [row(i) for i in range(count)]
    started = time.monotonic()
    replies = with_chat(server, tmp_path / "j", ask(*requests), concurrency=6, backoff=0.05)
    took = time.monotonic() - started
    assert all(isinstance(r, Reply) for r in replies)
    # Whoever does not keep to what is left is refused a dozen times. On a busy machine an answer
    # may be read late, after others: then one or two more are sent than there is room for.
    assert server.allowance.refused <= 2 if told else server.allowance.refused > 0
    assert took >= (count - 20) * seconds / 20 * 0.9
    if told:
        assert took < 4 * 70 / 50, "waiting costs little beside what the limit costs"


def test_what_is_left_is_read_in_all_its_forms() -> None:
    def read(amount: str, reset: str) -> tuple[float, float] | None:
        names = ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")
        return left(dict(zip(names, (amount, reset), strict=True)), "tokens")

    assert read("149984", "6m0s") == (149984, 360)
    assert read("0", "20ms") == (0, 0.02)
    assert read("3", "1h2m3.5s") == (3, 3723.5)
    assert read("3", "7") == (3, 7)
    assert read("-2", "0.5") == (-2, 0.5)
    for amount, reset in (
        ("", "1s"), ("3", ""), ("nan", "1s"), ("x", "1s"), ("3", "soon"), ("3", "-1"),
        ("3", "1767225600"), ("3", "inf"), ("3", "2026-01-01T00:00:00Z"),
    ):  # fmt: skip
        assert read(amount, reset) is None, (amount, reset)
    assert left({}, "requests") is None


def test_a_forecast_holds_what_does_not_fit_and_ends() -> None:
    async def main() -> list[float]:
        clock = Simulated()
        gate = Gate(Limits(concurrency=50), clock)
        headers = {"x-ratelimit-remaining-tokens": "1000", "x-ratelimit-reset-tokens": "9s"}
        times = []
        gate.heard(headers, clock.now)
        gate.heard(headers | {"x-ratelimit-remaining-tokens": "9999"}, clock.now - 1)  # older
        for tokens in (600, 300, 600, 600):
            await gate.enter(tokens)
            times.append(clock.now)
        gate.heard(headers | {"x-ratelimit-reset-tokens": "23h0m0s"}, clock.now)
        await gate.enter(600)  # a day's wait is for a 429 to order
        return [*times, clock.now]

    assert asyncio.run(main()) == [0, 0, 9, 9, 69]


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
            gate.leave(tokens, tokens)
        return times

    times = asyncio.run(main())
    span = times[-1] - times[0]
    burst = max(1, per_minute / 30)
    assert (39 - burst) * 60 / per_minute <= span * 1.001
    assert span <= 39 * 60 / per_minute * 1.001
