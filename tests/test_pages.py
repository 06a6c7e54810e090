"""Every block of code on every page is run or read; what is only parsed is listed with a reason."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate.testing.faultserver import FaultServer, serving
from degrade.registry import TABLE
from degrade.runs import read_json
from degrade.schema import Chain
from tests import hubserver, hubstate
from tests.conftest import API_KEY
from tests.hubserver import TOKEN, hub
from tests.pages_help import (
    ASSUMED,
    PAGES,
    ROOT,
    Block,
    Obedient,
    blocks,
    checked,
    figures,
    photographs,
)
from tests.pages_shell import Shell, parse
from tests.pages_tables import APART, EXITS, NOT_RUN, SMALLER
from tests.trainer_help import cached_in
from trainer import answers

RUN = {"bash", "python"}
READ = {"json", "jsonl", "yaml"}
COMPARED = {"text"}

# The client of the Hub hands files to its HTTP library in a way that this deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with photographs; endpoints and Hub on loopback; nothing else."""
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path)
    made = answers.generate

    def short(model: Any, processor: Any, asked: Any, most: int, *rest: Any) -> Any:
        return made(model, processor, asked, min(most, 4), *rest)  # random weights talk to the end

    monkeypatch.setattr(answers, "generate", short)
    for module in (hubserver, hubstate):
        monkeypatch.setattr(module, "OWNER", "user")
    operators = dict(TABLE)
    said = Obedient(tmp_path / "out", tmp_path / "photos" / "questions.jsonl")
    with serving(FaultServer(said)) as server, hub() as hub_server, cached_in(tmp_path / "cache"):
        monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("HF_ENDPOINT", hub_server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield tmp_path
    TABLE.clear()
    TABLE.update(operators)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_the_page_shows_works(page: Path, folder: Path) -> None:
    for make in ASSUMED.get(page.name, ()):
        make(folder)
    shell, names = Shell(page.name, folder), {"__name__": "__page__"}
    for block in blocks(page.read_text("utf-8")):
        _do(page, block, shell, names)
    AFTER.get(page.name, lambda folder: None)(folder)


def _do(page: Path, block: Block, shell: Shell, names: dict[str, Any]) -> None:
    where = f"{page.name}, line {block.line}"
    if block.title:
        path = shell.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
    if block.language == "bash":
        shell.run(block.text)
    elif block.language == "python":
        code = compile("\n" * block.line + block.text, str(page), "exec")
        exec(code, names)
    elif block.language in READ:
        checked(block)
    elif block.language in COMPARED:
        if block.text.startswith("<TYPE>"):
            Chain.parse(block.text.strip())
            return
        printed = [" ".join(line.split()) for line in shell.output.splitlines()]
        for line in block.text.splitlines():
            told = " ".join(line.split())
            assert told in printed or not told, f"{where}: {told!r} is not in\n{shell.output}"
    else:
        known = ", ".join(sorted(RUN | READ | COMPARED))
        raise AssertionError(
            f"{where}: a block of {block.language or 'no language'!r}. Fence it as one of {known}."
        )


def _the_evaluations_figures_are_explained(folder: Path) -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    rows = re.findall(r"^\| (.*?) \|", text[text.index("## Figures") :], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    for out in ("eval-chain", "eval-circular", "eval-r-bench"):
        named = figures(read_json(folder / out / "scores.json")["controls"])
        assert named - told <= {"none", "clean", "cost"}
        assert {"accuracy", "drop"} <= named or out == "eval-r-bench"


AFTER: dict[str, Callable[[Path], None]] = {"evaluation.md": _the_evaluations_figures_are_explained}
"""Page -> what must hold when its blocks are run."""


def _shown() -> str:
    texts = [page.read_text("utf-8") for page in PAGES]
    return "\n".join(
        b.text.replace("\\\n", " ") for t in texts for b in blocks(t) if b.language == "bash"
    )


@pytest.mark.parametrize(
    "pattern", [*NOT_RUN, *APART, *EXITS, *(entry.command for entry in SMALLER)]
)
def test_the_tables_hold_nothing_that_no_page_shows(pattern: str) -> None:
    lines = re.split(r"\n|&&", _shown())
    shown = [" ".join(shlex.split(line.split("  #")[0])) for line in lines]
    assert any(re.search(pattern, line) for line in shown), pattern


INLINE = sorted(
    {
        code
        for page in PAGES
        for code in re.findall(r"(?<!`)`(degrade-cli [a-z][^`]*)`(?!`)", page.read_text("utf-8"))
    }
)


@pytest.mark.parametrize("code", INLINE)
def test_commands_in_running_text_exist_and_take_their_options(code: str) -> None:
    parse(shlex.split(" ".join(code.split())), loosely=True)


def test_the_shell_refuses_what_is_not_listed_and_what_fails(folder: Path) -> None:
    shell = Shell("page.md", folder)
    for block, message in (
        ("curl http://127.0.0.1", "neither run nor listed"),
        ("degrade-cli synth nowhere out", "exits 1"),
        ("degrade-cli ops motion_blur --jsn", "exits 2"),
    ):
        with pytest.raises(AssertionError, match=message):
            shell.run(block)
    with pytest.raises(Exception, match="No such option"):
        parse(["degrade-cli", "train", "sft", "tiny", "run", "--dta", "x"])
    shell.run("degrade-cli ops motion_blur --json > one.json && cat one.json")
    assert json.loads(shell.output)[0]["name"] == "motion_blur"


def test_indented_code_and_unknown_languages_are_blocks_too() -> None:
    found = list(
        blocks('text\n\n    degrade-cli ops\n\n```\nls\n```\n\n```yaml title="a.yaml"\nx: 1\n```')
    )
    assert [(b.language, b.title) for b in found] == [("", ""), ("", ""), ("yaml", "a.yaml")]
