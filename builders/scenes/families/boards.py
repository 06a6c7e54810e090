"""Departure boards and menus: tables of lettering, to be looked up."""

from __future__ import annotations

from dataclasses import dataclass

from builders.scenes.base import Frame, Sketch, ask, family, listed, ordinal, spelled, window
from builders.scenes.canvas import Canvas, Paint, rect, shaded
from builders.scenes.colors import RGB, WHITE, WOODS, darker, lighter
from builders.scenes.dice import Dice
from builders.scenes.names import alike, town, towns
from builders.scenes.rooms import Room
from degrade.schema import Question

_DISHES = (
    "Tomato soup,Lentil soup,Onion soup,Pea soup,Green salad,Bean salad,Egg salad,Rice salad,"
    "Apple pie,Cherry pie,Lemon pie,Plum pie,Cheese toast,Ham toast,Egg toast,Garlic toast,"
    "Orange juice,Carrot juice,Grape juice,Apple juice,Fish cake,Crab cake,Corn cake,Rice cake"
).split(",")


@dataclass(frozen=True)
class Board:
    """A board on a wall.

    ``rows`` are the texts of its cells; ``columns`` are (share of the width, anchor) of each.
    """

    room: Room
    frame_tone: RGB
    ground: RGB
    inks: tuple[RGB, ...]
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[float, str], ...]
    area: tuple[float, float, float, float]

    def paint(self, canvas: Canvas) -> None:
        """Paint wall, board and lettering."""
        c = canvas
        self.room.paint_wall(c)
        x, y, w, h = self.area
        c.shadow(rect(x, y, w, h, 4), (6, 7), 8, 0.6)
        c.poly(rect(x, y, w, h, 4), shaded(self.frame_tone, 0.3, 60, "wood"))
        x, y, w, h = x + 8, y + 8, w - 16, h - 16
        chalk = "plaster" if len(self.head) == 2 else "metal"
        c.poly(
            rect(x, y, w, h),
            Paint(lighter(self.ground, 0.08), darker(self.ground, 0.2), 70, chalk, 0.16),
        )
        c.text((x + w / 2, y + 18), self.title, 19, self.inks[0], weight=0.3, widest=w - 20)
        each = (h - 56) / len(self.rows)
        size = min(18.0, 0.64 * each)
        for (share, anchor), text in zip(self.columns, self.head, strict=True):
            c.text((x + share * w, y + 41), text, 12, self.inks[1], anchor)
        c.line([(x + 8, y + 51), (x + w - 8, y + 51)], self.inks[1], 1.2)
        for n, row in enumerate(self.rows):
            at = y + 54 + each * (n + 0.5)
            if len(self.head) > 2 and n % 2 == 0:
                c.poly(rect(x + 4, at - each / 2 + 1, w - 8, each - 2), lighter(self.ground, 0.07))
            for (share, anchor), text in zip(self.columns, row, strict=True):
                c.text(
                    (x + share * w, at),
                    text,
                    size,
                    self.inks[2],
                    anchor,
                    weight=0.2,
                    widest=0.5 * w,
                )


_TRACK = (
    "From which track does the train to {name} leave?",
    "Which track is given for {name} on the board of {place} station?",
    "What is the track of the {time} train to {name}?",
    "Where should passengers to {name} go: to which track?",
    "On the board of {place} station, what track number is on the line of {name}?",
    "The {time} train from {place} leaves from which track?",
)
_TIME = (
    "At what time does the train to {name} leave {place}?",
    "When does the train from {place} to {name} depart?",
    "What departure time does the board give for {name}?",
    "Which time stands on the line of {name}, track {track}?",
    "The train to {name} on track {track} leaves at what time?",
    "Someone goes from {place} to {name}. At what time does the train leave?",
)
_TO = (
    "Where does the {time} train from {place} go?",
    "Which destination has the train that leaves {place} at {time}?",
    "To which place does the train on track {track} go at {time}?",
    "What name stands beside the time {time} on the board of {place} station?",
    "A train leaves {place} at {time}. Where is it going?",
    "Which place is on the {nth} line of the departures from {place}?",
)
_PRICE = (
    "How much is the {name} at {place}?",
    "What does the {name} cost, according to the menu of {place}?",
    "Which price stands beside {name} on the menu of {place}?",
    "What is the price of the {name} on the {nth} line of the menu?",
    "A guest of {place} orders the {name}. What is its price?",
    "On the menu of {place}, how much must be paid for the {name}?",
)
_DISH = (
    "What can be had for {price} at {place}?",
    "Which dish costs {price} on the menu of {place}?",
    "What stands on the {nth} line of the menu of {place}?",
    "Beside which dish is the price {price} written on the menu of {place}?",
    "A guest of {place} pays {price} for one dish. Which one is it?",
    "The menu of {place} offers what for {price}?",
)


def _area(dice: Dice, frame: Frame) -> tuple[float, float, float, float]:
    w = min(frame.width - 16, dice.between(300, 410))
    h = min(frame.height - dice.between(20, 90), 300)
    return dice.between(8, frame.width - w - 8), dice.between(8, frame.height - h - 10), w, h


@family
def boards(dice: Dice, frame: Frame) -> Sketch:
    """Make a departure board or a menu and ask for one of its cells."""
    template = dice.weighted({"track": 0.2, "time": 0.2, "to": 0.2, "price": 0.2, "dish": 0.2})
    maker = _menu if template in ("price", "dish") else _departures
    layout, question = maker(dice, frame, template)
    return Sketch(layout, template, question)


def _departures(dice: Dice, frame: Frame, template: str) -> tuple[Board, Question]:
    count, hour = dice.whole(4, 6), dice.whole(5, 20)
    four = alike(dice)
    names = [n for n in towns(dice, 12) if n not in four]
    place, names = names[-1], names[: count - 1]
    tracks = [str(t) for t in window(dice, 1, 12)]
    free = [m for m in range(0, 120, 3) if m % 60 != hour + m // 60]  # no 09:09
    minutes = sorted(dice.sample(free, count + 3))
    at = dice.whole(0, count + 1)
    near = dice.sample(minutes[max(0, at - 2) : max(0, at - 2) + 5], 4)
    # Of the times offered, three are on the board, so that the line has to be found.
    shown = sorted([*near[:3], *dice.sample([m for m in minutes if m not in near], count - 3)])
    at = shown.index(near[0])
    names.insert(at, four[0])
    offered, times = (
        [f"{hour + m // 60:02d}:{m % 60:02d}" for m in group] for group in (near, shown)
    )
    lanes = [str(dice.whole(1, 12)) for _ in names]
    lanes[at] = tracks[0]
    cells = tuple(zip(times, names, lanes, strict=True))
    inks = (WHITE, (168, 186, 200), dice.pick(((252, 208, 76), (240, 244, 244), (250, 170, 70))))
    layout = Board(
        Room.drawn(dice), dice.pick(((70, 74, 80), (110, 112, 116), (52, 48, 46))),
        dice.pick(((22, 26, 34), (24, 36, 64), (30, 44, 40))), inks, f"{place} departures",
        ("Time", "Destination", "Track"), cells, ((0.04, "l"), (0.24, "l"), (0.93, "r")),
        _area(dice, frame),
    )  # fmt: skip
    slots = {
        "name": four[0], "place": place, "time": times[at], "track": lanes[at],
        "nth": ordinal(at + 1),
    }  # fmt: skip
    others = dice.sample([n for n in names if n != four[0]], 2)
    caption = (
        f"A board on a wall of the station of {place} with {spelled(count)} trains, among them "
        f"those to {listed(others)}."
    )
    line = f"The {ordinal(at + 1)} line of the board reads {', '.join(cells[at][:2])}"
    facts = [f"{line}, track {lanes[at]}", _beside(cells, at, 1, 0)]
    asked, options = {
        "track": (_TRACK, tracks), "time": (_TIME, offered), "to": (_TO, four),
    }[template]  # fmt: skip
    return layout, ask(dice, asked, slots, options[0], options[1:], caption, facts)


def _menu(dice: Dice, frame: Frame, template: str) -> tuple[Board, Question]:
    count = dice.whole(4, 6)
    group = 4 * dice.whole(0, len(_DISHES) // 4 - 1)
    four = dice.shuffled(_DISHES[group : group + 4])
    dishes = dice.sample([d for d in _DISHES if d not in four], count)
    cents = window(dice, 250, 1000, 10, 16)
    prices = dice.sample([p for p in range(250, 1000, 10) if p not in cents], count)
    at = dice.whole(0, count - 1)
    dishes[at], prices[at] = four[0], cents[0]
    offered, written = ([f"{p / 100:.2f}" for p in some] for some in (cents, prices))
    place = f"Cafe {town(dice)}"
    cells = tuple(zip(dishes, written, strict=True))
    layout = Board(
        Room.drawn(dice), dice.pick(WOODS),
        dice.pick(((40, 52, 46), (46, 46, 50), (58, 40, 34), (36, 46, 62))),
        ((248, 236, 200), (196, 204, 190), (240, 240, 232)), place, ("Dish", "Price"), cells,
        ((0.06, "l"), (0.93, "r")), _area(dice, frame),
    )  # fmt: skip
    slots = {
        "name": four[0].lower(), "place": place, "price": written[at], "nth": ordinal(at + 1),
    }  # fmt: skip
    others = dice.sample([d.lower() for d in dishes if d != four[0]], 2)
    caption = (
        f"A menu board of {place} on a wall with {spelled(count)} dishes, among them "
        f"{listed(others)}."
    )
    line = f"The {ordinal(at + 1)} line of the menu reads {four[0].lower()}, {written[at]}"
    facts = [line, _beside(tuple((d.lower(), p) for d, p in cells), at, 0, 1)]
    if template == "price":
        return layout, ask(dice, _PRICE, slots, offered[0], offered[1:], caption, facts)
    lower = [d.lower() for d in four]
    return layout, ask(dice, _DISH, slots, lower[0], lower[1:], caption, facts)


def _beside(cells: tuple[tuple[str, ...], ...], at: int, name: int, value: int) -> str:
    """What the next line says."""
    other = at + 1 if at + 1 < len(cells) else at - 1
    way = "below" if other > at else "above"
    return f"The line {way} it is for {cells[other][name]} at {cells[other][value]}"
