"""Templates with alternatives, and the draws that choose among them.

A template is a text with ``[one|another|]`` (one of them, nested as one likes, empty allowed) and
``{slot}``. ``a~`` becomes *a* or *an*. An alternative whose slots are not at hand is not drawn.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from annotate.grammar.phrases import synonyms

T = TypeVar("T")
_WORDS = struct.Struct("<16I").unpack
Slots = Mapping[str, "str | Sequence[str] | Callable[[], str]"]
"""A slot's text, texts to choose from (templates, too), or a function that gives the next one."""


class Choice(NamedTuple):
    """``[..|..]``: options: texts, slots and choices in a row, and the slots they need."""

    options: tuple[tuple[Parts, frozenset[str]], ...]


class Slot(NamedTuple):
    """``{name}``."""

    name: str


Part = str | Slot | Choice
Parts = tuple[Part, ...]


class Pen:
    """Draws that depend on the seed, a row's id and the place in the text, on nothing else.

    Each place has its own stream of blake2b digests, so that a change in one part of a chain leaves
    the others as they were.
    """

    __slots__ = ("_block", "_name", "_pool")

    def __init__(self, seed: int, key: str, place: str = "") -> None:
        name = f"{seed}\0{place}\0{key}".encode("utf-8", "surrogatepass")
        self._name = hashlib.blake2b(name, digest_size=32).digest()
        self._block = 0
        self._pool: list[int] = []

    def number(self) -> int:
        """The next 32 bits."""
        if not self._pool:
            self._block += 1
            salt = self._block.to_bytes(8, "little")
            self._pool = list(_WORDS(hashlib.blake2b(self._name, salt=salt).digest()))
        return self._pool.pop()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return self.number() * n >> 32

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        return self.number() < p * 2**32

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]

    def drawn(self, items: Iterable[T]) -> Iterator[T]:
        """The items in random order, each drawn when it is asked for."""
        left = list(items)
        while left:
            i = self.below(len(left))
            left[i], left[-1] = left[-1], left[i]
            yield left.pop()

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """The items in random order."""
        return list(self.drawn(items))

    def write(self, template: str, slots: Slots) -> str:
        """Expand a template.

        Raises:
            KeyError: A slot that no alternative avoids is not at hand.
        """
        out: list[str] = []
        self._expand(_parse(template)[0], slots, out)
        return "".join(out)

    def choose(self, templates: Sequence[str], slots: Slots) -> str:
        """Expand one of those templates whose slots are at hand; empty if there is none."""
        usable = [t for t in templates if _parse(t)[1] <= slots.keys()]
        return self.write(self.pick(usable), slots) if usable else ""

    def _expand(self, parts: Parts, slots: Slots, out: list[str]) -> None:
        for part in parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Slot):
                value = slots[part.name]
                if callable(value):
                    value = value()
                out.append(value if isinstance(value, str) else self.choose(value, slots))
            else:
                options = part.options
                option = options[self.below(len(options))]
                if not option[1] <= slots.keys():
                    usable = [o for o in options if o[1] <= slots.keys()]
                    option = usable[self.below(len(usable))]
                self._expand(option[0], slots, out)


@lru_cache(None)
def _parse(template: str) -> tuple[Parts, frozenset[str]]:
    parts, end = _sequence(template, 0)
    if end != len(template):
        raise ValueError(f"stray {template[end]!r} in {template!r}")
    return parts, _needs(parts)


def _needs(parts: Parts) -> frozenset[str]:
    needs: set[str] = set()
    for part in parts:
        if isinstance(part, Slot):
            needs.add(part.name)
        elif isinstance(part, Choice):
            needs |= frozenset.intersection(*(o[1] for o in part.options))
    return frozenset(needs)


def _alike(option: Parts) -> tuple[Parts, ...]:
    """An option, and those with a synonym for it where it is a word that has some."""
    if len(option) == 1 and isinstance(option[0], str) and option[0] in synonyms():
        return tuple((word,) for word in synonyms()[option[0]])
    return (option,)


def _sequence(text: str, at: int) -> tuple[Parts, int]:
    parts: list[Part] = []
    while at < len(text) and text[at] not in "|]":
        if text[at] == "[":
            options = []
            while text[at] != "]":
                option, at = _sequence(text, at + 1)
                for alike in _alike(option):
                    options.append((alike, _needs(alike)))
                if at >= len(text):
                    raise ValueError(f"unclosed [ in {text!r}")
            at += 1
            parts.append(Choice(tuple(options)))
        elif text[at] == "{":
            end = text.index("}", at)
            parts.append(Slot(text[at + 1 : end]))
            at = end + 1
        else:
            end = at
            while end < len(text) and text[end] not in "[]|{":
                end += 1
            parts.append(text[at:end])
            at = end
    return tuple(parts), at


# ------------------------------------------------------------------------------- finishing touches

_ARTICLE = re.compile(r"\b([Aa])~ (?=[\"']?(\w+))")
_SPACE = re.compile(r"\s+")
_BEFORE = re.compile(r"\s+([,.;:?!])")
_COMMAS = re.compile(r",(?:\s*,)+|,(?=[.;:])")
_AN_NUMBERS = re.compile(r"8\d*$|11$|18$|11\d\d\d$|18\d\d\d$")
_AN_LETTERS = re.compile(r"[AEFHILMNORSX][A-Z]")
_A_WORDS = ("uni", "use", "usu", "one", "eu")
_AN_WORDS = ("hour", "honest", "heir", "honor")


def article(word: str) -> str:
    """*a* or *an*, by the sound with which the word or number begins."""
    if word[0].isdigit():
        return "an" if _AN_NUMBERS.match(word) else "a"
    if _AN_LETTERS.match(word):
        return "an"
    low = word.lower()
    if low.startswith(_AN_WORDS):
        return "an"
    unlike = low.startswith(("unin", "unim"))
    return "an" if low[0] in "aeiou" and (unlike or not low.startswith(_A_WORDS)) else "a"


def tidy(text: str) -> str:
    """Articles chosen, white space single, no mark after a space or doubled."""
    text = _SPACE.sub(" ", text)
    text = _ARTICLE.sub(lambda m: (m[1] + article(m[2])[1:]) + " ", text)
    return _COMMAS.sub(
        lambda m: "," if m[0].count(",") > 1 else "", _BEFORE.sub(r"\1", text)
    ).strip()


def sentence(text: str) -> str:
    """A tidy sentence: a capital first, a full stop last."""
    text = tidy(text)
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    closed = text.endswith((".", "?", "!")) or text.endswith(('."', '?"', '!"'))
    return text if closed else text.rstrip(",;: ") + "."
