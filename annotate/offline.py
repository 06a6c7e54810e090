"""The offline writer: a chain from a row's record, its question and what was measured.

A function of its arguments alone: no network, no clock, no global state. Every choice of words is
a hash of (seed, row id, place).
"""

from __future__ import annotations

import re

from pydantic import ValidationError

from annotate.depth import target
from annotate.grammar import scene
from annotate.grammar.conclusion import conclusion
from annotate.grammar.influence import influence
from annotate.grammar.pen import Pen
from annotate.grammar.reasoning import ANSWER, reasoning
from annotate.measure import Seen
from degrade.schema import PUBLISHED, Chain, Question, Row

GRAMMAR_VERSION = 4
"""Raised whenever the same arguments may give another text."""

_QUOTED = 80  # characters: longer answers stand without quotation marks
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Unwritable(ValueError):  # noqa: N818 - named for what the row is
    """A row of which no true chain can be written; the message says why."""


def write(row: Row, question: Question, seen: Seen | None, seed: int = 0) -> Chain:
    """Write the chain of a row.

    Without a question, what the picture shows is asked, and the caption is the answer; without a
    caption, a description from the measurements.

    Args:
        row: The degraded picture's row; its ``applied`` is all that is said of damage.
        question: What is asked and known. Texts may hold anything: what could break a chain or
            does not read as a statement is left out.
        seen: Measurements on the picture pair, if there are any.
        seed: Another seed, another wording.

    Raises:
        Unwritable: No answer, or one that no chain can hold; or damage by a released formula, whose
            effects the grammar does not know.
    """
    bare, spoken = _bare(row, question, seen)
    known, key = scene.read(question, spoken), row.id
    said = spoken.removesuffix(".") if spoken.count(" ") > 2 else spoken
    said = said if '"' in said or len(said) > _QUOTED else f'"{said}"'
    total = sum(a.intensity for a in row.applied)
    steps = reasoning(known, seen, target(row.applied), said, Pen(seed, key, "reasoning"))
    end = conclusion(known, seen, total, Pen(seed, key, "conclusion"))
    return _chain(
        row,
        bare.answer,
        influence=influence(row, known, seen, Pen(seed, key, "influence")),
        reasoning=steps.replace(ANSWER, said),
        conclusion=end.replace(ANSWER, said),
    )


def answer(row: Row, question: Question, seen: Seen | None) -> str:
    """The ANSWER of a row's chain, whoever writes the rest; as :func:`write` has it.

    Raises:
        Unwritable: See :func:`write`.
    """
    return _bare(row, question, seen)[0].answer


def _bare(row: Row, question: Question, seen: Seen | None) -> tuple[Chain, str]:
    """The chain without its texts, and its answer as a text may say it."""
    for applied in row.applied:
        if applied.operator.startswith(PUBLISHED):
            raise Unwritable(
                f"{applied.operator} is a formula for comparison with published numbers: the "
                "grammar knows the effects of the operators alone. Degrade with another recipe."
            )
    given = question.answer.strip()
    if not given and question.question.strip():
        raise Unwritable("The row has a question but no answer.")
    if _UNFIT.search(given):
        raise Unwritable(f"The answer holds a control character: {given[:60]!r}.")
    if not given:
        given = _description(question, seen)
    spoken = scene.clean(question.model_copy(update={"answer": given}).answer_text)
    if not spoken:
        raise Unwritable(f"The answer {given[:60]!r} has no words that a text could hold.")
    return _chain(row, given, influence="", reasoning="", conclusion=""), spoken


def _chain(row: Row, answer: str, **texts: str) -> Chain:
    try:
        return Chain(types=Chain.types_of(row.applied), answer=answer, **texts)
    except ValidationError as error:
        raise Unwritable(f"The chain cannot hold the answer: {error.errors()[0]['msg']}.") from None


def _description(question: Question, seen: Seen | None) -> str:
    """What stands for the answer where nothing is asked: the caption, or what was measured."""
    if caption := scene.clean(question.caption):
        return caption
    if seen is None:
        raise Unwritable("No answer, no caption, no pictures to describe.")
    colors = list(seen.palette[:3]) or [seen.colors[4]]
    words = " and ".join([", ".join(colors[:-1]), colors[-1]] if len(colors) > 1 else colors)
    light = (
        "bright" if seen.luma_clean > 0.6 else "low-key" if seen.luma_clean < 0.25 else "evenly lit"
    )
    return f"A {light} scene in {words}" if light[0] != "e" else f"An {light} scene in {words}"
