"""Errors for people: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the caller can mend. The command line prints it and exits with 2."""


class StoppedError(Exception):
    """A run cannot go on for a reason outside of it (a full disk); what is written stays."""


def stopped(error: OSError, about: str) -> StoppedError:
    """The error for what this machine refuses while a job writes: a full disk, a folder's rights.

    Args:
        error: What it said.
        about: The file or folder, for people.
    """
    return StoppedError(
        f"Stopped: {error.strerror or error} ({about}). Nothing already written is lost; mend that "
        "and give the same command to go on."
    )


class HaltedError(Exception):
    """A job was interrupted at a place from which the same command goes on.

    Args:
        done: What is finished, for people: ``192 of 500 pictures``; empty where nobody counted.
    """

    def __init__(self, done: str = "") -> None:
        super().__init__(done)
        self.done = done


def unknown(kind: str, given: str, allowed: Iterable[str]) -> UserError:
    """The error for a misspelt name: suggests the nearest, lists what exists."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"Unknown {kind} {given!r}.{hint} Known: {', '.join(names) or 'none'}.")
