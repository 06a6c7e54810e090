"""Runs to report on."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from typing import Any

from degrade import recipe
from degrade.executor import Options, Synth
from degrade.report import page
from tests.dataset_help import small_dataset
from tests.evaluation_help import benchmark
from tests.run_help import ROBUST, pictures

EVIL = "<img src=x onerror=alert(1)>.png"


def run_of(src: Path, out: Path, chosen: recipe.Recipe = ROBUST, **options: Any) -> Path:
    Synth(src, out, chosen, 3, Options(**options)).run()
    return out


def reportable(folder: Path) -> dict[str, Path]:
    """Runs of both forms over the same pictures, one of them broken; a data set, a benchmark."""
    src = pictures(folder / "src", 20)
    shutil.copy(src / "000.png", src / EVIL)
    (src / "broken.jpg").write_text("no picture")
    return {
        "src": src,
        "folder": run_of(src, folder / "run"),
        "parquet": run_of(src, folder / "parquet", format="parquet"),
        "data": small_dataset(folder / "data", rows=12),
        "bench": benchmark(folder / "bench", items=3),
    }


def text_of(folder: Path, samples: int = 6, **options: Any) -> str:
    return page.made(folder, samples, **options)[0]


def words(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
