"""What the parts of the fault server share: the fault in a prompt, bodies, resets."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from typing import Any

Headers = dict[str, str]
Body = dict[str, Any]
Response = tuple[int, Headers, bytes]

_TAG = re.compile(r"#fault=(\S*) id=([\w.-]+)#")
PROMPT_TOKENS, COMPLETION_TOKENS = 100, 20


def default_answer(body: Body) -> str:
    """What the model says where no fault is in the way: the row's id, as JSON."""
    return json.dumps({"id": tag(body)[1], "text": f"answer to {tag(body)[1]}"})


def prompt_of(body: Body) -> str:
    """All words of a request."""
    words = []
    for message in body.get("messages", []):
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        words += [p.get("text", "") for p in parts]
    return "\n".join(words)


def tag(body: Body) -> tuple[list[str], str]:
    """The faults of a request, one a request, and the row's id; else a digest of its words."""
    words = prompt_of(body)
    if not (found := _TAG.search(words)):
        return [], hashlib.sha256(words.encode()).hexdigest()[:12]
    faults = []
    for part in filter(None, found[1].split(",")):
        name, star, times = part.partition("*")
        faults += [name] * (int(times) if star else 10_000)
    return faults, found[2]


class Reset(Exception):  # noqa: N818
    """Close the connection after these bytes; with a reset or without."""

    def __init__(self, data: bytes, hard: bool) -> None:
        self.data, self.hard = data, hard


class Allowance:
    """A provider's limit on requests: a bucket that fills up again evenly, told in headers.

    Args:
        size: Requests at once.
        seconds: Time to fill up.
        told: Whether headers say what is left.
    """

    def __init__(self, size: int, seconds: float, told: bool = True) -> None:
        self.size, self.rate, self.told = size, size / seconds, told
        self.level, self.at, self.refused = float(size), time.monotonic(), 0

    def take(self) -> tuple[bool, Headers]:
        """Whether one more request is let in, and the headers of its answer."""
        now = time.monotonic()
        self.level = min(self.size, self.level + self.rate * (now - self.at))
        self.at = now
        let_in = self.level >= 1
        self.level -= let_in
        self.refused += not let_in
        reset = math.ceil(1e3 * (self.size - self.level) / self.rate)
        told = {
            "x-ratelimit-limit-requests": str(self.size),
            "x-ratelimit-remaining-requests": str(int(self.level)),
            "x-ratelimit-reset-requests": f"{reset}ms",
        }
        return let_in, told if self.told else {}


def as_json(value: Any) -> bytes:
    """A body."""
    return json.dumps(value).encode()


def error_body(message: str, code: str = "error") -> bytes:
    """An error as OpenAI words it."""
    return as_json({"error": {"message": message, "type": code, "code": code, "param": None}})
