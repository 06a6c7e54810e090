"""What pages list is what there is; what they show is run by tests/test_pages.py."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from builders.card import texts
from builders.card.markdown import described
from builders.export import formats
from builders.sources import SourceSpec, kinds
from degrade import recipe
from degrade.families import families
from degrade.schema import Code, Record
from tests.pages_help import PAGES
from trainer import config, preflight, rewards
from trainer.evaluation.free import FREE
from trainer.evaluation.options import FINDS, MISSES

ROOT = Path(__file__).parents[1]
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
DATASETS = (ROOT / "docs" / "datasets.md").read_text("utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text("utf-8")


def sources() -> str:
    """The kinds of sources as docs/datasets.md lists them."""
    rows = []
    for kind, cls in sorted(kinds().items()):
        if not cls.__module__.startswith("builders."):  # a kind of some other test
            continue
        summary = (cls.__doc__ or "").strip().split("\n")[0].replace("``", "`")
        own = [f"`{name}`" for name in cls.model_fields if name not in SourceSpec.model_fields]
        rows.append(f"| `{kind}` | {summary} | {', '.join(own)} |")
    return "\n".join(rows)


def exports() -> str:
    """The formats as docs/datasets.md lists them."""
    return "\n".join(f"| `{name}` | {fmt.summary} |" for name, fmt in formats().items())


def columns() -> str:
    """The columns as the card explains them."""
    return texts.columns(pictures=True)


@pytest.mark.parametrize("made", [sources, exports, columns])
def test_the_page_on_data_sets_lists_what_there_is(made: Callable[[], str]) -> None:
    assert made() in DATASETS, f"paste this into docs/datasets.md:\n{made()}"


def keys() -> str:
    """The keys of a training configuration as docs/training.md lists them."""
    rows = ["| key | default | what it is |", "|---|---|---|", *_keys(config.Config)]
    return "\n".join(rows)


def _keys(model: type[Record], prefix: str = "") -> list[str]:
    parents = [c for c in reversed(model.__mro__) if c.__module__ == model.__module__]
    told = {name: text for c in parents for name, text in described(c).items()}
    rows = []
    for name, field in model.model_fields.items():
        if prefix == "rl." and name in config.Stage.model_fields:
            continue  # listed with those of sft
        default = _default(field)
        row = f"| `{prefix}{name}`"
        if prefix == "sft." and name in config.Stage.model_fields:
            row += f", `rl.{name}`"
            other = _default(config.Rl.model_fields[name])
            default += f", {other}" if other != default else ""
        unsaid = [o for o in _options(field.annotation) if f"`{o}`" not in told[name]]
        others = f" One of {', '.join(f'`{o}`' for o in unsaid)}." if unsaid[1:] else ""
        row += f" | {default} | {told[name]}{others} |"
        kinds = (field.annotation, *get_args(field.annotation))
        inner = [t for t in kinds if isinstance(t, type) and issubclass(t, Record)]
        if not inner or type(None) in kinds:
            rows.append(row)
        for nested in inner:
            rows += _keys(nested, f"{prefix}{name}.")
    return rows


def _options(annotation: Any) -> list[str]:
    """The values that an annotation allows, where it names them."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [option for part in get_args(annotation) for option in _options(part)]


def _default(field: FieldInfo) -> str:
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return "" if value in (None, "", ()) else f"`{json.dumps(value, default=str)}`".replace('"', "")


def test_the_page_on_training_lists_every_key_reward_and_reason() -> None:
    assert keys() in TRAINING, f"paste this into docs/training.md:\n{keys()}"
    for name in [*rewards.REWARDS, *config.preset_names()]:
        assert f"`{name}`" in TRAINING, name
    reasons = re.findall(r'(?:BadRowError\(|reason=)\s*"(\w+)"', inspect.getsource(preflight))
    listed = re.findall(
        r"^\| `(\w+)` \| ",
        TRAINING.partition("## Before training")[2].partition("##")[0],
        re.MULTILINE,
    )
    assert set(listed) == set(reasons)


def test_every_file_that_pages_link_or_run_exists() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), (page.name, target)
        for command in re.findall(r"python (benchmarks/\w+\.py)", text):
            assert (ROOT / command).exists(), (page.name, command)


# -------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("rules", [FINDS, MISSES, FREE])
def test_the_page_on_evaluation_lists_the_rules(rules: dict[str, str]) -> None:
    rows = "\n".join(f"| `{name}` | {text} |" for name, text in rules.items())
    assert rows in EVALUATION, f"paste this into docs/evaluation.md:\n{rows}"


RECIPES = (ROOT / "docs" / "recipes.md").read_text("utf-8")


def presets() -> str:
    """The presets as docs/recipes.md lists them."""
    loaded = [recipe.load(name) for name in recipe.preset_names()]
    return "\n".join(f"| `{r.name}` | {r.summary} |" for r in loaded)


def halves() -> str:
    """The families as docs/recipes.md lists them."""
    return "\n".join(
        f"| {half} | {family} | {meaning} |"
        for half, kinds in families().items()
        for family, meaning in kinds.items()
    )


@pytest.mark.parametrize("made", [presets, halves])
def test_the_page_on_recipes_lists_what_there_is(made: Callable[[], str]) -> None:
    assert made() in RECIPES, f"paste this into docs/recipes.md:\n{made()}"


def test_the_page_on_chains_explains_every_code() -> None:
    text = (ROOT / "docs" / "annotate.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \| ", text.partition("## What is checked")[2], re.MULTILINE)
    assert sorted(listed) == sorted(get_args(Code))
