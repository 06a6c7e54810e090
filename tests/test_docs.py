"""What the README says is so: its table of operators, its files, its commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.card import texts
from builders.export import formats
from builders.sources import SourceSpec, kinds
from degrade import ops
from degrade.params import Severity
from degrade.schema import STAGES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DATASETS = (ROOT / "docs" / "datasets.md").read_text("utf-8")


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


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / command).exists(), command


@pytest.mark.parametrize("line", re.findall(r"^degrade-cli .*$", README, re.MULTILINE))
def test_every_command_of_the_readme_is_understood(line: str) -> None:
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
