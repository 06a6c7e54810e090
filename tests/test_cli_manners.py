"""What all commands share: examples, JSON, completion, exit codes, silence in a pipe, ^C."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from builders.export import formats
from degrade import console, ops, recipe
from degrade.cli import app
from degrade.timing import TIMING
from tests.conftest import PHOTOS
from tests.dataset_help import small_dataset
from tests.hearing import COMMAND
from tests.run_help import pictures, synth, tree
from trainer import config

ROOT = Path(__file__).parents[1]
TREE: Any = typer.main.get_command(app)


def commands(
    group: Any = TREE, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands())
NAMED = [pytest.param(path, command, id=" ".join(path)) for path, command in ALL.items()]


def options(command: Any) -> dict[str, Any]:
    return {name: p for p in command.params for name in getattr(p, "opts", ())}


def examples(command: Any) -> list[str]:
    """The commands in its help; one that is too long for a line goes on in the next."""
    text = (command.help or "").partition("Examples:")[2]
    lines = (" ".join(part.split()) for part in text.split("\n\n"))
    return [line for line in lines if line.startswith("degrade-cli ")]


@pytest.mark.parametrize(("path", "command"), NAMED)
def test_every_command_has_an_example_that_is_understood(
    path: tuple[str, ...], command: Any
) -> None:
    found = [line for line in examples(command) if line.split()[1 : 1 + len(path)] == list(path)]
    assert found, f"`degrade-cli {' '.join(path)} --help` gives no example"
    for line in found:
        words = shlex.split(line.partition(" > ")[0])[1:]
        command.make_context(path[-1], words[len(path) :])  # raises where it is not understood


@pytest.mark.parametrize(("path", "command"), NAMED)
def test_help_breaks_lines_where_the_terminal_ends(path: tuple[str, ...], command: Any) -> None:
    told, _, examples = command.help.partition("Examples:\n")
    assert examples
    assert not re.search(r"\S\n\S", told + examples)


PLAIN = {("train", "accelerate")}
"""What prints one path, to be put into another command."""


@pytest.mark.parametrize(("path", "command"), NAMED)
def test_every_command_speaks_json_and_shares_its_options(
    path: tuple[str, ...], command: Any
) -> None:
    has = options(command)
    assert ("--json" in has) == (path not in PLAIN)
    told = {"--json": console.AsJson, "--resume": console.Resume, "--quiet": console.Quiet}
    if path != ("push",):  # what it replaces is a repository
        told["--overwrite"] = console.Overwrite
    for name, declared in told.items():
        if name in has:
            assert has[name].help == get_args(declared)[1].help


def test_exit_codes_are_told_once_and_the_same_everywhere() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    page = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    listed = re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)
    assert listed == [(str(code), text) for code, text in console.EXITS.items()]
    for code, text in console.EXITS.items():
        assert f"{code} {text}" in " ".join(shown.split())
    for file in (
        f for p in ("annotate", "builders", "degrade", "trainer") for f in Path(p).glob("*")
    ):
        if file.suffix == ".py" and file.name != "console.py":
            assert not re.search(r"^EXIT_\w+ *=", file.read_text(), re.MULTILINE), file


def test_an_interruption_while_modules_load_ends_without_a_traceback() -> None:
    interrupted = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from degrade.__main__ import main; main()"
    )
    command = [sys.executable, "-c", interrupted]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (console.EXIT_INTERRUPTED, "Interrupted.\n")


# ----------------------------------------------------------------------------------- completion

ASK = (
    "import sys, atexit; sys.argv[0] = 'degrade-cli'; "
    "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); "
    "from degrade.cli import main; main()"
)


def offered(line: str) -> list[str]:
    """What a shell is offered after a tab, by the protocol that its script speaks."""
    words = line.split(" ")
    env = {
        **os.environ,
        "_DEGRADE_CLI_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == "False\n", "a tab must not wait for torch"
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("degrade-cli syn", ["synth"]),
        ("degrade-cli synth a b --op mot", ["motion_blur"]),
        ("degrade-cli ops ", ops.names()),
        ("degrade-cli synth a b --recipe ", recipe.preset_names()),
        ("degrade-cli synth a b --recipe mine.y", []),
        ("degrade-cli export a b --to ", sorted(formats())),
        ("degrade-cli train sft ", config.preset_names()),
        ("degrade-cli train accelerate z", ["zero3"]),
        ("degrade-cli build dataset d", ["demo"]),
        ("degrade-cli build benchmark mms", ["mmstar"]),
        ("degrade-cli verify a --device c", ["cpu", "cuda"]),
        ("degrade-cli synth a b --over", ["--overwrite"]),
    ],
)
def test_a_tab_completes_names(line: str, wanted: list[str]) -> None:
    assert offered(line) == wanted


# ------------------------------------------------------------------------------- in a pipe, JSON


def piped(*arguments: Any, code: int = 0, cwd: Path | None = None) -> str:
    env = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "GITHUB_ACTIONS"}}
    done = subprocess.run(
        [sys.executable, "-m", "degrade.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**env, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
    )
    assert done.returncode == code, done.stderr
    assert not re.search(r"[\x1b\r]", done.stdout + done.stderr), "no bar and no color in a pipe"
    assert "--json" not in arguments or done.stderr == ""
    return done.stdout


def test_commands_are_quiet_in_a_pipe_and_their_json_is_json(tmp_path: Path) -> None:
    out, photo = tmp_path / "out", PHOTOS / "cat.jpg"
    said = json.loads(piped("synth", photo, out, "--max-side", 48, "--json"))
    assert said["counts"]["rows"] == 1
    assert not said["already_finished"]
    assert json.loads(piped("synth", photo, out, "--max-side", 48, "--json"))["already_finished"]
    assert json.loads(piped("verify", out, "--json"))["checked"] == 1
    assert json.loads(piped("report", out, "--json"))["rows"] == 1
    assert json.loads(piped("annotate", out, "--json"))["counts"]["rows"] == 1
    sheet = json.loads(piped("preview", photo, tmp_path / "s.png", "--op", "fog", "--json"))
    assert sheet == {"wrote": str(tmp_path / "s.png"), "operators": ["fog"]}
    page = json.loads(piped("gallery", tmp_path / "g.html", "--op", "fog", "--json"))
    assert page["operators"] == ["fog"]
    made = json.loads(piped("demo", tmp_path / "demo", "--rows", 12, "--json"))
    assert made["validation"]["ok"]
    assert made["data"]["counts"]["rows"] == made["validation"]["rows"]
    for name in ("verify", "annotate", "report"):
        assert piped(name, out)
    piped("demo", tmp_path / "demo", "--rows", 12)
    assert piped("demo", tmp_path / "demo", "--rows", 12, "--quiet") == ""


def test_what_is_made_of_data_sets_speaks_json(tmp_path: Path) -> None:
    data = small_dataset(tmp_path / "data", rows=4)
    exported = piped("export", data, tmp_path / "e", "--to", "trl-sft", "--json")
    assert json.loads(exported)["rows"] > 0
    assert json.loads(piped("validate", data, "--json"))["ok"]
    for name in ("ops", "recipes", "families", "formats"):
        assert json.loads(piped(name, "--json"))
        piped(name)
    assert json.loads(piped("train", "configs", "--json"))
    assert piped("train", "accelerate", "ddp").endswith("ddp.yaml\n")


# ------------------------------------------------------------------------------------------- ^C


class Running:
    """A command that can be interrupted, and what it said on stderr."""

    def __init__(self, *arguments: Any) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True
        )

    def interrupt_when(self, out: Path, written: int, files: str = "*.png") -> None:
        deadline = time.monotonic() + 60
        while len(list(out.rglob(files))) < written:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> tuple[int, str]:
        return self.process.wait(60), self.process.communicate()[1]


def test_an_interrupt_finishes_the_shard_and_prints_the_command_that_goes_on(
    tmp_path: Path,
) -> None:
    src, out = pictures(tmp_path / "a source", 150), tmp_path / "out"
    synth(src, tmp_path / "whole", seed=4)
    running = Running("synth", src, out, "--seed", 4, "--overwrite")
    running.interrupt_when(out, 70)  # 64 make a shard: the second is under way
    code, said = running.ended()
    assert code == 130
    assert "Finishing the shard under way" in said
    found = re.search(r"after (\d+) of 150 source pictures", said)
    assert found, said
    assert int(found[1]) == 128
    assert len(list((out / ".work").glob("shard-*.json"))) == 2
    line = shlex.split(said.strip().splitlines()[-1])
    assert line[0] == "degrade-cli"
    assert "--overwrite" not in line, "it would begin anew"
    subprocess.run([sys.executable, "-m", "degrade.cli", *line[1:], "--quiet"], check=True)
    assert tree(out) == tree(tmp_path / "whole")
    sessions = json.loads((out / TIMING).read_text())
    assert [one["sources"] for one in sessions] == [128, 22]


def test_a_second_interrupt_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    src, out = pictures(tmp_path / "src", 150), tmp_path / "out"
    synth(src, tmp_path / "whole")
    running = Running("synth", src, out)
    running.interrupt_when(out, 1, "shard-*.json")
    assert running.process.stderr
    assert "Finishing" in running.process.stderr.readline()  # two at the same time may be one
    running.process.send_signal(signal.SIGINT)
    code, said = running.ended()
    assert code == 130
    assert "the same command goes on" in said
    assert len(list((out / ".work").glob("shard-*.json"))) == 1
    synth(src, out)
    assert tree(out) == tree(tmp_path / "whole")


def test_an_interrupt_in_the_last_shard_finishes_the_run(tmp_path: Path) -> None:
    src, out = pictures(tmp_path / "src", 40), tmp_path / "out"
    running = Running("synth", src, out)
    running.interrupt_when(out, 5)
    code, said = running.ended()
    assert (code, "Interrupted" in said) == (0, False)
    assert (out / "run.json").exists()


def test_commands_that_go_on_say_so_and_others_do_not_claim_it() -> None:
    goes_on = {
        " ".join(path)
        for path, command in ALL.items()
        if "resumable" in inspect.getsource(inspect.unwrap(command.callback)).partition("def ")[0]
    }
    kept = {"synth", "annotate", "evaluate", "push", "replay", "demo", "train sft", "train rl"}
    assert goes_on == kept | {"build dataset", "build benchmark"}
