"""``degrade-cli report``. Heavy imports stand inside the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from degrade.console import AsJson, Quiet, print_json, say
from degrade.errors import StoppedError, UserError


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="EVAL ...",
            help="Folders that `evaluate` wrote; the further ones are compared with the first.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(help="Folder for report.html and report.md. [default: the first EVAL]"),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Of a model, for the page; one for each EVAL, in order."),
    ] = None,
    bench: Annotated[
        Path | None,
        typer.Option(help="The benchmark. [default: where it was when it was evaluated]"),
    ] = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPERATOR",
            help="That training has not seen; may be repeated. [default: what the benchmark's "
            "recipe lists as held out]",
        ),
    ] = None,
    failures: Annotated[
        int, typer.Option(min=0, max=100, help="Wrong answers to show with their pictures.")
    ] = 8,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make one page of evaluations: curves, maps, perception, tokens, failures, comparison.

    Writes report.html, which needs no network, and its tables as report.md. Nothing is asked again.

    Examples:
        degrade-cli report eval

        degrade-cli report eval-base eval-trained --name base --name trained --to report
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
