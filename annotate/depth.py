"""How long a chain should reason: a function of the damage (Robust-R1, eq. 7, whose numbers are
unpublished; these are ours).
"""

from __future__ import annotations

from collections.abc import Iterable

from degrade import schema
from degrade.schema import Applied

FLOOR, PER_UNIT, CEILING = 24, 40.0, 240


def tokens(text: str) -> int:
    """Length of a text in :func:`degrade.schema.tokens`."""
    return len(schema.tokens(text))


def target(applied: Iterable[Applied]) -> int:
    """Reasoning tokens to aim at: 24 for a clean picture, 40 more per unit of summed intensity.

    Strictly increasing up to a sum of 5.4 (seven operators at the mean intensity are 3.5), constant
    at 240 beyond.
    """
    total = sum(a.intensity for a in applied)
    return min(CEILING, round(FLOOR + PER_UNIT * total))
