"""``degrade-cli evaluate``. Heavy imports stand inside the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from degrade.console import (
    ENDPOINT,
    EXIT_QUARANTINE,
    AsJson,
    BaseUrl,
    BatchApi,
    Concurrency,
    Device,
    DryRun,
    JournalFile,
    KeyEnv,
    MaxCost,
    MaxTokensName,
    OutFolder,
    Overwrite,
    Patience,
    PerMinute,
    PricesFile,
    Quiet,
    Resume,
    err,
    out,
    path,
    print_json,
    progress_bar,
    resumable,
    say,
)
from degrade.errors import UserError
from degrade.storage import PATIENCE, place
from trainer.evaluation.config import DEFAULTS, EvaluateOptions, read_options

ROWS, LOCAL, JUDGE = "Rows", "Local model", "Judge"
PROVIDERS = "none"


@resumable
def evaluate(
    bench: Annotated[
        str, typer.Argument(metavar="BENCH", help="Folder that `build` wrote; path or URL.")
    ],
    dest: OutFolder,
    model: Annotated[
        str, typer.Option(help="Folder of a run or a model, name on the Hub, or at the endpoint.")
    ] = DEFAULTS.model,
    answers: Annotated[
        list[Path] | None,
        typer.Option(
            help="In place of a model: answers made elsewhere. VLMEvalKit's result file, samples "
            "of lmms-eval, JSON lines with id and answer, or an answers.jsonl; may be repeated.",
            parser=path,
        ),
    ] = None,
    prompt: Annotated[
        str, typer.Option(help="plain, chain, r-bench, or a .yaml file.")
    ] = DEFAULTS.prompt,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="blind|clean|told",
            help="Ask besides: without a picture; about the clean one; with the damage told. May "
            "be repeated.",
        ),
    ] = None,
    circular: Annotated[
        bool,
        typer.Option("--circular", help="Right only if right with the options in every rotation."),
    ] = DEFAULTS.circular,
    max_tokens: Annotated[
        int, typer.Option(help="Longer answers are cut off.")
    ] = DEFAULTS.max_tokens,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Only these rows; may be repeated.", rich_help_panel=ROWS),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="mcq|vqa|caption",
            help="Only such questions; may be repeated.",
            rich_help_panel=ROWS,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            help="So many questions with all their levels, drawn by their names.",
            rich_help_panel=ROWS,
        ),
    ] = DEFAULTS.limit,
    revision: Annotated[
        str | None, typer.Option(help="Of the model on the Hub.", rich_help_panel=LOCAL)
    ] = DEFAULTS.revision,
    device: Device = DEFAULTS.device,
    dtype: Annotated[
        Literal["auto", "bfloat16", "float32"],
        typer.Option(
            help="Of the weights; auto: bfloat16 on CUDA, else float32.", rich_help_panel=LOCAL
        ),
    ] = DEFAULTS.dtype,
    batch: Annotated[
        int, typer.Option(help="Questions at a time.", rich_help_panel=LOCAL)
    ] = DEFAULTS.batch,
    max_pixels: Annotated[
        int | None, typer.Option(help="Reduce pictures to so many.", rich_help_panel=LOCAL)
    ] = DEFAULTS.max_pixels,
    endpoint: Annotated[
        bool,
        typer.Option(
            "--endpoint", help="Ask OpenAI, or OPENAI_BASE_URL.", rich_help_panel=ENDPOINT
        ),
    ] = False,
    base_url: BaseUrl = DEFAULTS.base_url,
    key_env: KeyEnv = DEFAULTS.key_env,
    max_tokens_field: MaxTokensName = DEFAULTS.max_tokens_field,
    temperature: Annotated[
        str,
        typer.Option(
            help=f"0 to 2; {PROVIDERS}: leave it to the provider.", rich_help_panel=ENDPOINT
        ),
    ] = "0",
    extra: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE, a further field of the requests' body, YAML; may be repeated.",
            rich_help_panel=ENDPOINT,
        ),
    ] = None,
    journal: JournalFile = DEFAULTS.journal,
    concurrency: Concurrency = DEFAULTS.concurrency,
    requests_per_minute: PerMinute = DEFAULTS.requests_per_minute,
    tokens_per_minute: PerMinute = DEFAULTS.tokens_per_minute,
    max_cost: MaxCost = DEFAULTS.max_cost,
    prices: PricesFile = DEFAULTS.prices,
    batch_api: BatchApi = DEFAULTS.batch_api,
    dry_run: DryRun = False,
    judge: Annotated[
        str,
        typer.Option(
            help="Model at an endpoint that judges free answers and captions.",
            rich_help_panel=JUDGE,
        ),
    ] = DEFAULTS.judge,
    judge_base_url: Annotated[
        str | None, typer.Option(help="As --base-url.", rich_help_panel=JUDGE)
    ] = DEFAULTS.judge_base_url,
    judge_key_env: Annotated[
        str, typer.Option(help="As --key-env.", rich_help_panel=JUDGE)
    ] = DEFAULTS.judge_key_env,
    ratings: Annotated[
        int, typer.Option(help="Ratings of one answer; R-Bench takes 5.", rich_help_panel=JUDGE)
    ] = DEFAULTS.ratings,
    mcq: Annotated[
        Literal["rules", "judge"],
        typer.Option(help="Who reads multiple choice.", rich_help_panel=JUDGE),
    ] = DEFAULTS.mcq,
    resamples: Annotated[
        int, typer.Option(help="Of the bootstrap behind the intervals.")
    ] = DEFAULTS.resamples,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = DEFAULTS.seed,
    overwrite: Overwrite = False,
    patience: Patience = PATIENCE,
    resume: Resume = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model about every picture of a benchmark, judge the answers, count with intervals.

    The same command goes on with an unfinished evaluation and does nothing to a finished one.

    Examples:
        degrade-cli evaluate bench eval --model out/rl/model --prompt chain

        degrade-cli evaluate bench eval --model gpt-4o-mini --endpoint --control blind --dry-run

        degrade-cli evaluate bench eval --answers results.xlsx
    """
    names = EvaluateOptions.model_fields
    given: dict[str, Any] = {k: v for k, v in locals().items() if k in names}
    given |= {
        "remote": endpoint or bool(base_url),
        "splits": split or (),
        "tasks": task or (),
        "controls": control or (),
        "temperature": _temperature(temperature),
        "extra": _extra(extra or []),
    }
    from trainer.evaluation.runner import Evaluation

    silent = quiet or as_json
    planned = Evaluation(
        place(bench, patience),
        dest,
        read_options(given),
        answers or (),
        tell=lambda text: err.print(Text(text)),
        bars=lambda what: progress_bar(what, silent),
    )
    if dry_run:
        _estimated(planned.estimate(), as_json)
        return
    summary = planned.run(overwrite, resume)
    if summary is None:
        if as_json:
            print_json({"pending": True})
        return
    if as_json:
        print_json(summary)
    elif not quiet:
        _told(dest, summary)
    if summary["counts"]["left_out"]:
        raise typer.Exit(EXIT_QUARANTINE)


def _temperature(text: str) -> float | None:
    if text == PROVIDERS:
        return None
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"--temperature takes a number from 0 to 2, or {PROVIDERS}; got {text!r}."
        ) from None


def _extra(given: list[str]) -> dict[str, Any]:
    from trainer.cli import changes

    return changes(given, "--extra", "reasoning_effort=low")


def _estimated(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    from degrade.chat_tables import estimate_table

    for name, estimate in found.items():
        say(name, "bold")
        out.print(estimate_table(estimate))


def _told(dest: Path, summary: dict[str, Any]) -> None:
    from trainer.evaluation.table import tables

    if summary["already_finished"]:
        say(f"{dest} is finished already. Nothing to do.")
    for table in tables(summary):
        out.print(table)
    counts = summary["counts"]
    for reason, number in {**counts["unaskable"], **counts["left_out"]}.items():
        say(f"{number} rows are in no figure: {reason}", "yellow")
    if counts["ignored_answers"]:
        say(f"{counts['ignored_answers']} answers to other rows of the benchmark were ignored.")
    say(
        f"In {dest}: {counts['judged']:,} judged answers, {counts['items']:,} questions, "
        f"{counts['pictures']:,} source pictures. In brackets: 95 % intervals, by resampling the "
        "pictures."
    )
