"""Whether a conclusion supports an answer: names it, and no other option in its place."""

from __future__ import annotations

import re
from functools import lru_cache

from annotate.lexicon import plain
from degrade.schema import Question

LONG_ANSWER, LONG_COVERED = 6, 0.6
"""An answer of more content words than this counts as named when this share of them is there."""

_NUMBERS = {
    word: str(i)
    for i, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
}
_ARTICLES = frozenset("a an the".split())
_LIGHT = frozenset(
    "of in on at to for with by from and or is are was were be it its his her their this that"
    " there as".split()
)
_NOT = frozenset(
    "not isnt arent wasnt werent never neither nor cannot cant unlike without excluding excludes"
    " exclude".split()
)
_ADVERBS = frozenset(
    "clearly probably most likely actually indeed really simply definitely certainly therefore"
    " thus hence surely in fact here".split()
)
_TOKEN = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


@lru_cache(maxsize=1 << 14)
def _stem(word: str) -> str:
    """Plural and singular share a stem; so do ``three`` and ``3``."""
    word = _NUMBERS.get(word, word)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


@lru_cache(maxsize=1 << 10)
def words(text: str) -> tuple[str, ...]:
    """Stems of a text without articles, in order; of an article alone, itself."""
    found = _TOKEN.findall(plain(text).replace("'", ""))
    return tuple(_stem(w) for w in found if w not in _ARTICLES) or tuple(found)


def _places(phrase: tuple[str, ...], text: tuple[str, ...]) -> list[int]:
    """Where a phrase begins in a text."""
    if not phrase:
        return []
    n, first = len(phrase), phrase[0]
    return [i for i in range(len(text) - n + 1) if text[i] == first and text[i : i + n] == phrase]


def _negated(text: tuple[str, ...], start: int) -> bool:
    ahead = text[max(0, start - 3) : start]
    while ahead and ahead[-1] in _ADVERBS:
        ahead = ahead[:-1]
    two = ahead[-2:]
    return (
        bool(_NOT.intersection(two))
        or (bool(two) and two[-1] == "than")  # rather than, other than
        or two == ("instead", "of")
        or (len(two) > 0 and two[-1] == "no")
    )


def names(conclusion: str, answer: str) -> bool:
    """Whether the conclusion names the answer: as a phrase, written in one word, or by its words.

    Number words and digits are the same, so are singular and plural. Naming it only to deny it
    does not count.
    """
    said, wanted = words(conclusion), words(answer)
    if not wanted:  # signs only
        return answer.strip() in conclusion
    denies = bool(_NOT.union({"no"}).intersection(wanted))
    places = _places(wanted, said)
    if places:
        return denies or any(not _negated(said, i) for i in places)
    compact = "".join(wanted)
    if len(compact) >= 5 and compact in "".join(said):
        return True
    content = {w for w in wanted if w not in _LIGHT} or set(wanted)
    covered = len(content.intersection(said)) / len(content)
    return covered >= (LONG_COVERED if len(content) > LONG_ANSWER else 1.0)


def _stems(text: str) -> frozenset[str]:
    return frozenset(map(_stem, text.split()))


_NOUNS = _stems("answer choice option reply conclusion response")
_SUBJECTS = _NOUNS | _stems("one")
_POINTERS = _stems("it this that these they those which result there")
_COPULAS = _stems("is are was were be being becomes remains equals means")
_CHOOSING = _stems(
    "choose chose pick select therefore thus hence so namely confirms indicates supports"
    " concludes conclude rather instead actually"
)
_RIGHT = _stems("right correct best true answer")
_REFUTED = _stems("not excluded wrong false unlikely out")


def _asserted(text: tuple[str, ...], start: int, length: int, strict: bool) -> bool:
    """Whether the phrase at ``start`` is put forward as the answer.

    ``strict`` asks for it in so many words ("the answer is ..."): in a sentence that also names
    the right answer, other objects of the scene may well be spoken of.
    """
    if _negated(text, start):
        return False
    ahead = list(text[max(0, start - 6) : start])
    while ahead and ahead[-1] in _ADVERBS:
        ahead.pop()
    behind = text[start + length : start + length + 4]
    if len(behind) >= 2 and behind[0] in _COPULAS:
        if not _REFUTED.isdisjoint(behind):
            return False
        if behind[1] in _RIGHT:
            return True
    last = ahead[-1] if ahead else ""
    if last in _COPULAS:
        subjects = _SUBJECTS if strict else _SUBJECTS | _POINTERS
        return not subjects.isdisjoint(ahead[-4:-1]) and "not" not in ahead
    alone = not ahead and len(text) <= length + 1
    return last in _NOUNS or (not strict and (alone or last in _CHOOSING))


def contradicts(conclusion: str, question: Question, answer: str) -> str:
    """Another option that the conclusion puts forward as the answer; "" where there is none."""
    right = words(answer)
    asked = words(question.question)
    others = {c: w for c in question.choices if (w := words(c)) and w != right}
    if not others:
        return ""
    for sentence in _SENTENCE.split(conclusion):
        said = words(sentence)
        taken = {i + k for i in _places(right, said) for k in range(len(right))}
        for choice, phrase in others.items():
            for start in _places(phrase, said):
                span = range(start, start + len(phrase))
                if taken.intersection(span) or (
                    len(phrase) < len(right) and _within(said, span, right)
                ):
                    continue
                strict = bool(taken) or bool(_places(phrase, asked))
                if _asserted(said, start, len(phrase), strict):
                    return choice
    return ""


def _within(said: tuple[str, ...], span: range, right: tuple[str, ...]) -> bool:
    """Whether an option is said as part of a longer right answer's words."""
    window = said[max(0, span.start - len(right)) : span.stop + len(right)]
    return set(right) <= set(window)
