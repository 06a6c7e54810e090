"""Things that a text puts into a scene: noun phrases, and names that are written there."""

from __future__ import annotations

import re
from typing import NamedTuple

from annotate.grammar.words import (
    ALWAYS_PLURAL,
    COUNTED,
    DETERMINERS,
    IRREGULAR,
    MODIFIERS,
    NAMING,
    NEGATIONS,
    PLACING,
    SINGULARS,
    VERBLIKE,
)

_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*|\d+|[^\w\s]")


class Thing(NamedTuple):
    """A thing of the scene: ``the red umbrella``; ``longer`` says where: ``... on the table``."""

    text: str
    head: str
    plural: bool
    longer: str = ""

    @property
    def short(self) -> str:
        """``the dials`` for ``the four round dials``; empty where the noun is not last."""
        *ahead, last = self.text.split()
        known = lemma(last)
        return f"the {last}" if len(ahead) > 2 and known and known[0] == self.head else ""

    @property
    def bare(self) -> bool:
        """Whether no word tells it from others of its kind: ``the umbrella``."""
        return self.text.count(" ") == 1


def lemma(word: str) -> tuple[str, bool] | None:
    """A known noun in the singular, and whether it is a plural here."""
    if word in IRREGULAR:
        return IRREGULAR[word], True
    if word in ALWAYS_PLURAL:
        return word, True
    if word in SINGULARS:
        return word, False
    for ending, stem in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending) and word[: -len(ending)] + stem in SINGULARS:
            return word[: -len(ending)] + stem, True
    return None


class _Words:
    """The words of a text: in small letters, but for names."""

    def __init__(self, text: str) -> None:
        found = _WORD.findall(text.replace("\u2019", "'"))
        self.name = [
            w[0].isupper()
            and (before == "'" or before.isalnum() or before in {",", "and"})
            and w.lower() not in DETERMINERS
            for before, w in zip([".", *found], found, strict=False)
        ]
        self.words = [w if n else w.lower() for w, n in zip(found, self.name, strict=True)]

    def name_end(self, at: int) -> int:
        """End of the name that begins at a word, its number included; ``at`` if there is none."""
        end = at
        while end < len(self.words) and self.name[end]:
            end += 1
        if at < end < len(self.words) and self.words[end].isdigit():
            end += 1
        return end

    def phrase(self, start: int) -> tuple[int, tuple[str, bool] | None]:
        """End of the noun phrase whose first word after the article is at ``start``; its noun.

        A name may stand before the noun or after it: ``Lima clock``, ``label Boiler 4``,
        ``train to Lima``.
        """
        words = self.words
        end, last, head = start, start, None
        while end < len(words):
            word = words[end]
            if self.name[end]:
                end = self.name_end(end)
                if head:
                    return end, head
                continue
            if head and word in VERBLIKE and words[last - 1] != "orange":  # "an orange star"
                break
            if noun := lemma(word):
                head, last = noun, end + 1
            elif word not in MODIFIERS and not (word.endswith("'s") and lemma(word[:-2])):
                break
            end += 1
        if not head:
            return max(end, start), None
        if head[1] or last >= len(words):  # "three clocks for Lima, Oslo and Rome"
            return last, head
        if words[last] in NAMING and self.name_end(last + 1) > last + 1:
            last = self.name_end(last + 1)
        return last, head

    def placed(self, phrase: str, start: int, end: int) -> str:
        """``the cup on the table`` where the text goes on like that; empty otherwise.

        ``start`` is the determiner's place. In "a cup on a table with flowers", what follows *with*
        may belong to either.
        """
        words = self.words
        inner = (words[start - 1],) in PLACING if start else False
        for prep in PLACING:
            n = len(prep)
            if inner and prep == ("with",):
                continue
            if tuple(words[end : end + n]) == prep and words[end + n : end + n + 1]:
                at = end + n
                if words[at] not in DETERMINERS:
                    return ""
                start = at + (words[at] not in COUNTED)
                stop, head = self.phrase(start)
                longer = f"{phrase} {' '.join(prep)} the {' '.join(words[start:stop])}"
                return longer if head and len(longer) < 60 else ""
        return ""


def things(text: str, definite: bool = False) -> list[Thing]:
    """Noun phrases of known nouns after a determiner; ``definite``: not after *a* or *an*.

    Left out: what is negated or merely imagined. Each thing once.
    """
    found: list[Thing] = []
    read = _Words(text)
    words = read.words
    i = 0
    while i < len(words):
        if words[i] not in DETERMINERS:
            i += 1
            continue
        start = i + (words[i] not in COUNTED)
        end, head = read.phrase(start)
        denied = NEGATIONS.intersection(words[max(0, i - 4) : i])
        if head and not denied and not (definite and words[i] in {"a", "an", "some"}):
            phrase = f"the {' '.join(words[start:end])}"
            add(found, Thing(phrase, *head, read.placed(phrase, i, end)))
        i = max(end, i + 1)
    return found


def add(found: list[Thing], thing: Thing) -> None:
    """Another thing, unless it may be one that was found: of two of a kind, both must be told
    apart by a word of their own.
    """
    same = [t for t in found if t.head == thing.head]
    if same and (thing.bare or any(t.text == thing.text for t in same)):
        return
    if any(t.bare for t in same):
        found[:] = [t for t in found if t not in same]
    found.append(thing)


_LETTERED = re.compile(r"\b(?:signs?|boards?|charts?|dials?|clocks?|labels?|panel)\b", re.I)
_WRITTEN = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*(?: \d+)?(?=[ ,.]|$)")


def written(text: str) -> list[Thing]:
    """Names in a statement about something that bears names: ``the name Ashford``."""
    if not _LETTERED.search(text):
        return []
    names = dict.fromkeys(_WRITTEN.findall(text))
    return [Thing(f"the name {n}", "name", False) for n in names]
