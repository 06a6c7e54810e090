"""Families of degradations: what is known of a label that has no words or texts of its own.

A later operator brings its record and nothing else. Its label ("rain", "jpeg2000 compression")
puts it into a family by one of its words; the family lends it clauses, and says which of the
sixteen have words that hold for it, too. A label without a family has its name and its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from annotate.grammar.phrases import Texts, groups
from annotate.terms import LABELS, Term


class Family(NamedTuple):
    """``words`` and ``labels`` that belong to it, known labels ``like`` it, blocks of clauses.

    ``claims``: a pattern of names that no scene has; "" for none.
    """

    name: str
    words: frozenset[str]
    labels: frozenset[str]
    like: frozenset[str]
    claims: str
    texts: Texts


@cache
def families() -> Mapping[str, Family]:
    """All of them, by name.

    Raises:
        ValueError: ``like`` names a label that is none of the sixteen.
    """
    found = {}
    for name, blocks in groups("families").items():
        words, labels, like = (_bar(blocks.get(k, ())) for k in ("words", "labels", "like"))
        if unknown := like - set(LABELS):
            raise ValueError(f"family {name} is like {sorted(unknown)}, which are no labels")
        texts = {k: v for k, v in blocks.items() if k not in {"words", "labels", "like", "claims"}}
        claims = "|".join(blocks.get("claims", ()))
        found[name] = Family(name, words, labels, like, claims, texts)
    return found


def _bar(lines: tuple[str, ...]) -> frozenset[str]:
    return frozenset(part for line in lines for part in line.split("|"))


@lru_cache(maxsize=1 << 12)
def family_of(label: str) -> Family | None:
    """The family of a label: one that lists it, else that of its last word that belongs to any.

    The last word names the thing: ``jpeg noise`` is noise, ``low resolution`` a resolution.
    """
    for family in families().values():
        if label in family.labels:
            return family
    for word in reversed(label.lower().split()):
        for family in families().values():
            if word in family.words:
                return family
    return None


def like(label: str) -> frozenset[str]:
    """The known labels whose words hold for a label, too: those of its family."""
    family = None if label in LABELS else family_of(label)
    return family.like if family else frozenset()


@cache
def terms() -> tuple[Term, ...]:
    """Names that claim something of a family, hard ones; true where one of the family is recorded.

    ``also`` holds the family's :func:`mark`.
    """
    return tuple(
        Term(f.claims, "", frozenset((mark(f.name),)), True)
        for f in families().values()
        if f.claims
    )


def mark(family: str) -> str:
    """What stands for a family among labels: no label holds a colon."""
    return f"family:{family}"


def speaks_of(term: Term, text: str, label: str) -> bool:
    """Whether a term, found as ``text``, may be said of a label without words of its own.

    A name that tells one known label from its kin ("motion" blur, "Gaussian" noise) may not,
    unless the label has it as well ("jpeg" of ``jpeg2000 compression``).
    """
    family = None if label in LABELS else family_of(label)
    if family is None:
        return False
    if mark(family.name) in term.also:
        return True
    if not term.labels & family.like:
        return False
    own = term.label.partition(" ")[0]
    return not own or own not in text or any(w.startswith(own) for w in label.split())
