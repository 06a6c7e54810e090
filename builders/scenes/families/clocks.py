"""Wall clocks with a plate each, to be read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from builders.scenes.base import Frame, Sketch, a, ask, family, listed, palette, spelled, window
from builders.scenes.canvas import Canvas, Paint, ellipse, rect, shaded
from builders.scenes.colors import INK, NAMED, PAPER, RGB, darker, lighter, visible_on
from builders.scenes.dice import Dice
from builders.scenes.rooms import Room, paint_frame
from degrade.schema import Question

_PLACES = (
    "Lisbon Oslo Cairo Lima Tokyo Delhi Paris Rome Quito Accra Seoul Osaka Milan Perth Dakar Tunis "
    "Vienna Prague Athens Dublin Geneva Havana Manila Nairobi Berlin Madrid Warsaw Zagreb Boston "
    "Denver Dallas Austin Toronto Sydney Kyoto Hanoi Bogota Ankara Lagos Muscat Riga Sofia Bern "
    "Turin Porto Malmo Bergen Galway Leeds York"
).split()
_FACES: tuple[RGB, ...] = (PAPER, (236, 226, 200), (226, 232, 238), (250, 250, 250))
_ROMAN = "XII I II III IV V VI VII VIII IX X XI".split()


@dataclass(frozen=True)
class Clock:
    """A clock on the wall; ``numerals`` is ``arabic``, ``roman`` or ``quarters``."""

    place: str
    x: float
    y: float
    radius: float
    hour: int
    minute: int
    color: str
    tone: RGB
    face: RGB
    numerals: str

    @property
    def time(self) -> str:
        """``4:35``."""
        return f"{self.hour}:{self.minute:02d}"

    def hands(self) -> tuple[float, float]:
        """Angles of the hour and the minute hand, in degrees clockwise from twelve."""
        return 30.0 * (self.hour % 12) + self.minute / 2, 6.0 * self.minute

    def paint(self, c: Canvas) -> None:
        """Paint the clock and its plate."""
        x, y, r = self.x, self.y, self.radius
        c.shadow(ellipse(x, y, r, r), (0.08 * r, 0.12 * r), 0.14 * r, 0.5)
        c.poly(
            ellipse(x, y, r, r),
            Paint(lighter(self.tone, 0.25), darker(self.tone, 0.35), 60, "metal", 0.15),
        )
        c.poly(ellipse(x, y, 0.9 * r, 0.9 * r), darker(self.tone, 0.5))
        c.poly(
            ellipse(x, y, 0.875 * r, 0.875 * r),
            Paint(darker(self.face, 0.1), lighter(self.face, 0.25), 60, "paper", 0.12),
        )
        for n in range(60):
            a = math.radians(6 * n)
            long = n % 5 == 0
            s, e = (0.77 if long else 0.81) * r, 0.845 * r
            ends = [(x + k * math.sin(a), y - k * math.cos(a)) for k in (s, e)]
            c.line(ends, INK, 0.028 * r if long else 0.01 * r)
        for n in range(12):
            if self.numerals == "quarters" and n % 3:
                continue
            a, k = math.radians(30 * n), 0.63 * r
            text = _ROMAN[n] if self.numerals == "roman" else str(n or 12)
            size = (0.2 if self.numerals == "roman" else 0.25) * r
            c.text((x + k * math.sin(a), y - k * math.cos(a)), text, size, INK, weight=0.006 * r)
        hour, minute = self.hands()
        for shift, dark in ((0.03 * r, True), (0.0, False)):
            for angle, length, width in ((hour, 0.42, 0.055), (minute, 0.68, 0.035)):
                tone = darker(self.face, 0.28) if dark else INK
                c.poly(_hand(x + shift, y + shift, angle, length * r, width * r), tone)
        c.poly(ellipse(x, y, 0.07 * r, 0.07 * r), Paint(self.tone, ball=True))
        w = max(0.9 * r, c.text_size(self.place, 0.27 * r)[0] + 12)
        c.shadow(rect(x - w / 2, y + 1.14 * r, w, 0.36 * r), (2, 2), 3)
        c.poly(rect(x - w / 2, y + 1.14 * r, w, 0.36 * r, 2), shaded(PAPER, 0.1, 30, "paper"))
        c.text((x, y + 1.32 * r), self.place, 0.27 * r, INK, weight=0.2)


def _hand(
    x: float, y: float, angle: float, length: float, width: float
) -> list[tuple[float, float]]:
    a = math.radians(angle)
    s, k = math.sin(a), math.cos(a)
    shape = ((-0.18, 1.0), (0.75, 1.0), (1.0, 0.25), (1.0, -0.25), (0.75, -1.0), (-0.18, -1.0))
    return [
        (x + t * length * s + u * width * k, y - t * length * k + u * width * s) for t, u in shape
    ]


@dataclass(frozen=True)
class Clocks:
    """Clocks on a wall over a top at ``rail``; the first is the one asked for."""

    room: Room
    clocks: tuple[Clock, ...]
    rail: float

    def paint(self, canvas: Canvas) -> None:
        """Paint wall, top and clocks."""
        self.room.paint_wall(canvas)
        if self.rail < canvas.height - 30:
            self.room.paint_top(canvas, self.rail, 10)
        if len(self.clocks) == 1 and self.clocks[0].x > canvas.width * 0.45:
            paint_frame(canvas, 14, 40, self.clocks[0].x - self.clocks[0].radius - 40, 110)
        for clock in self.clocks:
            clock.paint(canvas)


def _spots(dice: Dice, frame: Frame, count: int) -> list[tuple[float, float, float]]:
    """(x, y, radius) in one or two rows, free of each other with their plates."""
    wide = frame.width / frame.height
    columns = count if count < 3 or (count == 3 and wide > 1.2) else 2
    if wide < 0.9 and count == 2:
        columns = 1
    rows = math.ceil(count / columns)
    w, h = frame.width / columns, (frame.height - 20) / rows
    limit = min(w / 2.2, h / 2.65, 92)
    spots = []
    for n in range(count):
        row, column = divmod(n, columns)
        here = columns if row < rows - 1 or count % columns == 0 else count % columns
        r = limit * dice.between(0.86, 1.0)
        x = (
            frame.width / here * (column + 0.5)
            + dice.between(-1, 1) * (frame.width / here / 2 - 1.08 * r) * 0.7
        )
        slack = h - 2.62 * r
        spots.append((x, 8 + h * row + 1.04 * r + dice.unit() * slack, r))
    return spots


_TIME = (
    "What time does the {place} clock show?",
    "What time is it on the clock with the plate {place}?",
    "Which time can be read from the {place} clock?",
    "According to the clock above the word {place}, what time is it?",
    "What do the hands of the {color} {place} clock say?",
    "The {color} clock on the wall is for {place}. What time does it give?",
    "When it is read to the minute, what time does the clock for {place} show?",
)
_WHERE = (
    "Which place has the clock that shows {time}?",
    "For which place is it {time} on these clocks?",
    "What is written below the clock that shows {time}?",
    "One of the clocks reads {time}. Which place does it belong to?",
    "The hands of one clock stand at {time}. What does its plate say?",
    "Where is it {time}, going by the wall clocks?",
)
_COLOR = (
    "What color is the rim of the {place} clock?",
    "The clock for {place} has a rim of which color?",
    "Around the face of the {place} clock, what color is the rim?",
    "Which color has the case of the clock marked {place}?",
    "What is the color of the rim of the clock that shows {time} in {place}?",
    "In which color is the {place} clock framed, the one at {time}?",
)
_MINUTES = (
    "How many minutes past the full hour is it on the {place} clock?",
    "To how many minutes does the long hand of the {place} clock point?",
    "How many minutes does the {place} clock show after the hour?",
    "Reading its long hand alone, how many minutes does the {color} {place} clock show?",
    "On the clock for {place}, how many minutes of the hour are over?",
    "What number of minutes has passed since the last full hour in {place}?",
)


@family
def clocks(dice: Dice, frame: Frame) -> Sketch:
    """Make a wall with one to four clocks and ask for a time, a place or a rim."""
    template = dice.weighted({"time": 0.45, "where": 0.2, "color": 0.12, "minutes": 0.23})
    room = Room.drawn(dice)
    count = 4 if template == "where" else dice.pick((1, 1, 2, 2, 3, 4))
    # Two hours and two minutes make the four choices: no hand tells by itself which is right.
    hour, minute = dice.whole(1, 12), 5 * dice.whole(0, 11)
    hours = dice.shuffled([hour, (hour + dice.whole(0, 2)) % 12 + 1])
    minutes = dice.shuffled([minute, (minute + 5 * dice.whole(2, 10)) % 60])
    if template == "minutes":
        minutes = window(dice, 0, 55, 5)
    if 10 in hours and 10 in minutes:
        hours = [h % 12 + 3 if h == 10 else h % 9 + 1 for h in hours]  # no 10:10
    times = [(hours[0], minutes[0])]
    while len(times) < count:
        other = dice.whole(1, 12), 5 * dice.whole(0, 11)
        times += [other] if other not in times else []
    four = palette(dice, visible_on(room.wall, 140))
    shown = _hang(dice, frame, room, times, four)
    layout = Clocks(room, tuple(shown), max(c.y + 1.5 * c.radius for c in shown) + 12)
    wrong = {
        "time": [f"{h}:{m:02d}" for h in hours for m in minutes[:2]][1:],
        "where": [c.place for c in shown[1:]],
        "color": four[1:],
        "minutes": [str(m) for m in minutes[1:]],
    }[template]
    return Sketch(layout, template, _ask(dice, layout, template, wrong))


def _hang(
    dice: Dice, frame: Frame, room: Room, times: list[tuple[int, int]], colors: list[str]
) -> list[Clock]:
    """A clock for each time, at random places."""
    spots = dice.shuffled(_spots(dice, frame, len(times)))
    return [
        Clock(
            place, *spot, *time, colors[n % len(colors)], dice.pick(NAMED[colors[n % len(colors)]]),
            dice.pick(_FACES), dice.pick(("arabic", "arabic", "roman", "quarters")),
        )
        for n, (spot, time, place) in enumerate(
            zip(spots, times, dice.sample(_PLACES, len(times)), strict=True)
        )
    ]  # fmt: skip


def _ask(dice: Dice, layout: Clocks, template: str, wrong: list[str]) -> Question:
    one, count = layout.clocks[0], len(layout.clocks)
    if count == 1 and template == "color":
        caption = f"A clock on a wall above the word {one.place}."
    elif count == 1:
        caption = f"{a(one.color).capitalize()} clock on a wall above the word {one.place}."
    else:
        names = listed([c.place for c in sorted(layout.clocks, key=lambda c: (c.y, c.x))])
        caption = f"A wall with {spelled(count)} clocks for {names}."
    on, name = one.minute // 5 or 12, f"of the {one.place} clock"
    past = f"The short hand {name} points to {one.hour}"
    if one.minute:
        past = (
            f"The short hand {name} has gone past {one.hour} and moves toward {one.hour % 12 + 1}"
        )
    long = f"The long hand {name} points to the {on}, which stands for {one.minute} minutes"
    hung = f"The {one.place} clock is the one with the {one.color} rim around its face"
    slots = {"place": one.place, "time": one.time, "color": one.color}
    if template == "time":
        return ask(dice, _TIME, slots, one.time, wrong, caption, [past, long, hung])
    if template == "where":
        return ask(dice, _WHERE, slots, one.place, wrong, caption, [past, long, hung])
    if template == "color":
        rim = f"The rim around the face {name} is {one.color}"
        return ask(dice, _COLOR, slots, one.color, wrong, caption, [rim, past])
    return ask(dice, _MINUTES, slots, str(one.minute), wrong, caption, [long, hung])
