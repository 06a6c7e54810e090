"""What each kind of damage does, as clauses to combine: read from ``texts/``.

In every block a leading ``<`` marks what is true of intensities below 0.3 only, ``>`` of those of
0.5 and more. ``cause`` are noun phrases in the singular that hold the label, ``does`` and
``spares`` verb phrases in the third person singular, ``yields`` whole clauses. A line ``@name`` of
``spares`` stands for a block of ``shared.yaml``. Slots are those of
:mod:`annotate.grammar.numbers`, and ``sev`` an adjective for the intensity, ``o`` a thing of the
scene, ``po`` its outline or edge, ``fine`` small things in general (plural).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from annotate.families import family_of
from annotate.grammar.phrases import Texts, groups, texts

FILES = ("acquisition", "transmission", "environment", "postprocessing")


class Effect(NamedTuple):
    """Clauses of one label, and the aspects of a scene that it harms."""

    cause: tuple[str, ...]
    does: tuple[str, ...]
    yields: tuple[str, ...]
    spares: tuple[str, ...]
    harms: frozenset[str]


def _effect(blocks: Texts, shared: Texts) -> Effect:
    spares: list[str] = []
    for line in blocks["spares"]:
        spares += shared[line[1:]] if line.startswith("@") else [line]
    return Effect(
        blocks["cause"],
        blocks["does"],
        blocks["yields"],
        tuple(spares),
        frozenset(blocks["harms"][0].split()),
    )


def _all() -> dict[str, Effect]:
    shared = texts("shared")
    return {label: _effect(b, shared) for name in FILES for label, b in groups(name).items()}


EFFECTS = _all()
ANY = EFFECTS.pop("any")
"""What can be said of any label: its clauses stand in where a family has none of a kind."""


@lru_cache(maxsize=1 << 12)
def effect(label: str) -> Effect:
    """The clauses of a label: its own, those of its family, or those of any."""
    if label in EFFECTS:
        return EFFECTS[label]
    family = family_of(label)
    if family is None:
        return ANY
    blocks = {
        "cause": ANY.cause, "does": ANY.does, "yields": ANY.yields, "spares": ANY.spares,
        "harms": (" ".join(sorted(ANY.harms)),),
    }  # fmt: skip
    return _effect({**blocks, **family.texts}, texts("shared"))
