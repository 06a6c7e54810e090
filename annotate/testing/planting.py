"""How contradictions are planted: kinds by name, and helpers to alter a chain."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

from annotate.terms import LABELS
from annotate.testing.cases import Case
from degrade.schema import Applied, Chain, Code, Question, Row, describe

Write = Callable[[Row, Question], Chain]
"""Writes a valid chain: the writer whose chains are mutated."""


class Kind(NamedTuple):
    """A kind of contradiction: ``plant`` returns None where a case offers no place for it."""

    code: Code
    plant: Callable[[Case, random.Random, Write], str | None]


KINDS: dict[str, Kind] = {}
Plant = Callable[[Case, random.Random, Write], str | None]


def plants(code: Code) -> Callable[[Plant], Plant]:
    """Register a kind under the function's name, to be caught by ``code``."""

    def add(plant: Plant) -> Plant:
        KINDS[plant.__name__.lstrip("_")] = Kind(code, plant)
        return plant

    return add


def changed(chain: Chain, **parts: object) -> str:
    """The text of a chain with other parts, unchecked."""
    return chain.model_copy(update=parts).render()


def sentences(text: str) -> list[str]:
    """A text cut after its full stops."""
    return re.split(r"(?<=[.!?])\s+", text)


def inserted(text: str, sentence: str, rng: random.Random) -> str:
    """A sentence put between those of a text."""
    parts = sentences(text)
    parts.insert(rng.randint(0, len(parts)), sentence)
    return " ".join(parts)


def with_record(row: Row, items: tuple[Applied, ...]) -> Row:
    """The row with another record of damage."""
    return row.model_copy(update={"applied": items, "degradations": describe(items)})


def unrecorded(case: Case) -> list[str]:
    """Labels that are not recorded."""
    recorded = {a.label for a in case.row.applied}
    return [label for label in LABELS if label not in recorded]
