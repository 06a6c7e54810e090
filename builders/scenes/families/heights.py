"""Things of one kind before a wall with height lines: to be compared and measured."""

from __future__ import annotations

from dataclasses import dataclass

from builders.scenes.base import (
    Frame,
    Sketch,
    ask,
    family,
    listed,
    ordinal,
    spelled,
    window,
)
from builders.scenes.canvas import Canvas, rect
from builders.scenes.colors import INK, NAMED, RGB, darker, distinct, visible_on
from builders.scenes.dice import Dice
from builders.scenes.objects import KINDS
from builders.scenes.rooms import TOPS, Room, paint_frame
from degrade.schema import Question

_KINDS = ("bottle", "vase", "book", "jar", "lamp", "plant pot")
_STEP = 5
_FINEST = 7.0  # scene units: heights that differ by one can be told apart


@dataclass(frozen=True)
class Piece:
    """A thing; ``size`` in the units of the lines on the wall."""

    color: str
    tone: RGB
    x: float
    size: int


@dataclass(frozen=True)
class Heights:
    """Pieces from left to right on a top at ``floor``.

    ``scale`` is scene units per unit of height, ``ruler`` the highest line.
    """

    room: Room
    kind: str
    pieces: tuple[Piece, ...]
    floor: float
    scale: float
    ruler: int

    def paint(self, canvas: Canvas) -> None:
        """Paint wall, lines and things."""
        c = canvas
        self.room.paint_wall(c)
        if self.floor - self.ruler * self.scale > 70:
            paint_frame(c, 0.56 * c.width, -24, 0.3 * c.width, 84)
        for n in range(1, self.ruler + 1):
            y = self.floor - n * self.scale
            major = n % _STEP == 0
            tone = darker(self.room.wall, 0.6 if major else 0.22)
            c.line([(30, y), (c.width, y)], tone, 1.2 if major else 0.7)
            if major:
                c.poly(rect(2, y - 8, 27, 16, 3), (246, 244, 236))
                c.text((15.5, y), str(n), 13, INK, weight=0.2)
        self.room.paint_top(c, self.floor - 10, 14)
        for piece in self.pieces:
            KINDS[self.kind].paint(c, piece.x, self.floor, piece.size * self.scale, piece.tone)

    def caption(self) -> str:
        """What is there."""
        count, plural = spelled(len(self.pieces)), KINDS[self.kind].plural
        return (
            f"A row of {count} {plural} of different heights on a table, from left to right "
            f"{listed([p.color for p in self.pieces])}, in front of a wall with numbered lines."
        )

    def reach(self, piece: Piece) -> str:
        """How high a piece is."""
        full, rest = divmod(piece.size, _STEP)
        where = f"exactly to the line for {piece.size}"
        if rest:
            lines = f"between the lines for {full * _STEP} and {(full + 1) * _STEP}"
            where = f"{piece.size} on the wall, {lines}"
        return f"The {piece.color} {self.kind} reaches {where}"

    def slots(self) -> dict[str, object]:
        """What all questions may name."""
        return {
            "kind": self.kind,
            "kinds": KINDS[self.kind].plural,
            "n": spelled(len(self.pieces)),
            "top": TOPS[self.room.material],
        }


_WHICH = (
    "What color is the {place} {kind} on the {top} table?",
    "Which color has the {place} of the {n} {kinds}?",
    "Of the {n} {kinds} on the {top} table, which color has the {place} one?",
    "If the {n} {kinds} are put in order of height, what color is the {place}?",
    "The {place} {kind} on the {top} table is of which color?",
    "Comparing all {n} {kinds}, of what color is the {place} one?",
)
_TALL = (
    "How tall is the {color} {kind}, going by the lines on the wall?",
    "Up to which height does the {color} {kind} reach on the wall?",
    "What height do the lines on the wall give for the {color} {kind}?",
    "Measured against the lines behind it, how high is the {color} {kind}?",
    "What is the height of the {color} {kind} among the {n} {kinds}?",
    "To what number does the {color} {kind} on the {top} table reach?",
)
_MORE = (
    "How many of the {kinds} are taller than the {color} one?",
    "On the {top} table, how many {kinds} reach higher than the {color} one?",
    "What number of {kinds} is taller than the {color} {kind}?",
    "Count the {kinds} that are higher than the {color} {kind}: how many are there?",
    "How many {kinds} on the {top} table tower above the {color} one?",
    "The {color} {kind} is topped by how many of the other {kinds}?",
)
_PLACE = (
    "In which place from the left is the {place} {kind}?",
    "Counting from the left, where does the {place} of the {n} {kinds} stand?",
    "Which place in the row on the {top} table, from the left, has the {place} {kind}?",
    "From the left, in which position does the {place} {kind} stand on the {top} table?",
    "The {place} of the {kinds} on the {top} table is at which place from the left?",
    "Looking along the row of {n} {kinds} from the left, which place has the {place} one?",
)


@family
def heights(dice: Dice, frame: Frame) -> Sketch:
    """Make a row of things of different heights and ask for one of them."""
    template = dice.weighted({"color": 0.3, "height": 0.35, "taller": 0.2, "place": 0.15})
    if template == "height":
        layout, options = _row(dice, frame)
        question = _height(dice, layout, options)
    else:
        layout, _ = _row(dice, frame)
        question = (_taller if template == "taller" else _extreme)(dice, layout, template)
    return Sketch(layout, template, question)


def _row(dice: Dice, frame: Frame) -> tuple[Heights, list[int]]:
    """A row, and four heights of which the first is that of one piece alone."""
    room, kind = Room.drawn(dice), dice.pick(_KINDS)
    colors = distinct(dice.shuffled(visible_on(room.wall, 140)))
    most = int((frame.width - 46) / (120 * KINDS[kind].width))
    count = min(len(colors), dice.whole(4, max(4, min(6, most))))
    each = (frame.width - 46) / count
    highest = min(0.7 * frame.height, 0.97 * each / KINDS[kind].width)
    ruler = max(2 * _STEP, _STEP * int(highest / _FINEST / _STEP))
    limit, scale = ruler - 1, highest / (ruler - 1)
    low = max(2, ruler // 3)
    floor = frame.height * dice.between(0.7, 0.92)
    floor = min(max(floor, ruler * scale + 14), frame.height - 26)
    options = window(dice, low, limit, 1, 7)
    others = [s for s in range(low, limit + 1) if s != options[0]]
    sizes = dice.shuffled([options[0], *dice.sample(others, count - 1)])
    pieces = tuple(
        Piece(color, dice.pick(NAMED[color]), 40 + each * (n + 0.5), size)
        for n, (color, size) in enumerate(zip(colors, sizes, strict=False))
    )
    return Heights(room, kind, pieces, floor, scale, ruler), options


def _height(dice: Dice, layout: Heights, options: list[int]) -> Question:
    one = next(p for p in layout.pieces if p.size == options[0])
    rest = [p for p in layout.pieces if p is not one]
    near = min(rest, key=lambda p: (abs(p.size - one.size), p.color))
    more = "taller" if near.size > one.size else "shorter"
    facts = [
        layout.reach(one),
        f"The {near.color} {layout.kind} is {more}, with a height of {near.size}",
    ]
    wrong = [str(o) for o in options[1:]]
    slots = layout.slots() | {"color": one.color}
    return ask(dice, _TALL, slots, str(one.size), wrong, layout.caption(), facts)


def _taller(dice: Dice, layout: Heights, _: str) -> Question:
    count = len(layout.pieces)
    options = window(dice, 0, count - 1, 1, count)
    one = sorted(layout.pieces, key=lambda p: -p.size)[options[0]]
    above = [p.color for p in layout.pieces if p.size > one.size]
    facts = [
        f"Above the {one.color} {layout.kind} reach only the {listed(above)} ones"
        if above
        else f"The {one.color} {layout.kind} is the tallest in the row, nothing reaches above it",
        layout.reach(one),
    ]
    wrong = [str(o) for o in options[1:]]
    slots = layout.slots() | {"color": one.color}
    return ask(dice, _MORE, slots, str(options[0]), wrong, layout.caption(), facts)


def _extreme(dice: Dice, layout: Heights, template: str) -> Question:
    down, rank = dice.chance(0.55), dice.whole(0, 2)
    end = "tallest" if down else "shortest"
    order = sorted(layout.pieces, key=lambda p: -p.size if down else p.size)
    one = order[rank]
    slots = layout.slots() | {"place": ("", "second ", "third ")[rank] + end}
    if template == "color":
        series = listed([p.color for p in order])
        plural = KINDS[layout.kind].plural
        height = layout.reach(one).split(" reaches ")[1]
        facts = [
            f"In order from the {end}, the {plural} are {series}",
            f"The {slots['place']} {layout.kind} reaches {height}",
        ]
        wrong = dice.sample([p.color for p in order if p is not one], 3)
        return ask(dice, _WHICH, slots, one.color, wrong, layout.caption(), facts)
    names = [ordinal(n + 1) for n in range(len(order))]
    right = names[layout.pieces.index(one)]
    facts = [
        f"The {slots['place']} {layout.kind} is the {one.color} one, the {right} from the left",
        layout.reach(one),
    ]
    wrong = dice.sample([n for n in names if n != right], 3)
    return ask(dice, _PLACE, slots, right, wrong, layout.caption(), facts)
