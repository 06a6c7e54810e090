"""Errors for people: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the caller can mend. The command line prints it and exits with 2."""


class StoppedError(Exception):
    """A run cannot go on for a reason outside of it (a full disk); what is written stays."""


def unknown(kind: str, given: str, allowed: Iterable[str]) -> UserError:
    """The error for a misspelt name: suggests the nearest, lists what exists."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"Unknown {kind} {given!r}.{hint} Known: {', '.join(names) or 'none'}.")
