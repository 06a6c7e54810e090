"""Control panels with round dials, to be read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from builders.scenes.base import Frame, Sketch, ask, family, listed, spelled, window
from builders.scenes.canvas import Canvas, Paint, ellipse, rect
from builders.scenes.colors import INK, PAPER, RGB, darker, lighter, mix
from builders.scenes.dice import Dice
from degrade.schema import Question

_PARTS = (
    "Pump Boiler Valve Tank Motor Fan Press Mixer Turbine Cooler Heater Engine Filter Furnace"
).split()
_UNITS = ("bar", "psi", "kW", "rpm", "volt", "amp", "liter")
_STEPS = (2, 4, 10, 20, 50, 100)
_MAJORS = 6
_FIRST, _SWEEP = -135.0, 270.0
_PANELS: tuple[RGB, ...] = (
    (92, 104, 112), (120, 124, 122), (78, 92, 84), (104, 92, 84), (66, 78, 98), (142, 136, 124),
)  # fmt: skip


@dataclass(frozen=True)
class Dial:
    """A dial from 0 to ``6 * step``; its needle stands at ``value`` halves of a step."""

    label: str
    unit: str
    step: int
    value: int
    zone: int
    x: float
    y: float
    radius: float
    night: bool

    @property
    def reading(self) -> int:
        """What the needle points at."""
        return self.value * self.step // 2

    def angle(self, halves: float) -> float:
        """Where a value is, in degrees clockwise from the top."""
        return _FIRST + _SWEEP * halves / (2 * _MAJORS)

    def paint(self, c: Canvas) -> None:
        """Paint the dial and its label."""
        x, y, r = self.x, self.y, self.radius
        ink, face = (PAPER, (34, 38, 44)) if self.night else (INK, (240, 238, 228))
        c.shadow(ellipse(x, y, r, r), (0.05 * r, 0.07 * r), 0.1 * r, 0.6)
        c.poly(ellipse(x, y, r, r), Paint((218, 220, 224), (84, 88, 94), 60, "metal", 0.3))
        c.poly(ellipse(x, y, 0.91 * r, 0.91 * r), (40, 42, 46))
        c.poly(
            ellipse(x, y, 0.89 * r, 0.89 * r),
            Paint(darker(face, 0.12), lighter(face, 0.12), 60, "paper", 0.08),
        )
        for start, end, tone in ((self.zone, 12, (206, 44, 40)), (0, self.zone, (70, 150, 84))):
            arc = [
                self._at(self.angle(start + (end - start) * k / 24), 0.83 * r) for k in range(25)
            ]
            c.line(arc, tone, 0.06 * r)
        for n in range(10 * _MAJORS // 2 + 1):
            at = self.angle(n * 0.4)
            c.line([self._at(at, 0.74 * r), self._at(at, 0.79 * r)], ink, 0.01 * r)
        for n in range(2 * _MAJORS + 1):
            at, long = self.angle(n), n % 2 == 0
            inner = (0.64 if long else 0.7) * r
            c.line(
                [self._at(at, inner), self._at(at, 0.8 * r)], ink, (0.035 if long else 0.022) * r
            )
            if long:
                c.text(self._at(at, 0.49 * r), str(n // 2 * self.step), 0.185 * r, ink, weight=0.15)
        c.text((x, y + 0.5 * r), self.unit, 0.18 * r, ink)
        at = self.angle(self.value)
        tip, left = self._at(at, 0.76 * r), self._at(at + 90, 0.045 * r)
        right, tail = self._at(at - 90, 0.045 * r), self._at(at + 180, 0.2 * r)
        needle = [tip, left, tail, right]
        c.shadow(needle, (0.03 * r, 0.05 * r), 0.03 * r, 0.4)
        c.poly(needle, (226, 96, 30) if self.night else (176, 28, 30))
        c.poly(ellipse(x, y, 0.09 * r, 0.09 * r), Paint((120, 122, 126), ball=True))
        w = max(1.1 * r, c.text_size(self.label, 0.25 * r)[0] + 14)
        c.poly(
            rect(x - w / 2, y + 1.1 * r, w, 0.38 * r, 3),
            Paint((30, 32, 36), (52, 54, 58), 90, "paper", 0.1),
        )
        c.text((x, y + 1.29 * r), self.label, 0.25 * r, (240, 240, 232), weight=0.2)

    def _at(self, angle: float, radius: float) -> tuple[float, float]:
        a = math.radians(angle)
        return self.x + radius * math.sin(a), self.y - radius * math.cos(a)


@dataclass(frozen=True)
class Panel:
    """A panel of sheet metal with dials."""

    tone: RGB
    dials: tuple[Dial, ...]
    margin: float

    def paint(self, canvas: Canvas) -> None:
        """Paint the panel, its screws and its dials."""
        c, m = canvas, self.margin
        c.fill(Paint(darker(self.tone, 0.35), darker(self.tone, 0.55), 60, "brick", 0.3))
        plate = rect(m, m, c.width - 2 * m, c.height - 2 * m, 10)
        c.shadow(plate, (5, 6), 7, 0.6)
        c.poly(plate, Paint(lighter(self.tone, 0.2), darker(self.tone, 0.15), 70, "metal", 0.35))
        for x in (m + 12, c.width - m - 12):
            for y in (m + 12, c.height - m - 12):
                c.shadow(ellipse(x, y, 4.5, 4.5), (1, 1.5), 2)
                c.poly(ellipse(x, y, 4.5, 4.5), Paint((168, 170, 172), ball=True))
                turn = c.dice.between(0, math.pi)
                dx, dy = 3.6 * math.cos(turn), 3.6 * math.sin(turn)
                c.line([(x - dx, y - dy), (x + dx, y + dy)], (52, 54, 58), 1.2)
        for dial in self.dials:
            dial.paint(c)
            c.poly(
                ellipse(dial.x + 0.95 * dial.radius, dial.y - 0.95 * dial.radius, 4, 4),
                Paint(mix((70, 200, 90), self.tone, 0.2), ball=True),
            )


_READ = (
    "What does the dial of {label} read?",
    "At which value does the needle of {label} stand?",
    "How many {unit} does the dial with the name {label} show?",
    "Read the dial of {label}: how many {unit} is it?",
    "To which number does the needle of the {label} dial point?",
    "What is the reading in {unit} above the name {label}?",
)
_WHICH = (
    "Which name belongs to the dial that reads {value} {unit}?",
    "Which of the dials stands at {value} {unit}?",
    "The needle of which dial points at {value} {unit}?",
    "On the panel, what is the name below the dial at {value} {unit}?",
    "One dial shows {value} {unit}. What is it for?",
    "For which machine does the panel give {value} {unit}?",
)
_RED = (
    "Which dial has its needle in the red range?",
    "Of {all}, which one has reached the red range?",
    "Which of {all} stands in the red range of its dial?",
    "On the panel with {all}, which needle is in the red?",
    "What is the name of the dial in the red range, if {all} are compared?",
    "Which one needs attention because its needle is in the red: {all}?",
)
_LIMIT = (
    "At how many {unit} does the red range of {label} begin?",
    "Where does the red range on the dial of {label} start?",
    "From which value on is the dial of {label} red?",
    "Up to how many {unit} is the range of {label} green?",
    "What is the last green value in {unit} on the dial of {label}?",
    "At which number does green change to red on the {label} dial?",
)


@family
def gauges(dice: Dice, frame: Frame) -> Sketch:
    """Make a panel of dials and ask for a reading, a dial or a limit."""
    template = dice.weighted({"read": 0.45, "which": 0.2, "red": 0.15, "limit": 0.2})
    count = 4 if template in ("which", "red") else dice.pick((1, 2, 2, 3, 4))
    values = dice.sample(range(1, 2 * _MAJORS), count)
    zones = [dice.whole(6, 10) for _ in values]
    options: list[int] = []
    if template == "read":
        options = window(dice, 1, 2 * _MAJORS - 1)
        values[0] = options[0]
    elif template == "limit":
        options = window(dice, 4, 2 * _MAJORS - 1, 1, 7)
        zones[0] = options[0]
    elif template == "red":
        values = [dice.whole(z + 1, 11) if n == 0 else dice.whole(2, z - 1)
                  for n, z in enumerate(zones[:count])]  # fmt: skip
    margin = dice.between(8, 16)
    same = template in ("which", "red") or dice.chance(0.4)
    scale = dice.pick(_STEPS), dice.pick(_UNITS)
    numbers = dice.sample(range(1, 10), count)
    labels = [f"{p} {n}" for p, n in zip(dice.sample(_PARTS, count), numbers, strict=True)]
    night, spots = dice.chance(0.4), dice.shuffled(_spots(dice, frame, count, margin))
    dials: list[Dial] = []
    for label, value, zone, spot in zip(labels, values, zones, spots, strict=True):
        unit = scale if same or not dials else (dice.pick(_STEPS), dice.pick(_UNITS))
        dials.append(Dial(label, unit[1], unit[0], value, zone, *spot, night))
    layout = Panel(dice.pick(_PANELS), tuple(dials), margin)
    return Sketch(layout, template, _ask(dice, layout, template, options))


def _spots(dice: Dice, frame: Frame, count: int, margin: float) -> list[tuple[float, float, float]]:
    """(x, y, radius) of dials that are free of each other with their labels."""
    wide = frame.width / frame.height
    columns = min(count, 2)
    if count == 2 and wide < 0.9:
        columns = 1
    elif count == 3 and wide > 1.2:
        columns = 3
    rows = -(-count // columns)
    w, h = (frame.width - 2 * margin) / columns, (frame.height - 2 * margin - 8) / rows
    r = min(w / 2.3, h / 2.75, 105) * dice.between(0.92, 1.0)
    spots = []
    for n in range(count):
        row, column = divmod(n, columns)
        here = min(columns, count - row * columns)
        x = frame.width / 2 + (column + 0.5 - here / 2) * w
        x += dice.between(-1, 1) * (w / 2 - 1.12 * r)
        spots.append((x, margin + 6 + h * row + 1.08 * r + dice.unit() * (h - 2.62 * r), r))
    return spots


def _ask(dice: Dice, layout: Panel, template: str, options: list[int]) -> Question:
    dial, labels = layout.dials[0], [d.label for d in layout.dials]
    slots: dict[str, object] = {
        "label": dial.label, "unit": dial.unit, "value": dial.reading,
        "all": listed(dice.shuffled(labels)),
    }  # fmt: skip
    caption = f"A metal wall panel with one round dial for {dial.label}."
    if len(labels) > 1:
        held = f"{spelled(len(labels))} round dials for {listed(dice.shuffled(labels))}"
        caption = f"A metal wall panel with {held}."
    full, half = divmod(dial.value, 2)
    where = f"exactly at the {full * dial.step} on the scale"
    if half:
        where = f"halfway between {full * dial.step} and {(full + 1) * dial.step} {dial.unit}"
    stands = f"The needle above the name {dial.label} stands {where}"
    edge = dial.zone * dial.step // 2
    turns = f"On the dial of {dial.label}, green ends and red begins at {edge} {dial.unit}"
    scale = f"The numbers on the dial of {dial.label} go up in steps of {dial.step} {dial.unit}"
    numbers = [str(o * dial.step // 2) for o in options]
    if template == "read":
        return ask(dice, _READ, slots, numbers[0], numbers[1:], caption, [stands, scale])
    if template == "limit":
        return ask(dice, _LIMIT, slots, numbers[0], numbers[1:], caption, [turns, scale])
    if template == "which":
        facts = [f"{stands}, which makes {dial.reading} {dial.unit}", scale]
        return ask(dice, _WHICH, slots, labels[0], labels[1:], caption, facts)
    facts = [turns, f"{stands}, which is beyond the green range"]
    return ask(dice, _RED, slots, labels[0], labels[1:], caption, facts)
