"""Planted contradictions to the answer, and prose that one would not train on."""

from __future__ import annotations

import random
import re

from annotate.testing.cases import Case
from annotate.testing.phrases import FOREIGN, LEAKS, REFUSALS, SILENT
from annotate.testing.planting import (
    Write,
    changed,
    inserted,
    plants,
    sentences,
)

# ------------------------------------------------------------------------------------- the answer


def _others(case: Case) -> list[str]:
    return [c for c in case.question.choices if c != case.question.answer_text]


@plants("answer")
def _another_answer(case: Case, rng: random.Random, write: Write) -> str | None:
    answer = case.question.answer
    pool = {"0", "1", "2", "3", "A", "B", "C", "D", "yes", "no", "a dog", *case.question.choices}
    return changed(case.chain, answer=rng.choice(sorted(pool - {answer})))


@plants("answer")
def _answer_in_another_form(case: Case, rng: random.Random, write: Write) -> str | None:
    answer, text = case.question.answer, case.question.answer_text
    forms = {text, text.upper(), f"{answer}.", f"({answer})", f"{answer} {text}", f"The {text}"}
    return changed(case.chain, answer=rng.choice(sorted(forms - {answer})))


@plants("conclusion")
def _conclusion_for_another(case: Case, rng: random.Random, write: Write) -> str | None:
    """The conclusion as it would be written for another option."""
    if not (others := _others(case)):
        return None
    wrong = case.question.model_copy(update={"answer": rng.choice(others), "rationales": ()})
    return changed(case.chain, conclusion=write(case.row, wrong).conclusion)


@plants("conclusion")
def _conclusion_silent(case: Case, rng: random.Random, write: Write) -> str | None:
    return changed(case.chain, conclusion=rng.choice(SILENT))


@plants("conclusion")
def _conclusion_negated(case: Case, rng: random.Random, write: Write) -> str | None:
    if (text := case.question.answer_text) in ("yes", "no"):
        return None
    said = rng.choice(
        ("The answer is not {}.", "So it cannot be {}.", "It is something other than {}.")
    )
    return changed(case.chain, conclusion=said.format(text))


@plants("conclusion")
def _conclusion_of_two(case: Case, rng: random.Random, write: Write) -> str | None:
    if not (others := _others(case)):
        return None
    said = rng.choice(
        (
            "The answer is {}.",
            "So the right choice is {}.",
            "Therefore {}.",
            "It must be {}.",
            "{} is correct.",
        )
    ).format(rng.choice(others))
    return changed(case.chain, conclusion=f"{case.chain.conclusion} {said}")


# ------------------------------------------------------------------------------------- the prose


@plants("length")
def _far_too_long(case: Case, rng: random.Random, write: Write) -> str | None:
    times = rng.randint(3, 5)
    return changed(case.chain, reasoning=" ".join([case.chain.reasoning] * times))


@plants("length")
def _far_too_short(case: Case, rng: random.Random, write: Write) -> str | None:
    words = case.chain.reasoning.split()
    return changed(case.chain, reasoning=" ".join(words[: max(2, len(words) // 4)]) + " so.")


@plants("repetition")
def _going_round(case: Case, rng: random.Random, write: Write) -> str | None:
    words = case.chain.reasoning.split()
    loop = words[: rng.randint(2, 6)]
    return changed(case.chain, reasoning=" ".join((loop * len(words))[: len(words)]))


@plants("repetition")
def _sentence_twice(case: Case, rng: random.Random, write: Write) -> str | None:
    long = [s for s in sentences(case.chain.reasoning) if s.count(" ") >= 4]
    if not long:
        return None
    return changed(case.chain, reasoning=f"{case.chain.reasoning} {rng.choice(long)}")


@plants("language")
def _another_language(case: Case, rng: random.Random, write: Write) -> str | None:
    return changed(case.chain, **{rng.choice(("influence", "reasoning")): rng.choice(FOREIGN)})


@plants("garble")
def _digits(case: Case, rng: random.Random, write: Write) -> str | None:
    salad = " ".join(f"{rng.random():.2f}" for _ in range(rng.randint(6, 20)))
    return changed(case.chain, influence=f"{case.chain.influence} The levels are {salad} in turn.")


@plants("garble")
def _glued_words(case: Case, rng: random.Random, write: Write) -> str | None:
    words = case.chain.reasoning.split()
    i = rng.randrange(max(1, len(words) - 8))
    glued = re.sub(r"\W", "", "".join(words[i : i + 8])) + "andsoonandonuntiltheend"
    return changed(case.chain, reasoning=" ".join([*words[:i], glued, *words[i + 8 :]]))


@plants("garble")
def _stray_signs(case: Case, rng: random.Random, write: Write) -> str | None:
    sign = rng.choice(("\u200b", "\ufffd", "\u202e", "\ue000", "aaaaaaaa", "!!!!!!!!", "________"))
    return changed(case.chain, reasoning=inserted(case.chain.reasoning, f"So {sign} on.", rng))


@plants("leak")
def _writer_talks(case: Case, rng: random.Random, write: Write) -> str | None:
    said = rng.choice(LEAKS)
    part = rng.choice(("influence", "reasoning", "conclusion"))
    return changed(case.chain, **{part: inserted(getattr(case.chain, part), said, rng)})


@plants("refusal")
def _declined(case: Case, rng: random.Random, write: Write) -> str | None:
    said = rng.choice(REFUSALS)
    part = rng.choice(("influence", "reasoning", "conclusion"))
    return changed(case.chain, **{part: inserted(getattr(case.chain, part), said, rng)})
