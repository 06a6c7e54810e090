"""Importing the operators costs no more than importing what they compute with."""

from __future__ import annotations

import os
import subprocess
import sys


def seconds(code: str) -> float:
    """Processor time of an import in a fresh process, the least of three."""
    best = float("inf")
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True)
        after = os.times()
        spent = after.children_user + after.children_system
        best = min(best, spent - before.children_user - before.children_system)
    return best


def test_importing_operators_costs_no_more_than_torch_and_kornia() -> None:
    assert seconds("import degrade.ops") <= 1.15 * seconds("import torch, kornia")
