"""Chains from any OpenAI-compatible model: asked for in parts, checked, retried with the reason.

TYPE and ANSWER are rendered from the record and the row, never taken from the model. Influence sees
both pictures and the record; reasoning sees the clean picture, and the answer only where it is
revealed; the conclusion sees the reasoning and the answer; depth compresses or extends.

A row takes three requests, and one more where the length has to be mended. What is refused is asked
for again alone. Each part is asked for only where what it sees has changed: an edited answer costs
one request (the conclusion; two with ``reveal_answer``), a degraded picture one, choices, a caption
or a clean picture two or three (the conclusion sees what the reasoning came out as), a question
three, a rationale none. ``stages="combined"`` takes one request for all parts, whatever was edited;
but then the one who reasons has seen the damaged picture, the record and the answer, which is why
it needs ``reveal_answer``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from annotate import offline, prompts
from annotate.annotator import annotation, failed
from annotate.ask import Asker, LlmOptions, Pictures, SilentError, json_object, request, said, texts
from annotate.checks import LENGTH_HIGH, LENGTH_LOW, check
from annotate.depth import target, tokens
from annotate.rows import Rows
from degrade import images
from degrade.chat import Picture, RowError
from degrade.chat_session import drained, in_order
from degrade.schema import Annotation, Chain, Finding, Malformed, Question, Row
from degrade.shards import Stored

PARTS = ("influence", "reasoning", "conclusion")
SLOTS = 3
"""Phrases offered per part."""


class _Try(NamedTuple):
    """How often a part was refused, and why the last time."""

    attempt: int = 0
    feedback: tuple[Finding, ...] = ()


def _about(part: str, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that one part is to blame for; those about no part in particular, for all.

    What is said of the conclusion names the answer, which the one who reasons may not know.
    """

    def blamed(finding: Finding) -> str:
        first = finding.detail.partition(" ")[0].rstrip(":").lower()
        return first if first in PARTS else "conclusion" if finding.code == "answer" else part

    return tuple(f for f in findings if blamed(f) == part)


async def annotate_row(
    rows: Rows, item: Stored, chat: Asker, options: LlmOptions, name: str
) -> Annotation:
    """Write one row's chain; retried with the findings told to the model, then kept as failed.

    Args:
        rows: The run.
        item: One of its rows.
        chat: What answers.
        options: How the model is asked.
        name: Of the writer, for the annotation.
    """
    row = item.row
    try:
        pictures = await asyncio.to_thread(Pictures, rows, item, options.send_pictures)
        question, answer = _asked(item, pictures)
    except images.UnreadableError as error:
        return failed(row, name, f"picture_{error.reason}", error.detail)
    except offline.Unwritable as error:
        return failed(row, name, "unwritable", str(error))
    goal = target(row.applied)
    writer = _Writer(row, question, pictures, chat, options)
    tries: dict[str, _Try] = dict.fromkeys(("all", *PARTS), _Try())
    draft: Annotation | None = None
    for attempt in range(options.attempts):
        try:
            if options.structured == "slots":
                chain = await _slots(row, question, pictures, chat, options, attempt)
            else:
                chain = await writer.chain(answer, tries)
        except RowError as error:
            return failed(row, name, error.code, error.detail).model_copy(
                update={"attempts": attempt + 1}
            )
        findings = check(chain, row, question, goal)
        if isinstance(chain, Malformed):
            draft = failed(row, name, findings[0].code, chain.reason)
            draft = draft.model_copy(update={"findings": findings})
        else:
            draft = annotation(row, name, chain, findings)
        draft = draft.model_copy(update={"attempts": attempt + 1})
        if not findings:
            break
        tries["all"] = _Try(attempt + 1, findings)
        for part in PARTS:  # one that is not to blame is asked for as before: the answer is stored
            if blame := _about(part, findings):
                tries[part] = _Try(attempt + 1, blame)
    assert draft is not None  # attempts >= 1
    if options.judge and question.question:
        verdict = await _judge(question, pictures, chat, options)
        draft = draft.model_copy(update={"answerable": verdict})
    return draft


def _asked(item: Stored, pictures: Pictures) -> tuple[Question, str]:
    """What is asked, and the ANSWER; what no chain can hold raises before anything is paid."""
    question = item.question.model_copy(update={"answer": item.question.answer.strip()})
    answer = offline.answer(item.row, question, pictures.seen)
    if not question.answer:  # nothing is asked: what can be said of the picture is the answer
        question = question.model_copy(update={"caption": answer})
    return question, answer


class _Writer:
    """Asks for the texts of one row's chain."""

    def __init__(
        self,
        row: Row,
        question: Question,
        pictures: Pictures,
        chat: Asker,
        options: LlmOptions,
    ) -> None:
        self._row, self._question, self._pictures = row, question, pictures
        self._chat, self._options = chat, options
        self._goal = target(row.applied)
        self._words = {"influence": 40 + self._goal, "reasoning": 40 + 2 * self._goal}
        self._words["conclusion"] = 60
        damaged = ("degraded",) if row.applied else ()
        self._both = pictures.parts("clean", *damaged)

    async def chain(self, answer: str, tries: Mapping[str, _Try]) -> Chain | Malformed:
        """The chain, or why there is none."""
        try:
            if self._options.stages == "combined":
                made = await self._combined(tries["all"])
            else:
                made = await self._staged(tries)
            return Chain(types=Chain.types_of(self._row.applied), answer=answer, **made)
        except SilentError as error:
            return Malformed(reason=str(error), position=0)
        except ValidationError as error:
            problem = error.errors()[0]
            part = str(problem["loc"][0]).upper()
            return Malformed(reason=f"{part} {problem['msg']}", position=0)

    async def _combined(self, which: _Try) -> dict[str, str]:
        """All parts at once."""
        prompt = prompts.combined(self._row, self._question, self._goal, which.feedback)
        words = sum(self._words.values())
        made = await self._say("combined", prompt, words, self._both, which.attempt, PARTS)
        return {**made, "reasoning": await self._fitted(made["reasoning"], which.attempt)}

    async def _staged(self, tries: Mapping[str, _Try]) -> dict[str, str]:
        """Part by part."""
        question, goal, options = self._question, self._goal, self._options
        first, second, third = (tries[part] for part in PARTS)
        see = prompts.influence(self._row, question, first.feedback)
        reason = prompts.reasoning(question, goal, options.reveal_answer, second.feedback)
        # Together: they do not depend on each other, and a batch should hold both.
        outcomes = await asyncio.gather(
            self._part("influence", see, self._both, first.attempt),
            self._part("reasoning", reason, self._pictures.parts("clean"), second.attempt),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        influence, reasoned = (str(text) for text in outcomes)
        reasoned = await self._fitted(reasoned, second.attempt)
        conclude = prompts.conclusion(question, reasoned, third.feedback)
        concluded = await self._part("conclusion", conclude, (), third.attempt)
        return {"influence": influence, "reasoning": reasoned, "conclusion": concluded}

    async def _fitted(self, reasoned: str, attempt: int) -> str:
        """The reasoning, compressed or extended where its length is far from the target."""
        if LENGTH_LOW <= tokens(reasoned) / self._goal <= LENGTH_HIGH:
            return reasoned
        prompt = prompts.depth(self._question, reasoned, self._goal)
        return await self._part("reasoning", prompt, (), attempt, stage="depth")

    async def _part(
        self, part: str, prompt: str, shown: Sequence[Picture], attempt: int, stage: str = ""
    ) -> str:
        try:
            words = self._words[part]
            made = await self._say(stage or part, prompt, words, shown, attempt, ("text",))
        except SilentError as error:
            raise SilentError(f"{part.upper()}: {error}") from None
        return made["text"]

    async def _say(
        self,
        stage: str,
        prompt: str,
        words: int,
        shown: Sequence[Picture],
        attempt: int,
        names: Sequence[str],
    ) -> dict[str, str]:
        options = self._options
        schema = texts(names) if options.structured == "schema" else None
        reply = await self._chat.ask(request(options, stage, prompt, shown, words, attempt, schema))
        if reply.finish_reason == "length":  # never the same parameters twice
            wider = request(options, stage, prompt, shown, 2 * words, attempt, schema)
            reply = await self._chat.ask(wider)
        return said(reply, names, options.structured)


async def _slots(
    row: Row,
    question: Question,
    pictures: Pictures,
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
    asked = request(options, "slots", prompt, shown, room + 60, attempt, schema)
    found = json_object((await chat.ask(asked)).text)
    chosen = {part: found.get(part) for part in parts}
    if any(text not in choices[part] for part, text in chosen.items()):
        return Malformed(reason="the model chose a phrase that was not offered", position=0)
    return offers[0].model_copy(update=chosen)


async def _judge(
    question: Question, pictures: Pictures, chat: Asker, options: LlmOptions
) -> bool | None:
    """Whether the degraded picture alone answers the question; ``None`` where nobody can tell."""
    schema = {"answerable": {"type": "boolean"}, "answer": {"type": "string"}}
    shown = pictures.parts("degraded")
    asked = request(options, "judge", prompts.judge(question), shown, 60, 0, schema)
    try:
        verdict = json_object((await chat.ask(asked)).text).get("answerable")
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

    def run(self, rows: Rows, items: Iterator[Stored]) -> Generator[Annotation]:
        """See :class:`annotate.annotator.ChainWriter`."""

        async def one(chat: Asker, item: Stored) -> Annotation:
            return await annotate_row(rows, item, chat, self.options, self.name)

        return drained(in_order(self._asker, items, one, self._concurrency))
