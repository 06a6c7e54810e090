"""Runs over small pictures, and what is in their folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from degrade import recipe
from degrade.executor import Options, Synth
from degrade.timing import TIMING
from degrade.verify import Verifier
from tests.conftest import PHOTOS

ROBUST = recipe.load("robust-r1")


def pictures(folder: Path, count: int, side: int = 48) -> Path:
    """A folder of small, different photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(PHOTOS / "coffee.jpg") as photo:
        for i in range(count):
            x, y = 7 * i % 400, 11 * i % 300
            photo.crop((x, y, x + side + i % 3, y + side)).save(folder / f"{i:03d}.png")
    return folder


def synth(src: Path, out: Path, seed: int = 0, **options: Any) -> dict[str, Any]:
    chosen = options.pop("recipe", ROBUST)
    return Synth(src, out, chosen, seed, Options(**options)).run()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content, but for how long it took."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != TIMING)
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (out / "metadata.jsonl").read_text().splitlines()]


def differing(out: Path, **options: Any) -> list[str]:
    verifier = Verifier(out, options.get("source"), "cpu", 2)
    return [d.problem for d in verifier.check(options.get("sample")) if d]


def command(src: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "degrade.cli", "synth", str(src), str(out), "--quiet", *more]
