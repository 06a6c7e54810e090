"""Painted wooden shapes scattered on a surface: places, colors and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from builders.scenes.base import Frame, Sketch, a, ask, family, listed, palette, spelled, window
from builders.scenes.canvas import Canvas, Paint, ellipse
from builders.scenes.colors import NAMED, RGB, apart, darker, lighter, visible_on
from builders.scenes.dice import Dice
from builders.scenes.rooms import Room
from degrade.schema import Question


def _polygon(corners: int, inner: float = 1.0) -> NDArray[np.float64]:
    count = corners if inner == 1.0 else 2 * corners
    t = np.linspace(0, 2 * np.pi, count, endpoint=False) - np.pi / 2
    r = np.where(np.arange(count) % 2 == 0, 1.0, inner)
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1)


def _heart() -> NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1) / 17


_CROSS = np.array(
    [(-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1),
     (1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1)]
) / 3.0  # fmt: skip
_ARROW = np.array(
    [(-1, -0.3), (0.05, -0.3), (0.05, -0.8), (1.05, 0), (0.05, 0.8), (0.05, 0.3), (-1, 0.3)]
)
OUTLINES: dict[str, NDArray[np.float64]] = {
    "circle": ellipse(0, 0, 0.92, 0.92),
    "triangle": _polygon(3) * 1.08,
    "square": np.array([(-1.0, -1.0), (1, -1), (1, 1), (-1, 1)]) * 0.8,
    "pentagon": _polygon(5),
    "hexagon": _polygon(6),
    "star": _polygon(5, 0.42) * 1.12,
    "cross": _CROSS,
    "heart": _heart(),
    "diamond": np.array([(0.0, -1.05), (0.68, 0), (0, 1.05), (-0.68, 0)]),
    "rectangle": np.array([(-1.05, -0.52), (1.05, -0.52), (1.05, 0.52), (-1.05, 0.52)]),
    "arrow": _ARROW,
    "ellipse": ellipse(0, 0, 1.08, 0.62),
}  # fmt: skip
_TURNS = {"square": 12, "diamond": 8, "pentagon": 14, "hexagon": 14, "cross": 14, "rectangle": 14}


@dataclass(frozen=True)
class Block:
    """A flat block; ``turn`` in degrees."""

    shape: str
    color: str
    tone: RGB
    x: float
    y: float
    radius: float
    turn: float
    texture: str

    @property
    def name(self) -> str:
        """``red star``."""
        return f"{self.color} {self.shape}"

    def outline(self) -> NDArray[np.float64]:
        """Its corners."""
        t = np.radians(self.turn)
        spin = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
        corners: NDArray[np.float64] = OUTLINES[self.shape] @ spin * self.radius + (self.x, self.y)
        return corners

    def paint(self, c: Canvas) -> None:
        """Paint it with its thickness and shadow."""
        corners = self.outline()
        c.shadow(corners, (0.16 * self.radius, 0.2 * self.radius), 0.18 * self.radius, 0.55)
        c.poly(corners + np.array((1.6, 2.4)), darker(self.tone, 0.5))
        c.poly(
            corners,
            Paint(lighter(self.tone, 0.12), darker(self.tone, 0.14), 55, self.texture, 0.14),
        )
        c.line(corners, lighter(self.tone, 0.3), 0.8, True)


@dataclass(frozen=True)
class Blocks:
    """Blocks on a surface, row by row in a loose grid of ``columns``."""

    room: Room
    blocks: tuple[Block, ...]
    columns: int

    def paint(self, canvas: Canvas) -> None:
        """Paint the surface and the blocks."""
        room = self.room
        canvas.fill(
            Paint(lighter(room.top, 0.12), darker(room.top, 0.2), room.light, room.material, 0.34)
        )
        for block in self.blocks:
            block.paint(canvas)


_NEXT = (
    "Which shape is directly {way} the {other}?",
    "What lies directly {way} the {other}?",
    "Directly {way} the {other}, which shape can be seen?",
    "Which of the shapes is the next one {way} the {other}?",
    "Going from the {other}, what is the first shape {way} it?",
    "What is the shape just {way} the {other}, with its color?",
)
_COLOR = (
    "What color is the {shape} {way} the {other}?",
    "Which color has the {shape} directly {way} the {other}?",
    "The {shape} next to the {other}, directly {way} it, has which color?",
    "What is the color of the {shape} that lies {way} the {other}?",
    "Find the {other}: of which color is the {shape} directly {way} it?",
    "In which color is the {shape} {way} the {other} painted?",
)
_FORM = (
    "What form has the {color} piece directly {way} the {other}?",
    "Which shape is the {color} piece {way} the {other}?",
    "The {color} piece directly {way} the {other} is cut to which shape?",
    "Find the {other}: what shape has the {color} piece directly {way} it?",
    "What is the outline of the {color} piece that lies {way} the {other}?",
    "Next to the {other}, directly {way} it, lies a {color} piece. What shape is it?",
)
_COUNT = (
    "How many {color} shapes are there, the {other} not being one of them?",
    "How many of the shapes around the {other} are {color}, all told?",
    "What is the number of {color} shapes on the surface with the {other}?",
    "Count the {color} pieces: how many lie there together with the {other}?",
    "In how many of the pieces is the color {color}, if the {other} is left out?",
    "How many pieces besides the {other} are {color}?",
)
_WAYS = {"to the left of": (0, -1), "to the right of": (0, 1), "above": (-1, 0), "below": (1, 0)}
_BACK = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
}
_ALIKE = [
    {"square", "rectangle"}, {"circle", "ellipse"}, {"square", "diamond"}, {"pentagon", "hexagon"},
    {"circle", "hexagon"},
]  # fmt: skip


@family
def shapes(dice: Dice, frame: Frame) -> Sketch:
    """Make a loose grid of blocks and ask for a neighbor, its color, its form or a count."""
    template = dice.weighted({"next": 0.3, "color": 0.2, "form": 0.25, "count": 0.25})
    room = Room.drawn(dice)
    step = dice.pick((84, 96, 110))
    grid = max(2, int(frame.height // step)), max(3, int(frame.width // step))
    total = grid[0] * grid[1]
    colors = visible_on(room.top, 150)
    if template == "count":
        options = window(dice, 1, min(8, total - 2))
        color = dice.pick(colors)
        rest = [(k, c) for k in OUTLINES for c in colors if apart(c, color)]
        pairs = [(k, color) for k in dice.sample(tuple(OUTLINES), options[0])]
        pairs = dice.shuffled([*pairs, *dice.sample(rest, total - options[0])])
        layout = _scatter(dice, frame, room, grid, pairs)
        return Sketch(layout, template, _count(dice, layout, color, options))
    # Two shapes and two colors make the four choices, so that both have to be seen.
    kinds, four = _forms(dice), palette(dice, colors)
    choices = [(k, c) for k in kinds[:2] for c in four[:2]]
    pool = [(k, c) for k in OUTLINES for c in colors if (k, c) not in choices]
    pairs = dice.sample(pool, total)
    place = dice.whole(0, total - 1)
    pairs[place] = choices[0]
    layout = _scatter(dice, frame, room, grid, pairs)
    names = {"color": four, "form": kinds}.get(template, [f"{c} {k}" for k, c in choices])
    return Sketch(layout, template, _neighbor(dice, layout, template, place, names))


def _scatter(
    dice: Dice, frame: Frame, room: Room, grid: tuple[int, int], pairs: list[tuple[str, str]]
) -> Blocks:
    rows, columns = grid
    w, h = frame.width / columns, frame.height / rows
    blocks = []
    for i, (kind, color) in enumerate(pairs):
        turn = dice.between(-1, 1) * _TURNS.get(kind, 20)
        radius = min(w, h) * dice.between(0.27, 0.35)
        slack = 0.42 * min(w, h) - 1.1 * radius
        x = w * (i % columns + 0.5) + slack * dice.between(-1, 1)
        y = h * (i // columns + 0.5) + slack * dice.between(-1, 1)
        texture = dice.pick(("wood", "paper", "plaster"))
        blocks.append(Block(kind, color, dice.pick(NAMED[color]), x, y, radius, turn, texture))
    return Blocks(room, tuple(blocks), columns)


def _caption(dice: Dice, layout: Blocks, hidden: Sequence[Block]) -> str:
    some = [a(b.name) for b in dice.sample([b for b in layout.blocks if b not in hidden], 2)]
    number = spelled(len(layout.blocks))
    return f"A group of {number} painted shapes on a table, {listed(some)} among them."


def _neighbor(
    dice: Dice, layout: Blocks, template: str, place: int, names: Sequence[str]
) -> Question:
    columns, rows = layout.columns, len(layout.blocks) // layout.columns
    r, n = divmod(place, columns)
    ways = [w for w, (dr, dn) in _WAYS.items() if 0 <= r - dr < rows and 0 <= n - dn < columns]
    way = dice.pick(ways)
    dr, dn = _WAYS[way]
    target, other = layout.blocks[place], layout.blocks[(r - dr) * columns + n - dn]
    slots: dict[str, object] = {
        "way": way, "other": other.name, "shape": target.shape, "color": target.color,
    }  # fmt: skip
    line = [b.name for b in layout.blocks[r * columns : (r + 1) * columns]]
    # The color last where it is asked for, so that nothing can be called by it before.
    last = (
        f"the {target.shape}, which is {target.color}"
        if template == "color"
        else (f"the {target.name}")
    )
    facts = [
        f"The {other.name} lies directly {_BACK[way]} {last}",
        f"From left to right, its row consists of {listed(line)}",
    ]
    caption = _caption(dice, layout, (target, other))
    if template == "next":
        return ask(dice, _NEXT, slots, names[0], names[1:], caption, facts)
    if template == "color":
        return ask(dice, _COLOR, slots, names[0], names[1:], caption, facts)
    return ask(dice, _FORM, slots, names[0], names[1:], caption, facts)


def _forms(dice: Dice) -> list[str]:
    """Four outlines that nobody would take for each other, in random order."""
    kept: list[str] = []
    for form in dice.shuffled(tuple(OUTLINES)):
        if all({form, other} not in _ALIKE for other in kept):
            kept.append(form)
    return dice.shuffled(kept[:4])


def _count(dice: Dice, layout: Blocks, color: str, options: list[int]) -> Question:
    found = [a(b.shape) for b in layout.blocks if b.color == color]
    other = dice.pick([b for b in layout.blocks if b.color != color])
    facts = [
        f"The {color} pieces are {listed(found)}, which makes {spelled(len(found))}"
        if len(found) > 1
        else f"The only {color} piece is {found[0]}",
        f"The {other.name} is of another color than {color} and does not count",
    ]
    caption = _caption(dice, layout, [b for b in layout.blocks if b.color == color])
    slots = {"color": color, "other": other.name}
    wrong = [str(o) for o in options[1:]]
    return ask(dice, _COUNT, slots, str(options[0]), wrong, caption, facts)
