"""What an answer's headers ask of the next requests: to wait, or to be few.

The wall clock is read only for a ``Retry-After`` that is a date, and even then the server's
``Date`` is preferred.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple, get_args

Resource = Literal["requests", "tokens"]
RESOURCES: tuple[Resource, ...] = get_args(Resource)

FORECAST_SECONDS = 60.0
"""Longest wait because little is left: a forecast, no order. For more there is Retry-After."""

_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?")
_LONGEST = 1e8  # seconds; a larger number is a date


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``retry-after`` (seconds or a date), or ``None``."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    until = _date(headers.get("retry-after", ""))
    if until is None:
        return None
    now = _date(headers.get("date", ""))
    return max(0.0, until - (wall if now is None else now))


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class Left(NamedTuple):
    """``amount`` is left of a resource; all of it is there again in ``reset`` seconds."""

    amount: float
    reset: float


def left(headers: Mapping[str, str], what: Resource) -> Left | None:
    """``x-ratelimit-remaining-*`` and ``x-ratelimit-reset-*`` (``6m0s``, ``20ms``, ``1.5``).

    ``None`` where one of them is missing or unreadable.
    """
    try:
        amount = float(headers.get(f"x-ratelimit-remaining-{what}", ""))
    except ValueError:
        return None
    seconds = _span(headers.get(f"x-ratelimit-reset-{what}", "").strip())
    known = math.isfinite(amount) and seconds is not None and 0 <= seconds < _LONGEST
    return Left(amount, seconds) if known and seconds is not None else None


def _span(text: str) -> float | None:
    """Seconds of a span of time."""
    try:
        return float(text)
    except ValueError:
        found = _SPAN.fullmatch(text)
    if not text or not found:
        return None
    units = zip(found.groups(), (3600.0, 60.0, 1.0, 1e-3), strict=True)
    return sum(float(n) * unit for n, unit in units if n)
