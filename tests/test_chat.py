"""Asking models: keys, stored answers, contents, money."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from annotate.testing.faultserver import FaultServer
from degrade.chat import (
    Chat,
    FatalError,
    JsonSchema,
    Message,
    Picture,
    Prices,
    Reply,
    Request,
    RowError,
    Settings,
)
from degrade.chat_cost import prompt_tokens
from degrade.chat_request import read_answer
from degrade.errors import UserError
from tests.chat_help import (
    ROUND,
    ROUND_COST,
    ask,
    encoded,
    prices,
    row,
    total,
    with_chat,
)

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
