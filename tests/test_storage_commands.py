"""What comes after `synth` on a store: the same bytes as from folders, or a clear refusal."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer

from annotate import annotator
from annotate.testing.faultserver import FaultServer, serving
from degrade import console, leases, storage
from degrade.runs import LOCK
from tests.s3_help import Store
from tests.shell_help import Shell, without
from tests.test_annotate import KEY, Model, made
from tests.test_cli_manners import ALL
from tests.test_run import tree
from trainer.evaluation.records import SUMMARY


def chains(files: dict[str, bytes]) -> dict[str, Any]:
    return without(files, annotator.SUMMARY, "source")


# ----------------------------------------------------------------------------------- annotate


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_chains_on_a_store_are_the_local_ones_byte_for_byte(
    tmp_path: Path, s3: Store, shell: Shell, fmt: str
) -> None:
    run = made(tmp_path, 12, format=fmt)
    asked = ("--questions", tmp_path / "questions.jsonl")
    shell.done("annotate", run, *asked)
    local = tree(tmp_path / "run-chains")
    assert set(local) == {"annotate.json", "chains.jsonl"}
    shell.done("annotate", run, "s3://bucket/from-here", *asked)
    assert s3.tree("from-here") == local
    for folder in ("run", "src"):
        s3.upload(tmp_path / folder, folder)
    s3.put("questions.jsonl", (tmp_path / "questions.jsonl").read_bytes())
    there = ("--questions", "s3://bucket/questions.jsonl", "--source", "s3://bucket/src")
    code, out, err = shell("annotate", "s3://bucket/run", *there)
    assert (code, err) == (0, "")
    assert "12 of 12 chains accepted in s3://bucket/run-chains" in out
    shell.done("annotate", "s3://bucket/run", tmp_path / "back", *there)
    for found in (s3.tree("run-chains"), tree(tmp_path / "back")):
        assert chains(found) == chains(local)
    code, out, _ = shell("annotate", "s3://bucket/run", *there)
    assert code == 0
    assert "s3://bucket/run-chains is finished already" in out


SMALL = "import annotate.annotator as a; a.SHARD_ROWS = 8; from degrade.cli import main; main()"


def test_killed_chains_go_on_at_once(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotator, "SHARD_ROWS", 8)
    run = made(tmp_path, 64, format="parquet")
    shell.done("annotate", run)
    s3.upload(run, "run")
    command = ("annotate", "s3://bucket/run", "--workers", "1")
    process = subprocess.Popen([sys.executable, "-c", SMALL, *command])
    while not (kept := [key for key in s3.keys("run-chains/.work/") if "shard-" in key]):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "run-chains/.lock" in s3.keys("run-chains/")
    finished = s3.client.get_object(Bucket="bucket", Key=kept[0])["Body"].read()
    commits: list[int] = []
    commit = annotator.Run.commit

    def counted(self: Any, marker: Any) -> None:
        commits.append(marker.index)
        commit(self, marker)

    monkeypatch.setattr(annotator.Run, "commit", counted)
    begun = time.monotonic()
    shell.done(*command)
    assert time.monotonic() - begun < leases.BEAT, "a dead process of this machine is not watched"
    assert json.loads(finished)["index"] not in commits, "what was finished is not made again"
    assert 0 < len(commits) < 8
    assert chains(s3.tree("run-chains")) == chains(tree(tmp_path / "run-chains"))


def test_one_process_annotates_at_a_time(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.2)
    run = made(tmp_path, 3)
    with leases.held(storage.place("s3://bucket/chains") / LOCK):
        code, _, err = shell("annotate", run, "s3://bucket/chains")
    assert code == 2
    assert "Another process is at work in s3://bucket/chains" in err
    assert s3.keys("chains/") == []


def uploaded(tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of five shards, annotated here, and on the store with its source."""
    monkeypatch.setattr(annotator, "SHARD_ROWS", 8)
    shell.done("annotate", made(tmp_path, 40))
    for folder in ("run", "src"):
        s3.upload(tmp_path / folder, folder)


def test_a_connection_that_breaks_for_a_moment_is_ridden_out(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(tmp_path, s3, shell, monkeypatch)
    there = ("annotate", "s3://bucket/run", "--source", "s3://bucket/src")
    before, broken = s3.line.passed, s3.line.broken
    shell.done(*there, "s3://bucket/whole")
    s3.line.after((s3.line.passed - before) // 2)
    mending = s3.mend_soon(1.0)
    shell.done(*there)
    mending.join()
    assert s3.line.broken == broken + 1
    assert chains(s3.tree("run-chains")) == chains(tree(tmp_path / "run-chains"))


def test_a_connection_that_stays_broken_stops_and_the_same_command_goes_on(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(tmp_path, s3, shell, monkeypatch)
    there = ("annotate", "s3://bucket/run", "--source", "s3://bucket/src", "--patience", "0.5")
    before = s3.line.passed
    shell.done(*there, "s3://bucket/whole")
    s3.line.after((s3.line.passed - before) * 2 // 3)
    code, _, err = shell(*there)
    assert code == 2
    assert "could not be reached for 0.5 s" in err
    assert "the same command" in err
    s3.line.mend()
    assert [key for key in s3.keys("run-chains/.work/") if "shard-" in key]
    shell.done(*there)
    assert chains(s3.tree("run-chains")) == chains(tree(tmp_path / "run-chains"))


def test_a_model_writes_to_a_store_and_its_answers_stay_here(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    run = made(tmp_path, 6)
    for folder in ("run", "src"):
        s3.upload(tmp_path / folder, folder)
    with serving(FaultServer(Model(tmp_path))) as model:
        asked = ("--questions", tmp_path / "questions.jsonl", "--writer", "llm")
        asked += ("--model", "gpt-4o-mini", "--base-url", model.url)
        there = ("annotate", "s3://bucket/run", *asked, "--source", "s3://bucket/src")
        code, _, err = shell(*there)
        assert (code, model.requests) == (2, 0)
        assert "--journal run-chains.sqlite" in err
        shell.done(*there, "--journal", "answers.sqlite")
        sent = model.requests
        shell.done("annotate", run, *asked, "--journal", "answers.sqlite")
        assert model.requests == sent, "the same requests, paid once"
    assert chains(s3.tree("run-chains")) == chains(tree(tmp_path / "run-chains"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["s3://bucket/none"], "There is no folder s3://bucket/none"),
        (["s3://bucket"], "s3://bucket is a whole bucket: say where to write"),
        (["sss://bucket/run"], "Unknown storage sss://"),
        (["s3://bucket/run", "hf://datasets/me/chains"], "degrade-cli push"),
        (["s3://bucket/run", "--questions", "s3://bucket/q.jsonl"], "Cannot read questions"),
        (["s3://bucket/run", "--source", "s3://bucket/gone"], "not at s3://bucket/gone any more"),
        (
            ["s3://bucket/run", "--writer", "llm", "--model", "m", "--journal", "s3://b/j"],
            "s3://b/j is on a store",
        ),
    ],
)
def test_what_annotate_cannot_do_on_a_store_is_said(
    tmp_path: Path, s3: Store, shell: Shell, given: list[str], message: str
) -> None:
    s3.upload(made(tmp_path, 2), "run")
    before = s3.keys("")
    code, _, err = shell("annotate", *given)
    assert (code, message in err) == (2, True), err
    assert s3.keys("") == before


# ------------------------------------------------------------------------- every other command


def path_parameters() -> Iterator[tuple[str, str, Any]]:
    """Command, parameter and what reads it, of all parameters that are given as paths."""
    for words, command in ALL.items():
        function = inspect.unwrap(command.callback)
        for name, hint in get_type_hints(function, include_extras=True).items():
            info = getattr(hint, "__metadata__", [None])[0]
            if info is not None and "pathlib" in repr(hint.__origin__):
                yield " ".join(words), name, info.parser


def test_every_path_of_the_command_line_refuses_a_url() -> None:
    found = list(path_parameters())
    assert len(found) > 20
    assert [(command, name) for command, name, parser in found if parser is not console.path] == []
    assert console.path("a/b c") == Path("a/b c")
    assert console.path("file:///a/b c") == Path("/a/b c")
    for url in ("s3://bucket/x", "gs://bucket", "sss://x"):
        with pytest.raises(typer.BadParameter, match=rf"{url} is on a store.*aws s3 cp"):
            console.path(url)


def test_a_url_where_a_path_is_wanted_ends_with_a_message(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = shell("gallery", "s3://bucket/page")
    assert code == 2
    assert "Invalid value for 'OUT': s3://bucket/page is on a store" in err
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / SUMMARY).write_text("{}")
    code, _, err = shell("report", "eval", "s3://bucket/eval")
    assert code == 2
    assert "s3://bucket/eval is on a store" in err
    assert [p.name for p in tmp_path.iterdir()] == ["eval"]
