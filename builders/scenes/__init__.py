"""Drawn scenes with exact questions and answers: test material that needs nothing from outside.

``describe(seed, i)`` gives a scene as data, ``draw(scene, size)`` its picture. A scene depends on
the seed and its number alone.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from builders.scenes import families as _families
from builders.scenes.base import FAMILIES, Frame, Layout
from builders.scenes.canvas import Canvas
from builders.scenes.dice import Dice
from degrade.images import Pixels
from degrade.schema import Question

for _module in pkgutil.iter_modules(_families.__path__):
    import_module(f"{_families.__name__}.{_module.name}")

__all__ = ["FAMILIES", "Scene", "describe", "draw"]

STANDARD = (448, 336)
_AREA = STANDARD[0] * STANDARD[1]
_SQUARE_TO = 16  # pixels: sides of square pictures are multiples of this


@dataclass(frozen=True)
class Scene:
    """A scene: what is there, what is asked, and the size of its picture.

    Attributes:
        seed: Of all scenes.
        index: Number of the scene; its picture's decoration draws from both.
        family: What kind of scene.
        template: What kind of question, unique together with the family.
        size: (width, height) of the picture in pixels.
        frame: The same in units.
        layout: The things.
        question: What is asked, and what is true.
    """

    seed: int
    index: int
    family: str
    template: str
    size: tuple[int, int]
    frame: Frame
    layout: Layout
    question: Question


def describe(
    seed: int,
    index: int,
    size: tuple[int, int] = STANDARD,
    weights: Mapping[str, float] | None = None,
) -> Scene:
    """A scene as data, a function of the arguments alone.

    Args:
        seed: Of all scenes.
        index: Which of them, from 0.
        size: (width, height) in pixels. Of all scenes, a fifth are turned by 90 degrees and a
            fifth square, of the same area.
        weights: Families to draw from, with their shares; none: all alike.
    """
    dice = Dice("scenes", seed, index)
    name = dice.weighted(weights or dict.fromkeys(sorted(FAMILIES), 1.0))
    width, height = size
    side = max(_SQUARE_TO, round((width * height) ** 0.5 / _SQUARE_TO) * _SQUARE_TO)
    shapes = {(width, height): 0.6, (height, width): 0.2, (side, side): 0.2}
    width, height = dice.weighted(shapes)
    unit = (width * height / _AREA) ** 0.5
    frame = Frame(width / unit, height / unit)
    made = FAMILIES[name](dice.child(name), frame)
    return Scene(
        seed, index, name, made.template, (width, height), frame, made.layout, made.question
    )


def draw(scene: Scene, size: tuple[int, int] | None = None) -> Pixels:
    """The picture of a scene.

    Args:
        scene: As described.
        size: (width, height) in pixels; none: the scene's own. Small ones are for tests: lettering
            is legible from about the standard size on.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    canvas = Canvas(*scene.frame, size or scene.size, Dice("paint", scene.seed, scene.index))
    scene.layout.paint(canvas)
    return canvas.finish()
