"""``degrade-cli annotate``. Heavy imports stand inside the command, so that help is quick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from degrade.console import (
    EXIT_QUARANTINE,
    AsJson,
    Quiet,
    Workers,
    out,
    print_json,
    progress_bar,
    say,
)
from degrade.errors import UserError

if TYPE_CHECKING:
    from annotate.annotator import ChainWriter
    from annotate.rows import Rows

MODEL = "Model (--writer llm)"
LIMITS = "Limits and money (--writer llm)"


def annotate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run of synth.")],
    dest: Annotated[
        Path | None, typer.Argument(metavar="[OUT]", help="Folder to write. [default: RUN-chains]")
    ] = None,
    writer: Annotated[
        Literal["offline", "llm"], typer.Option(help="Who writes: a grammar, or a model.")
    ] = "offline",
    questions: Annotated[
        Path | None,
        typer.Option(help="JSON lines: id or source_path, question, choices, answer, caption ..."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="Where the clean pictures are, if they moved.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Root of the offline writer's choices.")] = 0,
    model: Annotated[str, typer.Option(help="The provider's name.", rich_help_panel=MODEL)] = "",
    base_url: Annotated[
        str | None,
        typer.Option(help="Endpoint, up to /v1. [default: OpenAI's]", rich_help_panel=MODEL),
    ] = None,
    key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key.", rich_help_panel=MODEL)
    ] = "OPENAI_API_KEY",
    structured: Annotated[
        Literal["schema", "text", "slots"],
        typer.Option(
            help="Structured outputs; plain text for models without; or choice among phrases.",
            rich_help_panel=MODEL,
        ),
    ] = "schema",
    pictures: Annotated[
        bool, typer.Option(help="Send pictures to the model.", rich_help_panel=MODEL)
    ] = True,
    reveal_answer: Annotated[
        bool,
        typer.Option("--reveal-answer", help="Tell it to the reasoning.", rich_help_panel=MODEL),
    ] = False,
    attempts: Annotated[
        int, typer.Option(min=1, help="Tries per row until the checks pass.", rich_help_panel=MODEL)
    ] = 3,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, rich_help_panel=MODEL)] = None,
    judge: Annotated[
        str, typer.Option(help="Model that fills `answerable`.", rich_help_panel=MODEL)
    ] = "",
    max_tokens_field: Annotated[
        Literal["max_completion_tokens", "max_tokens"],
        typer.Option(help="How the endpoint calls it.", rich_help_panel=MODEL),
    ] = "max_completion_tokens",
    journal: Annotated[
        Path | None,
        typer.Option(help="Paid answers. [default: OUT.sqlite]", rich_help_panel=LIMITS),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, rich_help_panel=LIMITS)] = 8,
    requests_per_minute: Annotated[
        float | None, typer.Option(min=0.01, rich_help_panel=LIMITS)
    ] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(min=1, rich_help_panel=LIMITS)] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="US dollars.", rich_help_panel=LIMITS)
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="Your price table (YAML).", rich_help_panel=LIMITS)
    ] = None,
    batch_api: Annotated[
        bool,
        typer.Option(
            "--batch-api",
            help="Submit to the batch endpoint, or collect what came back; repeat until done.",
            rich_help_panel=LIMITS,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Count requests, tokens, cost.", rich_help_panel=LIMITS),
    ] = False,
    workers: Workers = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the chains in OUT.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Insist on going on with unfinished chains.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a checked chain for every row of a run, beside it; the run is not touched.

    Examples:
        degrade-cli annotate out

        degrade-cli annotate out --writer llm --model gpt-4o-mini --max-cost 5 --dry-run
    """
    from annotate.annotator import Annotator, OfflineWriter
    from annotate.rows import Rows

    rows = Rows(run, questions, source)
    dest = dest or run.with_name(f"{run.resolve().name}-chains")
    gateway = None
    chosen: ChainWriter
    if writer == "offline":
        if model or judge or batch_api or dry_run or reveal_answer or max_cost is not None:
            raise UserError("Options of models, such as --model and --judge, need --writer llm.")
        chosen = OfflineWriter(seed, workers or len(os.sched_getaffinity(0)))
    else:
        from annotate.gateway import Gateway
        from annotate.llm import LlmOptions, LlmWriter
        from degrade.chat import Endpoint, Limits

        if not model:
            raise UserError("--writer llm needs --model NAME.")
        options = LlmOptions(
            model=model,
            structured=structured,
            reveal_answer=reveal_answer,
            attempts=attempts,
            temperature=temperature,
            judge=judge,
            send_pictures=pictures,
        )
        endpoint = Endpoint(base_url=base_url, key_env=key_env, max_tokens_field=max_tokens_field)
        limits = Limits(
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_cost=max_cost,
        )
        path = journal or dest.with_name(f"{dest.name}.sqlite")
        gateway = Gateway(endpoint, path, limits, prices)
        chosen = LlmWriter(options, gateway.open, concurrency)
        if dry_run:
            _show(gateway.estimate(chosen, rows), as_json)
            return
        if batch_api and not gateway.batch(chosen, rows):
            say(gateway.news)
            return
    annotator = Annotator(rows, dest, chosen)
    with progress_bar("annotating", quiet or as_json) as progress:
        summary = annotator.run(overwrite=overwrite, resume=resume, progress=progress)
    if gateway is not None:
        summary["bill"] = gateway.bill()
    if as_json:
        print_json(summary)
    elif not quiet:
        _summary(dest, rows, summary)
    if summary["counts"]["ok"] < summary["counts"]["rows"]:
        raise typer.Exit(EXIT_QUARANTINE)


def _summary(dest: Path, rows: Rows, summary: dict[str, Any]) -> None:
    counts = summary["counts"]
    if summary["already_finished"]:
        say(f"{dest} is finished already. Nothing to do.")
    table = Table("status", box=None)
    table.add_column("rows", justify="right")
    for status, number in counts["statuses"].items():
        table.add_row(status, str(number))
    out.print(table)
    varied = counts["diversity"]
    say(
        f"{counts['ok']} of {counts['rows']} chains accepted in {dest}; "
        f"{counts['reasoning_tokens_mean']:g} reasoning tokens on average, "
        f"Spearman with damage {counts['depth_spearman']:.3f}; "
        f"unique {varied['unique']:.1%}, distinct-3 {varied['distinct_3']:.3f}, "
        f"self-BLEU-3 {varied['self_bleu_3']:.3f} (of {varied['sample']})"
    )
    if rows.unmatched:
        say(f"{rows.unmatched} questions are about no row of the run.")
    if "bill" in summary:
        _show(summary["bill"], as_json=False)


def _show(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    table = Table("item", "value", box=None)
    for name, value in values.items():
        table.add_row(name.replace("_", " "), str(value))
    out.print(table)
