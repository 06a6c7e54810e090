"""What is told of a stage: versions, last figures, lines for people."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SHOWN = re.compile(
    r"(loss|reward|kl|consistency|look/\w+)|rewards/(\w+)_reward/mean|rewards/(reasoning_tokens)/mean"
    r"|completions/(clipped)_ratio|(depth)/spearman|(types/\w+)"
)
"""What people are shown of TRL's figures, and as what."""


def versions() -> dict[str, str]:
    """Of what decides how training goes."""
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "trl", "peft", "accelerate")}


def bring_along(base: str, part: Path) -> None:
    """Bring along what of the base's processor was not loaded here: the part for videos."""
    for name in ("video_preprocessor_config.json", "preprocessor_config.json"):
        source = Path(base) / name
        if source.is_file() and not (part / name).exists():
            shutil.copy(source, part / name)


def last_figures(path: Path) -> dict[str, float]:
    """The last figures that were logged."""
    last: dict[str, float] = {}
    if path.exists():
        for text in path.read_text("utf-8").splitlines():
            last |= {k: v for k, v in json.loads(text).items() if isinstance(v, int | float)}
    return last


def shown(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures that people are shown, by short names."""
    found = {}
    for name, value in figures.items():
        if match := _SHOWN.fullmatch(name):
            found[next(filter(None, match.groups()))] = float(value)
    return found


def figures_line(figures: Mapping[str, Any]) -> str:
    """The same in a line; empty where there are none."""
    return ", ".join(f"{name} {value:.4g}" for name, value in shown(figures).items())


def parameters_line(trained: dict[str, dict[str, int]]) -> str:
    """The result of :func:`trainer.models.trainable`."""
    parts = [f"{part} {c['trained']:,} of {c['parameters']:,}" for part, c in trained.items()]
    return "Trained parameters: " + "; ".join(parts)


def lengths_line(summary: dict[str, Any]) -> str:
    """The summary of :class:`trainer.preflight.Report`."""
    refused = sum(summary["refused"].values())
    spans = [
        f"{name.replace('_', ' ')} {summary[name]['least']:.0f} to {summary[name]['most']:.0f}"
        for name in ("picture_tokens", "prompt_tokens", "completion_tokens")
    ]
    told = (
        f"{summary['rows']} rows to train on, {refused} refused, "
        f"{summary['without_chain']} without a chain; {', '.join(spans)}"
    )
    if summary["too_long"]:
        told += (
            f"\n{summary['too_long']} of them have a chain longer than rl.max_new_tokens: answers "
            "as deep as that are cut off, and earn nothing"
        )
    return told
