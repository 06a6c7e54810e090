"""``degrade-cli``. Heavy imports stand inside the commands, so that help is quick."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from annotate.cli import Chains, annotate
from builders import cli as builders
from degrade import __version__
from degrade import cli_look as look
from degrade.console import (
    EXIT_QUARANTINE,
    AsJson,
    Device,
    Patience,
    Quiet,
    Workers,
    err,
    out,
    print_json,
    progress_bar,
    say,
)
from degrade.errors import UserError
from degrade.storage import PATIENCE, Place
from trainer import cli as trainer

CLUSTER = "Cluster"
EXIT_DIFFERS, EXIT_USER, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="degrade-cli",
    help="Degrade pictures realistically, with a record of what was done that replays.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Exit codes: 0 done, 1 verify found a difference, 2 a mistake or a full disk (the "
    "message says what to do), 3 done but some rows failed, 130 interrupted.",
)


def main() -> None:
    """Entry point: runs a command and turns what users can mend into a message."""
    from degrade.errors import StoppedError

    try:
        app()
    except (UserError, StoppedError) as error:
        err.print(Text.assemble(("Error: ", "bold red"), str(error)))
        sys.exit(EXIT_USER)
    except SystemExit as end:  # typer makes one of a KeyboardInterrupt
        if end.code == EXIT_INTERRUPTED:
            err.print("Interrupted. Finished shards are kept: the same command goes on.")
        raise
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing can be printed any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(value: bool) -> None:
    if value:
        typer.echo(f"degrade-cli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and exit.")
    ] = False,
) -> None:
    ctx.obj = Chains()  # the one thing that a build takes from annotate


# -------------------------------------------------------------------------------------- synth


@app.command()
def synth(
    src: Annotated[
        str, typer.Argument(metavar="SRC", help="Folder of pictures, or one picture; path or URL.")
    ],
    dest: Annotated[str, typer.Argument(metavar="OUT", help="Folder to write; path or URL.")],
    recipe: Annotated[str, typer.Option(help="Preset name or .yaml file.")] = "robust-r1",
    op: Annotated[
        list[str] | None, typer.Option(help="Only this operator; may be repeated.")
    ] = None,
    intensity: Annotated[
        float | None, typer.Option(min=0, max=1, help="This intensity for all, two decimals.")
    ] = None,
    families: Annotated[
        Literal["seen", "unseen"] | None,
        typer.Option(help="Only operators of this half of the families; see `families`."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Root seed of all draws.")] = 0,
    copies: Annotated[int, typer.Option(min=1, help="Degraded versions per picture.")] = 1,
    max_side: Annotated[
        int | None, typer.Option(min=1, help="Reduce larger pictures to this side, in pixels.")
    ] = None,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Refuse larger pictures (decompression bombs).")
    ] = 100_000_000,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N pictures.")] = None,
    fmt: Annotated[
        Literal["folder", "parquet"], typer.Option("--format", help="What to write.")
    ] = "folder",
    encode: Annotated[
        Literal["png", "jpg", "webp", "keep"],
        typer.Option(
            help="png and webp are lossless. jpg is quality 95 and noted in each row; keep follows "
            "the source."
        ),
    ] = "png",
    split: Annotated[str, typer.Option(help="Name of the split in Parquet file names.")] = "train",
    device: Device = "auto",
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pictures per batch. (default: 1 on CPU, 16 on CUDA)",
            rich_help_panel="Machine",
        ),
    ] = None,
    workers: Workers = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Threads of this machine, or a Ray cluster.", rich_help_panel=CLUSTER),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a running Ray cluster, or auto (default: one of this machine, for this run).",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    ray_workers: Annotated[
        int | None,
        typer.Option(min=1, help="(default: one a CPU or GPU)", rich_help_panel=CLUSTER),
    ] = None,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Local paths mean the same files on all machines of the cluster.",
            rich_help_panel=CLUSTER,
        ),
    ] = False,
    patience: Patience = PATIENCE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in OUT.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Insist on going on with an unfinished run.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Degrade every picture of a folder and record what was done.

    The same command over an unfinished run goes on with it, over a finished one does nothing.

    Examples:
        degrade-cli synth photos out

        degrade-cli synth photos out --recipe single --op motion_blur --intensity 0.4

        degrade-cli synth s3://bucket/photos s3://bucket/out --format parquet

        degrade-cli synth s3://bucket/photos s3://bucket/out --engine ray --address auto
    """
    from degrade import recipe as recipes
    from degrade.executor import Options, Synth
    from degrade.storage import place

    chosen = recipes.load(recipe).narrowed(op or (), intensity, families)
    options = Options(
        copies=copies,
        max_side=max_side,
        max_pixels=max_pixels,
        device=device,
        batch=batch,
        workers=workers,
        format=fmt,
        encode=encode,
        split=split,
        limit=limit,
        away=engine == "ray" and address is not None,
    )
    on_cluster = _cluster(engine, address, ray_workers, shared)
    source, out_folder = place(src, patience), place(dest, patience)
    run = Synth(source, out_folder, chosen, seed, options)
    with progress_bar("degrading", quiet) as progress:
        result = run.run(overwrite, resume, progress, on_cluster)
    counts = result["counts"]
    if result["already_finished"] and not quiet:
        say(f"{dest} is finished already: {counts['rows']} pictures. Nothing to do.")
    elif not quiet:
        _summary(out_folder, result)
    if counts["failed"]:
        raise typer.Exit(EXIT_QUARANTINE)


def _cluster(engine: str, address: str | None, workers: int | None, shared: bool) -> Any:
    given = {"--address": address, "--ray-workers": workers, "--shared": shared}
    if engine == "ray":
        from degrade.ray_engine import RayEngine

        return RayEngine(address, workers, shared)
    for name, value in given.items():
        if value:
            raise UserError(f"{name} is for --engine ray.")
    return None


def _summary(dest: Place, result: dict[str, Any]) -> None:
    from degrade import ops
    from degrade.schema import STAGES

    counts = result["counts"]
    table = Table("stage", "operator", box=None)
    table.add_column("pictures", justify="right")
    for stage in STAGES:
        names = [n for n in counts["operators"] if ops.get(n).stage == stage]
        if names:
            table.add_row(f"[bold]{stage}[/]", "", f"[bold]{counts['stages'][stage]}[/]")
        for name in names:
            table.add_row("", name, str(counts["operators"][name]))
    out.print(table)
    say(
        f"{counts['rows']} pictures ({counts['clean']} left clean) in {dest}, "
        f"fingerprint {result['fingerprint']}"
    )
    if result["ignored_files"]:
        say(f"{result['ignored_files']} other files in the source were ignored.")
    for reason, number in counts["failures"].items():
        say(f"{number} in quarantine: {reason} (see {dest / 'quarantine.jsonl'})", "yellow")


@app.command()
def verify(
    run: Annotated[str, typer.Argument(metavar="OUT", help="A finished run; path or URL.")],
    sample: Annotated[
        int | None, typer.Option(min=1, help="Check N rows, spread over the run.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the clean pictures are, if they moved.")
    ] = None,
    device: Device = "auto",
    workers: Workers = None,
    patience: Patience = PATIENCE,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Replay the records of a run and compare with its pictures; exit 1 where one differs."""
    from degrade.runs import host_threads
    from degrade.storage import place
    from degrade.verify import Verifier

    count = host_threads(workers)
    moved = place(source, patience) if source else None
    verifier = Verifier(place(run, patience), moved, device, count)
    total = min(sample or verifier.total, verifier.total)
    differences, checked = [], 0
    with progress_bar("replaying", quiet or as_json) as progress:
        for difference in verifier.check(sample):
            checked += difference is None or bool(difference.id)
            progress(checked, total)
            if difference:
                differences.append(difference)
    if as_json:
        print_json({"checked": checked, "differences": [vars(d) for d in differences]})
    elif differences:
        for d in differences:
            typer.echo(f"{d.file_name}: {d.problem}")
    if not quiet and not as_json:
        good = checked - sum(bool(d.id) for d in differences)
        out.print(f"{good} of {checked} rows replay.")
    if differences:
        raise typer.Exit(EXIT_DIFFERS)


app.command("ops")(look.list_operators)
app.command("families")(look.list_families)
app.command("recipes")(look.list_recipes)
app.command()(look.preview)
app.command()(look.gallery)
app.command()(annotate)
app.add_typer(builders.build, name="build")
app.add_typer(trainer.train, name="train")
app.command()(trainer.ask)
app.command()(trainer.evaluate)
app.command()(trainer.report)
for _command in (
    builders.export,
    builders.formats,
    builders.validate,
    builders.push,
    builders.replay,
    builders.demo,
):
    app.command()(_command)


if __name__ == "__main__":
    main()
