"""Rooms: the walls and tops before and on which things stand."""

from __future__ import annotations

from dataclasses import dataclass

from builders.scenes.canvas import Canvas, Paint, rect, shaded
from builders.scenes.colors import NEUTRAL, RGB, WOODS, darker, lighter, mix
from builders.scenes.dice import Dice

WALLS = {"plaster": 0.3, "brick": 0.35, "stripes": 0.2, "dots": 0.22, "tiles": 0.25, "cloth": 0.3}
"""Textures of walls with their strengths."""
TOPS = {"wood": "wooden", "planks": "plank", "cloth": "cloth-covered", "tiles": "tiled"}
"""Textures of table tops with the word for them."""


@dataclass(frozen=True)
class Room:
    """A wall and a top before it.

    ``light`` is the direction of the gradient on the wall in degrees.
    """

    wall: RGB
    pattern: str
    top: RGB
    material: str
    light: float

    @classmethod
    def drawn(cls, dice: Dice) -> Room:
        """A room drawn at random."""
        wall = mix(dice.pick(NEUTRAL), dice.pick(NEUTRAL), dice.unit())
        material = dice.pick(tuple(TOPS))
        wood = material in ("wood", "planks")
        top = dice.pick(WOODS) if wood else mix(dice.pick(NEUTRAL), (150, 150, 150), 0.3)
        return cls(
            darker(wall, dice.between(0, 0.16)), dice.pick(tuple(WALLS)), top, material,
            dice.between(20, 160),
        )  # fmt: skip

    def paint_wall(self, c: Canvas) -> None:
        """The wall, over the whole picture."""
        far = darker(self.wall, 0.28)
        near = lighter(self.wall, 0.1)
        c.fill(Paint(near, far, self.light, self.pattern, WALLS[self.pattern]))

    def paint_top(self, c: Canvas, y: float, edge: float = 0.0) -> None:
        """The table from ``y`` down to the lower border, with its front edge if it has one."""
        low = c.height - edge
        c.shadow(rect(-20, y - 6, c.width + 40, 8), (0, 0), 9, 0.5)
        surface = Paint(darker(self.top, 0.14), lighter(self.top, 0.08), 90, self.material, 0.3)
        c.poly(rect(-2, y, c.width + 4, low - y), surface)
        c.line([(0, y), (c.width, y)], lighter(self.top, 0.3), 1.2)
        if edge:
            front = Paint(darker(self.top, 0.3), darker(self.top, 0.5), 90, "wood", 0.25)
            c.poly(rect(-2, low, c.width + 4, edge + 2), front)
            c.line([(0, low), (c.width, low)], lighter(self.top, 0.25), 1.6)


def paint_window(c: Canvas, x: float, y: float, w: float, h: float, frame: RGB) -> None:
    """A window with sky, hills and bars."""
    c.shadow(rect(x - 6, y - 6, w + 12, h + 12))
    c.poly(rect(x - 6, y - 6, w + 12, h + 12), shaded(frame, 0.3, 60, "wood"))
    c.poly(rect(x, y, w, h), Paint((138, 180, 222), (226, 234, 236), 90, "plaster", 0.12))
    hill = [(x, y + h), (x, y + 0.72 * h), (x + 0.35 * w, y + 0.6 * h), (x + 0.7 * w, y + 0.74 * h),
            (x + w, y + 0.66 * h), (x + w, y + h)]  # fmt: skip
    c.poly(hill, Paint((104, 136, 92), (74, 108, 66), 90, "foliage", 0.35))
    c.line([(x + w / 2, y), (x + w / 2, y + h)], lighter(frame, 0.1), 5)
    c.line([(x, y + h / 2), (x + w, y + h / 2)], lighter(frame, 0.1), 4)


def paint_frame(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """A framed landscape on the wall, for company."""
    dice = c.dice
    wood = dice.pick(WOODS)
    c.shadow(rect(x, y, w, h))
    c.poly(rect(x, y, w, h), shaded(darker(wood, 0.2), 0.3, 50, "wood"))
    c.poly(rect(x + 5, y + 5, w - 10, h - 10), Paint((238, 234, 222), texture="paper"))
    x, y, w, h = x + 11, y + 11, w - 22, h - 22
    if min(w, h) < 8:
        return
    c.poly(rect(x, y, w, h), Paint((150, 178, 204), (232, 214, 190), 90, "plaster", 0.2))
    for n in range(3):
        base = y + h * (0.45 + 0.17 * n)
        far = [dice.between(-0.09, 0.09) * h for _ in range(6)]
        ridge = [(x + w * k / 5, base + d) for k, d in enumerate(far)]
        tone = mix((118, 132, 138), (66, 92, 60), n / 2)
        c.poly([*ridge, (x + w, y + h), (x, y + h)], Paint(tone, darker(tone, 0.2), 90, "foliage"))
