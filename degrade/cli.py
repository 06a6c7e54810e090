"""``degrade-cli``. Heavy imports stand inside the commands, so that help is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from annotate.cli import Chains, annotate
from builders import cli as builders
from degrade import __version__, cli_report, completion
from degrade import cli_look as look
from degrade.cli_studio import studio_command
from degrade.console import (
    EXIT_FOUND,
    EXIT_INTERRUPTED,
    EXIT_QUARANTINE,
    EXIT_USER,
    EXITS,
    AsJson,
    Device,
    Overwrite,
    Patience,
    Quiet,
    Resume,
    Workers,
    err,
    flow_help,
    going_on,
    out,
    path,
    print_json,
    progress_bar,
    resumable,
    say,
    stoppable,
)
from degrade.errors import HaltedError, StoppedError, UserError
from degrade.storage import PATIENCE
from degrade.urls import protocol_of
from trainer import cli as trainer

CLUSTER = "Cluster"

app = typer.Typer(
    name="degrade-cli",
    help="Degrade pictures realistically, with a record of what was done that replays.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXITS.items()) + ".",
)


def main() -> None:
    """Entry point: runs a command and turns what users can mend into a message."""
    try:
        app()
    except (UserError, StoppedError) as error:
        err.print(Text.assemble(("Error: ", "bold red"), str(error)))
        sys.exit(EXIT_USER)
    except HaltedError as halted:
        after = f" after {halted.done}" if halted.done else ""
        err.print(f"Interrupted{after}. What is finished is kept; the same command goes on:")
        err.print(Text(f"  {going_on()}"))
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:  # typer makes one of a KeyboardInterrupt
        if end.code == EXIT_INTERRUPTED:
            err.print("Interrupted.")
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
@resumable
def synth(
    src: Annotated[
        str, typer.Argument(metavar="SRC", help="Folder of pictures, or one picture; path or URL.")
    ],
    dest: Annotated[str, typer.Argument(metavar="OUT", help="Folder to write; path or URL.")],
    recipe: Annotated[
        str, typer.Option(help="Preset name or .yaml file.", autocompletion=completion.recipes)
    ] = "robust-r1",
    op: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this operator; may be repeated.", autocompletion=completion.operators
        ),
    ] = None,
    intensity: Annotated[
        float | None, typer.Option(min=0, max=1, help="This intensity for all, two decimals.")
    ] = None,
    families: Annotated[
        Literal["common", "uncommon"] | None,
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
    overwrite: Overwrite = False,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Degrade every picture of a folder and record what was done.

    The same command over an unfinished run goes on with it, over a finished one does nothing. ^C
    lets the shard under way finish; a second one stops at once.

    Examples:
        degrade-cli synth photos out

        degrade-cli synth photos out --recipe single --op motion_blur --intensity 0.4

        degrade-cli synth s3://bucket/photos s3://bucket/out --format parquet

        degrade-cli synth s3://bucket/photos s3://bucket/out --engine ray --address auto
    """
    from degrade import recipe as recipes
    from degrade import timing
    from degrade.executor import Options, Synth, threads_for
    from degrade.storage import place
    from degrade.threads import host_threads

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
    task = run.work.task
    threads = ray_workers if on_cluster else threads_for(task, host_threads())
    silent = quiet or as_json
    with (
        progress_bar("degrading", silent) as progress,
        timing.measured(out_folder, engine, threads, task.device.type, progress) as clocked,
        stoppable("the shard under way") as stop,
    ):
        result = run.run(overwrite, resume, clocked, on_cluster, stop)
    counts = result["counts"]
    if as_json:
        print_json(result)
    elif result["already_finished"] and not quiet:
        say(f"{dest} is finished already: {counts['rows']} pictures. Nothing to do.")
    elif not quiet:
        look.summary(out_folder, result)
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
    """Replay the records of a run and compare with its pictures; exit 1 where one differs.

    Examples:
        degrade-cli verify out

        degrade-cli verify out --sample 100 --source photos
    """
    from degrade.storage import place
    from degrade.threads import host_threads
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
        raise typer.Exit(EXIT_FOUND)


@app.command()
def report(
    ctx: typer.Context,
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER ...",
            help="A run of `synth` or a data set that `build` wrote, path or URL; or evaluations: "
            "the further ones are compared with the first.",
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write report.html to. (default: beside a run or data set as "
            "FOLDER-report.html; in the first evaluation)",
            parser=path,
        ),
    ] = None,
    samples: cli_report.Samples = 12,
    source: cli_report.Source = None,
    name: trainer.Name = None,
    bench: trainer.Bench = None,
    unseen: trainer.Unseen = None,
    failures: trainer.Failures = 8,
    patience: Patience = PATIENCE,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make one page, which needs no network, of a run, a data set, or evaluations compared.

    Of a run or data set: what was asked and done, distributions, failures, pairs of pictures with
    a divider. Of evaluations: curves, maps, perception, failures, comparison, and report.md.

    Examples:
        degrade-cli report out

        degrade-cli report eval-base eval-trained --name base --name trained --to report
    """
    from degrade.storage import place

    evaluated = trainer.is_evaluation(Path(folders[0]))
    if not protocol_of(folders[0]) and not path(folders[0]).exists():
        raise UserError(
            f"There is no folder {folders[0]}. Give what `synth`, `build` or `evaluate` wrote."
        )
    others = {"samples", "source"} if evaluated else {"name", "bench", "unseen", "failures"}
    given = [o for o in sorted(others) if _said(ctx, o)]
    what = "an evaluation" if evaluated else "a run or data set"
    if given:
        raise UserError(f"--{given[0]} is not for {what}, which {folders[0]} is; leave it out.")
    if evaluated:
        trainer.report(
            [path(f) for f in folders],
            to,
            name,
            place(bench, patience) if bench else None,
            unseen,
            failures,
            as_json,
            quiet,
        )
        return
    if folders[1:]:
        raise UserError(f"One page is of one run or data set; {len(folders)} folders were given.")
    folder, moved = place(folders[0], patience), place(source, patience) if source else None
    cli_report.report(folder, to, samples, moved, as_json, quiet)


def _said(ctx: typer.Context, option: str) -> bool:
    """Whether an option was given rather than left at its default."""
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


app.command("ops")(look.list_operators)
app.command("families")(look.list_families)
app.command("recipes")(look.list_recipes)
app.command()(look.preview)
app.command()(look.gallery)
app.command()(studio_command(trainer.asker, trainer.page_of))
app.command()(annotate)
app.add_typer(builders.build, name="build")
app.add_typer(trainer.train, name="train")
app.command()(trainer.ask)
app.command()(trainer.evaluate)
for _command in (
    builders.export,
    builders.formats,
    builders.validate,
    builders.push,
    builders.replay,
    builders.demo,
):
    app.command()(_command)
flow_help(app)


if __name__ == "__main__":
    main()
