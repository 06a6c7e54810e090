"""``degrade-cli build | export | validate | push | replay | demo``. Heavy imports stand inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from builders.cli_build import bar, build, built
from degrade import completion
from degrade.console import (
    EXIT_FOUND,
    EXIT_QUARANTINE,
    AsJson,
    Device,
    OutFolder,
    Overwrite,
    Patience,
    Quiet,
    Workers,
    out,
    path,
    print_json,
    progress_bar,
    resumable,
    say,
)
from degrade.storage import PATIENCE, place

if TYPE_CHECKING:
    from builders.dataset import ChainsStage

__all__ = ["build", "demo", "export", "formats", "push", "replay", "validate"]


def _formats() -> list[str]:
    from builders.export import formats as known

    return list(known())


def export(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A data set that was built; path or URL.")
    ],
    dest: OutFolder,
    to: Annotated[
        str,
        typer.Option(
            help="Format; `degrade-cli formats` lists them.",
            autocompletion=completion.among(_formats),
        ),
    ],
    split: Annotated[
        list[str] | None, typer.Option(help="Only this split; may be repeated. (default: all)")
    ] = None,
    use: Annotated[str | None, typer.Option(help="Only rows for this use: sft, rl.")] = None,
    patience: Patience = PATIENCE,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a data set in the format of a trainer or evaluator.

    Examples:
        degrade-cli export data data-llamafactory --to llamafactory

        degrade-cli export data data-grpo --to trl-grpo --use rl
    """
    from builders import exporting
    from builders.table import Dataset

    with progress_bar("exporting", quiet or as_json) as progress:
        result = exporting.export(
            Dataset(place(data, patience)),
            to,
            dest,
            splits=split or (),
            use=use,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        print_json(result)
    elif result["already_finished"] and not quiet:
        say(f"{dest} is finished already: {result['rows']} rows. Nothing to do.")
    elif not quiet:
        say(f"{result['rows']} rows in {dest}.")
        for reason, number in result["left_out"].items():
            say(f"{number} left out: {reason}", "yellow")


def formats(as_json: AsJson = False) -> None:
    """List the formats of `export` and `validate`.

    Examples:
        degrade-cli formats
    """
    from builders.export import formats as known

    if as_json:
        print_json({name: fmt.summary for name, fmt in known().items()})
        return
    table = Table("format", "what it is for", box=None)
    for name, fmt in known().items():
        table.add_row(name, fmt.summary)
    out.print(table)


def validate(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="A data set or an export; path or URL.")
    ],
    sample: Annotated[
        int | None,
        typer.Option(min=0, help="Rows to replay from their records; 0: all. (default: 64)"),
    ] = None,
    workers: Workers = None,
    patience: Patience = PATIENCE,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Check a data set or an export as its readers would meet it; exit 1 where something is wrong.

    Pictures open, chains parse and agree with the records, records replay, nothing is there twice,
    splits share no picture.

    Examples:
        degrade-cli validate data

        degrade-cli validate data-llamafactory --sample 0 --json
    """
    from builders.validate import report_table
    from builders.validate import validate as check

    with progress_bar("validating", quiet or as_json) as progress:
        report = check(place(folder, patience), sample=sample, workers=workers, progress=progress)
    if as_json:
        print_json(report.as_json())
    elif not quiet or not report.ok:
        report_table(report)
    if not report.ok:
        raise typer.Exit(EXIT_FOUND)


@resumable
def push(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A data set that was built.", parser=path)
    ],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Hub name: user/name.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be uploaded; send nothing.")
    ] = False,
    recipe_only: Annotated[
        bool,
        typer.Option(
            "--recipe-only", help="Publish records, questions and chains without pictures."
        ),
    ] = False,
    accept_licenses: Annotated[
        bool,
        typer.Option(
            "--accept-licenses", help="I have read the terms that a name such as `other` hides."
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another data set that REPO holds.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Publish a data set on the Hugging Face Hub; the same command goes on after an interruption.

    The token comes from `hf auth login` or HF_TOKEN.

    Examples:
        degrade-cli push data user/name --private --dry-run

        degrade-cli push data user/name --recipe-only
    """
    from builders import hub

    with progress_bar("uploading", quiet or as_json) as progress:
        result = hub.push(
            folder,
            repo,
            private=private,
            dry_run=dry_run,
            recipe_only=recipe_only,
            accept_licenses=accept_licenses,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        print_json(result)
    elif not quiet:
        hub.show(result)


@resumable
def replay(
    recipe: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE.parquet", help="A published table without pictures.", parser=path
        ),
    ],
    dest: OutFolder,
    source: Annotated[
        str | None,
        typer.Option(
            help="Where the clean pictures are: KIND:PATH[,key=value ...]. Drawn scenes need none."
        ),
    ] = None,
    device: Device = "auto",
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make the pictures of a published recipe again from your copy of the source.

    Examples:
        degrade-cli replay recipe.parquet out --source folder:photos
    """
    from builders import replay as replaying
    from builders.sources.spelled import spelled

    with progress_bar("replaying", quiet or as_json) as progress:
        result = replaying.replay(
            recipe,
            spelled(source) if source else None,
            dest,
            device=device,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    counts = result["counts"]
    made = counts["replay"]
    total = sum(made.values()) + counts["quarantined"]
    if as_json:
        print_json(result)
    elif not quiet:
        say(f"{made.get('identical', 0)} of {total} pictures in {dest} are the published bytes.")
        for outcome, number in {**made, **counts["failures"]}.items():
            if outcome != "identical":
                say(f"{number}: {outcome}", "yellow")
    if made.get("identical", 0) < total:
        raise typer.Exit(EXIT_QUARANTINE)


@resumable
def demo(
    ctx: typer.Context,
    dest: OutFolder,
    rows: Annotated[int, typer.Option(min=12, help="Rows in all.")] = 220,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Everything once, on drawn scenes: degrade, annotate, build, validate, a page to look at.

    Examples:
        degrade-cli demo demo
    """
    from builders import recipe as recipes
    from builders.card import as_html, write_card
    from builders.dataset import Build, Machine
    from builders.validate import report_table
    from builders.validate import validate as check

    chosen, base = recipes.load("demo")
    chosen = chosen.scaled(rows / chosen.rows)
    stage: ChainsStage = ctx.find_root().obj
    made = Build(
        chosen,
        base,
        dest,
        stage,
        lambda folder: write_card(folder, "degrade-cli demo OUT"),
        Machine("cpu", None, workers),
    )
    silent = quiet or as_json
    result = made.run(bar(silent), overwrite)
    failed = built(dest, result, as_json=False, quiet=silent)
    with progress_bar("validating", silent) as progress:
        report = check(dest, workers=workers, progress=progress)
    page = as_html(dest)
    if as_json:
        built_info = {**(result.info or {}), "already_finished": result.already_finished}
        print_json({"page": str(page), "data": built_info, "validation": report.as_json()})
    elif not quiet or not report.ok:
        report_table(report)
    if not silent:
        say(f"Open {page} to look at it; `datasets.load_dataset({str(dest)!r})` loads it.")
    if not report.ok or failed:
        raise typer.Exit(EXIT_FOUND if not report.ok else EXIT_QUARANTINE)
