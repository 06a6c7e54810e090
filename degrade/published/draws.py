"""Random numbers of a published formula: one seed per picture, a stream per thing drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from degrade.rng import derive


class Stream:
    """Random numbers for one kind of thing, such as all discs.

    Each number takes one step of the generator whatever its range. So the first discs of a picture
    are the same ones at any intensity, and a stronger level adds to them.
    """

    def __init__(self, seed: int) -> None:
        # Named, so that another default of numpy cannot change what records give.
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def whole(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self._generator.random() * (high - low + 1))

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self._generator.random()

    def normal(self, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """A field of independent standard normal numbers."""
        return self._generator.standard_normal(shape)


class Draws:
    """What one picture draws: a function of its seed alone, no global generator involved."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, thing: str) -> Stream:
        """The numbers for one kind of thing, from the start."""
        return Stream(derive(self._seed, thing))
