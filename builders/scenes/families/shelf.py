"""A set of shelves with one thing in each compartment, to be looked up by place."""

from __future__ import annotations

from dataclasses import dataclass

from builders.scenes.base import Frame, Sketch, ask, family, ordinal, palette
from builders.scenes.canvas import Canvas, Paint, rect, shaded
from builders.scenes.colors import NAMED, RGB, WOODS, darker, lighter, visible_on
from builders.scenes.dice import Dice
from builders.scenes.objects import KINDS
from builders.scenes.rooms import Room
from degrade.schema import Question


@dataclass(frozen=True)
class Stored:
    """A thing in a compartment."""

    kind: str
    color: str
    tone: RGB

    @property
    def name(self) -> str:
        """``red mug``."""
        return f"{self.color} {self.kind}"


@dataclass(frozen=True)
class Shelf:
    """Rows of things from the top, each from the left; ``area`` is (left, top, width, height)."""

    room: Room
    wood: RGB
    rows: tuple[tuple[Stored, ...], ...]
    area: tuple[float, float, float, float]

    def paint(self, canvas: Canvas) -> None:
        """Paint the wall, the shelves and what stands in them."""
        c = canvas
        self.room.paint_wall(c)
        x, y, w, h = self.area
        c.shadow(rect(x, y, w, h), (7, 7), 9, 0.55)
        c.poly(rect(x, y, w, h), shaded(self.wood, 0.25, 40, "wood"))
        high, wide = (h - 8) / len(self.rows), (w - 8) / len(self.rows[0])
        back = darker(self.wood, 0.42)
        for r, row in enumerate(self.rows):
            for n, thing in enumerate(row):
                left, top = x + 4 + wide * n, y + 4 + high * r
                hole = rect(left + 4, top + 4, wide - 8, high - 8)
                c.poly(hole, Paint(darker(back, 0.25), lighter(back, 0.1), 90, "planks", 0.2))
                c.shadow(rect(left + 4, top + 4, wide - 8, 4), (0, 3), 6, 0.5)
                c.shadow(rect(left + 4, top + 4, 3, high - 8), (2, 0), 5, 0.4)
                kind = KINDS[thing.kind]
                size = min(0.78 * (high - 10), 0.82 * (wide - 10) / kind.width)
                c.poly(
                    rect(left + 4, top + high - 11, wide - 8, 7),
                    Paint(lighter(self.wood, 0.1), darker(self.wood, 0.1), 90, "wood", 0.2),
                )
                kind.paint(c, left + wide / 2, top + high - 7, size, thing.tone)


_AT = (
    "What stands on the {row} shelf, {nth} from the {side}?",
    "Which thing is {nth} from the {side} on the {row} shelf?",
    "On the {row} shelf, what is the {nth} thing from the {side}?",
    "What is kept in compartment number {n} from the {side} on the {row} shelf?",
    "Counting from the {side}, what comes {nth} on the {row} shelf?",
    "Go to the {row} shelf and start at the {side}: what is the {nth} thing?",
)
_NEXT = (
    "What is directly {way} the {other}?",
    "Which thing stands directly {way} the {other}?",
    "What can be found in the compartment {way} the {other}?",
    "On the shelves, what is kept just {way} the {other}?",
    "What does the compartment directly {way} the {other} hold?",
    "If one looks directly {way} the {other}, what is there?",
)
_COLOR = (
    "What color is the {kind} directly {way} the {other}?",
    "Which color has the {kind} {way} the {other}?",
    "The {kind} directly {way} the {other} is of which color?",
    "In the compartment {way} the {other} there is a {kind}. What color is it?",
    "What is the color of the {kind} that stands just {way} the {other}?",
    "Of what color is the {nth} thing from the {side} on the {row} shelf, a {kind}?",
)
_WAYS = {"to the left of": (0, -1), "to the right of": (0, 1), "above": (-1, 0), "below": (1, 0)}
_BACK = {
    "to the left of": "to the right of", "to the right of": "to the left of", "above": "below",
    "below": "above",
}  # fmt: skip


@family
def shelf(dice: Dice, frame: Frame) -> Sketch:
    """Make shelves and ask what stands where, or of what color it is."""
    template = dice.weighted({"place": 0.42, "next": 0.36, "color": 0.22})
    room, wood = Room.drawn(dice), dice.pick(WOODS)
    columns = max(3, round(frame.width / dice.pick((88, 104, 118))))
    count = max(2, round(frame.height / dice.pick((98, 112, 126))))
    w, h = frame.width - dice.between(16, 60), frame.height - dice.between(14, 44)
    area = (dice.between(6, frame.width - w - 6), dice.between(4, frame.height - h - 4), w, h)
    usable = [c for c in visible_on(darker(wood, 0.42), 105) if c != "gray"]
    # Two kinds and two colors make the four choices, so that both have to be seen.
    kinds, four = dice.sample(tuple(KINDS), 2), palette(dice, usable)
    choices = [(k, c) for k in kinds for c in four[:2]]
    pool = [(k, c) for k in KINDS for c in usable if (k, c) not in choices]
    pairs = dice.sample(pool, columns * count)
    place = dice.whole(0, columns * count - 1)
    pairs[place] = choices[0]
    things = [Stored(k, c, dice.pick(NAMED[c])) for k, c in pairs]
    rows = tuple(tuple(things[i * columns : (i + 1) * columns]) for i in range(count))
    layout = Shelf(room, wood, rows, area)
    names = four if template == "color" else [f"{c} {k}" for k, c in choices]
    return Sketch(layout, template, _ask(dice, layout, template, divmod(place, columns), names))


def _ask(
    dice: Dice, layout: Shelf, template: str, at: tuple[int, int], names: list[str]
) -> Question:
    (r, n), rows = at, layout.rows
    count, columns = len(rows), len(rows[0])
    # The ways from which a neighbor looks here.
    ways = [w for w, (dr, dn) in _WAYS.items() if 0 <= r - dr < count and 0 <= n - dn < columns]
    way = dice.pick(ways)
    dr, dn = _WAYS[way]
    target, other = rows[r][n], rows[r - dr][n - dn]
    level = {0: "top", count - 1: "bottom"}.get(r, "middle" if count == 3 else ordinal(r + 1))
    side = dice.pick(("left", "right"))
    step = n + 1 if side == "left" else columns - n
    slots: dict[str, object] = {
        "row": level, "nth": ordinal(step), "n": step, "side": side, "way": way,
        "other": other.name, "kind": target.kind,
    }  # fmt: skip
    rest = [t.name for row in rows for t in row if t is not target and t is not other]
    some = dice.sample(rest, 2)
    caption = (
        f"A wooden shelf with {count * columns} compartments on a wall, with things such as "
        f"the {some[0]} and the {some[1]}."
    )
    # The color last where it is asked for, so that nothing can be called by it before.
    last = f"the {target.name}"
    if template == "color":
        last = f"the {target.kind}, which is {target.color}"
    seat = f"Counted from the {side} on the {level} shelf, the {ordinal(step)} thing is {last}"
    near = f"The {other.name} is directly {_BACK[way]} {last}"
    if template == "place":
        return ask(dice, _AT, slots, names[0], names[1:], caption, [seat, near])
    asked = _NEXT if template == "next" else _COLOR
    return ask(dice, asked, slots, names[0], names[1:], caption, [near, seat])
