"""Benchmarks of houses, for the tests of benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders.benchmark import BenchmarkBuild, BenchmarkRecipe
from builders.staged import Machine, Result
from builders.table import Dataset, Entry
from tests.build_help import card, silent

LEVELS = ["clean", "level_025", "level_050", "level_100"]


def recipe(items: int = 9, source: dict[str, Any] | None = None, **changes: Any) -> BenchmarkRecipe:
    houses = {"kind": "houses", "name": "houses", "count": items} | (source or {})
    data = {"name": "houses", "summary": "Doors.", "sources": [houses]}
    return BenchmarkRecipe.model_validate(data | changes)


def build(
    out: Path, chosen: BenchmarkRecipe, workers: int = 2, base: Path = Path(), **options: Any
) -> Result:
    made = BenchmarkBuild(chosen, base, out, card, Machine(workers=workers))
    return made.run(silent, **options)


def by_item(folder: Path) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in Dataset(folder).entries():
        found.setdefault(entry.row.item, []).append(entry)
    return found
