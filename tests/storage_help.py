"""Runs from and to places that are given as on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from degrade import storage
from degrade.executor import Options, Synth
from tests.run_help import ROBUST, tree
from tests.s3_help import Store


def remote(
    src: Any, out: str, seed: int = 0, patience: float = 30, **options: Any
) -> dict[str, Any]:
    """A run between places that are given as on the command line."""
    overwrite = options.pop("overwrite", False)
    places = storage.place(src, patience), storage.place(out, patience)
    return Synth(*places, ROBUST, seed, Options(**options)).run(overwrite=overwrite)


def without_source(files: dict[str, bytes]) -> dict[str, Any]:
    """A run but for where its source was."""
    run = json.loads(files["run.json"])
    del run["settings"]["source"]
    return {**files, "run.json": run}


def upload(s3: Store, folder: Path, prefix: str) -> None:
    for name, data in tree(folder).items():
        s3.put(f"{prefix}/{name}", data)


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "degrade.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
