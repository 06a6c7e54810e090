"""The commands of the documentation: split as a shell would, run in this process, or parsed."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import typer
from typer.testing import CliRunner

from degrade.cli import app
from tests.pages_tables import APART, EXITS, NOT_RUN, SMALLER

ROOT = Path(__file__).parents[1]
SHOWN = {"cat", "cp", "head", "ls", "mkdir", "tail"}
"""Programs of the system that pages may use as they are."""


@dataclass
class Command:
    """One simple command.

    Attributes:
        words: Program and arguments.
        env: Assignments before it.
        into: File that its output goes to; empty where it is shown.
        text: As the page has it, for messages and tables.
    """

    words: list[str]
    text: str
    env: dict[str, str] = field(default_factory=dict)
    into: str = ""


def commands(block: str) -> Iterator[Command]:
    """The commands of a block, in order; ``&&`` and ``;`` part them, ``\\`` joins lines."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, "&&"]:
            if set(word) <= set("&;|"):
                if words:
                    yield _simple(words)
                words = []
            else:
                words.append(word)


def _simple(words: list[str]) -> Command:
    command = Command([], " ".join(words))
    pending = iter(words)
    for word in pending:
        if word == ">":
            command.into = next(pending)
        elif not command.words and re.fullmatch(r"[A-Z_]+=.*", word):
            name, _, value = word.partition("=")
            command.env[name] = value
        else:
            command.words.append(word)
    return command


@dataclass
class Shell:
    """Runs the commands of one page in its folder.

    Attributes:
        page: File name of the page, for the tables.
        folder: The working directory.
        output: What the block printed so far.
        used: Entries of the tables that a command met.
    """

    page: str
    folder: Path
    output: str = ""
    used: set[str] = field(default_factory=set)

    def run(self, block: str) -> None:
        """Run a block: every command succeeds, or stands in a table with the reason."""
        self.output = ""
        for command in commands(block):
            if self._listed(NOT_RUN, command):
                parse(command.words)
                continue
            printed = self._printed(command)
            if command.into:
                (self.folder / command.into).write_text(printed, "utf-8")
            else:
                self.output += printed

    def _printed(self, command: Command) -> str:
        program, *rest = command.words
        for entry in SMALLER:
            if entry.page in ("", self.page) and re.search(entry.command, command.text):
                self.used.add(entry.command)
                rest += entry.more.split()
        if program in SHOWN:
            return self._system([program, *rest], command)
        if program == "python":
            return self._system([sys.executable, *rest], command)
        if program == "hf":
            return self._system([str(Path(sys.executable).with_name(program)), *rest], command)
        if Path(program).name != "degrade-cli":
            raise AssertionError(f"{self.page}: {command.text!r} is neither run nor listed")
        if self._listed(APART, command):
            return self._system([sys.executable, "-m", "degrade.cli", *rest], command)
        code = EXITS[listed][0] if (listed := self._listed(EXITS, command)) else 0
        return self._cli(rest, command, code)

    def _listed(self, table: dict[str, Any], command: Command) -> str:
        found = [pattern for pattern in table if re.search(pattern, command.text)]
        self.used.update(found)
        return found[0] if found else ""

    def _cli(self, words: Sequence[str], command: Command, code: int) -> str:
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "160", **command.env})
        if result.exit_code != code:
            raise AssertionError(
                f"{self.page}: {command.text!r} exits {result.exit_code}:\n"
                f"{result.output}\n{result.exception!r}"
            ) from result.exception
        return result.stdout

    def _system(self, words: Sequence[str], command: Command) -> str:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **command.env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{self.page}: {command.text!r}:\n{done.stdout}{done.stderr}"
        return done.stdout


# ------------------------------------------------------------------------------ only parsed


class _Parsed(Exception):  # noqa: N818 (a signal, not an error)
    pass


def parse(words: Sequence[str], loosely: bool = False) -> None:
    """Check that a command which is not run exists and takes these options.

    Args:
        words: Program and arguments.
        loosely: Words that are missing, or stand for something, are no mistake.

    Raises:
        AssertionError: It does not.
        click.ClickException: The same, of ``degrade-cli``.
    """
    program, *rest = words
    program = Path(program).name
    if program == "degrade-cli":
        _parse_cli(rest, loosely)
    elif program == "make":
        target = rest[0]
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    elif program == "python" and rest[0].startswith("benchmarks/"):
        _parse_script(ROOT / rest[0], rest[1:])
    elif program == "python" and rest[0].startswith("examples/"):
        assert (ROOT / rest[0]).is_file(), rest
        assert not rest[1:], "examples take no arguments"
    elif program == "python" and rest[:2] == ["-m", "pytest"]:
        assert all((ROOT / word).exists() for word in rest[2:] if word.startswith("tests/")), rest
    elif "degrade.cli" in rest:  # under a launcher
        _parse_cli(rest[rest.index("degrade.cli") + 1 :])
    elif rest and (rest[0] == "install" or rest[:2] == ["-m", "venv"]):
        _known_extras(rest)
    else:
        known = (
            ["source", ".venv/bin/activate"],
            ["python", "-m", "annotate.testing.localmodel"],
            ["ray", "start"],
        )
        assert any(words[: len(start)] == start for start in known), words


def _parse_cli(words: Sequence[str], loosely: bool = False) -> None:
    """Parse as click does before a command is called."""
    command: Any = typer.main.get_command(app)
    name, given = "degrade-cli", list(words)
    parent = None
    while True:
        group = hasattr(command, "commands")
        if loosely and not (group and given):
            known = {o for param in command.params for o in (*param.opts, *param.secondary_opts)}
            options = {word for word in given if word.startswith("-")}
            assert options <= known, options - known
            return
        context = command.make_context(name, given, parent=parent)
        if not group:
            return
        name, command, given = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        parent = context


def _parse_script(path: Path, arguments: Sequence[str]) -> None:
    """Run a script up to the point where it has read its arguments."""
    read = argparse.ArgumentParser.parse_args

    def then_stop(self: argparse.ArgumentParser, *given: Any) -> Any:
        read(self, *given)
        raise _Parsed

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", then_stop),
        mock.patch.object(sys, "argv", [str(path), *arguments]),
        mock.patch.object(sys, "path", [str(path.parent), *sys.path]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(_Parsed),
    ):
        runpy.run_path(str(path), run_name="__main__")
        raise AssertionError(f"{path} reads no arguments")


def _known_extras(words: Sequence[str]) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for extra in re.findall(r"\[([\w,]+)\]", " ".join(words)):
        for name in extra.split(","):
            assert re.search(rf"^{name} = \[", text, re.MULTILINE), name
    for i, word in enumerate(words):
        if word in ("-c", "--group"):
            assert words[i + 1] == "constraints.txt" or f"\n{words[i + 1]} = [" in text
