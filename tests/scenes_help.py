"""Drawn scenes for tests, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from builders.scenes import Scene, describe


@lru_cache(maxsize=16)
def of(family: str, count: int = 60) -> list[Scene]:
    return [describe(1, i, weights={family: 1.0}) for i in range(count)]


def apart(boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    return not any(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for n, a in enumerate(boxes)
        for b in boxes[n + 1 :]
    )
