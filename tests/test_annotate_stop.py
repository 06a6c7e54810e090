"""How the command line ends when a run cannot go on: what is paid for stays, and what to do."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from annotate.testing.faultserver import FaultServer, serving
from degrade import cli
from tests.hearing import COMMAND
from tests.test_annotate import KEY, Model, chains, made, write_questions

ROWS = 14


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def arguments(tmp_path: Path, url: str, **options: object) -> list[str]:
    listed = ["annotate", tmp_path / "run", tmp_path / "chains", "--writer", "llm"]
    listed += ["--questions", tmp_path / "questions.jsonl", "--model", "gpt-4o-mini"]
    listed += ["--base-url", url, "--concurrency", 4]
    for name, value in options.items():
        listed += [f"--{name.replace('_', '-')}", value]
    return [str(part) for part in listed]


def main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: list[str]
) -> tuple[object, str]:
    """The exit code and what stands on stderr."""
    monkeypatch.setattr(sys, "argv", ["degrade-cli", *given])
    code: object = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code or 0
    return code, " ".join(capsys.readouterr().err.split())


def states(tmp_path: Path) -> Counter[str]:
    with sqlite3.connect(tmp_path / "chains.sqlite") as db:
        # Those that were written down and stopped before they were sent are none of the server's.
        sent = "SELECT state FROM attempts WHERE reason != 'not_sent'"
        found = Counter(state for (state,) in db.execute(sent))
    db.close()
    return found


class Process:
    """The command in a process of its own, interrupted once some requests are on their way."""

    def __init__(self, tmp_path: Path, server: FaultServer, requests: int) -> None:
        command = [*COMMAND, *arguments(tmp_path, server.url)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while server.requests < requests or not server.active:
            assert time.monotonic() < deadline
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        self.interrupt()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, " ".join(said.split())


def test_an_interrupt_keeps_what_is_in_flight_and_sends_nothing_more(tmp_path: Path) -> None:
    made(tmp_path, ROWS)
    with serving(FaultServer(Model(tmp_path), delay=0.4)) as server:
        process = Process(tmp_path, server, requests=6)
        code, said = process.ended()
        assert (code, "Interrupted" in said) == (130, True), said
        assert "Traceback" not in said
        sent = server.requests
        assert 6 <= sent <= 6 + 2 * 4  # what waited for its turn was not sent
        assert states(tmp_path) == {"got": sent}
        server.delay = 0.0
        subprocess.run(
            [sys.executable, "-m", "degrade.cli", *arguments(tmp_path, server.url), "--quiet"],
            check=True,
        )
        assert states(tmp_path) == {"got": server.requests}
    assert [a.status for a in chains(tmp_path / "chains")] == ["ok"] * ROWS


def test_a_second_interrupt_gives_up_what_is_in_flight_as_unknown(tmp_path: Path) -> None:
    made(tmp_path, ROWS)
    write_questions(tmp_path, ROWS, **{f"row{i}": "#fault=hang:50*9" for i in range(ROWS)})
    with serving(FaultServer()) as server:
        process = Process(tmp_path, server, requests=4)
        line = ""
        assert process.process.stderr is not None
        while "again gives them up" not in line:
            line = process.process.stderr.readline()
            assert line, "it ended without waiting"
        begun = time.monotonic()
        process.interrupt()
        code, said = process.ended()
        assert time.monotonic() - begun < 10
    assert code == 130, said
    assert "Traceback" not in said
    assert states(tmp_path)["unknown"] == 4
    assert not states(tmp_path)["intent"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("h401", "Check the key in OPENAI_API_KEY"),
        ("h403", "Check the key in OPENAI_API_KEY"),
        ("h404", "Check the model's name and the base URL"),
        ("quota", "The account is out of credit"),
        ("html", "ends in /v1"),
    ],
)
def test_what_dooms_every_request_ends_with_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    told: str,
) -> None:
    made(tmp_path, ROWS)
    write_questions(tmp_path, ROWS, **{f"row{i}": f"#fault={fault}" for i in range(ROWS)})
    with serving(FaultServer(lambda body: "{}")) as server:
        code, said = main(monkeypatch, capsys, arguments(tmp_path, server.url))
        assert server.requests <= 4 * 3 + 4
    assert code == 2
    assert told in said
    assert server.url in said


def test_no_server_ends_soon_with_its_name_and_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, ROWS)
    begun = time.monotonic()
    for extra in ([], ["--batch-api"]):
        given = [*arguments(tmp_path, "http://127.0.0.1:9/v1"), *extra]
        code, said = main(monkeypatch, capsys, given)
        assert code == 2
        assert "http://127.0.0.1:9/v1" in said
        assert "Connection refused" in said
    assert time.monotonic() - begun < 12


def test_a_full_disk_ends_with_a_message_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, ROWS)
    with serving(FaultServer(Model(tmp_path))) as server:
        given = arguments(tmp_path, server.url)
        with monkeypatch.context() as full:
            full.setattr(
                shutil,
                "disk_usage",
                lambda path: SimpleNamespace(free=1 << 10 if server.requests >= 9 else 1 << 40),
            )
            code, said = main(monkeypatch, capsys, given)
        assert code == 2
        assert "Free some space and run the command again" in said
        sent = server.requests
        assert 9 <= sent < 3 * ROWS
        assert states(tmp_path)["got"] == sent
        assert main(monkeypatch, capsys, given)[0] == 0
        assert states(tmp_path)["got"] == server.requests, "nothing was paid twice"
