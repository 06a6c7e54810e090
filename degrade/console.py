"""What all commands share: consoles, common options, the progress bar. No heavy imports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EXIT_QUARANTINE = 3
"""Finished, and some rows are failed ones, kept with their reason."""

out = Console(soft_wrap=False)
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel="Machine")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Host threads. (default: all cores)", rich_help_panel="Machine"),
]
Patience = Annotated[
    float,
    typer.Option(
        min=0,
        help="Seconds to go on asking a store that does not answer.",
        rich_help_panel="Machine",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]

ENDPOINT, LIMITS = "Endpoint", "Limits and money"
"""Panels of the help of what asks an endpoint; its options are `degrade.chat_options`'."""

BaseUrl = Annotated[
    str | None,
    typer.Option(help="Endpoint, up to /v1 (default: OpenAI's).", rich_help_panel=ENDPOINT),
]
KeyEnv = Annotated[
    str, typer.Option(help="Environment variable with the API key.", rich_help_panel=ENDPOINT)
]
MaxTokensName = Annotated[
    Literal["max_completion_tokens", "max_tokens"],
    typer.Option(help="How the endpoint calls it.", rich_help_panel=ENDPOINT),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(help="File of paid answers (default: OUT.sqlite).", rich_help_panel=LIMITS),
]
Concurrency = Annotated[int, typer.Option(help="Most requests in flight.", rich_help_panel=LIMITS)]
PerMinute = Annotated[float | None, typer.Option(rich_help_panel=LIMITS)]
MaxCost = Annotated[float | None, typer.Option(help="US dollars.", rich_help_panel=LIMITS)]
PricesFile = Annotated[
    Path | None, typer.Option(help="Your price table (YAML).", rich_help_panel=LIMITS)
]
BatchApi = Annotated[
    bool,
    typer.Option(
        "--batch-api",
        help="Submit to the batch endpoint, or collect what came back; repeat until done.",
        rich_help_panel=LIMITS,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Count requests, tokens, cost.", rich_help_panel=LIMITS),
]


def say(text: str, style: str = "") -> None:
    """One line, whatever the width: names in it may hold what rich would take for markup."""
    from degrade.sources import printable

    out.print(Text(printable(text), style), soft_wrap=True)


def print_json(value: Any) -> None:
    """JSON on stdout, for programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


class _Rate(ProgressColumn):
    """Pictures a second, of this run alone."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="cyan")


@contextmanager
def progress_bar(what: str, quiet: bool) -> Iterator[Any]:
    """A bar on stderr with rate and time left; silent where quiet or not a terminal."""
    columns: list[ProgressColumn] = [
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        started = False

        def update(done: int, total: int) -> None:
            nonlocal started
            if not started:  # what an earlier run did is no measure of this one's rate
                bar.reset(task, total=total, completed=done)
                started = True
            bar.update(task, completed=done, total=total)

        yield update
