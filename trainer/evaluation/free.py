"""Free answers: what a reply puts forward, and how right that is. No model, no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from trainer.evaluation.wording import ANNOUNCE, REFUSAL, bare, normal, tagged, without_thinking
from trainer.rewards import plain_answer

FREE = {
    "tag": "what stands in an answer tag",
    "announced": "the words after `the answer is`, `answer:`",
    "whole": "the reply as it is",
}
"""How a free answer is read; for people, as Markdown."""


def free(text: str) -> tuple[str, str]:
    """A free answer, and how it was found: a key of :data:`FREE`, or of the options' ``MISSES``."""
    said = without_thinking(normal(text))
    if said is None:
        return "", "unfinished"
    if not said.strip():
        return "", "empty"
    if answers := [t for t in tagged(said) if t.strip()]:
        same = {plain_answer(t) for t in answers}
        return (answers[-1].strip(), "tag") if len(same) == 1 else ("", "tag_conflict")
    whole = bare(said)
    if announced := list(ANNOUNCE.finditer(whole)):
        tail = whole[announced[-1].end() :].split("\n", 1)[0]
        sentence = re.split(r"(?<=[.!?])\s", tail.strip())[0]
        if plain_answer(sentence):
            return sentence.strip(), "announced"
    return whole, "whole"


def declines(text: str) -> bool:
    """Whether a reply declines to answer, in words."""
    return bool(REFUSAL.search(bare(normal(text))))


_WORDS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
}


def same_free(given: str, truth: str) -> bool:
    """Whether two free answers are the same: without case, articles, marks; one is 1.

    As the evaluation of VQA compares (Antol et al., ICCV 2015), without its list of contractions.
    """
    return bool(_normal(given)) and _normal(given) == _normal(truth)


def comparable(text: str) -> str:
    """A free answer so that equal ones are the same text."""
    return " ".join(_normal(text))


@lru_cache(maxsize=65536)
def _normal(text: str) -> tuple[str, ...]:
    words = re.findall(r"(?:(?<!\w)-(?=\d))?\w+(?:[.,:/]\d+)*", plain_answer(normal(text)))
    kept = [_WORDS.get(w, w) for w in words if w not in {"a", "an", "the"}]
    return tuple(kept or (w for w in words if w == "a"))  # alone it is the letter


def free_score(given: str, answer: str, references: Iterable[str]) -> float:
    """How right a free answer is, in [0, 1].

    Against one answer: 1 where it is the same, else 0. Against references, which are all that
    people gave: min(1, matches / 3), as VQA and A-OKVQA count (Schwenk et al., ECCV 2022); against
    fewer than three of them, matches over their number.
    """
    several = tuple(references)
    if not several:
        return float(same_free(given, answer))
    matches = sum(same_free(given, reference) for reference in several)
    return min(1.0, matches / min(3, len(several)))
