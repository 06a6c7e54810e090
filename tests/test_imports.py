"""Importing the operators costs no more than importing what they compute with."""

from __future__ import annotations

import subprocess
import sys
import time


def seconds(code: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        best = min(best, time.perf_counter() - start)
    return best


def test_importing_operators_costs_no_more_than_torch_and_kornia() -> None:
    assert seconds("import degrade.ops") <= 1.15 * seconds("import torch, kornia")
