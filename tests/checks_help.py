"""Cases for the checks of chains."""

from __future__ import annotations

from annotate.checks import check
from annotate.testing.cases import Case, applied, plain_chain, row
from degrade.schema import Question

QUESTION = Question(
    question="What is the man holding?",
    choices=("a kite", "an umbrella", "a cup", "a phone"),
    answer="1",
)


def case(*items: tuple[str, float], question: Question = QUESTION) -> Case:
    made = row("000001", tuple(applied(label, value) for label, value in items))
    return Case(plain_chain(made, question), made, question)


def codes(it: Case, **parts: object) -> set[str]:
    chain = it.chain.model_copy(update=parts)
    return {f.code for f in check(chain, it.row, it.question, it.target)}
