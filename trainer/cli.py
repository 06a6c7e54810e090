"""``degrade-cli train`` and ``degrade-cli ask``. Heavy imports stand inside the commands."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from degrade import completion
from degrade.console import (
    EXIT_QUARANTINE,
    AsJson,
    Overwrite,
    Quiet,
    err,
    out,
    path,
    print_json,
    progress_bar,
    resumable,
    say,
)
from degrade.errors import UserError, unknown
from trainer.evaluation.cli import evaluate
from trainer.evaluation.report.cli import (
    Bench,
    Failures,
    Name,
    Unseen,
    is_evaluation,
    page_of,
    report,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from degrade.images import Pixels
    from degrade.schema import Question
    from trainer.ask import Reply

__all__ = [
    "Bench",
    "Failures",
    "Name",
    "Unseen",
    "ask",
    "asker",
    "evaluate",
    "is_evaluation",
    "page_of",
    "report",
    "train",
]

train = typer.Typer(
    help="Fine-tune a vision-language model on chains, then reinforce it with rewards.",
    no_args_is_help=True,
)

ConfigName = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="Preset (see `train configs`) or .yaml file.",
        autocompletion=completion.presets("trainer", "configs"),
    ),
]
Out = Annotated[
    Path,
    typer.Argument(metavar="OUT", help="Folder of the run; both stages share it.", parser=path),
]
DataPath = Annotated[
    str | None,
    typer.Option("--data", help="Folder that `build` wrote, path or URL; or a name on the Hub."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="key.key=value in place of the file's, YAML; may be repeated."),
]
Check = Annotated[bool, typer.Option("--check", help="Look at every row and stop before training.")]


@train.command("sft")
@resumable
def train_sft(
    config: ConfigName,
    dest: Out,
    data: DataPath = None,
    sets: Set = None,
    check: Check = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Supervised fine-tuning on the chains of a data set.

    The same command goes on with an unfinished run and does nothing to a finished one.

    Examples:
        degrade-cli train sft tiny out --data data

        degrade-cli train sft qwen2.5-vl-3b out --data user/name --set sft.epochs=2
    """
    _train("sft", config, dest, data, sets, check, overwrite, as_json, quiet)


@train.command("rl")
@resumable
def train_rl(
    config: ConfigName,
    dest: Out,
    data: DataPath = None,
    sets: Set = None,
    check: Check = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Reinforcement learning (GRPO) from the model that `train sft` made in OUT.

    Examples:
        degrade-cli train rl tiny out --data data

        degrade-cli train rl tiny out --data data --set rl.start=model --set rl.beta=0
    """
    _train("rl", config, dest, data, sets, check, overwrite, as_json, quiet)


def _train(
    kind: Literal["sft", "rl"],
    name: str,
    dest: Path,
    data: str | None,
    sets: list[str] | None,
    check: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from trainer import config as configs

    given = changes(sets or [], "--set", "rl.beta=0")
    if data:
        given["data.path"] = data
    chosen = configs.load(name, given)
    from trainer import hf, rl, sft

    silent = quiet or as_json or not hf.main_process()
    made = (sft if kind == "sft" else rl).stage(
        chosen,
        dest,
        say=_ignore if silent else say,
        bars=lambda what: progress_bar(what, silent),
        note=_ignore if silent else _note,
    )
    result = made.run(overwrite, check)
    if as_json and hf.main_process():
        print_json(result)
    elif not silent and result.get("already_finished"):
        say(f"{made.folder} is finished already. Nothing to do.")
    elif not silent and not check:
        _trained(made.folder, result)


def _ignore(text: str) -> None:
    """Said to nobody."""


def _note(text: str) -> None:
    """Said beside the bar, which is on the same console."""
    err.print(Text(text))


def _trained(folder: Path, result: dict[str, Any]) -> None:
    from trainer import reports

    table = Table("figure", "last value", box=None)
    for name, value in sorted(reports.shown(result["last"]).items()):
        table.add_row(name, f"{value:.4g}")
    if table.rows:  # a run shorter than watch.log_every has none
        out.print(table)
    say(f"{result['steps']} steps. The model is in {folder / 'model'}")


def changes(given: list[str], option: str, example: str) -> dict[str, Any]:
    """``key=value`` -> the value as YAML reads it.

    Args:
        given: Each with its key.
        option: Of the command line, named in errors.
        example: Of what it takes.

    Raises:
        UserError: No key, or no YAML.
    """
    import yaml

    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UserError(f"{option} takes key=value, such as {example}; got {text!r}.")
        try:
            found[key] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError:
            raise UserError(f"{option} {key}: {value!r} is no YAML value.") from None
    return found


@train.command("configs")
def list_configs(
    name: Annotated[
        str | None,
        typer.Argument(
            help="One, in full: to start your own from.",
            autocompletion=completion.presets("trainer", "configs"),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the ready configurations, or show one.

    Examples:
        degrade-cli train configs

        degrade-cli train configs tiny > mine.yaml
    """
    import yaml

    from trainer import config as configs

    chosen = [configs.load(n) for n in ([name] if name else configs.preset_names())]
    dumped = [c.model_dump(mode="json", exclude_none=True) for c in chosen]
    if as_json:
        print_json(dumped)
    elif name:
        typer.echo(yaml.safe_dump(dumped[0], sort_keys=False, width=96), nl=False)
    else:
        table = Table("configuration", "what it is", "model", box=None)
        for c in chosen:
            table.add_row(c.name, c.summary, c.model.path)
        out.print(table)


@train.command("accelerate")
def accelerate_file(
    name: Annotated[
        str,
        typer.Argument(
            help="ddp, fsdp or zero3.",
            autocompletion=completion.presets("trainer", "configs/accelerate"),
        ),
    ],
) -> None:
    """Print where a configuration file for `accelerate launch` is.

    Examples:
        degrade-cli train accelerate zero3

        accelerate launch --config_file FILE -m degrade.cli train sft mine.yaml out --data data
    """
    from importlib import resources

    folder = resources.files("trainer") / "configs" / "accelerate"
    names = [p.name.removesuffix(".yaml") for p in folder.iterdir()]
    if name not in names:
        raise unknown("configuration for accelerate", name, names)
    typer.echo(str(folder / f"{name}.yaml"))


# ---------------------------------------------------------------------------------------- ask


def ask(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture.", parser=path)],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask about it.")],
    model: Annotated[
        str,
        typer.Option(help="Folder of a run or a model, name on the Hub, or at the endpoint."),
    ],
    choice: Annotated[
        list[str] | None, typer.Option(help="An option to choose from; may be repeated.")
    ] = None,
    answers: Annotated[
        Literal["index", "letter", "text"],
        typer.Option(help="How the model was taught to name a choice: the recipe's `answers`."),
    ] = "index",
    base_url: Annotated[
        str | None, typer.Option(help="Ask this endpoint, up to /v1, in place of a local model.")
    ] = None,
    endpoint: Annotated[
        bool, typer.Option("--endpoint", help="Ask OpenAI, or OPENAI_BASE_URL.")
    ] = False,
    key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key.")
    ] = "OPENAI_API_KEY",
    max_tokens: Annotated[int, typer.Option(min=1, help="Longer answers are cut off.")] = 1024,
    journal: Annotated[
        Path | None,
        typer.Option(help="File of an endpoint's answers. [default: none is kept]", parser=path),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question about a picture, the chain shown by parts; exit 3 where it is no chain.

    Examples:
        degrade-cli ask photo.jpg "Who is it?" --choice cat --choice dog --model out

        degrade-cli ask photo.jpg "Where is this?" --model gpt-4o-mini --endpoint
    """
    from degrade.schema import Question
    from trainer import ask as asking

    choices = tuple(choice or ())
    asked = Question(question=question, choices=choices, answer_as=answers if choices else "text")
    pixels = asking.picture(image)
    if base_url or endpoint:
        with tempfile.TemporaryDirectory() as folder:
            file = journal or Path(folder) / "ask.sqlite"
            reply = asking.ask_endpoint(model, pixels, asked, max_tokens, base_url, key_env, file)
    else:
        reply = asking.ask_local(model, pixels, asked, max_tokens)
    _show(reply, asked, as_json)
    if reply.chain is None:
        raise typer.Exit(EXIT_QUARANTINE)


def asker(
    model: str, base_url: str | None, endpoint: bool, key_env: str, max_tokens: int
) -> Callable[[Pixels, Question], tuple[str, int]]:
    """What asks a model about pictures and gives its text and tokens; a local one is loaded now.

    Args:
        model: Folder of a run or a model, or name at the endpoint.
        base_url: Ask this endpoint, up to /v1.
        endpoint: Ask OpenAI, or OPENAI_BASE_URL.
        key_env: Environment variable with the API key.
        max_tokens: Longer answers are cut off.

    Raises:
        UserError: There is no such model, or an extra is not installed.
    """
    from trainer import ask as asking

    if not (base_url or endpoint):
        local = asking.Local(model)

        def ask_local(pixels: Pixels, question: Question) -> tuple[str, int]:
            reply = local.ask(pixels, question, max_tokens)
            return reply.text, reply.tokens

        return ask_local

    def ask_endpoint(pixels: Pixels, question: Question) -> tuple[str, int]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ask.sqlite"
            reply = asking.ask_endpoint(
                model, pixels, question, max_tokens, base_url, key_env, file
            )
        return reply.text, reply.tokens

    return ask_endpoint


def _show(reply: Reply, asked: Question, as_json: bool) -> None:
    chain = reply.chain
    if as_json:
        print_json(
            {
                "answer": chain.answer if chain else None,
                "chain": chain.model_dump(mode="json") if chain else None,
                "problem": reply.problem or None,
                "text": reply.text,
                "tokens": reply.tokens,
            }
        )
        return
    if chain is None:
        say(reply.text)
        err.print(f"This is no chain: {reply.problem}.")
        return
    seen = [f"{t.label} {t.intensity:.2f}" for t in chain.types]
    named = chain.answer
    answered = asked.model_copy(update={"answer": named})
    if asked.answer_as != "text" and answered.answer_index is not None:
        named = f"{named}. {answered.answer_text}"
    for title, text in (
        ("Degradations", ", ".join(seen) or "none"),
        ("Influence", chain.influence),
        ("Reasoning", chain.reasoning),
        ("Conclusion", chain.conclusion),
        ("Answer", named),
    ):
        say(title, "bold")
        say(f"  {text}")
