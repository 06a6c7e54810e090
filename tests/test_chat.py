"""The gateway to models against a server that fails as told; the server's bill is the oracle."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from annotate.testing.faultserver import FaultServer, serving
from degrade.chat import (
    Chat,
    Endpoint,
    FatalError,
    JsonSchema,
    Limits,
    Message,
    Picture,
    Prices,
    Reply,
    Request,
    RowError,
    Settings,
)
from degrade.chat_cost import prompt_tokens
from degrade.chat_limits import Clock, Gate, decide, retry_after
from degrade.chat_request import read_answer
from degrade.errors import StoppedError, UserError

KEY = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with serving() as running:
        yield running


def row(i: object, fault: str = "", **changes: Any) -> Request:
    changes = {"model": "m", "settings": Settings(max_tokens=50), **changes}
    return Request(messages=(Message.of("user", f"describe #fault={fault} id={i}#"),), **changes)


def encoded(fmt: str = "JPEG", colour: str = "red", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, fmt)
    return buffer.getvalue()


def prices(path: Path, **models: dict[str, float]) -> Prices:
    path.write_text(json.dumps({"date": "2026-01-01", "models": models}))
    return Prices(path)


ROUND = {"input": 10.0, "output": 100.0}  # 100 + 20 tokens: 3000 micro-dollars an answer
ROUND_COST = 3000


def with_chat(
    server: FaultServer | str,
    journal: Path,
    work: Callable[[Chat], Awaitable[Any]],
    timeout: float = 20.0,
    endpoint: dict[str, Any] | None = None,
    prices: Prices | None = None,
    ballast: int = 1 << 16,
    **limits: Any,
) -> Any:
    """Open a gateway, do some work, close it."""
    url = server if isinstance(server, str) else server.url

    async def main() -> Any:
        settings = Endpoint(base_url=url, timeout=timeout, **(endpoint or {}))
        bounds = Limits(**{"backoff": 0.01, **limits})
        async with Chat(settings, journal, bounds, prices, ballast=ballast) as chat:
            return await work(chat)

    return asyncio.run(main())


def ask(*requests: Request) -> Callable[[Chat], Awaitable[list[Reply | BaseException]]]:
    async def work(chat: Chat) -> list[Reply | BaseException]:
        return await asyncio.gather(*map(chat.ask, requests), return_exceptions=True)

    return work


def total(journal: Path) -> Any:
    async def work(chat: Chat) -> Any:
        return chat.bill().total

    return with_chat("http://127.0.0.1:9/v1", journal, work)


# ------------------------------------------------------------------------------ requests and keys

PICTURE = b"\xff\xd8\xff\xe0not really\xff\xd9"


def full_request() -> Request:
    return Request(
        model="some-model",
        provider="local",
        messages=(
            Message.of("system", "Be brief."),
            Message.of("user", "Wie schön — «quoted»?", Picture(data=PICTURE, mime="image/jpeg")),
        ),
        json_schema=JsonSchema(name="chain", definition={"type": "object", "properties": {}}),
        settings=Settings(max_tokens=300, temperature=0, seed=7, extra={"top_k": 5}),
        stage="influence",
        attempt=1,
    )


def test_keys_do_not_change() -> None:
    """A changed key bills everybody's answers again: raise KEY_VERSION and mean it."""
    assert row("a").key == "53796f7c5cccbb034a2e5bc9d8a1e4b7949795e951d7fe885c5e8b1378418f84"
    assert full_request().key == "51fd20e6291ececf078953f95bf486425b69daa2bbde6b7560ee8eccc1a1876b"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"provider": "elsewhere"},
        {"stage": "judge"},
        {"attempt": 2},
        {"settings": Settings(max_tokens=301, temperature=0, seed=7, extra={"top_k": 5})},
        {"settings": Settings(max_tokens=300, temperature=0, seed=7, extra={"top_k": 6})},
        {"json_schema": None},
        {"messages": full_request().messages[:1]},
        {
            "messages": (
                full_request().messages[0],
                Message.of(
                    "user", Picture(data=PICTURE, mime="image/jpeg"), "Wie schön — «quoted»?"
                ),
            )
        },
    ],
)
def test_whatever_decides_the_answer_is_in_the_key(change: dict[str, Any]) -> None:
    assert full_request().model_copy(update=change, deep=False).canonical() != (
        full_request().canonical()
    )
    changed = Request(**{**dict(full_request()), **change})
    assert changed.key != full_request().key


def test_words_cannot_pass_for_the_structure_of_a_key() -> None:
    one = Request(model="m", messages=(Message.of("user", 'a"},{"text":"b'),))
    two = Request(model="m", messages=(Message.of("user", "a", "b"),))
    assert one.key != two.key


def test_pictures_are_whole_jpeg_or_png_and_never_shown() -> None:
    jpeg = encoded()
    with pytest.raises(ValidationError, match="cut off"):
        Picture(data=jpeg[:-40], mime="image/jpeg")
    with pytest.raises(ValidationError, match="no image/png"):
        Picture(data=jpeg, mime="image/png")
    with pytest.raises(ValidationError, match="no image/jpeg"):
        Picture(data=encoded("WEBP"), mime="image/jpeg")
    assert "data=" not in repr(Picture(data=jpeg, mime="image/jpeg"))
    Picture(data=encoded("PNG"), mime="image/png")


def test_what_is_sent_is_what_was_asked(server: FaultServer, tmp_path: Path) -> None:
    with_chat(
        server, tmp_path / "j", ask(full_request()), endpoint={"max_tokens_field": "max_tokens"}
    )
    (body,) = server.bodies
    assert body == full_request().body("max_tokens")
    assert body["max_tokens"] == 300
    assert body["top_k"] == 5
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["messages"][1]["content"][1]["image_url"]["url"].startswith(
        "data:image/jpeg;base64,"
    )


def test_extra_settings_cannot_replace_what_the_key_is_made_of() -> None:
    with pytest.raises(ValidationError, match="messages"):
        Settings(extra={"messages": []})


def test_importing_the_gateway_loads_no_openai() -> None:
    code = "import degrade.chat, sys; sys.exit('openai' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_client_is_a_message(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    (error,) = with_chat(server, tmp_path / "j", ask(row(1)))
    assert isinstance(error, UserError)
    assert 'pip install "degrade[annotate]"' in str(error)
    assert total(tmp_path / "j").requests == 0


# ------------------------------------------------------------------------------ the cache


def test_nothing_is_bought_twice(server: FaultServer, tmp_path: Path) -> None:
    first = with_chat(server, tmp_path / "j", ask(*[row(i % 10) for i in range(50)]))
    again = with_chat(server, tmp_path / "j", ask(*[row(i) for i in range(10)]))
    assert {i: r["requests"] for i, r in server.ids.items()} == {str(i): 1 for i in range(10)}
    assert sum(not r.cached for r in first) == 10
    assert all(r.cached for r in again)
    assert [r.text for r in again] == [r.text for r in first[:10]]
    assert [json.loads(r.text)["id"] for r in again] == [str(i) for i in range(10)]


def test_editing_one_row_of_many_costs_one_request(server: FaultServer, tmp_path: Path) -> None:
    rows = [row(i) for i in range(30)]
    with_chat(server, tmp_path / "j", ask(*rows))
    rows[7] = row("7-edited")
    with_chat(server, tmp_path / "j", ask(*rows))
    assert server.requests == 31


def test_a_changed_prompt_model_or_picture_never_gets_an_old_answer(
    server: FaultServer, tmp_path: Path
) -> None:
    server.answer = lambda body: json.dumps(body)[-4000:] + str(server.requests)

    def asked(picture: bytes, model: str = "m", words: str = "what?") -> Request:
        part = Picture(data=picture, mime="image/jpeg")
        return Request(model=model, messages=(Message.of("user", words, part),))

    variants = [
        asked(encoded()),
        asked(encoded(colour="blue")),
        asked(encoded(), model="n"),
        asked(encoded(), words="what ?"),
    ]
    replies = with_chat(server, tmp_path / "j", ask(*variants))
    assert server.requests == 4
    assert len({r.text for r in replies}) == 4


def test_a_caller_that_gives_up_does_not_lose_the_answer(
    server: FaultServer, tmp_path: Path
) -> None:
    server.delay = 0.2

    async def work(chat: Chat) -> Reply:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(chat.ask(row(1)), 0.1)
        await chat.drain(5)
        found = await chat.stored(row(1))
        assert found is not None
        return found

    assert with_chat(server, tmp_path / "j", work).cached
    assert server.requests == 1


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


# ------------------------------------------------------------------------------ answers


def test_contents_are_answers_whatever_they_say(server: FaultServer, tmp_path: Path) -> None:
    faults = ["length", "filter", "refusal", "badjson", "schema", "extra"]
    replies = with_chat(server, tmp_path / "j", ask(*[row(f, f) for f in faults]))
    assert [r.finish_reason for r in replies] == ["length", "content_filter", *["stop"] * 4]
    assert replies[2].refusal == "I cannot help with that."
    assert server.requests == len(faults)


def test_empty_completions_are_paid_for_and_asked_for_once_more(
    server: FaultServer, tmp_path: Path
) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    requests = [row(1, "empty*1"), row(2, "null*1"), row(3, "empty")]
    replies = with_chat(server, tmp_path / "j", ask(*requests), prices=table)
    assert [getattr(r, "attempt", None) for r in replies] == [2, 2, None]
    assert isinstance(replies[2], RowError)
    bill = total(tmp_path / "j")
    assert (bill.answers, bill.empty, bill.requests) == (2, 4, server.requests)
    assert bill.cost_micro_usd == 6 * ROUND_COST


def test_missing_usage_is_estimated_and_says_so(server: FaultServer, tmp_path: Path) -> None:
    (reply,) = with_chat(server, tmp_path / "j", ask(row(1, "nousage")))
    assert reply.usage.estimated
    assert reply.usage.completion == -(-len(reply.text.encode()) // 4)
    assert total(tmp_path / "j").estimated == 1


@given(st.one_of(st.binary(max_size=200), st.text().map(str.encode)))
def test_reading_an_answer_never_raises(body: bytes) -> None:
    assert read_answer(body).problem


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "choices message content refusal finish_reason usage prompt_tokens "
                "completion_tokens prompt_tokens_details cached_tokens".split()
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(_json, _json, _json)
def test_hostile_completions_are_read_to_values_that_can_be_stored(a: Any, b: Any, c: Any) -> None:
    body = {"choices": [{"message": {"content": a, "refusal": b}, "finish_reason": c}], "usage": b}
    answer = read_answer(json.dumps(body).encode())
    answer.text.encode()
    (answer.refusal or "").encode()
    for hostile in (a, {"choices": a}, {"choices": [a], "usage": {"prompt_tokens": b}}):
        read_answer(json.dumps(hostile).encode())


def test_halves_of_surrogates_and_deep_nesting_do_no_harm() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800b\\u0000"}, "finish_reason": "stop"}]}'
    assert read_answer(body).text == "a\ufffdb\x00"
    assert read_answer(b"[" * 100_000).problem == "not_json"


# ------------------------------------------------------------------------------ money


def test_the_budget_holds_under_concurrency(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    server.delay = 0.01
    requests = [row(i) for i in range(40)]
    replies = with_chat(
        server, tmp_path / "j", ask(*requests), prices=table, max_cost=0.04, concurrency=16
    )
    errors = [r for r in replies if isinstance(r, FatalError)]
    assert errors
    assert {e.code for e in errors} == {"budget"}
    spent = total(tmp_path / "j").cost_micro_usd
    assert spent == ROUND_COST * server.stats()["answered"]
    assert 0.04e6 - 3 * ROUND_COST < spent <= 0.04e6  # the rest is less than an upper bound
    # What was spent counts again, and more money goes on where it stopped.
    with_chat(server, tmp_path / "j", ask(*requests), prices=table, max_cost=0.04)
    assert total(tmp_path / "j").cost_micro_usd == spent
    replies = with_chat(server, tmp_path / "j", ask(*requests), prices=table, max_cost=1)
    assert all(isinstance(r, Reply) for r in replies)
    assert server.requests == 40


def test_unknown_outcomes_count_against_the_budget(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    upper = table.cost("m", read_upper(row(1, "hang")))
    replies = with_chat(
        server, tmp_path / "j", ask(row(1, "hang")),
        prices=table, timeout=0.1, max_cost=2.5 * upper / 1e6,
    )  # fmt: skip
    assert isinstance(replies[0], FatalError)
    assert server.requests == 2


def read_upper(request: Request) -> Any:
    from degrade.chat_cost import upper_usage

    return upper_usage(request, None)


def test_a_bounded_cost_needs_a_price(server: FaultServer, tmp_path: Path) -> None:
    (error,) = with_chat(server, tmp_path / "j", ask(row(1)), max_cost=5)
    assert isinstance(error, UserError)
    assert "no price" in str(error)
    assert server.requests == 0
    (reply,) = with_chat(server, tmp_path / "j", ask(row(1)))
    assert reply.cost_micro_usd is None
    assert total(tmp_path / "j").unpriced == 1


def test_prices_are_exact_and_replaceable(tmp_path: Path) -> None:
    from degrade.chat import Usage

    usage = Usage(prompt=1_000_000, completion=1_000_000, cached=400_000)
    assert Prices().cost("gpt-4o", usage) == 1_500_000 + 500_000 + 10_000_000
    assert Prices().cost("gpt-4o", usage, batch=True) == 6_000_000
    assert Prices().cost("gpt-4o-mini", Usage(prompt=1, completion=0)) == 1  # 0.15 rounded up
    own = prices(tmp_path / "p.json", **{"gpt-4o": ROUND, "*": {"input": 0, "output": 0}})
    assert own.cost("gpt-4o", Usage(prompt=1, completion=1)) == 110
    assert own.cost("a local model", usage) == 0
    (tmp_path / "bad.yaml").write_text("date: 2026-01-01\nmodels: {x: {input: -1}}")
    with pytest.raises(UserError, match=r"bad\.yaml: models\.x"):
        Prices(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(UserError, match="no YAML"):
        Prices(tmp_path / "bad.yaml")


def test_an_estimate_sends_nothing_and_holds_the_truth(server: FaultServer, tmp_path: Path) -> None:
    table = prices(tmp_path / "p.json", m=ROUND)
    # 400 bytes each, so that the server's flat 100 tokens are what such a prompt has.
    padding = Message.of("user", "abcd" * 85)
    requests = [
        r.model_copy(update={"messages": (*r.messages, padding)}) for r in map(row, range(20))
    ]

    async def plan(chat: Chat) -> Any:
        return await chat.estimate([*requests, *requests])

    before = with_chat(server, tmp_path / "j", plan, prices=table)
    assert server.requests == 0
    assert (before.requests, before.unique, before.stored, before.to_send) == (40, 20, 0, 20)
    with_chat(server, tmp_path / "j", ask(*requests), prices=table)
    bill = total(tmp_path / "j")
    assert before.prompt_tokens[0] <= bill.prompt_tokens <= before.prompt_tokens[2]
    assert before.cost_micro_usd[0] <= bill.cost_micro_usd <= before.cost_micro_usd[2]
    after = with_chat(server, tmp_path / "j", plan, prices=table)
    assert (after.stored, after.to_send, after.cost_micro_usd) == (20, 0, (0, 0, 0))


def test_pictures_cost_by_their_size() -> None:
    def tokens(size: tuple[int, int], model: str, detail: Any = "auto") -> float:
        part = Picture(data=encoded(size=size), mime="image/jpeg", detail=detail)
        request = Request(model=model, messages=(Message.of("user", part),))
        return prompt_tokens(request, Prices().of(model)).high - 16

    assert tokens((512, 512), "gpt-4o") == 85 + 170
    assert tokens((1024, 1024), "gpt-4o") == 85 + 4 * 170
    assert tokens((1024, 1024), "gpt-4o", "low") == 85
    assert tokens((512, 512), "gpt-4.1-mini") == pytest.approx(256 * 1.62)
    assert tokens((4000, 4000), "gpt-4.1-mini") == pytest.approx(1536 * 1.62)
    assert tokens((512, 512), "unheard of") >= 1024


# ------------------------------------------------------------------------------ crashes

KILLED = """
import asyncio, sys
from pathlib import Path
from tests.test_chat import row
from degrade.chat import Chat, Endpoint, Limits

async def main():
    limits = Limits(concurrency=8)
    async with Chat(Endpoint(base_url=sys.argv[1]), Path(sys.argv[2]), limits) as chat:
        await asyncio.gather(*[chat.ask(row(i)) for i in range(60)])

asyncio.run(main())
"""


def test_kill_9_loses_at_most_what_was_in_flight(server: FaultServer, tmp_path: Path) -> None:
    server.delay = 0.08
    journal = tmp_path / "j"
    process = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(journal)])
    try:
        deadline = time.monotonic() + 60
        while server.requests < 28 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
        # A second process is kept out while the first one lives.
        with pytest.raises(UserError, match=rf"process {process.pid}\b"):
            with_chat(server, journal, ask(row(0)))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    sent = {i for i, r in server.ids.items() if r["requests"]}
    assert 28 <= len(sent) < 60
    with sqlite3.connect(journal) as db:
        finished = db.execute("SELECT count(*) FROM attempts WHERE state='got'").fetchone()[0]
        flying = db.execute("SELECT count(*) FROM attempts WHERE state='intent'").fetchone()[0]
    db.close()
    assert finished >= 15
    assert 1 <= flying <= 8

    server.delay = 0.0
    replies = with_chat(server, journal, ask(*[row(i) for i in range(60)]))
    assert [json.loads(r.text)["id"] for r in replies] == [str(i) for i in range(60)]
    twice = [i for i, r in server.ids.items() if r["requests"] > 1]
    assert len(twice) <= flying
    assert sum(r.cached for r in replies) == finished
    bill = total(journal)
    assert (bill.answers, bill.unknown) == (60, flying)
    assert bill.reasons == {"killed": flying}
    assert server.requests <= bill.requests <= server.requests + flying  # an intent may be unsent


def test_stopping_drains_and_leaves_no_orphans(server: FaultServer, tmp_path: Path) -> None:
    server.delay = 0.1

    async def work(chat: Chat) -> list[Any]:
        tasks = [asyncio.create_task(chat.ask(row(i))) for i in range(20)]
        while server.active < 4:
            await asyncio.sleep(0.01)
        chat.stop()
        assert await chat.drain(5) == 0
        return await asyncio.gather(*tasks, return_exceptions=True)

    replies = with_chat(server, tmp_path / "j", work, concurrency=4)
    assert sum(isinstance(r, Reply) for r in replies) == server.requests == 4
    assert {type(r) for r in replies} == {Reply, StoppedError}
    bill = total(tmp_path / "j")
    assert (bill.answers, bill.unknown, bill.pending) == (4, 0, 0)


def test_what_is_cut_off_by_closing_is_of_unknown_outcome(
    server: FaultServer, tmp_path: Path
) -> None:
    async def work(chat: Chat) -> None:
        task = asyncio.create_task(chat.ask(row(1, "hang")))
        while not server.requests:
            await asyncio.sleep(0.01)
        assert await chat.drain(0.05) == 1
        with pytest.raises(asyncio.CancelledError):
            await task

    with_chat(server, tmp_path / "j", work)
    assert total(tmp_path / "j").reasons == {"cancelled": 1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_before_anything_paid_is_lost(
    server: FaultServer, small_disk: Path
) -> None:
    noise = "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))  # does not compress
    server.answer = lambda body: noise
    server.delay = 0.1
    requests = [row(i) for i in range(60)]

    async def work(chat: Chat) -> list[Any]:
        tasks = [asyncio.create_task(chat.ask(r)) for r in requests]
        while server.requests < 16:
            await asyncio.sleep(0.005)
        size = os.statvfs(small_disk)
        (small_disk / "filler").write_bytes(b"x" * (size.f_bavail * size.f_frsize))
        return await asyncio.gather(*tasks, return_exceptions=True)

    replies = with_chat(server, small_disk / "j", work, concurrency=8, ballast=300_000)
    assert {type(r) for r in replies} == {Reply, StoppedError}
    assert "Free some space" in str(next(r for r in replies if isinstance(r, StoppedError)))
    assert sum(isinstance(r, Reply) for r in replies) == server.requests
    (small_disk / "filler").unlink()
    replies = with_chat(server, small_disk / "j", ask(*requests), concurrency=8, ballast=300_000)
    assert all(isinstance(r, Reply) for r in replies)
    assert server.requests == 60


def test_too_little_space_sends_nothing(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(chat: Chat) -> Any:
        usage = type("Usage", (), {"free": 1000})
        monkeypatch.setattr("degrade.chat_journal.shutil.disk_usage", lambda _: usage)
        return await ask(row(1), row(2))(chat)

    replies = with_chat(server, tmp_path / "j", work)
    assert [type(r) for r in replies] == [StoppedError] * 2
    assert server.requests == 0


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("my notes " * 200)
    with pytest.raises(UserError, match="no journal"):
        total(tmp_path / "a")
    assert (tmp_path / "a").read_text().startswith("my notes")
    with sqlite3.connect(tmp_path / "b") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(UserError, match="version 99"):
        total(tmp_path / "b")


# ------------------------------------------------------------------------------ secrets


def test_the_key_is_sent_and_found_nowhere_else(
    server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    picture = Picture(data=encoded(), mime="image/jpeg")
    request = Request(model="m", messages=(Message.of("user", "#fault= id=1#", picture),))
    server.answer = lambda body: f"your key is {KEY}"
    shown = []

    async def work(chat: Chat) -> list[Any]:
        replies = await ask(request)(chat)
        shown.append(repr(chat) + repr(vars(chat)) + repr(vars(chat.wire)) + repr(chat.endpoint))
        return replies + await ask(row(2, "echo"))(chat)

    reply, error = with_chat(server, tmp_path / "j", work)
    assert server.authorizations == {f"Bearer {KEY}"}
    assert "***" in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None  # the client's error holds the request, and that the key
    shown += [repr(reply), repr(error), str(error), caplog.text]
    files = [p.read_bytes() for p in tmp_path.iterdir()]
    with sqlite3.connect(tmp_path / "j") as db:
        import zlib

        bodies = db.execute("SELECT body FROM attempts").fetchall()
        files += [zlib.decompress(body) for (body,) in bodies]
    db.close()
    assert not any(KEY in text for text in shown)
    assert not any(KEY.encode() in data or picture.data in data for data in files)
    assert not any(b"base64" in data for data in files)


def test_openai_needs_a_key_and_others_may_not(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (reply,) = with_chat(server, tmp_path / "j", ask(row(1)))
    assert isinstance(reply, Reply)
    monkeypatch.setenv("OPENAI_BASE_URL", "")  # empty is unset
    assert Endpoint().url == "https://api.openai.com/v1"
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        Endpoint().secret()
    for url in ("http://user:hunter2@host/v1", "http://host/v1?api-key=hunter2", "host/v1"):
        with pytest.raises(ValidationError) as caught:
            Endpoint(base_url=url)
        assert "hunter2" not in caught.value.errors()[0]["msg"]


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
