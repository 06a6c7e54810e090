"""The card of a trained model: what it is, how it was made, what it reached."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from degrade.runs import write_atomic
from degrade.urls import protocol_of
from trainer.config import TINY, Config

_TITLES = {"sft": "supervised fine-tuning", "rl": "reinforcement learning (GRPO)"}


def write_card(folder: Path, config: Config, kind: str, base: str, facts: dict[str, Any]) -> None:
    """Write ``README.md`` beside a model.

    Args:
        folder: Of the model.
        config: Of the run.
        kind: ``sft`` or ``rl``.
        base: What the stage started from.
        facts: ``versions``, ``preflight``, ``trainable``, ``steps`` and ``last`` figures.
    """
    write_atomic(folder / "README.md", card(config, kind, base, facts).encode())


def card(config: Config, kind: str, base: str, facts: dict[str, Any]) -> str:
    """The text of :func:`write_card`."""
    head: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": ["degrade", "trl", kind],
    }
    if config.model.path != TINY and not Path(config.model.path).exists():
        head["base_model"] = config.model.path
    data = config.data.path
    if data and not (protocol_of(data) or Path(data).exists()):
        head["datasets"] = [data]
    template = (resources.files("trainer") / "templates" / "model_card.md").read_text("utf-8")
    trained = facts["trainable"]
    parts = [f"{c['trained']:,} of {c['parameters']:,} ({p})" for p, c in trained.items()]
    return template.format(
        head=yaml.safe_dump(head, sort_keys=False).strip(),
        name=f"{config.name} after {_TITLES[kind]}",
        summary=config.summary,
        start=_start(config, kind),
        rows=facts["preflight"]["rows"],
        refused=sum(facts["preflight"]["refused"].values()),
        steps=facts["steps"],
        trained="; ".join(parts),
        figures=_figures(facts["last"]),
        versions=", ".join(f"{n} {v}" for n, v in facts["versions"].items()),
        config=yaml.safe_dump(_published(config), sort_keys=False, width=96).strip(),
    )


def _published(config: Config) -> dict[str, Any]:
    """The configuration without where things lay on one machine."""
    found = config.model_dump(mode="json", exclude_none=True)
    for part in ("model", "data"):
        path = found[part]["path"]
        if path and Path(path).exists():
            found[part]["path"] = Path(path).name
    return found


def _start(config: Config, kind: str) -> str:
    if kind == "rl" and config.rl.start == "sft":
        return "the model of the supervised stage of the same run"
    if config.model.path == TINY:
        return "random weights, with a vocabulary learnt from the rows"
    return f"`{config.model.path}`"


def _figures(last: dict[str, float]) -> str:
    kept = {k: v for k, v in last.items() if k not in ("step", "epoch")}
    lines = [f"| {name} | {value:.4g} |" for name, value in sorted(kept.items())]
    return "\n".join(["| figure | last value |", "|---|---|", *lines])
