"""Columns of an evaluation: checked, and the answers to one item found at all its levels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


def column(
    name: str, values: Sequence[Any] | NDArray[Any], low: float = -np.inf, high: float = np.inf
) -> Array:
    """Numbers as an array.

    Raises:
        ValueError: Not a number a row, not finite, or outside [low, high].
    """
    try:
        found = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no column of numbers: {error}") from None
    if found.ndim != 1:
        raise ValueError(f"{name} has shape {found.shape}: give one number for each row")
    wrong = ~((found >= low) & (found <= high) & np.isfinite(found))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{name} is {found[at]} in row {at}: give numbers in [{low:g}, {high:g}]")
    return found


def same_length(**columns: Sequence[Any] | NDArray[Any]) -> int:
    """The number of rows.

    Raises:
        ValueError: Columns of different length.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise ValueError(f"columns of different length: {told}")
    return next(iter(lengths.values()), 0)


def known(name: str, values: Sequence[float | bool | None]) -> tuple[Array, Mask]:
    """Numbers with 0 where there is none, and where there is one."""
    there = np.array([value is not None for value in values], bool)
    return column(name, [0.0 if value is None else float(value) for value in values]), there


def masks(*by: Sequence[Hashable]) -> dict[Any, Mask]:
    """For every value (of one column) or tuple of values (of several), the rows that have it."""
    keys: Sequence[Hashable] = by[0] if len(by) == 1 else list(zip(*by, strict=True))
    order = {key: i for i, key in enumerate(sorted(set(keys), key=_sortable))}
    codes = np.array([order[key] for key in keys], int)
    return {key: codes == i for key, i in order.items()}


def _sortable(key: Any) -> Any:
    parts = key if isinstance(key, tuple) else (key,)
    return [(0, float(p), "") if isinstance(p, int | float) else (1, 0.0, str(p)) for p in parts]


class Wide(NamedTuple):
    """Rows of an evaluation with one line for each item and one column for each level.

    Attributes:
        items: Sorted.
        levels: Ascending.
        rows: (items, levels) row numbers.
        incomplete: Items that lack a level and are left out.
    """

    items: tuple[str, ...]
    levels: tuple[float, ...]
    rows: Indices
    incomplete: tuple[str, ...]


def wide(
    item: Sequence[str], level: Sequence[float], levels: Sequence[float] | None = None
) -> Wide:
    """Find every item's answers at all levels.

    Args:
        item: Per row.
        level: Per row.
        levels: Which; all that occur by default.

    Raises:
        ValueError: An item twice at one level.

    Example:
        ``wide(["a", "b", "a"], [0.5, 0.0, 0.0]).rows`` is ``[[2, 0]]``; ``b`` is incomplete.
    """
    same_length(item=item, level=level)
    chosen = tuple(sorted(set(level if levels is None else levels)))
    at = {value: place for place, value in enumerate(chosen)}
    found: dict[str, list[int]] = {}
    for row, (name, value) in enumerate(zip(item, level, strict=True)):
        if value not in at:
            continue
        places = found.setdefault(name, [-1] * len(chosen))
        if places[at[value]] >= 0:
            raise ValueError(f"item {name!r} occurs twice at level {value:g}")
        places[at[value]] = row
    whole = sorted(name for name, places in found.items() if min(places) >= 0)
    rows = np.array([found[name] for name in whole], np.intp).reshape(len(whole), len(chosen))
    return Wide(tuple(whole), chosen, rows, tuple(sorted(found.keys() - set(whole))))
