"""The pages of the reference: the command line from its own help, the API from its docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.cli import get_docs_for_click

from degrade import cli

API = {
    "Operators and recipes": [
        "degrade.ops",
        "degrade.registry",
        "degrade.params",
        "degrade.recipe",
        "degrade.pipeline",
        "degrade.families",
    ],
    "In pipelines of others": ["degrade.adapters", "degrade.geometry", "degrade.video"],
    "Records and files": [
        "degrade.schema",
        "degrade.executor",
        "degrade.verify",
        "degrade.shards",
        "degrade.images",
        "degrade.errors",
    ],
    "Chains": [
        "annotate.job",
        "annotate.offline",
        "annotate.checks",
        "annotate.prompts",
        "degrade.chat",
        "degrade.chat_limits",
    ],
    "Data sets": [
        "builders.dataset",
        "builders.recipe",
        "builders.sources.base",
        "builders.table",
        "builders.exporting",
        "builders.export.base",
        "builders.benchmark",
        "builders.hub",
        "builders.replay",
    ],
    "Rewards and metrics": [
        "trainer.rewards",
        "trainer.metrics",
        "trainer.metrics.levels",
        "trainer.metrics.perception",
        "trainer.metrics.corruption",
        "trainer.metrics.rbench",
        "trainer.metrics.cost",
        "trainer.metrics.intervals",
    ],
    "Training and evaluation": ["trainer.config", "trainer.data", "trainer.evaluation.options"],
}
"""Pages of the API and the modules on each."""

MEMBERS = {"degrade.ops": ["get", "exists", "names"]}
"""Modules of which some members alone are shown."""


def nav() -> list[Any]:
    """The part of the navigation."""
    api = [{title: _uri(title)} for title in API]
    return [
        {"At the command line": "command-line.md"},
        {"All commands": "cli.md"},
        {"API": api},
        {"Examples": "examples.md"},
        {"Contributing": "contributing.md"},
        {"Changes": "changelog.md"},
    ]


def files() -> Iterator[tuple[str, str]]:
    """The pages, by their place in the site."""
    yield "cli.md", command_line()
    for title, modules in API.items():
        yield _uri(title), "\n\n".join([f"# {title}", *map(_module, modules)]) + "\n"


def command_line() -> str:
    """Every command with its arguments and options, as `--help` tells them."""
    command: Any = typer.main.get_command(cli.app)
    context = typer.Context(command, info_name="degrade-cli")
    text = get_docs_for_click(obj=command, ctx=context, name="degrade-cli", title="All commands")
    for group in (command, *command.commands.values()):
        text = _summaries(text, group)
    return examples_fenced(text)


def _summaries(text: str, group: Any) -> str:
    """The lists of commands with whole sentences in place of cut ones."""
    for name, command in getattr(group, "commands", {}).items():
        summary = " ".join((command.help or "").split("\n\n")[0].split())
        text = re.sub(
            rf"^\* `{name}`: .*\.\.\.$", f"* `{name}`: {summary}", text, flags=re.MULTILINE
        )
    return text


def examples_fenced(text: str) -> str:
    """The help with the examples of its commands, which stand last, as blocks of code."""

    def fenced(match: re.Match[str]) -> str:
        lines = [line.strip() for line in match[1].splitlines() if line.strip()]
        return "**Examples**:\n\n```bash\n" + "\n".join(lines) + "\n```\n\n"

    return re.sub(r"^Examples:\n(.*?)(?=^\*\*)", fenced, text, flags=re.MULTILINE | re.DOTALL)


def _module(name: str) -> str:
    """A module's entry; what it takes from another module stands there."""
    chosen = MEMBERS.get(name)
    return f"::: {name}" + (f"\n    options:\n      members: {chosen}" if chosen else "")


def _uri(title: str) -> str:
    return f"api/{title.lower().replace(' ', '-')}.md"
