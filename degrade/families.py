"""Families of damage and the two halves of them, for training on one and testing on the other."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Literal, get_args

import yaml

Half = Literal["common", "uncommon"]
HALVES: tuple[Half, ...] = get_args(Half)


@lru_cache(maxsize=1)
def families() -> dict[Half, dict[str, str]]:
    """Half -> family -> what it is, as ``families.yaml`` says."""
    text = (resources.files("degrade") / "families.yaml").read_text("utf-8")
    halves: dict[Half, dict[str, str]] = yaml.safe_load(text)
    return halves


def family_names() -> list[str]:
    """All families, in the order of the file."""
    return [name for half in HALVES for name in families()[half]]


def half_of(family: str) -> Half:
    """The half that a family belongs to."""
    return next(half for half in HALVES if family in families()[half])
