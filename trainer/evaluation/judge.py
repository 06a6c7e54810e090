"""A language model as judge of free answers, on the scales of R-Bench; no picture is shown to it.

Multiple choice is rated 0 or 1, other answers 0, 1 or 2, a caption once for each reference;
:func:`trainer.metrics.rbench.from_ratings` makes scores of that. R-Bench asks GPT-3.5 for five
ratings of each answer (code of Q-Future/R-Bench); its words are others, and it takes what it cannot
read for 0. Here an unreadable verdict is asked for again, and an answer that gets none is left out
and counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import closing
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from degrade.chat import Chat, Message, Request, RowError, Settings
from degrade.chat_session import Session, drained, in_order
from degrade.runs import Progress
from degrade.schema import Task
from trainer.evaluation.config import EvaluateOptions
from trainer.metrics.rbench import from_ratings

STAGE = "judge"
MAX_TOKENS = 1024
"""Of a verdict: a number, and what a model thinks before it."""

ATTEMPTS = 3
"""Requests for one rating until it can be read."""

_TOP: dict[str, int] = {"mcq": 1, "vqa": 2, "caption": 2}
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w%]|\.\d)")
_SCALE = re.compile(r"(?:/|\b(?:out )?of)\s*\d+", re.IGNORECASE)
_FIELD = re.compile(r"\{(\w+)\}")
_TEMPLATES = resources.files("trainer.evaluation") / "judge.yaml"


class Case(NamedTuple):
    """One answer to be judged.

    Attributes:
        key: Whose it is.
        task: Of the question.
        question: What was asked.
        choices: Its options.
        truths: What is right: one, or for captions all references.
        answer: What was said.
    """

    key: Any
    task: Task
    question: str
    choices: tuple[str, ...]
    truths: tuple[str, ...]
    answer: str


def verdict(text: str, task: str) -> int | None:
    """The rating that a judge gives: the last whole number; None where it is off the scale."""
    found = _NUMBER.findall(_SCALE.sub("", text))
    return int(found[-1]) if found and int(found[-1]) <= _TOP[task] else None


class Judge:
    """A judge behind an endpoint.

    Args:
        options: Who, and how often it rates.
        out: Folder of the evaluation; the judge's journal is beside it.
        spent: US dollars that are spent already under the same limit.
        tell: Called with what a person who waits should know.
    """

    def __init__(
        self, options: EvaluateOptions, out: Path, spent: float, tell: Callable[[str], None]
    ) -> None:
        self._options, remote = options, options.judge_options
        limits = remote.limits()
        if limits.max_cost is not None:
            left = max(0.0, limits.max_cost - spent)
            limits = limits.model_copy(update={"max_cost": left})
        journal = out.with_name(f"{out.name}-judge.sqlite")
        self.session = Session(remote.endpoint(), journal, limits, remote.prices, tell)
        self._templates: dict[str, str] = yaml.safe_load(_TEMPLATES.read_text("utf-8"))

    @staticmethod
    def settings(options: EvaluateOptions) -> dict[str, Any]:
        """What decides the verdicts."""
        if not options.judge:
            return {}
        text = _TEMPLATES.read_bytes()
        return {
            "model": options.judge,
            "ratings": options.ratings,
            "mcq": options.mcq,
            "prompt": hashlib.sha256(text).hexdigest()[:16],
        }

    def requests(self, case: Case) -> list[Request]:
        """What is asked about an answer: each rating another request."""
        several = case.truths if len(case.truths) > 1 else case.truths * self._options.ratings
        counts: dict[str, int] = {}
        made = []
        for truth in several:
            made.append(self._request(case, truth, counts.get(truth, 0)))
            counts[truth] = counts.get(truth, 0) + 1
        return made

    def _request(self, case: Case, truth: str, number: int) -> Request:
        fields = {
            "question": case.question,
            "options": list(case.choices),
            "truth": truth,
            "answer": case.answer,
        }
        quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in fields.items()}
        words = _FIELD.sub(lambda m: quoted.get(m[1], m[0]), self._templates[case.task])
        # Several ratings of one answer are worth more than one only if they can differ.
        temperature = 0.0 if self._options.ratings == 1 else None
        return Request(
            model=self._options.judge,
            messages=(Message.of("user", words),),
            settings=Settings(max_tokens=MAX_TOKENS, temperature=temperature),
            stage=STAGE,
            attempt=number * ATTEMPTS,
        )

    def rate(self, cases: Sequence[Case], progress: Progress) -> dict[Any, float | None]:
        """Scores by key; None where no verdict can be read or the endpoint fails.

        Raises:
            StoppedError: The endpoint, the budget or the disk; what is paid for is kept.
        """
        found: dict[Any, float | None] = {}
        progress(0, len(cases))
        made = in_order(self.session.open, cases, self._one, self._options.concurrency)
        with closing(drained(made)) as stream:
            for case, rated in stream:
                found[case.key] = rated
                progress(len(found), len(cases))
        return found

    async def _one(self, chat: Chat, case: Case) -> tuple[Case, float | None]:
        ratings = []
        for request in self.requests(case):
            rating = await self._rating(chat, request, case.task)
            if rating is None:
                return case, None
            ratings.append(rating)
        return case, from_ratings(case.task, ratings)

    async def _rating(self, chat: Chat, request: Request, task: str) -> int | None:
        for attempt in range(ATTEMPTS):
            again = request.model_copy(update={"attempt": request.attempt + attempt})
            try:
                rating = verdict((await chat.ask(again)).text, task)
            except RowError:
                return None
            if rating is not None:
                return rating
        return None

    def estimate(self, cases: Iterable[Case]) -> dict[str, Any]:
        """What judging would cost; sends nothing."""

        def several() -> Iterator[Request]:
            for case in cases:
                yield from self.requests(case)

        async def chunks() -> AsyncIterator[list[Request]]:
            stream = several()
            while part := list(islice(stream, 1000)):
                yield part

        return asyncio.run(self.session.estimate_requests(chunks))
