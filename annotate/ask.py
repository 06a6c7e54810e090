"""One request of a chain: its pictures, its form, and what a model said in answer."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from PIL import Image

from annotate.measure import measure
from annotate.options import Stages, Structured
from annotate.rows import Rows
from degrade import images
from degrade.chat import JsonSchema, Message, Picture, Reply, Request, Settings, Text
from degrade.schema import Record
from degrade.shards import Stored

PICTURE_SIDE = 768
"""Longer side of a picture as it is sent, in pixels."""

WORD_TOKENS = 4
"""Model tokens a word may take, JSON around it included."""

_JPEG = {"format": "JPEG", "quality": 90, "subsampling": "4:4:4"}


class Asker(Protocol):
    """What answers requests: a gateway, or a collector of what a batch has to ask."""

    async def ask(self, request: Request) -> Reply:
        """The answer."""


class LlmOptions(Record):
    """How the model is asked; all of it decides the chains."""

    model: str
    stages: Stages = "staged"
    structured: Structured = "schema"
    reveal_answer: bool = False
    attempts: int = 3
    temperature: float | None = None
    judge: str = ""
    send_pictures: bool = True
    provider: str = ""


class SilentError(Exception):
    """The model refused, or said nothing that can be read."""


class Pictures:
    """A row's pictures as they are sent: reduced, JPEG, encoded once; none where none are sent.

    Raises:
        images.UnreadableError: See :meth:`annotate.rows.Rows.pictures`.
    """

    def __init__(self, rows: Rows, item: Stored, send: bool) -> None:
        pair = rows.pictures(item)  # and no longer: rows under way must not keep their pixels
        asked = item.question
        bare = not (asked.question or asked.answer or asked.caption).strip()
        self.seen = measure(pair.clean, pair.degraded) if bare else None
        """What was measured on the pair, where nothing else is known of the row."""
        names = ("clean", "degraded") if send else ()
        self._made = {name: _picture(getattr(pair, name)) for name in names}

    def parts(self, *which: Literal["clean", "degraded"]) -> list[Picture]:
        """Those of them that are sent, in this order."""
        return [self._made[name] for name in which if name in self._made]


def _picture(pixels: images.Pixels) -> Picture:
    image = Image.fromarray(pixels)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, **_JPEG)  # type: ignore[arg-type]
    return Picture(data=buffer.getvalue(), mime="image/jpeg")


def texts(names: Iterable[str]) -> dict[str, Any]:
    """Properties of an answer that is made of texts."""
    return {name: {"type": "string"} for name in names}


def request(
    options: LlmOptions,
    stage: str,
    prompt: str,
    shown: Sequence[Picture],
    words: int,
    attempt: int,
    schema: Mapping[str, Any] | None,
) -> Request:
    """What is sent.

    Args:
        options: How the model is asked.
        stage: A line of the bill; the judge's go to the judge.
        prompt: The words.
        shown: Pictures, after the words: providers cache a prefix that stays the same.
        words: Bound of the answer's length.
        attempt: Another number, another answer.
        schema: Properties of the JSON object to answer with, all required; ``None``: plain text.
    """
    form = None
    if schema is not None:
        definition: dict[str, Any] = {
            "type": "object",
            "properties": dict(schema),
            "required": list(schema),
            "additionalProperties": False,
        }
        form = JsonSchema(name=stage, definition=definition)
    return Request(
        model=options.judge if stage == "judge" else options.model,
        messages=(Message(role="user", content=(Text(text=prompt), *shown)),),
        json_schema=form,
        settings=Settings(max_tokens=words * WORD_TOKENS, temperature=options.temperature),
        stage=stage,
        attempt=attempt,
        provider=options.provider,
    )


def said(reply: Reply, names: Sequence[str], structured: Structured) -> dict[str, str]:
    """The texts of an answer, by name; one that was asked for as plain text need be no object.

    Raises:
        SilentError: It was refused, or a text is missing or empty.
    """
    if reply.refusal:
        raise SilentError(f"the model refused: {reply.refusal[:200]}")
    found = json_object(reply.text)
    if structured == "text" and len(names) == 1 and not found:
        # Models without structured outputs like to fence what they say.
        found = {names[0]: re.sub(r"^\s*```\w*\n|\n```\s*$", "", reply.text)}
    made: dict[str, str] = {}
    for name in names:
        text = found.get(name)
        if not isinstance(text, str):
            raise SilentError(f"the answer has no text {name!r}")
        made[name] = text.strip()
        if not made[name]:
            raise SilentError("the answer is empty")
    return made


def json_object(text: str) -> dict[str, Any]:
    """The JSON object of an answer, also with talk or a fence around it; empty where none is."""
    inner = text[text.find("{") : text.rfind("}") + 1]
    for candidate in (text, inner):
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}
