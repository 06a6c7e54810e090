"""Made-up evaluations as columns, for the benchmarks and tests of metrics."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

OPERATORS = ("lens_blur", "gaussian_noise", "fog", "jpeg")
STAGES = {"lens_blur": "acquisition", "gaussian_noise": "acquisition", "fog": "environment"}


def evaluation(
    items: int,
    groups: int,
    levels: Sequence[float] = (0.0, 0.25, 0.5, 1.0),
    operators: Sequence[str] = OPERATORS,
    seed: int = 0,
) -> dict[str, list[Any]]:
    """Columns of judged answers: every item at every level, one operator an item."""
    rng = random.Random(seed)
    columns: dict[str, list[Any]] = {}
    for i in range(items):
        operator = rng.choice(operators)
        for level in levels:
            right = rng.random() < 0.85 - 0.4 * level
            truth = [{"label": operator.replace("_", " "), "intensity": level}] if level else []
            label = rng.choice(operators).replace("_", " ")
            said = [{"label": label, "intensity": round(rng.random(), 2)}]
            row = {
                "item": f"i{i:05}",
                "group": f"g{i % groups}",
                "level": level,
                "operator": operator if level else "clean",
                "stage": STAGES.get(operator, "transmission") if level else "clean",
                "intensity_sum": level * rng.random(),
                "choices": 4,
                "correct": float(right),
                "chosen": "A" if right else rng.choice("BCD"),
                "rule": rng.choice(("letter", "text", "refusal")),
                "well_formed": rng.random() < 0.9,
                "truth": truth,
                "named": rng.choice((said, truth, [], None)),
                "tokens": int(50 + 100 * level + rng.random() * 60),
                "reasoning_tokens": int(20 + 100 * level + rng.random() * 60),
                "cut": rng.random() < 0.05,
            }
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    return columns


def rows(columns: dict[str, list[Any]], order: Sequence[int]) -> dict[str, list[Any]]:
    """The same rows, or some of them, in another order."""
    return {name: [values[i] for i in order] for name, values in columns.items()}
