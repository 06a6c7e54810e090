"""What all commands share: consoles, common options, the progress bar. No heavy imports."""

from __future__ import annotations

import functools
import inspect
import json
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

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

from degrade.completion import devices
from degrade.errors import HaltedError, UserError
from degrade.urls import local

EXIT_FOUND, EXIT_USER, EXIT_QUARANTINE, EXIT_INTERRUPTED = 1, 2, 3, 130
EXITS = {
    0: "done",
    EXIT_FOUND: "`verify` or `validate` found something wrong",
    EXIT_USER: "a mistake, or a full disk: the message says what to do",
    EXIT_QUARANTINE: "done, but some rows failed and are kept with their reason; of `ask`: the "
    "answer is no chain",
    EXIT_INTERRUPTED: "interrupted: what is finished is kept",
}
"""What the exit codes of all commands mean; help and docs say it from here."""

out = Console(soft_wrap=False)
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Start anew: replace what another run left in OUT.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Insist on going on with an unfinished run; refuse to begin."),
]
Device = Annotated[
    str,
    typer.Option(
        help="auto, cpu, cuda or cuda:N; `synth` takes several: cuda:0,cuda:1.",
        rich_help_panel="Machine",
        autocompletion=devices,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Host threads. (default: all cores, more for stores)", rich_help_panel="Machine"
    ),
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


def path(text: str) -> Path:
    """A name of this machine, as given on the command line: the parser of what can be no URL.

    Raises:
        typer.BadParameter: It is one; as a name it would be that of a new folder here.
    """
    try:
        return local(text)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None


OutFolder = Annotated[
    Path, typer.Argument(metavar="OUT", help="Folder to write, on this machine.", parser=path)
]

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
    typer.Option(
        help="File of paid answers (default: OUT.sqlite; name one where OUT is a URL).",
        parser=path,
        rich_help_panel=LIMITS,
    ),
]
Concurrency = Annotated[int, typer.Option(help="Most requests in flight.", rich_help_panel=LIMITS)]
PerMinute = Annotated[float | None, typer.Option(rich_help_panel=LIMITS)]
MaxCost = Annotated[float | None, typer.Option(help="US dollars.", rich_help_panel=LIMITS)]
PricesFile = Annotated[
    Path | None, typer.Option(help="Your price table (YAML).", parser=path, rich_help_panel=LIMITS)
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


def flowed(text: str) -> str:
    """A docstring whose paragraphs break where the terminal ends, not where the source does."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def flow_help(app: typer.Typer) -> None:
    """Let the help of all commands flow: typer keeps the line breaks of docstrings."""
    for command in app.registered_commands:
        text = flowed(command.help or inspect.getdoc(command.callback) or "")
        command.help = text.replace("Examples: degrade-cli", "Examples:\ndegrade-cli")
    for group in app.registered_groups:
        if group.typer_instance:
            flow_help(group.typer_instance)


def say(text: str, style: str = "") -> None:
    """One line, whatever the width: names in it may hold what rich would take for markup."""
    from degrade.sources import printable

    out.print(Text(printable(text), style), soft_wrap=True)


P = ParamSpec("P")
R = TypeVar("R")


def resumable(command: Callable[P, R]) -> Callable[P, R]:
    """A command that goes on where it was interrupted; told so, the user need not guess."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            raise HaltedError from None

    return run


@contextmanager
def stoppable(what: str) -> Iterator[Callable[[], bool]]:
    """Gives what tells a job whether to stop at its next good place: after ^C. A second ^C ends it
    where it stands.

    Args:
        what: What is finished first, for people.
    """
    asked = threading.Event()

    def hear(*_: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        err.print(f"Finishing {what}. ^C once more stops at once; nothing finished is lost.")

    deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as a shell's background jobs are
    if deaf or threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, hear)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def going_on() -> str:
    """The command line that goes on with what this one began: the same, but never anew."""
    return shlex.join(["degrade-cli", *(word for word in sys.argv[1:] if word != "--overwrite")])


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
