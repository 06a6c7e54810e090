"""Sentences labelled by hand with the degradations that they truly claim, and how to score them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from annotate.lexicon import claims, plain
from annotate.terms import ANY, Term
from degrade.schema import Record

FAMILIES = {
    "blur": "lens blur|motion blur|atmospheric turbulence",
    "haze": "lens flare|dirty lens",
    "exposure": "lens flare|mean shift",
    "damage": ANY,
}
"""What a sentence may claim without saying which degradation it is: name -> what it may be."""


class Sentence(Record):
    """A sentence of the gold file.

    Attributes:
        kind: What it is: of a rationale, about a picture, a question, about damage.
        place: The part of a chain in which it would stand.
        claims: Labels or names of ``FAMILIES`` that it claims; nobody's excuse is considered.
    """

    kind: Literal["rationale", "picture", "question", "degradation"]
    place: Literal["influence", "reasoning"]
    text: str
    claims: tuple[str, ...]


class Score(NamedTuple):
    """False alarms (the words) and misses (the labels) on one sentence."""

    false: tuple[str, ...]
    missed: tuple[str, ...]


def read(path: Path) -> list[Sentence]:
    """The sentences of a file of JSON lines."""
    return [Sentence(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _meets(term: Term, claimed: str) -> bool:
    """Whether a term may be what a labelled claim means."""
    allowed = set(FAMILIES[claimed].split("|")) if claimed in FAMILIES else {claimed}
    return not allowed.isdisjoint(term.labels) or ANY in term.labels


def score(sentence: Sentence) -> Score:
    """What the lexicon finds that is not claimed, and what is claimed that it does not find."""
    found = claims(plain(sentence.text), sentence.place == "influence")
    said = [claim for claim in found if not claim.negated]
    return Score(
        tuple(c.text for c in said if not _any(c.term, sentence.claims)),
        tuple(x for x in sentence.claims if not any(_meets(c.term, x) for c in said)),
    )


def _any(term: Term, labelled: Iterable[str]) -> bool:
    return any(_meets(term, claimed) for claimed in labelled)
