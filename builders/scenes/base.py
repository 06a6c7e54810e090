"""What a scene is: things with exact properties, from which picture and truth both come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from builders.scenes.canvas import Canvas
from builders.scenes.colors import distinct
from builders.scenes.dice import Dice
from degrade.schema import Question

OPTIONS = 4
"""Choices of every question."""


class Frame(NamedTuple):
    """Size of a scene in units; a standard picture has 448 x 336."""

    width: float
    height: float


class Layout(Protocol):
    """A scene graph: frozen, complete, and able to paint itself."""

    def paint(self, canvas: Canvas) -> None:
        """Paint everything that it holds."""


@dataclass(frozen=True)
class Sketch:
    """What a family makes: things, and what is asked about them.

    ``template`` names the type of question within the family.
    """

    layout: Layout
    template: str
    question: Question


Maker = Callable[[Dice, Frame], Sketch]
FAMILIES: dict[str, Maker] = {}
"""All families by name; a module in :mod:`builders.scenes.families` registers one."""


def family(maker: Maker) -> Maker:
    """Register a family under its function's name."""
    if maker.__name__ in FAMILIES:
        raise ValueError(f"There are two families {maker.__name__!r}.")
    FAMILIES[maker.__name__] = maker
    return maker


def window(dice: Dice, low: int, high: int, step: int = 1, within: int = 6) -> list[int]:
    """Four numbers near each other, in random order; the first may be taken as the answer.

    The four are drawn before any of them is made true, so that none is likelier than the others:
    neither their order nor their middle tells which it is.
    """
    span = min(within, (high - low) // step + 1)
    first = low + step * dice.whole(0, (high - low) // step + 1 - span)
    return dice.sample([first + step * n for n in range(span)], OPTIONS)


def ask(
    dice: Dice,
    phrasings: Sequence[str],
    slots: Mapping[str, object],
    answer: str,
    wrong: Sequence[str],
    caption: str,
    rationales: Sequence[str],
) -> Question:
    """A question with its answer at a random place among the choices.

    Args:
        dice: For wording and place.
        phrasings: Templates of the question.
        slots: Their slots.
        answer: The right choice.
        wrong: Three others.
        caption: A true sentence or two on the scene.
        rationales: True statements that lead to the answer.
    """
    asked = dice.pick(phrasings).format_map(slots)
    choices = list(wrong)
    choices.insert(dice.whole(0, OPTIONS - 1), answer)
    if len(set(choices)) != OPTIONS:
        raise ValueError(f"Not {OPTIONS} different choices: {choices}")
    return Question(
        question=asked[0].upper() + asked[1:],
        choices=tuple(choices),
        answer=answer,
        answer_as="text",
        caption=caption,
        rationales=tuple(r[0].upper() + r[1:].rstrip(".") + "." for r in rationales),
    )


def palette(dice: Dice, pool: Sequence[str]) -> list[str]:
    """Four color words that are apart from each other; the first may be taken as the answer.

    As with :func:`window`, the four come first, so that none is likelier than the others.
    """
    for _ in range(200):
        four = distinct(dice.shuffled(pool))[:OPTIONS]
        if len(four) == OPTIONS:
            return dice.shuffled(four)
    raise ValueError(f"Too few colors that are apart: {', '.join(pool)}")


_WORDS = (
    "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
_ORDINALS = "first second third fourth fifth sixth seventh eighth".split()


def spelled(number: int) -> str:
    """A small number as a word."""
    return _WORDS[number] if number < len(_WORDS) else str(number)


def ordinal(number: int) -> str:
    """``first`` for 1."""
    return _ORDINALS[number - 1]


def a(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def listed(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
