"""What a run was asked for: its settings in words, its recipe, the command that would ask again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from degrade.report.rows import Given
from degrade.storage import Place, Remote

_OPTIONS: dict[str, Any] = {"seed": 0, "copies": 1, "max_side": None, "max_pixels": 100_000_000}
_OPTIONS |= {"format": "folder", "encode": "png", "split": "train"}
_LINES = {
    "source": "source",
    "sources": "pictures of it",
    "seed": "seed",
    "copies": "copies of each",
    "max_side": "reduced to a side of",
    "max_pixels": "refused above, pixels",
    "format": "format",
    "encode": "encoding",
    "split": "split",
    "device": "device",
    "batch": "pictures per batch",
    "degrade": "degrade",
    "schema": "schema",
}


def lines(given: Given) -> list[tuple[str, str]]:
    """Settings as (name, value), the recipe left out."""
    settings, recipe = given.settings, given.settings.get("recipe") or {}
    found = [("recipe", str(recipe.get("name", ""))), ("summary", str(recipe.get("summary", "")))]
    if not given.is_run:
        found.append(("seed", str(recipe.get("seed", ""))))
    for key, name in _LINES.items():
        value = settings.get(key)
        if value is not None and key in settings:
            found.append((name, f"{value:,}" if key in {"sources", "max_pixels"} else str(value)))
    found.append(("fingerprint", str(given.info.get("fingerprint", ""))))
    return [(name, value) for name, value in found if value]


def recipe_text(given: Given) -> str:
    """The recipe as YAML, without what it does not use."""
    held = _used(given.settings.get("recipe") or {})
    return yaml.safe_dump(held, sort_keys=False, allow_unicode=True, width=96)


def _used(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _used(v) for k, v in value.items() if v not in (None, {}, [])}
    return [_used(v) for v in value] if isinstance(value, list) else value


def command(given: Given) -> tuple[str, bool]:
    """A command that asks for the same, and whether it needs the recipe as a file ``recipe.yaml``.

    Args:
        given: The run or data set.
    """
    name = str((given.settings.get("recipe") or {}).get("name", ""))
    if not given.is_run:
        kind = "benchmark" if given.settings["recipe"].get("kind") == "benchmark" else "dataset"
        recipe = given.folder / "recipe.yaml"
        return shlex.join(["degrade-cli", "build", kind, str(recipe), "OUT"]), False
    words = ["degrade-cli", "synth", str(given.settings.get("source", "SRC")), "OUT"]
    wanted = next(_matching(name, given.settings.get("recipe") or {}), None)
    words += ["--recipe", "recipe.yaml"] if wanted is None else wanted
    for key, default in _OPTIONS.items():
        value = given.settings.get(key, default)
        if value != default:
            words += [f"--{key.replace('_', '-')}", str(value)]
    if "limit" in given.info:
        words += ["--limit", str(given.info["limit"])]
    return shlex.join(words), wanted is None


def _matching(name: str, recipe: dict[str, Any]) -> Iterator[list[str]]:
    """Options of ``synth`` that make this recipe of a preset; none where no preset does."""
    from degrade import recipe as recipes
    from degrade.errors import UserError
    from degrade.families import HALVES

    if name not in recipes.preset_names():
        return
    preset, stored = recipes.load(name), _stored(recipe)
    if stored is None:
        return
    same = stored.model_dump()
    span = stored.intensity or next((s.intensity for s in stored.steps), None)
    fixed = [None] if span is None or span.low != span.high else [None, span.low]
    types = tuple(stored.types)
    for half, only, intensity in product(
        (None, *HALVES), ((), types or tuple(stored.operators)), fixed
    ):
        try:
            made = preset.narrowed(only, intensity, half).narrowed()
        except UserError:  # this preset takes no such option
            continue
        if made.model_dump() == same:
            words = ["--recipe", name]
            words += ["--families", half] if half else []
            words += [word for op in only for word in ("--op", op)]
            yield [*words, *(["--intensity", f"{intensity:g}"] if intensity is not None else [])]


def _stored(recipe: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from degrade.recipe import Recipe

    try:
        return Recipe.model_validate(recipe)
    except ValidationError:  # of another version of degrade
        return None


def disk(folder: Place) -> tuple[int, int]:
    """Files below a folder and their bytes together; working files are left out."""
    if isinstance(folder, Remote):
        return folder.usage()
    count = total = 0
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                count, total = count + 1, total + (Path(root) / name).stat().st_size
    return count, total
