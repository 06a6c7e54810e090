"""The texts of the grammar: YAML files in ``texts/``, blocks of one template a line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

_TEXTS = resources.files("annotate.grammar") / "texts"

Texts = Mapping[str, tuple[str, ...]]


@cache
def _load(name: str) -> dict[str, Any]:
    found = yaml.safe_load((_TEXTS / f"{name}.yaml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def texts(name: str) -> Texts:
    """The blocks of a file: name -> templates."""
    return {k: _lines(v) for k, v in _load(name).items() if isinstance(v, str)}


def groups(name: str) -> Mapping[str, Texts]:
    """The groups of blocks of a file: name -> block -> templates."""
    return {
        k: {part: _lines(block) for part, block in v.items()}
        for k, v in _load(name).items()
        if isinstance(v, dict)
    }


@cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """Word -> itself and what may stand for it."""
    return {
        word: tuple(dict.fromkeys([word, *others.split(", ")]))
        for word, others in _load("synonyms").items()
    }


def _lines(block: str) -> tuple[str, ...]:
    return tuple(line for line in block.split("\n") if line)
