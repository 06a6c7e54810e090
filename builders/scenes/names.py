"""Invented proper names, many of them alike, so that they have to be read and not guessed."""

from __future__ import annotations

from builders.scenes.dice import Dice

_HEADS = (
    "Ash Birch Brook Clay Cole Elm Fair Fern Glen Green Hart Hazel Holm Kirk Lang Lin Lock Marsh "
    "Mill Nor Oak Pen Red Rock Sand Shel Stan Thorn Wal West Whit Win Wood Wren"
).split()
_TAILS = "ford ton well dale bury field wick ham ley bridge mere stead".split()


def town(dice: Dice) -> str:
    """One name, such as ``Ashford``."""
    return dice.pick(_HEADS) + dice.pick(_TAILS)


def towns(dice: Dice, count: int) -> list[str]:
    """Several different names in random order."""
    return dice.sample(
        [h + t for h in dice.sample(_HEADS, 8) for t in dice.sample(_TAILS, 6)], count
    )


def alike(dice: Dice) -> list[str]:
    """Four names that share their beginning or their end, in random order."""
    if dice.chance(0.5):
        head = dice.pick(_HEADS)
        return [head + tail for tail in dice.sample(_TAILS, 4)]
    tail = dice.pick(_TAILS)
    return [head + tail for head in dice.sample(_HEADS, 4)]
