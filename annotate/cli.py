"""``degrade-cli annotate``. Heavy imports stand inside the command, so that help is quick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from annotate.options import DEFAULTS, AnnotateOptions, Stages, Structured, read_options
from degrade.console import (
    EXIT_QUARANTINE,
    AsJson,
    BaseUrl,
    BatchApi,
    Concurrency,
    DryRun,
    JournalFile,
    KeyEnv,
    MaxCost,
    MaxTokensName,
    Overwrite,
    Patience,
    PerMinute,
    PricesFile,
    Quiet,
    Resume,
    Workers,
    err,
    out,
    print_json,
    progress_bar,
    resumable,
    say,
)
from degrade.errors import UserError
from degrade.places import beside
from degrade.storage import PATIENCE, Place, Remote, place

MODEL = "Model (--writer llm)"


@resumable
def annotate(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A finished run of synth; path or URL.")
    ],
    dest: Annotated[
        str | None,
        typer.Argument(metavar="[OUT]", help="Folder to write; path or URL (default: RUN-chains)."),
    ] = None,
    writer: Annotated[
        Literal["offline", "llm"], typer.Option(help="Who writes: a grammar, or a model.")
    ] = DEFAULTS.writer,
    questions: Annotated[
        str | None,
        typer.Option(help="JSON lines: id or source_path, question, choices, answer, caption ..."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the clean pictures are, if they moved.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Root of the offline writer's choices.")
    ] = DEFAULTS.seed,
    model: Annotated[
        str, typer.Option(help="The provider's name.", rich_help_panel=MODEL)
    ] = DEFAULTS.model,
    base_url: BaseUrl = DEFAULTS.base_url,
    key_env: KeyEnv = DEFAULTS.key_env,
    stages: Annotated[
        Stages,
        typer.Option(
            help="A request per part, or one for all, which shows it the answer.",
            rich_help_panel=MODEL,
        ),
    ] = DEFAULTS.stages,
    structured: Annotated[
        Structured,
        typer.Option(
            help="Structured outputs; plain text for models without; or choice among phrases.",
            rich_help_panel=MODEL,
        ),
    ] = DEFAULTS.structured,
    pictures: Annotated[
        bool, typer.Option(help="Send pictures to the model.", rich_help_panel=MODEL)
    ] = DEFAULTS.pictures,
    reveal_answer: Annotated[
        bool,
        typer.Option("--reveal-answer", help="Tell it to the reasoning.", rich_help_panel=MODEL),
    ] = DEFAULTS.reveal_answer,
    attempts: Annotated[
        int, typer.Option(help="Tries per row until the checks pass.", rich_help_panel=MODEL)
    ] = DEFAULTS.attempts,
    temperature: Annotated[
        float | None, typer.Option(help="0 to 2.", rich_help_panel=MODEL)
    ] = DEFAULTS.temperature,
    judge: Annotated[
        str, typer.Option(help="Model that fills `answerable`.", rich_help_panel=MODEL)
    ] = DEFAULTS.judge,
    max_tokens_field: MaxTokensName = DEFAULTS.max_tokens_field,
    journal: JournalFile = DEFAULTS.journal,
    concurrency: Concurrency = DEFAULTS.concurrency,
    requests_per_minute: PerMinute = DEFAULTS.requests_per_minute,
    tokens_per_minute: PerMinute = DEFAULTS.tokens_per_minute,
    max_cost: MaxCost = DEFAULTS.max_cost,
    prices: PricesFile = DEFAULTS.prices,
    batch_api: BatchApi = DEFAULTS.batch_api,
    dry_run: DryRun = False,
    workers: Workers = None,
    patience: Patience = PATIENCE,
    overwrite: Overwrite = False,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a checked chain for every row of a run, beside it; the run is not touched.

    Examples:
        degrade-cli annotate out

        degrade-cli annotate s3://bucket/out --questions questions.jsonl

        degrade-cli annotate out --writer llm --model gpt-4o-mini --max-cost 5 --dry-run
    """
    given = {k: v for k, v in locals().items() if k in AnnotateOptions.model_fields}
    from annotate import job, report
    from degrade.chat_tables import estimate_table

    options = read_options(given)
    folder = place(run, patience)
    chains = place(dest, patience) if dest else _beside(folder)
    asked = place(questions, patience) if questions else None
    moved = place(source, patience) if source else None
    if dry_run:
        found = job.estimate_run(folder, chains, options, questions=asked, source=moved)
        if as_json:
            print_json(found)
        else:
            out.print(estimate_table(found))
        return
    told: list[str] = []

    def news(text: str) -> None:
        told.append(text)
        err.print(Text(text))  # at once, and not among what programs read

    with progress_bar("annotating", quiet or as_json) as progress:
        summary = job.annotate_run(
            folder,
            chains,
            options,
            questions=asked,
            source=moved,
            workers=workers,
            overwrite=overwrite,
            resume=resume,
            progress=progress,
            news=news,
        )
    if summary is None:
        if as_json:
            print_json({"pending": told})
        return
    if as_json:
        print_json(summary)
    elif not quiet:
        if summary["already_finished"]:
            say(f"{chains} is finished already. Nothing to do.")
        out.print(report.summary_table(summary))
        say(f"{summary['counts']['ok']} of {summary['counts']['rows']} chains accepted in {chains}")
    if summary["counts"]["ok"] < summary["counts"]["rows"]:
        raise typer.Exit(EXIT_QUARANTINE)


def _beside(run: Place) -> Place:
    if isinstance(run, Remote) and not run.parent.path.strip("/"):
        there = run / f"{run.name}-chains"
        raise UserError(f"{run} is a whole bucket: say where to write, such as {there}.")
    return beside(run, "-chains")


class Chains:
    """What a build takes from here; the command line hands it on. Imports when it is called."""

    @staticmethod
    def check(options: Mapping[str, Any]) -> None:
        """Refuse options that cannot work.

        Raises:
            UserError: An unknown key, or a value that is not allowed.
        """
        from annotate.options import read_options

        read_options(options)

    @staticmethod
    def write(run: Place, dest: Place, **options: Any) -> dict[str, Any] | None:
        """``annotate.job.write_chains``."""
        from annotate import job

        return job.write_chains(run, dest, **options)
