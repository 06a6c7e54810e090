"""Planted contradictions: each turns a valid chain into one that must be refused, and says why.

A mutant is a text, as a model would send it. It counts as caught only if the check made for it
speaks up, not if any does. What is planted is written here in words of its own, not taken from the
lexicon, and differs from what is true: an intensity becomes another by a wide margin, an alias is
of a degradation that the record rules out together with those that look like it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from annotate.testing import mutants_record, mutants_text  # they fill KINDS
from annotate.testing.cases import Case
from annotate.testing.planting import KINDS, Write

__all__ = ["KINDS", "Write", "mutants", "mutants_record", "mutants_text"]


def mutants(kind: str, cases: Iterable[Case], n: int, write: Write) -> Iterator[tuple[Case, str]]:
    """The first ``n`` mutants of a kind that the cases allow, with the case they contradict."""
    made = 0
    for case in cases:
        if made == n:
            return
        rng = random.Random(f"{kind}/{case.row.id}")
        text = KINDS[kind].plant(case, rng, write)
        if text is not None:
            made += 1
            yield case, text
