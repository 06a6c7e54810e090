"""Things on a table, to be counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from builders.scenes.base import Frame, Sketch, a, ask, family, listed, spelled, window
from builders.scenes.canvas import Canvas
from builders.scenes.colors import NAMED, RGB, distinct, visible_on
from builders.scenes.dice import Dice
from builders.scenes.objects import KINDS
from builders.scenes.rooms import TOPS, Room, paint_frame, paint_window
from degrade.schema import Question

_KINDS = ("mug", "bottle", "vase", "ball", "jar", "box", "candle", "bucket", "plant pot")


@dataclass(frozen=True)
class Thing:
    """A thing on the table: where it stands, and its height."""

    kind: str
    color: str
    tone: RGB
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Table:
    """A table before a wall; things are in the order from back to front."""

    room: Room
    edge: float
    decor: int
    things: tuple[Thing, ...]

    def count(self, kind: str = "", color: str = "") -> int:
        """Things of a kind and color; empty: any."""
        return sum(kind in ("", t.kind) and color in ("", t.color) for t in self.things)

    def caption(self) -> str:
        """What is there."""
        present = Counter(t.kind for t in self.things)
        named = [KINDS[k].plural if n > 1 else a(k) for k, n in present.items()]
        top = TOPS[self.room.material]
        return f"{a(top).capitalize()} table with {listed(named)} in front of a wall."

    def paint(self, canvas: Canvas) -> None:
        """Paint wall, table and things."""
        self.room.paint_wall(canvas)
        w = canvas.width
        if self.decor == 1:
            paint_window(canvas, 0.12 * w, -30, 0.3 * w, 0.8 * self.edge, (206, 200, 190))
        elif self.decor == 2:
            paint_frame(canvas, 0.6 * w, 10, 0.24 * w, 0.55 * self.edge)
        elif self.decor == 3:
            paint_frame(canvas, 0.1 * w, 8, 0.2 * w, 0.6 * self.edge)
            paint_window(canvas, 0.62 * w, -40, 0.28 * w, 0.85 * self.edge, (120, 92, 66))
        self.room.paint_top(canvas, self.edge, 14)
        for t in self.things:
            KINDS[t.kind].paint(canvas, t.x, t.y, t.height, t.tone)


def _places(dice: Dice, frame: Frame, edge: float, wanted: int) -> list[tuple[float, float, float]]:
    """(x, y, height) of free places in rows that do not hide each other, back to front."""
    rows = 3 if frame.height - edge > 170 else 2
    depth = (frame.height - 24 - edge) / rows
    height = min(56.0, depth * 0.82)  # things may be a little taller
    places = []
    for row in range(rows):
        size = height * (0.84 + 0.16 * row / (rows - 1))
        cell = size * 1.12
        columns = int((frame.width - 24) / cell)
        slack = (frame.width - 24) / columns
        y = edge + depth * (row + 0.97) - 2
        for column in range(columns):
            x = 12 + slack * (column + 0.5) + dice.between(-0.5, 0.5) * (slack - size * 1.06)
            places.append((x, y - dice.between(0, 0.06) * depth, size))
    chosen = dice.sample(places, min(wanted, len(places)))
    return sorted(chosen, key=lambda p: p[1])


_COUNT = (
    "How many {things} are on the {top} table{company}?",
    "How many {things} can be counted on the {top} table{company}?",
    "What is the number of {things} on the {top} table{company}?",
    "Counting every one of them, how many {things} are on the {top} table{company}?",
    "How many {things} stand on the {top} table{company}?",
    "On the {top} table{company}, how many {things} are there in all?",
    "What is the total count of {things} on the {top} table{company}?",
    "Count the {things}: how many are on the {top} table{company}?",
)
_MOST = (
    "Which kind of thing is there most of on the {top} table: {x}, {y}, {z} or {v}?",
    "Of {x}, {y}, {z} and {v}, which are most numerous on the {top} table?",
    "On the {top} table, what are there more of than of anything else: {x}, {y}, {z} or {v}?",
    "Which kind of thing on the {top} table comes in the largest number: {x}, {y}, {z} or {v}?",
    "What stands on the {top} table most often: {x}, {y}, {z} or {v}?",
    "Comparing {x}, {y}, {z} and {v}, which group on the {top} table is the largest?",
)
Pair = tuple[str, str]
"""Kind and color."""


@family
def table(dice: Dice, frame: Frame) -> Sketch:
    """Make a table with things, and ask for the number of some of them."""
    template = dice.weighted({"kind": 0.3, "kind_color": 0.5, "most": 0.2})
    room = Room.drawn(dice)
    colors = distinct(dice.shuffled(visible_on(room.top, 150)))[:5]
    kinds = dice.sample(_KINDS, 4)
    if template == "most":
        pairs = [
            (kind, dice.pick(colors))
            for kind, n in zip(kinds, (5, 3, 2, 1), strict=True)
            for _ in range(n)
        ]
        layout = _set(dice, frame, room, pairs)
        return Sketch(layout, template, _most(dice, layout, kinds))
    options = window(dice, 1, 8)
    pairs = [(kinds[0], colors[0])] * options[0]
    if template == "kind":
        pairs = [(kinds[0], dice.pick(colors)) for _ in pairs]
    # Company that shares the color or the kind, so that both have to be looked at.
    for _ in range(dice.whole(3, min(7, 14 - options[0]))):
        if template == "kind_color" and dice.chance(0.45):
            pairs.append((kinds[0], dice.pick(colors[1:])))
        else:
            pairs.append((dice.pick(kinds[1:]), dice.pick(colors)))
    layout = _set(dice, frame, room, pairs)
    color = colors[0] if template == "kind_color" else ""
    return Sketch(layout, template, _count(dice, layout, kinds[0], color, options))


def _set(dice: Dice, frame: Frame, room: Room, pairs: list[Pair]) -> Table:
    edge = frame.height * dice.between(0.3, 0.38)
    places = _places(dice, frame, edge, len(pairs))
    things = tuple(
        Thing(kind, color, dice.pick(NAMED[color]), x, y, size * (0.8 if kind == "ball" else 1.0))
        for (kind, color), (x, y, size) in zip(dice.shuffled(pairs), places, strict=True)
    )
    return Table(room, edge, dice.whole(0, 3), things)


def _most(dice: Dice, layout: Table, kinds: list[str]) -> Question:
    names = [KINDS[k].plural for k in kinds]
    slots: dict[str, object] = {"top": TOPS[layout.room.material]}
    slots |= dict(zip("xyzv", dice.shuffled(names), strict=True))
    facts = [
        f"The count of {names[0]} on the table comes to {spelled(layout.count(kinds[0]))}",
        f"The {names[1]} come next with {spelled(layout.count(kinds[1]))} of them, "
        f"so the {names[0]} are the largest group",
    ]
    return ask(dice, _MOST, slots, names[0], names[1:], layout.caption(), facts)


def _count(dice: Dice, layout: Table, kind: str, color: str, options: list[int]) -> Question:
    number, total = options[0], layout.count(kind)
    plural = KINDS[kind].plural
    several = f"{color} {plural}".strip()
    # Worded so that no fact speaks of "the three red mugs" before they are counted.
    facts = [
        f"Going along the rows from the back to the front of the table, the count of {several} "
        f"comes to {spelled(number)}"
    ]
    if color and total > number:
        one = total - number == 1
        facts.append(
            f"{spelled(total - number)} other {kind if one else plural} on the table "
            f"{'has' if one else 'have'} another color and {'does' if one else 'do'} not count"
        )
    elif color:
        facts.append(f"Every {kind} on the table is {color}")
    else:
        tones = Counter(t.color for t in layout.things if t.kind == kind)
        parts = [f"{spelled(n)} {c}" for c, n in tones.items()]
        facts.append(
            f"Of the {plural} on the table, {listed(parts)} make {spelled(number)}"
            if len(parts) > 1
            else f"Everything else on the table is of another kind than the {plural}"
        )
    others = Counter(t.kind for t in layout.things if t.kind != kind)
    company = [f" that also holds the {KINDS[k].plural if n > 1 else k}" for k, n in others.items()]
    slots = {
        "things": several,
        "top": TOPS[layout.room.material],
        "company": dice.pick(["", *company]),
    }
    wrong = [str(n) for n in options[1:]]
    return ask(dice, _COUNT, slots, str(number), wrong, layout.caption(), facts)
