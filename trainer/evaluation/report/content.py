"""What a page is made of: sections with plots and tables, each figure with its interval and n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from degrade.pages import Cell, Table
from trainer.evaluation.table import figure


class Plot(NamedTuple):
    """A picture (SVG), what it shows in words for who cannot see it, and what stands below."""

    image: bytes
    alt: str
    caption: str


@dataclass
class Section:
    """A part of the page."""

    anchor: str
    title: str
    text: list[str] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def cell(estimate: Mapping[str, Any] | None, percent: bool = True, digits: int = 1) -> Cell:
    """A figure as ``81.2 [77.9, 84.3]`` with its n.

    Args:
        estimate: ``value``, ``low``, ``high``, ``n``; None where there is no such figure.
        percent: Times 100.
        digits: After the point; figures that are no percentages often want two.
    """
    if estimate is None:
        return Cell("-")
    return Cell(figure(estimate, percent, digits), f"n = {estimate['n']:,}")


def at(tree: Mapping[str, Any], *path: str) -> Any:
    """What stands at a path of a tree of figures; None where there is nothing."""
    found: Any = tree
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def told(estimate: Mapping[str, Any] | None, percent: bool = True, digits: int = 1) -> str:
    """A figure in a sentence: ``81.2 % [77.9, 84.3], n = 400``."""
    text, n = cell(estimate, percent, digits)
    value, _, interval = text.partition(" ")
    return " ".join(filter(None, [value + (" %" if percent else ""), interval])) + (
        f", {n}" if n else ""
    )


def operator_name(name: str) -> str:
    """``lens_blur`` as people read it."""
    return name.replace("_", " ")


def level_name(key: str) -> str:
    """A level in a heading."""
    return "clean" if float(key) == 0 else f"intensity {key}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))
