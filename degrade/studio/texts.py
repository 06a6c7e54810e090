"""A chain as something to take away: recipe, command, Python, record."""

from __future__ import annotations

import json
import pprint
import shlex
from typing import Any

import yaml

from degrade import ops
from degrade.params import Choice
from degrade.plans import Step
from degrade.recipe import Recipe
from degrade.schema import Applied, describe
from degrade.studio.chain import Chain, fixed, on_grid, overridden, severe

RECIPE_FILE, OUT = "recipe.yaml", "degraded"
_PYTHON = """\
from pathlib import Path

import torch

from degrade import codecs, images, pipeline
from degrade.schema import Applied

records = {records}
picture = images.decode(Path({name!r}).read_bytes(), max_pixels={max_pixels})
clean = codecs.from_pixels([picture.pixels], torch.device("cpu"))
applied = [Applied.model_validate(record) for record in records]
degraded = codecs.to_pixels(pipeline.run(clean, [applied]))[0]  # (H, W, 3) uint8
Path("degraded.png").write_bytes(images.encode(degraded, "png", picture.icc))
"""


def recipe(chain: Chain, everything: bool = True) -> str:
    """The YAML of a recipe of steps.

    Args:
        chain: Not empty.
        everything: Fix all that was drawn, so that ``synth`` makes the same pixels of the same
            picture. Else only what was chosen by hand: each picture draws the rest anew.
    """
    steps = []
    for step in chain.steps:
        at = fixed(step.record)
        if not everything:
            at = {k: v for k, v in at.items() if k in step.chosen}
        steps.append(_step(step.record, at))
    data = {
        "name": "studio",
        "summary": describe(chain.records),
        "lengths_at": chain.side,
        "steps": steps,
    }
    text = yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, width=96, default_flow_style=None
    )
    told = (
        "Everything drawn is fixed: the same picture gives the same pixels, whatever the seed."
        if everything
        else "What is not fixed here is drawn for each picture from the seed."
    )
    return f"# Made in the studio of degrade. {told}\n{text}"


def _step(record: Applied, at: dict[str, float | str]) -> dict[str, Any]:
    """The step that draws this record again.

    A value that follows the intensity is given only where the intensity does not give it.
    """
    above = overridden(record)
    data: dict[str, Any] = {"any": [record.operator]}
    if not above and on_grid(record):
        data["intensity"] = {"low": record.intensity, "high": record.intensity}
    else:
        again = _again(record, at | above) if above else None
        at = at | (above if again == record else severe(record))
    return data | ({"at": at} if at else {})


def _again(record: Applied, at: dict[str, float | str]) -> Applied | None:
    step = Step.model_validate({"any": [record.operator], "at": at})
    return step.draw(("again",), record.short_side, None, record.short_side)


def read_back(text: str, key: str, seed: int, side: int) -> tuple[Applied, ...]:
    """What ``synth`` would do by a recipe's text to the picture of that id."""
    made = Recipe.model_validate(yaml.safe_load(text))
    return made.draw(key, seed, side)[0].applied


def command(chain: Chain, name: str, everything: bool = True) -> str:
    """Shell lines that write the recipe and degrade the picture by it.

    Args:
        chain: Not empty.
        name: The picture's path.
        everything: As for :func:`recipe`.
    """
    return (
        f"cat > {RECIPE_FILE} <<'EOF'\n{recipe(chain, everything)}EOF\n"
        f"degrade-cli synth {quoted(name)} {OUT} --recipe {RECIPE_FILE} --seed {chain.seed}\n"
    )


def preset_command(name: str, preset: str, seed: int) -> str:
    """The command that draws from a preset for a picture what the studio drew."""
    return f"degrade-cli synth {quoted(name)} {OUT} --recipe {preset} --seed {seed}\n"


def quoted(name: str) -> str:
    """A path as a word of the shell that no command takes for an option."""
    return shlex.quote(f"./{name}" if name.startswith("-") else name)


def python(chain: Chain, name: str, max_pixels: int) -> str:
    """A program that degrades the picture by the records."""
    records = [record.model_dump(mode="json") for record in chain.records]
    told = pprint.pformat(records, width=96, sort_dicts=False)
    return _PYTHON.format(records=told, name=name, max_pixels=max_pixels)


def record_json(chain: Chain) -> str:
    """The records as a row of a run has them."""
    records = [record.model_dump(mode="json") for record in chain.records]
    return json.dumps(records, indent=2, ensure_ascii=False)


def record_text(records: tuple[Applied, ...]) -> str:
    """The records for people: one operator a line, its values and seeds below it."""
    if not records:
        return "Nothing was done: the picture is clean."
    lines = [describe(records), ""]
    for number, record in enumerate(records, 1):
        lines.append(f"{number}. {record.label}  {record.intensity:.2f}  ({record.stage})")
        lines += [f"   {line}" for line in values(record)]
    return "\n".join(lines)


def values(record: Applied) -> list[str]:
    """Each parameter with its unit, kinds by name; seeds last."""
    declared = (
        {a.name: a.declaration for a in ops.get(record.operator).arguments}
        if ops.exists(record.operator)
        else {}
    )
    told = [
        f"{p.name}: {p.unit}"
        if isinstance(declared.get(p.name), Choice)
        else f"{p.name}: {p.value:g} {p.unit}"
        for p in record.params
    ]
    return told + [f"{s.name}: {s.value}" for s in record.seeds]
