"""The tables of ``proof.py`` from its results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from degrade.errors import UserError
from degrade.runs import read_json
from trainer.answers import spearman


def table(out: Path, arms: Iterable[str], references: Sequence[str]) -> str:
    """The results of all seeds that are there, as Markdown.

    Args:
        out: Folder of the experiment.
        arms: In the order of the rows.
        references: Arms with which the others are compared.
    """
    results = {
        name: {p.parent.name: read_json(p) for p in sorted(out.glob(f"seed-*/{name}.json"))}
        for name in arms
    }
    results = {name: found for name, found in results.items() if found}
    if not results:
        raise UserError(f"There is nothing in {out} yet.")
    first = next(iter(next(iter(results.values())).values()))
    cells = list(first)
    head = "| arm | " + " | ".join(cells) + " |\n|---|" + "---|" * len(cells)
    counts = {name: len(found) for name, found in results.items()}
    parts = [f"{len(first[cells[0]]['right'])} scenes a cell; seeds: {counts}."]
    parts += ["\nAccuracy", head]
    for name, found in results.items():
        values = [f"{_right(found, found, c).mean():.3f}" for c in cells]
        parts.append(f"| {name} | " + " | ".join(values) + " |")
    for other in references:
        if other not in results:
            continue
        parts += [
            f"\nDifference from `{other}` in points, 95 % interval over seeds and scenes",
            head,
        ]
        for name, found in results.items():
            shared = found.keys() & results[other].keys()
            if name != other and shared:
                gaps = [
                    _gap(_right(found, shared, c), _right(results[other], shared, c)) for c in cells
                ]
                parts.append(f"| {name} | " + " | ".join(gaps) + " |")
    parts += ["\nReasoning tokens of the well-formed chains", head]
    parts += [_lengths(name, [*found.values()], cells) for name, found in results.items()]
    parts += [
        "\nChains and cost: form, tokens and time over all cells; types over the degraded cells "
        "with seen operators; clean: share of clean pictures said to be clean"
    ]
    parts += [
        "| arm | form | type F1 | intensity MAE | r_deg | clean | depth, Spearman | tokens | ms |"
    ]
    parts += ["|---|---|---|---|---|---|---|---|---|"]
    parts += [_cost(name, [*found.values()], cells) for name, found in results.items()]
    parts += [_rewards(out, results)]
    return "\n".join(parts)


def _rewards(out: Path, names: Iterable[str]) -> str:
    """What RL is told of the answers that it draws at temperature 1, at first and at last."""
    table: dict[str, dict[str, list[str]]] = {}
    for name in names:
        logs = [
            json.loads(path.read_bytes()) for path in sorted(out.glob(f"seed-*/{name}/log.json"))
        ]
        tenths = [[entry for entry in log if "reward" in entry] for log in logs]
        if not any(tenths):
            continue
        keys = [k for k in tenths[0][0] if k.startswith("rewards/") and k.endswith("/mean")]
        table[name] = {
            key.split("/")[1].removesuffix("_reward"): [
                f"{np.mean([log[i][key] for log in tenths]):.3f}" for i in (0, -1)
            ]
            for key in keys
        }
    columns = list(dict.fromkeys(key for row in table.values() for key in row))
    parts = ["\nRewards of the answers drawn in RL, mean of its first tenth, then of its last"]
    parts += ["| arm | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns)]
    for name, row in table.items():
        told = [" → ".join(row[c]) if c in row else "-" for c in columns]
        parts.append(f"| {name} | " + " | ".join(told) + " |")
    return "\n".join(parts) if table else ""


def _right(found: dict[str, Any], seeds: Iterable[str], cell: str) -> Any:
    """(seeds, scenes) of 0 and 1."""
    return np.array([found[seed][cell]["right"] for seed in sorted(seeds)], float)


def _gap(a: Any, b: Any) -> str:
    low, high = interval(a - b)
    return f"{100 * (a - b).mean():+.1f} ({100 * low:+.1f}, {100 * high:+.1f})"


def interval(gap: Any) -> tuple[float, float]:
    """95 %, of the mean of (seeds, scenes); seeds are drawn anew as well as scenes.

    Both are samples. How often it holds the truth: ``proof_coverage.py``.
    """
    rng = np.random.default_rng(0)
    seeds, scenes = (
        np.array([np.bincount(drawn, minlength=n) for drawn in rng.integers(0, n, (2000, n))]) / n
        for n in gap.shape
    )
    drawn = (seeds @ gap * scenes).sum(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def _lengths(name: str, found: list[dict[str, Any]], cells: list[str]) -> str:
    said = [[n for s in found for n in s[c]["reasoning"] or () if n] for c in cells]
    return f"| {name} | " + " | ".join(f"{np.mean(n):.1f}" if n else "-" for n in said) + " |"


def _cost(name: str, found: list[dict[str, Any]], cells: list[str]) -> str:
    def mean(key: str, chosen: list[str]) -> str:
        values = [s[c][key] for s in found for c in chosen if s[c].get(key) is not None]
        return f"{np.mean(values):.4f}" if values else "-"

    # Of a clean cell F1 would be 1, or 0 from the first invented type on.
    seen = [c for c in cells if c.startswith("seen")]
    pairs = [
        pair
        for s in found
        for c in ("clean", *seen)
        for pair in zip(s[c]["reasoning"] or (), s[c]["damage"], strict=False)
        if pair[0]
    ]
    depth = f"{spearman(pairs):.3f}" if pairs else "-"
    figures = [mean("form", cells), *(mean(key, seen) for key in ("type_f1", "mae", "r_deg"))]
    figures += [mean("r_deg", ["clean"]), depth]
    figures += [mean("tokens", cells), f"{1000 * float(mean('seconds', cells)):.1f}"]
    return f"| {name} | " + " | ".join(figures) + " |"
