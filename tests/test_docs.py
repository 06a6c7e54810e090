"""What the README says is so: its table of operators, its files, its commands."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from builders.card import texts
from builders.card.markdown import described
from builders.export import formats
from builders.sources import SourceSpec, kinds
from degrade import ops
from degrade.params import Severity
from degrade.schema import STAGES, Record
from trainer import config, preflight, rewards

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DATASETS = (ROOT / "docs" / "datasets.md").read_text("utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text("utf-8")


def table() -> str:
    """The operators as the README lists them."""
    rows = ["| stage | operator | what follows the intensity, 0 to 1 | gradients |"]
    rows.append("|---|---|---|---|")
    for stage in STAGES:
        for name in ops.names():
            op = ops.get(name)
            if op.stage == stage:
                spans = [
                    f"{a.name} {a.span.replace(' -> ', ' to ')}"
                    for a in op.arguments
                    if isinstance(a.declaration, Severity)
                ]
                gradients = "yes" if op.differentiable else "no"
                rows.append(f"| {stage} | `{name}` | {'; '.join(spans)} | {gradients} |")
    return "\n".join(rows)


def test_the_readme_lists_the_registry() -> None:
    assert table() in README, f"paste this into README.md:\n{table()}"


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


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / command).exists(), command


@pytest.mark.parametrize(
    "line", re.findall(r"^ *(degrade-cli .*)$", README + TRAINING, re.MULTILINE)
)
def test_every_command_of_the_pages_is_understood(line: str) -> None:
    # --help at the end parses every option before it.
    words = shlex.split(line.split("  #", 1)[0])[1:]
    subcommand = words[: 2 if words[0] in {"build", "train"} else 1]
    options = [w for w in words if w.startswith("--")]
    done = subprocess.run(
        [sys.executable, "-m", "degrade.cli", *subcommand, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "PATH": "", "TERM": "dumb", "NO_COLOR": "1"},
    )
    for option in options:
        assert option in done.stdout, f"{option} of {line!r}"


def test_python_in_the_readme_runs() -> None:
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})
