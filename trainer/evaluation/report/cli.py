"""``degrade-cli report`` of evaluations. Heavy imports stand inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from degrade.console import print_json, say
from degrade.errors import StoppedError, UserError
from degrade.storage import Place

EVALUATION = "Evaluations"

Name = Annotated[
    list[str] | None,
    typer.Option(
        help="Of a model, for the page; one for each EVAL, in order.", rich_help_panel=EVALUATION
    ),
]
Bench = Annotated[
    str | None,
    typer.Option(
        help="The benchmark; path or URL. (default: where it was when it was evaluated)",
        rich_help_panel=EVALUATION,
    ),
]
Unseen = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OPERATOR",
        help="That training has not seen; may be repeated. (default: what the benchmark's "
        "recipe lists as held out)",
        rich_help_panel=EVALUATION,
    ),
]
Failures = Annotated[
    int,
    typer.Option(
        min=0,
        max=100,
        help="Wrong answers to show with their pictures.",
        rich_help_panel=EVALUATION,
    ),
]


def is_evaluation(folder: Path) -> bool:
    """Whether `evaluate` has written a folder."""
    from trainer.evaluation.records import SUMMARY

    return (folder / SUMMARY).exists()


def report(
    folders: list[Path],
    to: Path | None,
    name: list[str] | None,
    bench: Place | None,
    unseen: list[str] | None,
    failures: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the page of evaluations, ``report.html``, and its tables as ``report.md``.

    Args:
        folders: Of evaluations, the reference first.
        to: Folder to write; by default the first evaluation's.
        name: Of the models, for the page.
        bench: The benchmark, if it moved.
        unseen: Operators that training has not seen.
        failures: How many to show.
        as_json: Print JSON.
        quiet: Print nothing else.

    Raises:
        UserError: Not finished evaluations of one benchmark, or an option that does not fit them.
        StoppedError: The page cannot be written.
    """
    from degrade.runs import write_atomic
    from trainer.evaluation.report import page
    from trainer.evaluation.report.read import benchmark_of, read

    models = read(folders, name or ())
    found = benchmark_of(models, bench) if failures or bench else None
    held_out = page.check_unseen(models, unseen) if unseen else page.unseen_of(models, found)
    shown = page.content(models, found, held_out, failures)
    out = to or folders[0]
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file. Give a folder to write.")
    written = [out / page.HTML, out / page.MARKDOWN]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in written:
            write_atomic(path, page.render(shown, path.name).encode())
    except OSError as error:
        raise StoppedError(f"Stopped: {error.strerror or error} ({out}).") from None
    if as_json:
        print_json(
            {
                "kind": "evaluation",
                "html": str(written[0]),
                "markdown": str(written[1]),
                "models": [{"tag": m.tag, "name": m.name, "folder": str(m.folder)} for m in models],
                "failures": len(shown["samples"]),
            }
        )
    elif not quiet:
        for model in models:
            say(f"{model.tag}  {model.name}")
        say(f"Open {written[0]}; its tables are in {written[1]}.")


def page_of(folder: Path) -> str:
    """The page of one evaluation as HTML, without its pictures; nothing is written.

    Raises:
        UserError: Not a finished evaluation.
    """
    from trainer.evaluation.report import page
    from trainer.evaluation.report.read import read

    models = read([folder], ())
    return page.render(page.content(models, None, page.unseen_of(models, None), 0), page.HTML)
