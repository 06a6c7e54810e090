"""Draws without state: every draw of a scene is a hash of the scene's path and its place in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from degrade import rng

T = TypeVar("T")


class Dice:
    """Draws along a path such as ``(seed, row, part)``: the n-th draw depends on path and n alone.

    Args:
        path: Where the draws belong. Another path, other draws.
    """

    def __init__(self, *path: str | int) -> None:
        self._path = path
        self._drawn = 0

    def child(self, *path: str | int) -> Dice:
        """Draws for a part, which do not depend on how many were taken here."""
        return Dice(*self._path, *path)

    def unit(self) -> float:
        """A number in [0, 1)."""
        self._drawn += 1
        return rng.unit(*self._path, self._drawn)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.unit() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """True in a share of all cases."""
        return self.unit() < share

    def pick(self, options: Sequence[T]) -> T:
        """One of several, all equally likely."""
        return options[int(self.unit() * len(options))]

    def weighted(self, options: Mapping[T, float]) -> T:
        """One of several, with weights."""
        left = self.unit() * sum(options.values())
        for option, weight in options.items():
            left -= weight
            if left < 0 and weight > 0:
                return option
        return max(options, key=lambda option: options[option])

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Several different ones, in random order."""
        left = list(options)
        return [left.pop(int(self.unit() * len(left))) for _ in range(count)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All of them in random order."""
        return self.sample(options, len(options))

    def units(self, *shape: int) -> NDArray[np.float32]:
        """An array of numbers in (0, 1), for marks too many to draw one by one."""
        self._drawn += 1
        seed = torch.tensor([rng.derive(*self._path, self._drawn)], dtype=torch.int64)
        field: NDArray[np.float32] = rng.uniform(seed, (1, *shape))[0].numpy()
        return field
