"""Road signs in a landscape, with names, distances and arrows to be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from builders.scenes.base import Frame, Sketch, ask, family, listed, ordinal, spelled, window
from builders.scenes.canvas import Canvas, Paint, ellipse, rect, shaded
from builders.scenes.colors import RGB, darker, lighter, mix
from builders.scenes.dice import Dice
from builders.scenes.names import alike, towns

_BOARDS: dict[str, tuple[RGB, RGB]] = {
    "green": ((22, 98, 66), (246, 248, 246)),
    "blue": ((26, 72, 148), (246, 248, 250)),
    "brown": ((104, 66, 38), (250, 246, 236)),
    "white": ((240, 240, 236), (30, 32, 36)),
    "yellow": ((244, 204, 50), (32, 30, 28)),
}
_ARROWS = {"left": 180.0, "right": 0.0, "up": 270.0, "down": 90.0}
_SKIES: tuple[tuple[RGB, RGB], ...] = (
    ((96, 150, 212), (206, 224, 238)), ((150, 168, 190), (222, 224, 222)),
    ((214, 158, 122), (246, 222, 178)), ((120, 150, 196), (238, 214, 196)),
    ((176, 186, 194), (226, 228, 230)),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of a sign."""

    name: str
    km: int
    arrow: str


@dataclass(frozen=True)
class Sign:
    """A sign on posts before hills.

    ``board`` is (left, top, width, height), ``road_x`` the middle of the road at the lower border
    and at the horizon, ``trees`` are (x, y of the foot, height).
    """

    color: str
    lines: tuple[Line, ...]
    road: str
    board: tuple[float, float, float, float]
    sky: int
    horizon: float
    trees: tuple[tuple[float, float, float], ...]
    road_x: tuple[float, float]

    def paint(self, canvas: Canvas) -> None:
        """Paint the landscape and the sign."""
        c = canvas
        _landscape(c, self.horizon, _SKIES[self.sky], self.road_x)
        for x, y, size in self.trees:
            paint_tree(c, x, y, size)
        x, y, w, h = self.board
        base, ink = _BOARDS[self.color]
        for px in (x + 0.18 * w, x + 0.82 * w):
            c.poly(
                rect(px - 4, y + h - 4, 8, c.height - y), shaded((128, 130, 132), 0.4, 0, "metal")
            )
        c.shadow(rect(x, y, w, h, 8), (4, 5), 6)
        c.poly(
            rect(x, y, w, h, 8), Paint(lighter(base, 0.08), darker(base, 0.16), 70, "paper", 0.12)
        )
        c.line(rect(x + 4, y + 4, w - 8, h - 8, 5), ink, 1.6, True)
        each = (h - 40) / len(self.lines)
        c.text((x + 14, y + 19), f"Route {self.road}", 14, ink, "l", weight=0.3)
        c.line([(x + 10, y + 31), (x + w - 10, y + 31)], ink, 1.2)
        for n, line in enumerate(self.lines):
            at = y + 33 + each * (n + 0.5)
            size = min(20.0, 0.62 * each)
            paint_arrow(c, x + 24, at, 0.8 * size, _ARROWS[line.arrow], ink)
            c.text((x + 44, at), line.name, size, ink, "l", weight=0.25, widest=w - 112)
            c.text((x + w - 14, at), f"{line.km} km", 0.86 * size, ink, "r", weight=0.2)


def paint_arrow(c: Canvas, x: float, y: float, r: float, turn: float, color: RGB) -> None:
    """An arrow around a point; ``turn`` in degrees clockwise from rightward."""
    shape = np.array(
        [(-1, -0.22), (0.1, -0.22), (0.1, -0.7), (1, 0), (0.1, 0.7), (0.1, 0.22), (-1, 0.22)]
    )
    t = np.radians(turn)
    spin = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    c.poly(shape @ spin * r + (x, y), color)


def paint_tree(c: Canvas, x: float, y: float, size: float) -> None:
    """A tree of a height, standing on a point."""
    dice = c.dice
    c.shadow(ellipse(x + 0.2 * size, y, 0.32 * size, 0.05 * size), (0, 0), 0.04 * size, 0.5)
    trunk = [
        (x - 0.05 * size, y),
        (x - 0.03 * size, y - 0.5 * size),
        (x + 0.03 * size, y - 0.5 * size),
        (x + 0.05 * size, y),
    ]
    c.poly(trunk, shaded((92, 68, 48), 0.4, 0, "wood"))
    green = mix((58, 104, 48), (96, 128, 52), dice.unit())
    for dx, dy, r in (
        (0.14, 0.52, 0.2),
        (-0.15, 0.55, 0.2),
        (0.02, 0.72, 0.25),
        (-0.02, 0.56, 0.22),
    ):
        a = np.linspace(0, 2 * np.pi, 26, endpoint=False)
        wobble = 1 + 0.16 * (dice.units(26) - 0.5)
        blob = np.stack(
            [x + size * (dx + r * wobble * np.cos(a)), y - size * (dy + r * wobble * np.sin(a))], 1
        )
        c.poly(blob, Paint(lighter(green, 0.18), darker(green, 0.42), 60, "foliage", 0.5))


def _landscape(
    c: Canvas, horizon: float, sky: tuple[RGB, RGB], road_x: tuple[float, float]
) -> None:
    dice = c.dice
    c.fill(Paint(*sky, 90, "plaster", 0.1))
    for _ in range(dice.whole(2, 5)):
        x, y, s = dice.between(0, c.width), dice.between(0.05, 0.6) * horizon, dice.between(16, 36)
        for k in range(4):
            c.glow(
                (x + (k - 1.5) * s * 0.8, y + dice.between(-0.2, 0.2) * s), s, (250, 250, 250), 0.5
            )
    for n in range(3):
        base = horizon - (2 - n) * 0.09 * horizon
        points = [
            (c.width * k / 7, base - dice.between(0, 0.2) * horizon * (1 - 0.3 * n))
            for k in range(8)
        ]
        tone = mix(mix(sky[1], (96, 112, 116), 0.5), (84, 110, 66), n / 2)
        c.poly(
            [*points, (c.width, horizon + 2), (0, horizon + 2)],
            Paint(tone, darker(tone, 0.15), 90, "foliage", 0.15 + 0.12 * n),
        )
    green = mix((96, 122, 60), (140, 134, 72), dice.unit())
    c.poly(
        rect(-2, horizon, c.width + 4, c.height - horizon + 2),
        Paint(green, darker(green, 0.3), 90, "grass", 0.5),
    )
    near, far = road_x
    road = [(far - 5, horizon), (far + 5, horizon), (near + 110, c.height), (near - 110, c.height)]
    c.poly(road, Paint((112, 112, 114), (88, 88, 92), 90, "asphalt", 0.4))
    for k in range(5):
        s, e = (k / 5) ** 1.6, ((k + 0.5) / 5) ** 1.6
        a, b = (far + (near - far) * t for t in (s, e))
        y0, y1 = (horizon + (c.height - horizon) * t for t in (s, e))
        c.poly(
            [(a - 3 * s, y0), (a + 3 * s, y0), (b + 3 * e, y1), (b - 3 * e, y1)], (232, 230, 220)
        )


_KM = (
    "How many kilometers is it to {name}, going by the sign?",
    "What distance does the {color} sign give for {name}?",
    "How far is {name} from here in kilometers?",
    "Which number stands beside {name} on the {color} sign?",
    "On the sign for Route {road}, how many kilometers are left to {name}?",
    "A driver wants to go to {name}. How many kilometers does the sign say?",
)
_NAME = (
    "Which place is {km} km away on the sign for Route {road}?",
    "What is written on the {nth} line below Route {road}?",
    "Which name stands on the same line as {km} km on the {color} sign?",
    "The {nth} place on the Route {road} sign is called what?",
    "Where does one get after {km} km, going by the {color} sign for Route {road}?",
    "What name can be read on line {n} of the places on the sign for Route {road}?",
)
_ARROW = (
    "Which way does the arrow beside {name} point?",
    "In what direction does the {color} sign send drivers to {name}?",
    "On the sign for Route {road}, where does the arrow of {name} point?",
    "The arrow on the line of {name} points which way?",
    "Where is the tip of the arrow next to the name {name}?",
    "What direction has the arrow in front of {name} on the {color} sign?",
)
_ROAD = (
    "Which route number is on the {color} sign that names {name}?",
    "What is the number of the route to {name}?",
    "The sign with {name} on it belongs to which route?",
    "At the top of the {color} sign above {name}, which route number is given?",
    "On which route is the sign that leads to {name} and {other}?",
    "Which number follows the word Route on the sign with {name} and {other}?",
)


@family
def signs(dice: Dice, frame: Frame) -> Sketch:
    """Make a road sign and ask for a name, a distance, an arrow or the route."""
    template = dice.weighted({"distance": 0.35, "name": 0.3, "arrow": 0.15, "route": 0.2})
    count = dice.whole(2, 4)
    near = window(dice, 2, 98, 1, 12)
    four = alike(dice)
    names = [n for n in towns(dice, 8) if n not in four][: count - 1]
    kms = dice.sample([n for n in range(2, 99) if n not in near], count - 1)
    arrows = dice.shuffled(list(_ARROWS))
    lines = [Line(four[0], near[0], arrows[0])]
    lines += [Line(n, k, dice.pick(arrows[1:])) for n, k in zip(names, kms, strict=True)]
    lines = dice.shuffled(lines)
    at = next(n for n, line in enumerate(lines) if line.name == four[0])
    roads = [str(n) for n in window(dice, 2, 99, 1, 12)]
    w = min(frame.width - 30, dice.between(235, 290))
    h = 40 + count * dice.between(32, 42)
    x, y = dice.between(12, frame.width - w - 12), dice.between(12, frame.height * 0.62 - h * 0.6)
    horizon = frame.height * dice.between(0.52, 0.72)
    road_x = dice.between(0.2, 0.8) * frame.width, dice.between(0.3, 0.7) * frame.width
    feet = [(dice.between(0, frame.width), horizon + dice.between(2, 12)) for _ in range(4)]
    trees = tuple(
        (tx, ty, dice.between(60, 125))
        for tx, ty in sorted(feet, key=lambda foot: foot[1]) if abs(tx - road_x[1]) > 45
    )  # fmt: skip
    color = dice.pick(tuple(_BOARDS))
    layout = Sign(
        color, tuple(lines), roads[0], (x, y, w, h), dice.whole(0, len(_SKIES) - 1), horizon,
        trees, road_x,
    )  # fmt: skip
    target = lines[at]
    other = dice.pick([line for line in lines if line is not target])
    slots = {
        "name": target.name, "km": target.km, "color": color, "road": roads[0], "n": at + 1,
        "nth": ordinal(at + 1), "other": other.name,
    }  # fmt: skip
    caption = (
        f"A {color} road sign with {spelled(count)} places, {listed([n.name for n in lines])}, "
        "in front of hills beside a road."
    )
    line = f"The {ordinal(at + 1)} line of places on the sign reads {target.name}, {target.km} km"
    apart = f"The sign gives {other.km} km for {other.name}, which is on another line"
    if template == "distance":
        wrong = [str(n) for n in near[1:]]
        question = ask(dice, _KM, slots, str(near[0]), wrong, caption, [line, apart])
    elif template == "name":
        question = ask(dice, _NAME, slots, four[0], four[1:], caption, [line, apart])
    elif template == "arrow":
        facts = [f"The arrow on the line of {target.name} points {target.arrow}", line]
        question = ask(dice, _ARROW, slots, target.arrow, arrows[1:], caption, facts)
    else:
        facts = [f"The top line of the {color} sign reads Route {roads[0]}", line]
        question = ask(dice, _ROAD, slots, roads[0], roads[1:], caption, facts)
    return Sketch(layout, template, question)
