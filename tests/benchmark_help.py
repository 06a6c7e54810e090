"""Benchmarks of houses, for the tests of benchmarks."""

from __future__ import annotations

import base64
import csv
from pathlib import Path
from typing import Any

from builders.benchmark import BenchmarkBuild, BenchmarkRecipe, load
from builders.staged import Machine, Result
from builders.table import Dataset, Entry, Example
from tests.build_help import card, silent
from tests.sources_help import jpeg

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


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A table for VLMEvalKit, as its authors write it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter="\t", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def b64(number: int) -> str:
    return base64.b64encode(jpeg(number)).decode()


def built(name: str, data: Path, out: Path, **changes: Any) -> list[Example]:
    """The undamaged rows of a named benchmark, built from a copy of its source."""
    recipe, base = load(name, {"levels": [0.5], **changes} if name != "r-bench" else changes)
    made = BenchmarkBuild(recipe.reading(str(data)), base, out, card, Machine(workers=2))
    made.run(silent)
    entries = list(Dataset(out).entries("clean"))
    assert [e.image for e in entries] == [e.clean for e in entries]
    return [e.row for e in entries]
