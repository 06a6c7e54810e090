"""What a released formula becomes, and the table of the sixteen, apart from the operators'."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2

from degrade.arguments import Argument
from degrade.codecs import Pixels, through
from degrade.errors import UserError, unknown
from degrade.params import Images, SeedMark
from degrade.published.draws import Draws
from degrade.registry import Operator
from degrade.schema import PUBLISHED, Applied, Stage

Formula = Callable[..., Pixels]
"""``(picture, i)`` or ``(picture, i, draws)``: (H, W, 3) uint8 RGB and an intensity in [0, 1]."""

SOURCE = "Tang et al., Robust-R1, arXiv 2512.17532 (AAAI-26): the released add_degradation.py"

TABLE: dict[str, Published] = {}


@dataclass(frozen=True, kw_only=True)
class Published(Operator):
    """A released formula, with the interface of an operator.

    A record holds the intensity, which is all that a formula is told, and the seed of those that
    draw. Pictures go through 8 bits on host threads, whatever their device.
    """

    formula: Formula

    @property
    def label(self) -> str:
        """The paper's name, as models are taught to say it."""
        return self.name.removeprefix(PUBLISHED).replace("_", " ")

    def apply(self, x: Images, applied: Sequence[Applied]) -> Images:
        """Run the formula on each picture of a batch; the input is not modified.

        Args:
            x: (B, 3, H, W) float32, sRGB in [0, 1], on any device.
            applied: B records of this formula, drawn for pictures of this size.

        Returns:
            (B, 3, H, W) float32 in whole grey levels. Intensity 0 changes the picture where the
            released code does.

        Raises:
            UserError: Wrong shape or type, a record of another operator, version or size, or a
                picture that the released code fails on.
        """
        self.check(x, applied)
        return self.kernel(x, [(a.intensity, *(s.value for s in a.seeds)) for a in applied])


def published(stage: Stage, family: str) -> Callable[[Formula], Formula]:
    """Put a released formula into the table; one with an argument ``draws`` has a recorded seed.

    Args:
        stage: Stage of the paper it belongs to.
        family: As that of the operator of the same name.

    Raises:
        TypeError: The docstring is missing or the name is taken.
    """

    def register(formula: Formula) -> Formula:
        name = f"{PUBLISHED}{formula.__name__}"
        doc = inspect.getdoc(formula)
        if not doc or name in TABLE:
            raise TypeError(f"Formula {name}: it needs a docstring and a name of its own.")
        drawn = "draws" in inspect.signature(formula).parameters
        TABLE[name] = Published(
            name=name,
            stage=stage,
            family=family,
            version=1,
            refs=(SOURCE,),
            differentiable=False,
            summary=doc.splitlines()[0],
            doc=doc,
            arguments=(Argument("seed", SeedMark()),) if drawn else (),
            kernel=partial(through, partial(_run, name, formula)),
            formula=formula,
        )
        return formula

    return register


def _run(name: str, formula: Formula, pixels: Pixels, setting: tuple[Any, ...]) -> Pixels:
    intensity, *seed = setting
    try:
        return formula(pixels, intensity, *map(Draws, seed))
    except cv2.error as error:
        height, width = pixels.shape[:2]
        raise UserError(
            f"{name} fails on {width} x {height} pixels, as the released code does "
            f"(OpenCV: {error.err}). Leave the picture or the operator out."
        ) from None


def too_small(name: str, pixels: Pixels, side: int) -> UserError:
    """The error for a picture that the released code raises on.

    Args:
        name: The formula's own name.
        pixels: The picture, (H, W, 3).
        side: Pixels that each side must have.
    """
    height, width = pixels.shape[:2]
    return UserError(
        f"{PUBLISHED}{name} needs {side} pixels a side here, as in the released code; the picture "
        f"has {width} x {height}. Leave the picture or the operator out."
    )


def get(name: str) -> Published:
    """The formula of that full name; spaces may stand for underscores.

    Raises:
        UserError: There is none; the message names the nearest.
    """
    try:
        return TABLE[name.replace(" ", "_")]
    except KeyError:
        raise unknown("published formula", name, TABLE) from None
