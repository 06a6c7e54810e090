"""What the README says is so: its table of operators, its files, its commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from degrade import ops
from degrade.params import Severity
from degrade.schema import STAGES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


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


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / command).exists(), command


@pytest.mark.parametrize("line", re.findall(r"^degrade-cli .*$", README, re.MULTILINE))
def test_every_command_of_the_readme_is_understood(line: str) -> None:
    # --help at the end parses every option before it.
    words = shlex.split(line.split("  #", 1)[0])[1:]
    subcommand, options = words[0], [w for w in words[1:] if w.startswith("--")]
    done = subprocess.run(
        [sys.executable, "-m", "degrade.cli", subcommand, "--help"],
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
