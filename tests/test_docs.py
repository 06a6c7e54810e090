"""What the README says is so: its table of operators, its files, its commands."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from annotate.testing.faults import prompt_of
from annotate.testing.faultserver import FaultServer, serving
from builders.card import texts
from builders.card.markdown import described
from builders.export import formats
from builders.sources import SourceSpec, kinds
from degrade import ops, recipe
from degrade.cli import app
from degrade.families import families
from degrade.params import Severity
from degrade.runs import read_json
from degrade.schema import STAGES, Record
from tests.dataset_help import small_dataset
from tests.evaluation_help import benchmark, write_answers
from tests.test_evaluation_judge import r_bench
from trainer import answers, config, preflight, rewards, tiny
from trainer.evaluation.free import FREE
from trainer.evaluation.options import FINDS, MISSES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
DATASETS = (ROOT / "docs" / "datasets.md").read_text("utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text("utf-8")


def table() -> str:
    """The operators as the README lists them."""
    rows = ["| stage | operator | what follows the intensity, 0 to 1 | gradients |"]
    rows.append("|---|---|---|---|")
    for stage in STAGES:
        for name in ops.names():
            op = ops.get(name)
            if op.stage == stage:
                spans = [
                    f"{a.name} {a.span.replace(' -> ', ' to ')}"
                    for a in op.arguments
                    if isinstance(a.declaration, Severity)
                ]
                gradients = "yes" if op.differentiable else "no"
                rows.append(f"| {stage} | `{name}` | {'; '.join(spans)} | {gradients} |")
    return "\n".join(rows)


def test_the_readme_lists_the_registry() -> None:
    assert table() in README, f"paste this into README.md:\n{table()}"


def sources() -> str:
    """The kinds of sources as docs/datasets.md lists them."""
    rows = []
    for kind, cls in sorted(kinds().items()):
        if not cls.__module__.startswith("builders."):  # a kind of some other test
            continue
        summary = (cls.__doc__ or "").strip().split("\n")[0].replace("``", "`")
        own = [f"`{name}`" for name in cls.model_fields if name not in SourceSpec.model_fields]
        rows.append(f"| `{kind}` | {summary} | {', '.join(own)} |")
    return "\n".join(rows)


def exports() -> str:
    """The formats as docs/datasets.md lists them."""
    return "\n".join(f"| `{name}` | {fmt.summary} |" for name, fmt in formats().items())


def columns() -> str:
    """The columns as the card explains them."""
    return texts.columns(pictures=True)


@pytest.mark.parametrize("made", [sources, exports, columns])
def test_the_page_on_data_sets_lists_what_there_is(made: Callable[[], str]) -> None:
    assert made() in DATASETS, f"paste this into docs/datasets.md:\n{made()}"


def keys() -> str:
    """The keys of a training configuration as docs/training.md lists them."""
    rows = ["| key | default | what it is |", "|---|---|---|", *_keys(config.Config)]
    return "\n".join(rows)


def _keys(model: type[Record], prefix: str = "") -> list[str]:
    parents = [c for c in reversed(model.__mro__) if c.__module__ == model.__module__]
    told = {name: text for c in parents for name, text in described(c).items()}
    rows = []
    for name, field in model.model_fields.items():
        if prefix == "rl." and name in config.Stage.model_fields:
            continue  # listed with those of sft
        default = _default(field)
        row = f"| `{prefix}{name}`"
        if prefix == "sft." and name in config.Stage.model_fields:
            row += f", `rl.{name}`"
            other = _default(config.Rl.model_fields[name])
            default += f", {other}" if other != default else ""
        unsaid = [o for o in _options(field.annotation) if f"`{o}`" not in told[name]]
        others = f" One of {', '.join(f'`{o}`' for o in unsaid)}." if unsaid[1:] else ""
        row += f" | {default} | {told[name]}{others} |"
        kinds = (field.annotation, *get_args(field.annotation))
        inner = [t for t in kinds if isinstance(t, type) and issubclass(t, Record)]
        if not inner or type(None) in kinds:
            rows.append(row)
        for nested in inner:
            rows += _keys(nested, f"{prefix}{name}.")
    return rows


def _options(annotation: Any) -> list[str]:
    """The values that an annotation allows, where it names them."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [option for part in get_args(annotation) for option in _options(part)]


def _default(field: FieldInfo) -> str:
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return "" if value in (None, "", ()) else f"`{json.dumps(value, default=str)}`".replace('"', "")


def test_the_page_on_training_lists_every_key_reward_and_reason() -> None:
    assert keys() in TRAINING, f"paste this into docs/training.md:\n{keys()}"
    for name in [*rewards.REWARDS, *config.preset_names()]:
        assert f"`{name}`" in TRAINING, name
    reasons = re.findall(r'(?:BadRowError\(|reason=)\s*"(\w+)"', inspect.getsource(preflight))
    listed = re.findall(
        r"^\| `(\w+)` \| ",
        TRAINING.partition("## Before training")[2].partition("##")[0],
        re.MULTILINE,
    )
    assert set(listed) == set(reasons)


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / command).exists(), command


@pytest.mark.parametrize(
    "line", re.findall(r"^ *(degrade-cli .*)$", README + TRAINING, re.MULTILINE)
)
def test_every_command_of_the_pages_is_understood(line: str) -> None:
    # --help at the end parses every option before it.
    words = shlex.split(line.split("  #", 1)[0])[1:]
    subcommand = words[: 2 if words[0] in {"build", "train"} else 1]
    options = [w for w in words if w.startswith("--")]
    done = subprocess.run(
        [sys.executable, "-m", "degrade.cli", *subcommand, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "PATH": "", "TERM": "dumb", "NO_COLOR": "1"},
    )
    for option in options:
        assert option in done.stdout, f"{option} of {line!r}"


def test_python_in_the_readme_runs() -> None:
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})


# -------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize("rules", [FINDS, MISSES, FREE])
def test_the_page_on_evaluation_lists_the_rules(rules: dict[str, str]) -> None:
    rows = "\n".join(f"| `{name}` | {text} |" for name, text in rules.items())
    assert rows in EVALUATION, f"paste this into docs/evaluation.md:\n{rows}"


CELLS = {"level", "operator", "stage", "type", "rule", "level_operator", "level_stage"}
"""What names its parts by the data."""


def figures(tree: Any, path: tuple[str, ...] = (), given: int = 0) -> set[str]:
    """Names of all figures in the scores, without levels, operators, types and rules."""
    if not isinstance(tree, dict):
        return set()
    if "value" in tree:
        return {path[-1]}
    found: set[str] = set()
    for key, part in tree.items():
        deeper = {"level_operator": 2, "level_stage": 2}.get(key, 1) if key in CELLS else 0
        named = path if given or key in CELLS else (*path, key)
        found |= figures(part, named, deeper if not given else given - 1)
    return found


def test_commands_of_the_page_on_evaluation_run_and_its_table_names_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    benchmark(tmp_path / "bench", items=2)
    small_dataset(tmp_path / "data", rows=4)
    r_bench(tmp_path / "r-bench")
    tiny.build(tmp_path / "model", [EVALUATION])
    ids = [f"scenes/{n:03d}@{level:.2f}" for n in range(2) for level in (0, 0.25, 0.5, 1)]
    write_answers(tmp_path / "answers.jsonl", [{"id": name, "answer": "A"} for name in ids])
    made = answers.generate

    def short(model: Any, processor: Any, asked: Any, most: int, *rest: Any) -> Any:
        return made(model, processor, asked, 4, *rest)  # random weights talk to the end

    monkeypatch.setattr(answers, "generate", short)

    def says(body: Any) -> str:
        return "1" if "nothing but the number" in prompt_of(body) else "A"

    blocks = re.findall(r"```\n(.*?)```", EVALUATION, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 8
    with serving(FaultServer(says)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for line in lines:
            command = shlex.split(line.split("  #", 1)[0])
            assert command[0] == "degrade-cli"
            result = CliRunner().invoke(app, [*command[1:], "--quiet"])
            assert result.exit_code == 0, (line, result.output, result.exception)
    rows = re.findall(r"^\| (.*?) \|", EVALUATION[EVALUATION.index("## Figures") :], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    for folder in ("eval-chain", "eval-circular", "eval-r-bench"):
        named = figures(read_json(tmp_path / folder / "scores.json")["controls"])
        assert named - told <= {"none", "clean", "cost"}
        assert {"accuracy", "drop"} <= named or folder == "eval-r-bench"


RECIPES = (ROOT / "docs" / "recipes.md").read_text("utf-8")


def presets() -> str:
    """The presets as docs/recipes.md lists them."""
    loaded = [recipe.load(name) for name in recipe.preset_names()]
    return "\n".join(f"| `{r.name}` | {r.summary} |" for r in loaded)


def halves() -> str:
    """The families as docs/recipes.md lists them."""
    return "\n".join(
        f"| {half} | {family} | {meaning} |"
        for half, kinds in families().items()
        for family, meaning in kinds.items()
    )


@pytest.mark.parametrize("made", [presets, halves])
def test_the_page_on_recipes_lists_what_there_is(made: Callable[[], str]) -> None:
    assert made() in RECIPES, f"paste this into docs/recipes.md:\n{made()}"


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", RECIPES, re.DOTALL))
def test_the_recipes_of_the_page_load(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert recipe.load(str(path)).draw("a.jpg", 0, 300)
