"""How much of a text says something new. No torch."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from degrade.schema import tokens

WORD = re.compile(r"[^\W_]")
"""A letter or digit."""

BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and a sign that show nothing."""

_TAG = re.compile(r"</?\w+>")
_DIGITS = re.compile(r"\d+")
_RUN = re.compile(r"(.)\1+", re.DOTALL)
_FRESH = 3  # as distinct-3: three words in a row seldom recur in prose
_MARKS = 2


def fresh_tokens(text: str, known: str = "") -> int:
    """Length in tokens, without the words that end three words in a row which were there before.

    "Before" is earlier in the text, or anywhere in ``known``. A phrase said over and over, or
    copied from the prompt, counts once or not at all; prose loses a tenth. Case, width, accents
    and runs of letters, underscores and which number it is, also within a word, make no
    difference, or counting up would do; marks count with the word before them, two at most.
    """
    words = [token for token in _kinds(_TAG.sub(" ", known)) if WORD.match(token)]
    seen = set(_trigrams(words))  # of known; a block cannot hold its tags
    run: tuple[str, ...] = ()
    count = marks = 0
    fresh = False
    for token in _kinds(text):
        if WORD.match(token):
            run, marks = (*run, token)[-_FRESH:], 0
            fresh = run not in seen  # the first two words end no trigram
            seen.add(run)
        else:
            marks += 1
        count += fresh and marks <= _MARKS
    return count


def _kinds(text: str) -> list[str]:
    """The tokens of a text, alike where they say the same."""
    found = tokens(unicodedata.normalize("NFKC", text).casefold())
    kinds = {token: _kind(token) for token in {*found}}
    return [kinds[token] or "_" for token in found]  # what shows nothing is a mark at most


def _kind(token: str) -> str:
    """A word without accents, in plain letters each once in a row, its numbers 0."""
    signs = unicodedata.normalize("NFD", token)
    bare = "".join(s for s in signs if s not in BLANKS and unicodedata.category(s)[0] not in "MC")
    return _RUN.sub(r"\1", _DIGITS.sub("0", bare.replace("_", "")))


def _trigrams(found: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(found[i : i + _FRESH]) for i in range(len(found) - _FRESH + 1)]
