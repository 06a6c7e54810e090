"""An evaluation that was killed, interrupted or refused money goes on and asks nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from annotate.testing.faults import prompt_of
from annotate.testing.faultserver import FaultServer, serving
from degrade.errors import StoppedError, UserError
from degrade.runs import read_json
from tests.endpoint_help import call, pictures_of, run
from tests.evaluation_help import (
    LEVELS,
    benchmark,
    entry,
    right_letter,
    write_benchmark,
)
from tests.hearing import COMMAND
from trainer.evaluation.config import read_options
from trainer.evaluation.plan import Ask
from trainer.evaluation.records import SCORES, SUMMARY, Said
from trainer.evaluation.runner import Evaluation

pytestmark = pytest.mark.usefixtures("api_key")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark(tmp_path_factory.mktemp("bench"), items=4)


def test_after_a_kill_the_same_command_goes_on_and_asks_nothing_twice(
    tmp_path: Path, bench: Path
) -> None:
    code = "from tests.endpoint_help import app; app()"
    (tmp_path / "main.py").write_text(code, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with serving(FaultServer(right_letter, delay=0.3)) as server:
        given = [str(bench), str(tmp_path / "out"), "--model", "m", "--base-url", server.url]
        given += ["--resamples", "100"]
        command = [sys.executable, str(tmp_path / "main.py"), *given, "--concurrency", "2"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while server.requests < 6:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.delay = 0.0
        before = server.requests
        again = run(bench, tmp_path / "out", server, "--concurrency", "2", "--model", "m", "--json")
        asked = [prompt_of(b) + str(pictures_of(b)) for b in server.bodies]
        repeated = len(asked) - len(set(asked))
        assert repeated <= 2, "only what was in flight may be asked again"
        assert server.requests <= 16 + 2
        assert server.requests - before <= 16 - before + 2
    assert json.loads(again.stdout)["counts"]["judged"] == 16
    with serving(FaultServer(right_letter)) as server:
        run(bench, tmp_path / "whole", server, "--model", "m")
    for name in ("answers.jsonl", "judged.jsonl", SCORES):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_an_interrupt_keeps_what_is_in_flight_and_sends_nothing_more(
    tmp_path: Path, bench: Path
) -> None:
    with serving(FaultServer(right_letter, delay=0.5)) as server:
        given = [str(bench), str(tmp_path / "out"), "--model", "m", "--base-url", server.url]
        command = [*COMMAND, "evaluate", *given, "--concurrency", "2", "--resamples", "100"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while server.requests < 4 or not server.active:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "Interrupted" in said
        assert "Traceback" not in said
        sent, server.delay = server.requests, 0.0
        assert sent < 16
        result = run(bench, tmp_path / "out", server, "--model", "m", "--concurrency", "2")
        assert result.exit_code == 0
        assert server.requests == 16, "nothing was asked twice"


class Scripted:
    """A model that answers so many questions and then stops, or fails some."""

    def __init__(self, count: int, fails: int = 0) -> None:
        self.settings = {"model": "scripted"}
        self.count, self.fails = count, fails
        self.asked: list[str] = []

    def answers(self, asks: Iterator[tuple[Ask, bytes]]) -> Generator[list[Said]]:
        for number, (ask, _) in enumerate(asks):
            if number == self.count:
                raise StoppedError("enough")
            self.asked.append(ask.key)
            bad = number < self.fails
            yield [
                Said(key=ask.key, status="failed" if bad else "ok", detail="timeout: x", text="A")
            ]


def test_what_failed_in_passing_is_asked_again_where_a_run_goes_on(
    bench: Path, tmp_path: Path
) -> None:
    def planned(model: Scripted) -> Evaluation:
        made = Evaluation(bench, tmp_path / "out", read_options({"model": str(tmp_path)}))
        made.model = model
        return made

    first, second = Scripted(5, fails=2), Scripted(100)
    with pytest.raises(StoppedError):
        planned(first).run()
    summary = planned(second).run()
    assert summary
    assert summary["counts"]["failures"] == {}
    assert set(first.asked) & set(second.asked) == set(first.asked[:2])
    assert len(second.asked) == 16 - 3


def test_a_dry_run_counts_and_sends_nothing(
    bench: Path, tmp_path: Path, knowing: FaultServer
) -> None:
    shown = run(bench, tmp_path / "out", knowing, "--dry-run", "--control", "blind", "--json")
    found = json.loads(shown.stdout)["answers"]
    assert found["to_send"] == found["unique"] == 16 + 4
    assert found["cost_micro_usd"][0] > 0
    assert knowing.requests == 0
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="counts what an endpoint would be asked"):
        call(str(bench), str(tmp_path / "out"), "--model", str(tmp_path), "--dry-run")


def test_the_maximal_cost_stops_before_it_is_passed_and_more_money_goes_on(
    bench: Path, tmp_path: Path, knowing: FaultServer
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "date: 2026-01-01\nmodels:\n  gpt-4o-mini: {input: 1000, output: 1000}\n", "utf-8"
    )
    with pytest.raises(StoppedError, match="Raise the maximal cost"):
        run(bench, tmp_path / "out", knowing, "--prices", str(prices), "--max-cost", "4")
    sent = knowing.requests
    assert 0 < sent < 16
    run(bench, tmp_path / "out", knowing, "--prices", str(prices), "--max-cost", "100")
    assert knowing.requests == 16


def test_batches_are_handed_in_and_collected(
    bench: Path, tmp_path: Path, knowing: FaultServer
) -> None:
    for _ in range(12):
        result = run(bench, tmp_path / "out", knowing, "--batch-api", "--json")
        found = json.loads(result.stdout)
        if "pending" not in found:
            break
    assert found["counts"]["judged"] == 16
    run(bench, tmp_path / "online", knowing)
    bills = [read_json(tmp_path / n / SUMMARY)["bill"]["in_all"] for n in ("out", "online")]
    assert bills[0]["answers"] == bills[1]["answers"] == 16
    # Half the price, each answer's rounded up.
    assert bills[0]["cost_micro_usd"] < 0.6 * bills[1]["cost_micro_usd"]


def test_the_order_of_rows_is_no_matter(tmp_path: Path, knowing: FaultServer) -> None:
    entries = [entry(n, level) for level in LEVELS for n in range(4)]
    first = write_benchmark(tmp_path / "first", entries)
    random.Random(3).shuffle(entries)
    second = write_benchmark(tmp_path / "second", entries)
    for name, bench in (("a", first), ("b", second)):
        run(bench, tmp_path / name, knowing)
    for name in ("answers.jsonl", "judged.jsonl", SCORES):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
