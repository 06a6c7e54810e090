"""Houses along a street with cars before them: doors, numbers, windows and colors to be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from builders.scenes.base import (
    Frame,
    Sketch,
    a,
    ask,
    family,
    listed,
    ordinal,
    palette,
    spelled,
    window,
)
from builders.scenes.canvas import Canvas, Paint, ellipse, rect
from builders.scenes.colors import NAMED, PAPER, RGB, darker, distance, lighter
from builders.scenes.dice import Dice
from builders.scenes.families.signs import paint_tree
from degrade.schema import Question

_WALLS: dict[str, RGB] = {
    "red": (168, 62, 54), "yellow": (232, 204, 118), "blue": (112, 146, 188),
    "green": (124, 158, 112), "white": (232, 230, 222), "pink": (226, 164, 168),
    "brown": (132, 98, 72), "gray": (146, 150, 152),
}  # fmt: skip
_SKIES: tuple[RGB, ...] = (
    (108, 160, 216), (150, 170, 194), (206, 160, 132), (128, 148, 178),
)  # fmt: skip
_CROWN = 20.0  # half the width of the widest tree, in units
_ROOFS: tuple[RGB, ...] = ((120, 62, 48), (84, 84, 92), (96, 72, 58), (62, 74, 84))


@dataclass(frozen=True)
class House:
    """A house; ``windows`` of them are there, ``columns`` to a row, the upper floor first."""

    number: int
    color: str
    door: str
    door_tone: RGB
    x: float
    width: float
    height: float
    roof: int
    texture: str
    columns: int
    windows: int
    door_left: bool

    def slots(self, ground: float) -> list[tuple[float, float]]:
        """Centers of all windows."""
        rows = -(-self.windows // self.columns)
        left, top = self.x + 0.08 * self.width, ground - self.height
        step = 0.84 * self.width / self.columns
        each = (self.height - 62) / rows
        return [
            (left + step * (n % self.columns + 0.5), top + 8 + each * (n // self.columns + 0.5))
            for n in range(self.windows)
        ]

    @property
    def door_x(self) -> float:
        """Left side of the door; door and plate are 55 wide."""
        return self.x + (6 if self.door_left else self.width - 59)

    def paint(self, c: Canvas, ground: float) -> None:
        """Paint the house; ``ground`` is where its walls end."""
        x, w, h = self.x, self.width, self.height
        wall, roof = _WALLS[self.color], _ROOFS[self.roof]
        top = ground - h
        face = Paint(lighter(wall, 0.08), darker(wall, 0.16), 60, self.texture, 0.32)
        c.poly(rect(x, top, w, h + 1), face)
        eave = 5
        gable = [
            (x - eave, top + 1),
            (x + 0.16 * w, top - 34),
            (x + 0.84 * w, top - 34),
            (x + w + eave, top + 1),
        ]
        c.poly(rect(x + 0.68 * w, top - 48, 12, 30), Paint((140, 84, 70), texture="brick"))
        c.poly(gable, Paint(lighter(roof, 0.12), darker(roof, 0.2), 90, "tiles", 0.4))
        c.shadow(rect(x, top, w, 5), (0, 2), 3)
        size = min(9.0, (h - 62) / (-(-self.windows // self.columns)) / 2 - 3.5)
        for cx, cy in self.slots(ground):
            pane = rect(cx - 8, cy - size, 16, 2 * size)
            c.poly(rect(cx - 10, cy - size - 2, 20, 2 * size + 4), PAPER)
            c.poly(pane, Paint((92, 116, 142), (40, 52, 70), 60))
            c.line([(cx, cy - size), (cx, cy + size)], PAPER, 1.2)
            c.line([(cx - 8, cy), (cx + 8, cy)], PAPER, 1.2)
            c.poly(rect(cx - 11, cy + size + 2, 22, 2.5), darker(PAPER, 0.25))
        dx = self.door_x
        c.poly(rect(dx - 3, ground - 45, 30, 46), darker(PAPER, 0.1))
        c.poly(
            rect(dx, ground - 42, 24, 42),
            Paint(lighter(self.door_tone, 0.06), darker(self.door_tone, 0.15), 60, "wood", 0.16),
        )
        for py in (ground - 38, ground - 19):
            c.line(rect(dx + 5, py, 14, 14), darker(self.door_tone, 0.35), 0.9, True)
        c.poly(ellipse(dx + 20.5, ground - 21, 1.5, 1.5), (226, 196, 110))
        c.poly(rect(dx + 31, ground - 42, 21, 15, 2), (250, 250, 246))
        c.line(rect(dx + 31, ground - 42, 21, 15, 2), (60, 60, 66), 0.8, True)
        c.text((dx + 41.5, ground - 34.5), str(self.number), 13, (24, 26, 34), weight=0.3)


@dataclass(frozen=True)
class Car:
    """A car; ``house`` is the index of the house that it stands in front of."""

    color: str
    tone: RGB
    house: int
    x: float
    facing: int

    def paint(self, c: Canvas, y: float) -> None:
        """Paint the car with its wheels on ``y``."""
        f, x = self.facing, self.x
        c.shadow(ellipse(x, y, 40, 5), (0, 0), 4, 0.6)
        cabin = [(-22, -17), (-13, -30), (11, -30), (22, -17)]
        body = [(-38, -6), (-37, -15), (-23, -18), (22, -18), (36, -14), (39, -6)]
        paint = Paint(lighter(self.tone, 0.22), darker(self.tone, 0.28), 90)
        for part in (cabin, body):
            c.poly([(x + f * px, y + py) for px, py in part], paint)
        for glass in (
            [(-18, -18), (-11, -28), (-2, -28), (-2, -18)],
            [(1, -18), (1, -28), (10, -28), (17, -18)],
        ):
            c.poly(
                [(x + f * px, y + py) for px, py in glass],
                Paint((176, 198, 214), (84, 104, 122), 60),
            )
        c.line([(x - 34, y - 11), (x + 34, y - 11)], darker(self.tone, 0.35), 0.8)
        c.poly(ellipse(x + f * 36, y - 12, 2.2, 2), (255, 244, 196))
        c.poly(ellipse(x - f * 37, y - 12, 1.6, 2.2), (204, 40, 36))
        for wx in (-22, 22):
            c.poly(ellipse(x + wx, y - 6, 7.5, 7.5), (28, 28, 30))
            c.poly(ellipse(x + wx, y - 6, 3.6, 3.6), Paint((200, 202, 206), ball=True))


@dataclass(frozen=True)
class Street:
    """Houses from left to right, cars on the near lane, trees between the houses."""

    houses: tuple[House, ...]
    cars: tuple[Car, ...]
    trees: tuple[tuple[float, float], ...]
    ground: float
    sky: RGB

    def paint(self, canvas: Canvas) -> None:
        """Paint sky, houses, pavement, road, trees and cars."""
        c, g = canvas, self.ground
        c.fill(Paint(self.sky, lighter(self.sky, 0.65), 90, "plaster", 0.12))
        for _ in range(4):
            x, y = c.dice.between(0, c.width), c.dice.between(0, 0.25 * g)
            for k in range(3):
                c.glow((x + 22 * k, y), 26, (252, 252, 252), 0.45)
        c.poly(
            rect(-2, g - 40, c.width + 4, 42),
            Paint((98, 128, 72), (78, 104, 60), 90, "foliage", 0.4),
        )
        for house in self.houses:
            house.paint(c, g)
        c.poly(
            rect(-2, g, c.width + 4, 22), Paint((188, 184, 176), (168, 164, 158), 90, "tiles", 0.35)
        )
        c.poly(rect(-2, g + 21, c.width + 4, 4), (206, 204, 198))
        c.poly(
            rect(-2, g + 25, c.width + 4, c.height - g),
            Paint((104, 104, 108), (82, 82, 86), 90, "asphalt", 0.4),
        )
        shift, mid = c.dice.between(0, 60), (g + 25 + c.height) / 2 + 18
        for n in range(10):
            x = 60 * n - shift
            c.poly([(x, mid), (x + 32, mid), (x + 30, mid + 4), (x - 2, mid + 4)], (226, 224, 214))
        for x, size in self.trees:
            paint_tree(c, x, g + 16, size)
        for car in self.cars:
            car.paint(c, g + 25 + 26)


_DOOR = (
    "What color is the door of house number {n}?",
    "Which color has the front door of the house with the number {n}?",
    "The {color} house has a door of which color?",
    "What is the color of the door beside the number {n}?",
    "In which color is the door of the {color} house with the number {n} painted?",
    "At number {n}, the {color} house, what color is the front door?",
)
_NUMBER = (
    "What is the number of the {color} house?",
    "Which number stands beside the {door} door of the {color} house?",
    "What number has the house with the {door} door?",
    "The {color} house with the {door} door has which house number?",
    "What does the plate on the {color} house say?",
    "Which house number belongs to the {nth} house from the left?",
)
_WINDOWS = (
    "How many windows does the {color} house have?",
    "How many windows are there on the front of house number {n}?",
    "What is the number of windows of the {color} house at number {n}?",
    "Count the windows of the house with the {door} door: how many are there?",
    "The {nth} house from the left, number {n}, has how many windows?",
    "How many windows look out from the {color} house with the {door} door?",
)
_CAR = (
    "What color is the car in front of the {color} house?",
    "Which color has the car in front of house number {n}?",
    "The car outside number {n} is of which color?",
    "What is the color of the car that stands before the house with the {door} door?",
    "In front of the {color} house at number {n}, a car of which color is parked?",
    "A car is parked outside the {nth} house from the left, number {n}. What color is it?",
)


@family
def street(dice: Dice, frame: Frame) -> Sketch:
    """Make a street and ask for a door, a number, windows or a car."""
    template = dice.weighted({"door": 0.22, "number": 0.28, "windows": 0.28, "car": 0.22})
    numbers, panes = window(dice, 2, 99, 1, 14), window(dice, 2, 8)
    count = max(2, int(frame.width / dice.pick((104, 118, 132))))
    target = dice.whole(0, count - 1)
    further = [n for n in range(2, 100) if n not in numbers]
    plates = [*dice.shuffled(numbers[1:]), *dice.sample(further, count)][: count - 1]
    plates.insert(target, numbers[0])
    windows = [dice.whole(2, 8) for _ in plates]
    if template == "windows":
        windows[target] = panes[0]
    ground = frame.height * 0.98 - dice.between(82, 100)
    walls = dice.sample(tuple(_WALLS), count)
    four = palette(dice, _doors(walls[target]))
    doors = [dice.pick([d for d in _doors(w) if d != four[0]]) for w in walls]
    doors[target] = four[0]
    houses = _houses(dice, frame, ground, [*zip(plates, windows, walls, doors, strict=True)])
    others = [n for n in range(count) if n != target]
    parked = dice.sample(others, dice.whole(0, min(2, len(others))))
    if template == "car":
        parked.insert(0, target)
    hues = palette(dice, ("red", "yellow", "green", "blue", "purple", "white", "black"))
    cars = tuple(
        Car(hue, dice.pick(NAMED[hue]), n, houses[n].x + houses[n].width / 2, dice.pick((-1, 1)))
        for n, hue in zip(parked, hues, strict=False)
    )
    # A tree stands between two houses where it hides neither a door nor a plate.
    gaps = [(p.x + p.width + q.x) / 2 for p, q in pairwise(houses) if q.x - p.x - p.width > 11]
    free = [
        x for x in gaps if all(x + _CROWN < h.door_x or x - _CROWN > h.door_x + 55 for h in houses)
    ]
    trees = tuple((x, dice.between(40, 56)) for x in free if dice.chance(0.7))
    layout = Street(tuple(houses), cars, trees, ground, dice.pick(_SKIES))
    wrong = {
        "door": four[1:],
        "number": [str(n) for n in numbers[1:]],
        "windows": [str(n) for n in panes[1:]],
        "car": hues[1:],
    }[template]
    return Sketch(layout, template, _ask(dice, layout, template, target, wrong))


def _doors(wall: str) -> list[str]:
    """Colors of doors that stand out from a wall."""
    pool = [d for d in NAMED if d not in ("gray", wall)]
    return [d for d in pool if distance(NAMED[d][0], _WALLS[wall]) > 150]


def _houses(
    dice: Dice, frame: Frame, ground: float, told: list[tuple[int, int, str, str]]
) -> list[House]:
    """Houses of given numbers, windows, colors and doors."""
    each, gap = (frame.width - 8) / len(told), dice.between(6, 22)
    houses = []
    for n, (number, windows, color, door) in enumerate(told):
        height = dice.between(0.5, 0.78) * (ground - 30)
        columns = 2 if windows <= 4 and dice.chance(0.6) else 3
        height = max(height, 62 + 21 * -(-windows // columns))
        houses.append(
            House(
                number, color, door, dice.pick(NAMED[door]), 4 + each * n + gap / 2, each - gap,
                height, dice.whole(0, 3), dice.pick(("brick", "plaster", "planks")), columns,
                windows, dice.chance(0.5),
            )
        )  # fmt: skip
    return houses


def _caption(layout: Street, cars: Sequence[Car]) -> str:
    caption = f"A street with {listed([f'{a(h.color)} house' for h in layout.houses])} in a row"
    if cars:
        car = cars[0]
        caption += f" and {a(car.color)} car in front of number {layout.houses[car.house].number}"
    return caption + "."


def _ask(dice: Dice, layout: Street, template: str, target: int, wrong: list[str]) -> Question:
    house = layout.houses[target]
    # Not the car that is asked for.
    caption = _caption(layout, layout.cars[1:] if template == "car" else layout.cars)
    slots: dict[str, object] = {
        "n": house.number, "color": house.color, "door": house.door, "nth": ordinal(target + 1),
    }  # fmt: skip
    name = f"the {house.color} house"
    plate = f"The plate beside the {house.door} door of {name} says {house.number}"
    where = f"The {house.color} house is the {ordinal(target + 1)} from the left in the row"
    if template == "door":
        facts = [f"The front door of {name}, number {house.number}, is {house.door}", where]
        return ask(dice, _DOOR, slots, house.door, wrong, caption, facts)
    if template == "number":
        return ask(dice, _NUMBER, slots, str(house.number), wrong, caption, [plate, where])
    if template == "car":
        car = layout.cars[0].color
        facts = [f"The car in front of {name} is {car}", where, plate]
        return ask(dice, _CAR, slots, car, wrong, caption, facts)
    sizes = [min(house.columns, house.windows - n) for n in range(0, house.windows, house.columns)]
    rows = (
        f"In its rows from the top, the windows of {name} number {listed([*map(spelled, sizes)])}"
    )
    if len(sizes) == 1:
        rows = f"In its only row, the windows of {name} number {spelled(house.windows)}"
    facts = [f"{rows}, which makes {house.windows}", where, plate]
    return ask(dice, _WINDOWS, slots, str(house.windows), wrong, caption, facts)
