"""``degrade-cli build dataset | benchmark``. Heavy imports stand inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from degrade import completion
from degrade.console import (
    EXIT_QUARANTINE,
    AsJson,
    Device,
    Overwrite,
    Patience,
    Quiet,
    Workers,
    out,
    print_json,
    progress_bar,
    resumable,
    say,
)
from degrade.storage import PATIENCE, Place, place

if TYPE_CHECKING:
    from builders.benchmark import BenchmarkRecipe
    from builders.dataset import Bar, ChainsStage, Result

build = typer.Typer(
    help="Build data sets, and benchmarks at several levels of damage.", no_args_is_help=True
)

Batch = Annotated[
    int | None, typer.Option(min=1, help="Pictures per batch.", rich_help_panel="Machine")
]
KeepStages = Annotated[
    bool,
    typer.Option("--keep-stages", help="Keep OUT.build, what the stages wrote."),
]
Destination = Annotated[str, typer.Argument(metavar="OUT", help="Folder to write; path or URL.")]
Seed = Annotated[int | None, typer.Option(help="Instead of the recipe's.")]


def bar(quiet: bool) -> Bar:
    """Opens progress bars for stages."""

    @contextmanager
    def opened(what: str) -> Iterator[Any]:
        with progress_bar(what, quiet) as progress:
            yield progress

    return opened


@build.command("dataset")
@resumable
def build_dataset(
    ctx: typer.Context,
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="Preset (robust-r1-11k, demo) or .yaml file.",
            autocompletion=completion.presets("builders", "recipes"),
        ),
    ],
    dest: Destination,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND:PATH[,key=value ...] put before the recipe's own sources; may be repeated."
        ),
    ] = None,
    scale: Annotated[
        float,
        typer.Option(min=0.0001, max=1e6, help="Multiply the rows of all splits, to try a recipe."),
    ] = 1.0,
    seed: Seed = None,
    device: Device = "auto",
    batch: Batch = None,
    workers: Workers = None,
    patience: Patience = PATIENCE,
    keep_stages: KeepStages = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build a data set: collect, degrade, annotate, assemble.

    The same command goes on with an unfinished build and does nothing to a finished one.

    Examples:
        degrade-cli build dataset robust-r1-11k data --source folder:photos,license=CC0-1.0

        degrade-cli build dataset my.yaml data

        degrade-cli build dataset my.yaml s3://bucket/data
    """
    from builders import recipe as recipes
    from builders.card import write_card
    from builders.dataset import Build, Machine
    from builders.sources.spelled import shown, spelled
    from degrade.configs import is_yaml

    beside = Path(recipe).resolve().parent if is_yaml(recipe) else None
    changes: dict[str, Any] = {"sources": [spelled(text, beside) for text in source or ()]}
    if seed is not None:
        changes["seed"] = seed
    chosen, base = recipes.load(recipe, changes)
    if scale != 1.0:
        chosen = chosen.scaled(scale)
    stage: ChainsStage = ctx.find_root().obj
    command = f"degrade-cli build dataset {Path(recipe).name} OUT"
    command += "".join(f" \\\n    --source {shown(text)}" for text in source or ())
    command += f" --scale {scale:g}" if scale != 1.0 else ""
    command += f" --seed {seed}" if seed is not None else ""
    folder = place(dest, patience)
    made = Build(
        chosen.patient(patience),
        base,
        folder,
        stage,
        lambda here: write_card(here, command),
        Machine(device, batch, workers),
    )
    result = made.run(bar(quiet or as_json), overwrite, keep_stages)
    if built(folder, result, as_json, quiet):
        raise typer.Exit(EXIT_QUARANTINE)


@build.command("benchmark")
@resumable
def build_benchmark(
    src: Annotated[
        str,
        typer.Argument(
            metavar="SRC",
            help="Preset (mmstar, realworldqa, mmmb, a-okvqa, r-bench, scenes), .yaml file, or "
            "KIND:PATH[,key=value ...].",
            autocompletion=completion.presets("builders", "benchmark/recipes"),
        ),
    ],
    dest: Destination,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Your copy of the source: a TSV of VLMEvalKit, Parquet, a folder."
        ),
    ] = None,
    level: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Intensity, besides the undamaged picture; may be repeated. (default: 0.25, 0.5, "
            "1.0)",
        ),
    ] = None,
    protocol: Annotated[
        Literal["degrade", "robust-r1"] | None,
        typer.Option(help="robust-r1: the published formulas at 0.23, 0.45 and 0.9."),
    ] = None,
    training: Annotated[
        Literal["all", "seen", "unseen"] | None,
        typer.Option(help="Only operators that training has seen, or those held out of it."),
    ] = None,
    op: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this operator; may be repeated.", autocompletion=completion.operators
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Operators per item. (default: 1)")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many items.")] = None,
    seed: Seed = None,
    device: Device = "auto",
    batch: Batch = None,
    workers: Workers = None,
    patience: Patience = PATIENCE,
    keep_stages: KeepStages = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build a benchmark: every item undamaged and at several levels, with records of the damage.

    The levels of an item share the operator and every draw but strength; questions and answers stay
    as they are. The same command goes on with an unfinished build.

    Examples:
        degrade-cli build benchmark scenes bench --limit 100

        degrade-cli build benchmark mmstar bench --data MMStar.tsv --training unseen

        degrade-cli build benchmark folder:photos,questions=questions.jsonl bench
    """
    from builders import benchmark
    from builders.card import write_card
    from builders.sources.spelled import shown, spelled
    from builders.staged import Machine

    told = {"levels": level, "protocol": protocol, "training": training, "operators": op}
    changes: dict[str, Any] = {key: value for key, value in told.items() if value is not None}
    changes |= {} if count is None else {"count": {count: 1.0}}
    changes |= {} if seed is None else {"seed": seed}
    base = Path.cwd()
    if ":" in src:
        chosen: BenchmarkRecipe = benchmark.from_source(spelled(src), changes)
        command = f"degrade-cli build benchmark {shown(src)} OUT"
    else:
        chosen, base = benchmark.load(src, changes)
        command = f"degrade-cli build benchmark {Path(src).name} OUT"
    if data is not None:
        chosen = chosen.reading(str(Path(data).resolve()) if Path(data).exists() else data)
        command += f" --data {Path(data).name if Path(data).exists() else data}"
    if limit is not None:
        chosen = chosen.limited(limit)
    options: dict[str, Any] = {
        "level": level,
        "protocol": protocol,
        "training": training,
        "op": op,
        "count": count,
        "limit": limit,
        "seed": seed,
    }
    for name, given in options.items():
        values = given if isinstance(given, list) else [given]
        command += "".join(f" --{name} {value}" for value in values if value is not None)
    folder = place(dest, patience)
    made = benchmark.BenchmarkBuild(
        chosen.patient(patience),
        base,
        folder,
        lambda here: write_card(here, command),
        Machine(device, batch, workers),
    )
    result = made.run(bar(quiet or as_json), overwrite, keep_stages)
    assert result.info is not None  # nothing here waits for anybody
    counts = result.info["counts"]
    if as_json:
        print_json({**result.info, "already_finished": result.already_finished})
    elif result.already_finished and not quiet:
        say(f"{folder} is finished already: {counts['rows']} rows. Nothing to do.")
    elif not quiet:
        table = Table("split", box=None)
        for heading in ("level", "rows", "pictures", "operators"):
            table.add_column(heading, justify="right")
        for split, of in chosen.splits.items():
            found = counts["splits"][split]
            cells = (f"{of:g}", found["rows"], found["groups"], len(found["operators"]))
            table.add_row(split, *map(str, cells))
        out.print(table)
        _told(folder, result)
    if counts["quarantined"]:
        raise typer.Exit(EXIT_QUARANTINE)


def built(dest: Place, result: Result, as_json: bool, quiet: bool) -> bool:
    """Say what a build did; whether some rows are failed ones."""
    if result.info is None:
        if as_json:
            print_json({"pending": ["a batch of chains is not back yet"]})
        else:
            say("A batch of chains is not back yet. Give the same command later to go on.")
        return False
    counts = result.info["counts"]
    if as_json:
        print_json({**result.info, "already_finished": result.already_finished})
    elif result.already_finished and not quiet:
        say(f"{dest} is finished already: {counts['rows']} rows. Nothing to do.")
    elif not quiet:
        table = Table("split", box=None)
        for heading in ("rows", "accepted chains", "clean", "pictures"):
            table.add_column(heading, justify="right")
        for split, found in counts["splits"].items():
            values = (found[key] for key in ("rows", "ok", "clean", "groups"))
            table.add_row(split, *map(str, values))
        out.print(table)
        for reason, number in _refused(counts).items():
            say(
                f"{number} without an accepted chain: {reason} (column `detail` says why)", "yellow"
            )
        _told(dest, result)
    return bool(counts["ok"] < counts["rows"] or counts["quarantined"])


def _refused(counts: dict[str, Any]) -> Counter[str]:
    """Why rows have no accepted chain."""
    found = Counter[str]()
    for split in counts["splits"].values():
        found.update({k: n for k, n in split["statuses"].items() if k != "ok"})
    return found


def _told(dest: Place, result: Result) -> None:
    """Say what is in quarantine, how many rows there are and where the time went."""
    assert result.info is not None
    counts = result.info["counts"]
    for reason, number in counts["failures"].items():
        say(f"{number} in quarantine: {reason} (see {dest / 'quarantine.jsonl'})", "yellow")
    total = sum(result.seconds.values()) or 1.0
    spent = ", ".join(f"{k} {v:.1f} s ({v / total:.0%})" for k, v in result.seconds.items())
    say(f"{counts['rows']} rows in {dest}, fingerprint {result.info['fingerprint']}. {spent}.")
