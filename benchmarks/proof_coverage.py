"""How often the intervals of ``proof.py`` hold the true difference, by how much seeds scatter.

    python benchmarks/proof_coverage.py               # some minutes

Simulated: 400 scenes, easy and hard ones; two arms whose answers are drawn for every seed, the
second five points better on average over all seeds there could be, its seeds scattered about that.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.proof_table import interval

SCENES, GAIN = 400, 0.05
SCATTER = (0.0, 0.01, 0.03, 0.06, 0.09)


def simulated(rng: Any, seeds: int, scatter: float) -> Any:
    """One experiment: (seeds, scenes) of second less first, each right (1) or wrong (0).

    Args:
        rng: To draw from.
        seeds: How many.
        scatter: Standard deviation of the seeds' own gains.
    """
    easy = rng.uniform(0.5, 0.7, SCENES)
    gains = GAIN + rng.normal(0.0, scatter, (seeds, 1))
    first = rng.random((seeds, SCENES)) < easy
    second = rng.random((seeds, SCENES)) < np.clip(easy + gains, 0.0, 1.0)
    return second.astype(float) - first


def covered(rng: Any, seeds: int, scatter: float, experiments: int) -> float:
    """Share of the experiments whose interval holds the true difference."""
    hits = 0
    for _ in range(experiments):
        low, high = interval(simulated(rng, seeds, scatter))
        hits += low <= GAIN <= high
    return hits / experiments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    print(f"{given.seeds} seeds, {given.experiments} experiments each")
    print("| scatter of seeds, points | intervals that hold the truth, % |\n|---|---|")
    for scatter in SCATTER:
        share = covered(rng, given.seeds, scatter, given.experiments)
        print(f"| {100 * scatter:.0f} | {100 * share:.1f} |", flush=True)


if __name__ == "__main__":
    main()
