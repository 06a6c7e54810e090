"""Values of any origin as texts and lists, and the error for a row that cannot be used."""

from __future__ import annotations

import ast
import json
import math
from typing import Any


class RowError(Exception):
    """One row that cannot be used: ``reason`` is countable, ``detail`` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def plain(value: Any) -> Any:
    """Arrays and scalars of numpy as Python's own; a missing value of any kind as None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return None if isinstance(value, float) and math.isnan(value) else value


def text(value: Any) -> str:
    """A value as a text; empty for none. Numbers are spelled as Python spells them.

    Raises:
        RowError: A list, mapping or bytes stands where one text belongs.
    """
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise RowError("malformed_row", f"a text was expected, not {short(value)}")


def listed(value: Any) -> list[Any] | None:
    """A list, however it is written: as one, as JSON or as Python's ``repr``; else None."""
    value = plain(value)
    if isinstance(value, (list, tuple)):
        return list(value)
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
        if repr(found) != value.strip():  # "['a' 'b']", as numpy prints it, would become ['ab']
            return None
    return found if isinstance(found, list) else None


def texts(value: Any) -> tuple[str, ...]:
    """Several texts, or one; empty ones are left out."""
    values = listed(value)
    return tuple(t for t in map(text, [value] if values is None else values) if t)


def short(value: Any) -> str:
    """A value as an error shows it."""
    found = repr(value)
    return found if len(found) <= 80 else found[:77] + "..."
