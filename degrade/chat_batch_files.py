"""What goes to the batch endpoint and comes back from it: states, and lines of files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any

from degrade.chat_cost import Prices
from degrade.chat_journal import Outcome
from degrade.chat_request import MaxTokensField, Request, Usage, read_answer
from degrade.chat_transport import MOST_BYTES
from degrade.schema import Record


class BatchState(Record):
    """A batch that is not collected. ``status`` is the provider's; ``lost``: it is not there."""

    shard: str
    batch_id: str
    status: str
    requests: int
    detail: str


class Collected(Record):
    """What collecting found.

    ``answers`` were stored; ``failed`` lines cost nothing and may be handed in again; ``unknown``
    ones were promised and not delivered, and count at their upper bound. ``duplicates``,
    ``foreign`` and ``damaged`` lines were passed over. ``reasons`` names what went wrong.
    """

    batches: int
    answers: int
    failed: int
    unknown: int
    duplicates: int
    foreign: int
    damaged: int
    reasons: dict[str, int]


def write_line(request: Request, max_tokens_field: MaxTokensField) -> bytes:
    """A request as a line of the input file; its key is the ``custom_id``."""
    line = {
        "custom_id": request.key,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": request.body(max_tokens_field),
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def read_line(
    line: bytes, ours: Mapping[str, tuple[int, str]], prices: Prices, now: float
) -> tuple[str | None, Outcome | None]:
    """Read a line of an output or error file.

    Args:
        line: The line.
        ours: The shard's keys, with the attempt's number and the model.
        prices: The price table.
        now: Seconds since 1970.

    Returns:
        The key, ``None`` for a damaged line; and the outcome, ``None`` for a key not of the shard.
    """
    try:
        data = json.loads(line)
        key = str(data["custom_id"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return None, None
    if key not in ours:
        return key, None
    response = data.get("response")
    response = response if isinstance(response, dict) else {}
    status, request_id = response.get("status_code"), str(response.get("request_id") or "")[:200]
    body = json.dumps(response.get("body")).encode()
    if status != 200:
        error = data.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        reason = (str(code) if code else f"http_{status}")[:64]
        status = status if isinstance(status, int) else None
        return key, Outcome("failed", reason, now, status, request_id, body=line[:MOST_BYTES])
    answer = read_answer(body)
    if answer.problem not in {"", "empty"}:
        return key, Outcome("unknown", answer.problem, now, 200, request_id, body=body)
    usage = answer.usage
    if usage is None:  # the prompt is not at hand any more: what was written, at least
        written = -(-len(answer.text.encode()) // 4)
        usage = Usage(prompt=0, completion=written, estimated=True)
    cost = prices.cost(ours[key][1], usage, batch=True)
    return key, Outcome("got", answer.problem, now, 200, request_id, usage, cost, body=body)


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines that end with a newline byte; overlong ones come cut, and so do not parse.

    Not lines of text: a JSON string may hold U+2028 as it is.
    """
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        rest = rest[: 2 * MOST_BYTES]
    if rest.strip():
        yield rest


async def each(
    requests: Iterable[Request] | AsyncIterable[Request],
) -> AsyncIterator[Request]:
    """Requests of either kind of stream."""
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


def errors_of(batch: Any | None) -> str:
    """Why the provider did not accept a batch."""
    errors = getattr(getattr(batch, "errors", None), "data", None) or []
    return "; ".join(str(e.message) for e in errors)[:300]
