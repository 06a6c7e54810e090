"""Chains from any OpenAI-compatible model: staged requests, checked, retried with the reason.

TYPE and ANSWER are rendered from the record and the row, never taken from the model. Influence sees
both pictures and the record; reasoning sees the clean picture, and the answer only where it is
revealed; the conclusion sees the reasoning and the answer; depth compresses or extends.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, Literal, Protocol

from PIL import Image

from annotate import offline, prompts
from annotate.annotator import Annotation, annotation, failed
from annotate.checks import LENGTH_HIGH, LENGTH_LOW, Finding, check
from annotate.depth import target, tokens
from annotate.rows import Pair, Rows
from degrade import images
from degrade.chat import JsonSchema, Message, Picture, Reply, Request, RowError, Settings, Text
from degrade.schema import Chain, Malformed, Question, Record, Row
from degrade.shards import Stored

Structured = Literal["schema", "text", "slots"]
"""``schema``: structured outputs. ``text``: plain answers, for models without them. ``slots``: the
model chooses among phrases of the offline grammar; what a tiny model can do."""

PICTURE_SIDE = 768
SLOTS = 3
_JPEG = {"format": "JPEG", "quality": 90, "subsampling": "4:4:4"}
_ROOM = 4  # model tokens a word may take, JSON around it included


class Asker(Protocol):
    """What answers requests: a gateway, or a collector of what a batch has to ask."""

    async def ask(self, request: Request) -> Reply:
        """The answer."""


class LlmOptions(Record):
    """How the model is asked; all of it decides the chains."""

    model: str
    structured: Structured = "schema"
    reveal_answer: bool = False
    attempts: int = 3
    temperature: float | None = None
    judge: str = ""
    send_pictures: bool = True
    provider: str = ""


async def annotate_row(
    item: Stored, pair: Pair, chat: Asker, options: LlmOptions, writer: str
) -> Annotation:
    """Write one row's chain; retried with the findings told to the model, then kept as failed."""
    row, question = item.row, item.question
    goal = target(row.applied)
    findings: tuple[Finding, ...] = ()
    pictures = _Pictures(pair, options.send_pictures)
    draft: Annotation | None = None
    for attempt in range(options.attempts):
        try:
            chain = await _chain(row, question, pictures, chat, options, attempt, findings)
        except RowError as error:
            return failed(row, writer, error.code, error.detail).model_copy(
                update={"attempts": attempt + 1}
            )
        except offline.Unwritable as error:
            return failed(row, writer, "unwritable", str(error))
        findings = check(chain, row, question, goal)
        if isinstance(chain, Malformed):
            draft = failed(row, writer, findings[0].code, chain.reason)
            draft = draft.model_copy(update={"findings": findings})
        else:
            draft = annotation(row, writer, chain, findings)
        draft = draft.model_copy(update={"attempts": attempt + 1})
        if not findings:
            break
    assert draft is not None  # attempts >= 1
    if options.judge and question.question:
        verdict = await _judge(question, pictures, chat, options)
        draft = draft.model_copy(update={"answerable": verdict})
    return draft


class _Pictures:
    """A row's pictures as they are sent: reduced, JPEG, encoded once."""

    def __init__(self, pair: Pair, send: bool) -> None:
        self._pair, self._send = pair, send

    def parts(self, *which: Literal["clean", "degraded"]) -> list[Picture]:
        if not self._send:
            return []
        return [_picture(getattr(self._pair, name)) for name in which]


def _picture(pixels: images.Pixels) -> Picture:
    image = Image.fromarray(pixels)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, **_JPEG)  # type: ignore[arg-type]
    return Picture(data=buffer.getvalue(), mime="image/jpeg")


async def _chain(
    row: Row,
    question: Question,
    pictures: _Pictures,
    chat: Asker,
    options: LlmOptions,
    attempt: int,
    findings: Sequence[Finding],
) -> Chain | Malformed:
    if options.structured == "slots":
        return await _slots(row, question, pictures, chat, options, attempt)
    goal = target(row.applied)
    answer = question.answer or question.caption

    async def say(stage: str, prompt: str, room: int, shown: Sequence[Picture]) -> str:
        request = _request(stage, prompt, shown, room, options, attempt)
        reply = await chat.ask(request)
        if reply.finish_reason == "length":  # never the same parameters twice
            wider = request.settings.model_copy(update={"max_tokens": 2 * room * _ROOM})
            reply = await chat.ask(request.model_copy(update={"settings": wider}))
        return _said(reply, options.structured)

    shown = pictures.parts("clean", "degraded") if row.applied else pictures.parts("clean")
    prompt = prompts.influence(row, question, findings)
    reason = prompts.reasoning(question, goal, options.reveal_answer, findings)
    try:
        # Together: they do not depend on each other, and a batch should hold both.
        said = await asyncio.gather(
            say("influence", prompt, 40 + goal, shown),
            say("reasoning", reason, 40 + 2 * goal, pictures.parts("clean")),
            return_exceptions=True,
        )
        for outcome in said:
            if isinstance(outcome, BaseException):
                raise outcome
        influence, reasoned = (str(text) for text in said)
        if not LENGTH_LOW <= tokens(reasoned) / goal <= LENGTH_HIGH:
            prompt = prompts.depth(question, reasoned, goal)
            reasoned = await say("depth", prompt, 40 + 2 * goal, ())
        concluded = await say(
            "conclusion",
            prompts.conclusion(question, reasoned, question.answer_text or answer, findings),
            60,
            (),
        )
    except _SilentError as error:
        return Malformed(reason=str(error), position=0)
    try:
        return Chain(
            types=Chain.types_of(row.applied),
            influence=influence,
            reasoning=reasoned,
            conclusion=concluded,
            answer=answer,
        )
    except ValueError as error:
        return Malformed(reason=str(error), position=0)


class _SilentError(Exception):
    """The model refused, or said nothing that can be read."""


def _request(
    stage: str,
    prompt: str,
    shown: Sequence[Picture],
    room: int,
    options: LlmOptions,
    attempt: int,
    schema: dict[str, Any] | None = None,
) -> Request:
    if schema is None and options.structured == "schema":
        schema = {"text": {"type": "string"}}
    form = None
    if schema is not None:
        definition: dict[str, Any] = {
            "type": "object",
            "properties": schema,
            "required": list(schema),
            "additionalProperties": False,
        }
        form = JsonSchema(name=stage, definition=definition)
    # The constant part comes first, pictures after it, so that providers can cache the prefix.
    return Request(
        model=options.judge if stage == "judge" else options.model,
        messages=(Message(role="user", content=(Text(text=prompt), *shown)),),
        json_schema=form,
        settings=Settings(max_tokens=room * _ROOM, temperature=options.temperature),
        stage=stage,
        attempt=attempt,
        provider=options.provider,
    )


def _said(reply: Reply, structured: Structured) -> str:
    if reply.refusal:
        raise _SilentError(f"the model refused: {reply.refusal[:200]}")
    text = reply.text
    if structured == "schema":
        found = _object(text)
        if not isinstance(found.get("text"), str):
            raise _SilentError("the answer does not follow the schema")
        text = found["text"]
    # Models without structured outputs like to fence what they say.
    text = re.sub(r"^\s*```\w*\n|\n```\s*$", "", text).strip()
    if not text:
        raise _SilentError("the answer is empty")
    return text


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


async def _slots(
    row: Row,
    question: Question,
    pictures: _Pictures,
    chat: Asker,
    options: LlmOptions,
    attempt: int,
) -> Chain | Malformed:
    """Let the model choose, part by part, among phrases that the offline grammar offers."""
    offers = [offline.write(row, question, None, seed) for seed in range(SLOTS)]
    parts = ("influence", "reasoning", "conclusion")
    choices = {part: list(dict.fromkeys(getattr(o, part) for o in offers)) for part in parts}
    schema = {part: {"type": "string", "enum": texts} for part, texts in choices.items()}
    prompt = (
        "Choose the best text for each part of a chain of reasoning about a photograph. "
        f"The question, quoted as data: {prompts.quoted(question.question)}"
    )
    room = sum(max(tokens(text) for text in texts) for texts in choices.values())
    shown = pictures.parts("degraded")
    request = _request("slots", prompt, shown, room + 60, options, attempt, schema)
    found = _object((await chat.ask(request)).text)
    chosen = {part: found.get(part) for part in parts}
    if any(text not in choices[part] for part, text in chosen.items()):
        return Malformed(reason="the model chose a phrase that was not offered", position=0)
    return offers[0].model_copy(update=chosen)


async def _judge(
    question: Question, pictures: _Pictures, chat: Asker, options: LlmOptions
) -> bool | None:
    """Whether the degraded picture alone answers the question; ``None`` where nobody can tell."""
    schema = {"answerable": {"type": "boolean"}, "answer": {"type": "string"}}
    shown = pictures.parts("degraded")
    request = _request("judge", prompts.judge(question), shown, 60, options, 0, schema)
    try:
        verdict = _object((await chat.ask(request)).text).get("answerable")
    except RowError:
        return None
    return verdict if isinstance(verdict, bool) else None


class LlmWriter:
    """Runs rows through a model, a bounded number at a time, in order.

    Args:
        options: How the model is asked.
        asker: Makes the gateway; an async context manager that yields an :class:`Asker`.
        concurrency: Rows under way.
    """

    def __init__(self, options: LlmOptions, asker: Any, concurrency: int) -> None:
        self.options, self._asker, self._concurrency = options, asker, concurrency
        self.name = f"llm:{options.model}"
        self.settings: dict[str, Any] = {
            "writer": self.name,
            **options.model_dump(exclude={"model"}),
            "prompts": prompts.version(),
        }

    def run(self, rows: Rows, items: Iterator[Stored]) -> Iterator[Annotation]:
        """See :class:`annotate.annotator.ChainWriter`: one event loop, drained row by row."""
        loop = asyncio.new_event_loop()
        stream = self._stream(rows, items)
        try:
            while True:
                try:
                    yield loop.run_until_complete(anext(stream))
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(stream.aclose())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _stream(self, rows: Rows, items: Iterator[Stored]) -> AsyncGenerator[Annotation]:
        async with self._asker() as chat:
            waiting: list[asyncio.Task[Annotation]] = []
            try:
                for item in items:
                    waiting.append(asyncio.create_task(self._one(rows, item, chat)))
                    if len(waiting) >= 2 * self._concurrency:
                        yield await waiting.pop(0)
                while waiting:
                    yield await waiting.pop(0)
            finally:
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    async def _one(self, rows: Rows, item: Stored, chat: Asker) -> Annotation:
        try:
            pair = await asyncio.to_thread(rows.pictures, item)
        except images.UnreadableError as error:
            return failed(item.row, self.name, f"picture_{error.reason}", error.detail)
        return await annotate_row(item, pair, chat, self.options, self.name)
