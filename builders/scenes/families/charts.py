"""Bar, line and pie charts on a sheet of paper, to be read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from builders.scenes.base import Frame, Sketch, ask, family, listed, palette, window
from builders.scenes.canvas import Canvas, Paint, ellipse, rect
from builders.scenes.colors import INK, NAMED, PAPER, RGB, darker, lighter, mix
from builders.scenes.dice import Dice
from builders.scenes.names import town
from builders.scenes.rooms import Room
from degrade.schema import Question

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_THEMES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Loaves", "loaves", tuple(_DAYS)),
    ("Visitors", "visitors", tuple(_MONTHS)),
    ("Rain", "millimeters", tuple(_MONTHS)),
    ("Tickets", "tickets", tuple(_DAYS)),
    ("Trees", "trees", ("Oak", "Pine", "Beech", "Maple", "Birch", "Cedar", "Elm")),
    ("Fruit", "crates", ("Apples", "Pears", "Plums", "Figs", "Limes", "Grapes", "Kiwis")),
    ("Pets", "pets", ("Cats", "Dogs", "Birds", "Fish", "Rabbits", "Turtles")),
    ("Books", "books", ("Crime", "Poems", "Travel", "Comics", "History", "Art")),
    ("Traffic", "vehicles", ("Cars", "Buses", "Bikes", "Trucks", "Vans", "Trams")),
    ("Drinks", "drinks", ("Tea", "Coffee", "Juice", "Milk", "Water", "Cocoa")),
)
_ORDERED = (tuple(_MONTHS), tuple(_DAYS))
_INKS = ("red", "orange", "green", "blue", "purple", "pink", "brown", "gray", "yellow")


@dataclass(frozen=True)
class Chart:
    """A chart on paper; ``kind`` is ``bar``, ``line`` or ``pie``.

    ``values`` are in halves of a grid step: category ``n`` is ``values[n] * step / 2``. ``asked``
    are the two categories that a question may name, ``offered`` four colors, beginning with that
    of the first.
    ``colors`` are names, one per category; ``area`` is (left, top, width, height) of the sheet.
    """

    kind: str
    title: str
    place: str
    unit: str
    names: tuple[str, ...]
    values: tuple[int, ...]
    asked: tuple[int, ...]
    offered: tuple[str, ...]
    step: int
    lines: int
    colors: tuple[str, ...]
    tones: tuple[RGB, ...]
    room: Room
    area: tuple[float, float, float, float]
    plot: tuple[float, float, float, float]

    def value(self, n: int) -> int:
        """The value of a category."""
        return self.values[n] * self.step // 2

    def top(self, n: int) -> tuple[float, float]:
        """Where a bar or a point of a line ends."""
        x, y, w, h = self.plot
        share = self.values[n] / (2 * self.lines)
        return x + w * (n + 0.5) / len(self.names), y + h * (1 - share)

    def paint(self, canvas: Canvas) -> None:
        """Paint desk, sheet and chart."""
        c, room = canvas, self.room
        c.fill(
            Paint(lighter(room.top, 0.05), darker(room.top, 0.25), room.light, room.material, 0.35)
        )
        x, y, w, h = self.area
        c.shadow(rect(x, y, w, h), (5, 6), 7)
        c.poly(rect(x, y, w, h), Paint(PAPER, darker(PAPER, 0.08), room.light, "paper", 0.1))
        for px in (x + 12, x + w - 12):
            c.shadow(ellipse(px, y + 10, 4, 4), (2, 3), 2)
            c.poly(ellipse(px, y + 10, 4.5, 4.5), Paint(NAMED["red"][0], ball=True))
        c.text((x + w / 2, y + 17), self.title, 16, INK, weight=0.25, widest=w - 50)
        (self._pie if self.kind == "pie" else self._axes)(c)

    def _axes(self, c: Canvas) -> None:
        x, y, w, h = self.plot
        c.poly(rect(x, y, w, h), (240, 240, 236))
        for n in range(self.lines + 1):
            at = y + h * (1 - n / self.lines)
            c.line([(x - 4, at), (x + w, at)], (176, 178, 180), 0.8)
            c.text((x - 7, at), str(n * self.step), 12, INK, "r")
            if n < self.lines:
                mid = at - h / self.lines / 2
                for k in range(int(w / 6)):
                    c.line([(x + 6 * k, mid), (x + 6 * k + 2, mid)], (206, 208, 208), 0.6)
        each = w / len(self.names)
        tops = [self.top(n) for n in range(len(self.names))]
        if self.kind == "bar":
            for n, (px, py) in enumerate(tops):
                bar = rect(px - 0.34 * each, py, 0.68 * each, y + h - py)
                c.shadow(bar, (2, 0), 2, 0.3)
                c.poly(
                    bar,
                    Paint(
                        lighter(self.tones[n], 0.08), darker(self.tones[n], 0.14), 0, "paper", 0.1
                    ),
                )
        else:
            tone = self.tones[0]
            c.poly(
                [(tops[0][0], y + h), *tops, (tops[-1][0], y + h)], mix((240, 240, 236), tone, 0.25)
            )
            c.line(tops, tone, 2.4)
            for px, py in tops:
                c.poly(ellipse(px, py, 4.4, 4.4), darker(tone, 0.25))
                c.poly(ellipse(px, py, 2.2, 2.2), PAPER)
        c.line([(x, y), (x, y + h), (x + w, y + h)], INK, 1.4)
        for n, name in enumerate(self.names):
            c.text((tops[n][0], y + h + 11), name, 13, INK, widest=0.96 * each)

    def _pie(self, c: Canvas) -> None:
        x, y, w, h = self.plot
        r = min(w, h) * 0.36
        cx, cy = x + w / 2, y + h / 2
        c.shadow(ellipse(cx, cy, r, r), (3, 4), 5)
        start, total = -90.0, sum(self.values)
        for n, value in enumerate(self.values):
            end = start + 360 * value / total
            arc = np.radians(np.linspace(start, end, max(4, int(end - start) // 4)))
            edge = [(cx + r * math.cos(t), cy + r * math.sin(t)) for t in arc]
            c.poly(
                [(cx, cy), *edge],
                Paint(lighter(self.tones[n], 0.06), darker(self.tones[n], 0.12), 60, "paper", 0.1),
            )
            c.line([(cx, cy), edge[0]], PAPER, 1.6)
            mid = math.radians((start + end) / 2)
            px, py = cx + 1.08 * r * math.cos(mid), cy + 1.12 * r * math.sin(mid)
            anchor = "l" if math.cos(mid) > 0.3 else "r" if math.cos(mid) < -0.3 else "m"
            py += 6 * math.sin(mid)
            c.text((px, py), self.names[n], 13, INK, anchor)
            start = end
        c.line([(cx, cy), (cx, cy - r)], PAPER, 1.6)


_VALUE = (
    "What is the value for {name} in the chart '{title}'?",
    "How many {unit} does the chart show for {name}?",
    "In '{title}', which number belongs to {name}?",
    "Read the {mark} for {name} in '{title}': what value does it have?",
    "Going by '{title}', how many {unit} are there for {name}?",
    "Up to which value does {name} reach in the {kind} chart '{title}'?",
)
_MOST = (
    "Which {mark} in the chart '{title}' is the {end}?",
    "In '{title}', what has the {end} value?",
    "For what does the {kind} chart '{title}' show the {fewest} {unit}?",
    "Which name belongs to the {end} {mark} in '{title}'?",
    "Looking at '{title}', where is the number of {unit} the {end}?",
    "In the {kind} chart '{title}', which {mark} is the {end} of all?",
)
_APART = (
    "By how much do {name} and {other} differ in the chart '{title}'?",
    "In '{title}', what is the difference between {name} and {other}?",
    "How many {unit} lie between {name} and {other} in '{title}'?",
    "How far apart are the values of {name} and {other} in the {kind} chart '{title}'?",
    "Take the smaller of {name} and {other} from the larger in '{title}': what is left?",
    "What is the gap between {name} and {other}, going by '{title}'?",
)
_COLOR = (
    "Which color stands for {name} in the chart '{title}'?",
    "What color is the {mark} for {name} in '{title}'?",
    "In the {kind} chart '{title}', which color has {name}?",
    "With what color is {name} drawn in '{title}'?",
    "What is the color of {name} in the {kind} chart about {place}?",
    "The {mark} of {name} in '{title}' is filled with which color?",
)


Area = tuple[float, float, float, float]
_MARKS = {"bar": "bar", "line": "point", "pie": "slice"}
_PIE = (4, 6, 8, 11, 14)  # shares that differ by a third or more


def _sheet(dice: Dice, frame: Frame) -> tuple[Area, Area]:
    """Where the sheet and the plot on it are."""
    w = frame.width - dice.between(24, 56)
    h = min(frame.height - dice.between(20, 50), 0.95 * w)
    x, y = dice.between(8, frame.width - w - 8), dice.between(8, frame.height - h - 8)
    return (x, y, w, h), (x + 46, y + 38, w - 62, h - 66)


@family
def charts(dice: Dice, frame: Frame) -> Sketch:
    """Make a chart and ask for a value, an extreme, a difference or a color."""
    template = dice.weighted({"value": 0.4, "extreme": 0.25, "difference": 0.2, "color": 0.15})
    kinds = {"value": ("bar", "line"), "difference": ("bar", "line"), "color": ("bar", "pie")}
    kind = dice.pick(kinds.get(template, ("bar", "line", "pie")))
    layout, options = _chart(dice, frame, kind, template)
    facts = _Facts(layout)
    makers = {"value": _value, "difference": _difference, "extreme": _extreme, "color": _color}
    return Sketch(layout, f"{template}_{kind}", makers[template](dice, facts, options))


def _chart(dice: Dice, frame: Frame, kind: str, template: str) -> tuple[Chart, list[int]]:
    """A chart, and four values or differences; the first is that of its asked names."""
    head, unit, pool = dice.pick(_THEMES)
    count = dice.whole(4, 5 if kind == "pie" or frame.width < 400 else min(7, len(pool)))
    names = dice.sample(pool, count)
    if pool in _ORDERED:
        start = dice.whole(0, len(pool) - count)
        names = list(pool[start : start + count])
    place = town(dice)
    title = dice.pick((f"{head} in {place}", f"{place}: {head}"))
    step, lines = dice.pick((2, 4, 10, 20, 40, 50, 100)), dice.whole(4, 6)
    top = 2 * lines
    values = dice.sample(_PIE, count) if kind == "pie" else dice.sample(range(2, top + 1), count)
    options: list[int] = []
    asked = tuple(dice.sample(range(count), 2))
    if template == "value":
        options = window(dice, 1, top)
        values[asked[0]] = options[0]
    elif template == "difference":
        options = window(dice, 1, top - 2)
        low = dice.whole(1, top - options[0])
        values[asked[0]], values[asked[1]] = dice.shuffled([low, low + options[0]])
    four = palette(dice, _INKS)
    inks = dice.shuffled([*four[1:], *[i for i in _INKS if i not in four]])[: count - 1]
    inks.insert(asked[0], four[0])
    if kind == "line" or (kind == "bar" and template != "color" and dice.chance(0.5)):
        inks = [inks[0]] * count
    tones = {i: dice.pick(NAMED[i]) for i in inks}
    colors = tuple(tones[i] for i in inks)
    area, plot = _sheet(dice, frame)
    chart = Chart(
        kind, title, place, unit, tuple(names), tuple(values), asked, tuple(four), step, lines,
        tuple(inks), colors, Room.drawn(dice), area, plot,
    )  # fmt: skip
    return chart, options


class _Facts:
    """What may be said of a chart."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.mark = _MARKS[chart.kind]
        self.name, self.other = (chart.names[n] for n in chart.asked)
        what = "slices" if chart.kind == "pie" else "values"
        self.caption = (
            f"A sheet of paper on a table with a {chart.kind} chart called "
            f"'{chart.title}' and {what} for {listed(chart.names)}."
        )
        self.slots: dict[str, object] = {
            "name": self.name, "other": self.other, "title": chart.title, "unit": chart.unit,
            "mark": self.mark, "kind": chart.kind, "place": chart.place,
        }  # fmt: skip

    def reading(self, n: int) -> str:
        """Where a bar or point ends."""
        chart = self.chart
        full, half = divmod(chart.values[n], 2)
        low, high = full * chart.step, (full + 1) * chart.step
        where = f"halfway between the lines for {low} and {high}" if half else f"at the line {low}"
        return f"The {self.mark} for {chart.names[n]} ends {where}, which makes {chart.value(n)}"

    def numbers(self, options: list[int]) -> list[str]:
        """Options in the chart's unit."""
        return [str(o * self.chart.step // 2) for o in options]


def _value(dice: Dice, f: _Facts, options: list[int]) -> Question:
    numbers = f.numbers(options)
    facts = [
        f.reading(f.chart.asked[0]),
        f"One step between two lines on the axis of this chart is {f.chart.step} {f.chart.unit}",
    ]
    return ask(dice, _VALUE, f.slots, numbers[0], numbers[1:], f.caption, facts)


def _difference(dice: Dice, f: _Facts, options: list[int]) -> Question:
    numbers = f.numbers(options)
    facts = [f.reading(n) for n in f.chart.asked]
    facts.append(f"From the lower to the higher of the two it is {numbers[0]} {f.chart.unit}")
    return ask(dice, _APART, f.slots, numbers[0], numbers[1:], f.caption, facts)


def _extreme(dice: Dice, f: _Facts, _: list[int]) -> Question:
    chart, largest = f.chart, dice.chance(0.5)
    ends = ("largest", "smallest") if chart.kind == "pie" else ("highest", "lowest")
    slots = f.slots | {
        "end": ends[0] if largest else ends[1],
        "fewest": "most" if largest else "fewest",
    }
    order = sorted(range(len(chart.names)), key=lambda n: chart.values[n], reverse=largest)
    names = [chart.names[n] for n in order]
    size = "larger" if largest else "smaller"
    facts = [
        f"Of all {f.mark}s in the chart, none is {size} than the one for {names[0]}",
        f"The {f.mark} for {names[1]} comes closest to that of {names[0]}, but does not reach it",
    ]
    return ask(dice, _MOST, slots, names[0], dice.sample(names[1:], 3), f.caption, facts)


def _color(dice: Dice, f: _Facts, _: list[int]) -> Question:
    first, second = f.chart.asked
    color = f.chart.colors[first]
    facts = [
        f"The {f.mark} with the name {f.name} is {color}",
        f"Elsewhere in the chart, the {f.mark} for {f.other} is {f.chart.colors[second]}",
    ]
    wrong = list(f.chart.offered[1:])
    return ask(dice, _COLOR, f.slots, color, wrong, f.caption, facts)
