"""Runs that were killed, stopped or had no room: nothing is lost, nothing foreign is touched."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from degrade import pipeline, runs, shards, threads, workload
from degrade.errors import HaltedError, StoppedError, UserError
from degrade.executor import Options, Synth
from tests.run_help import ROBUST, command, differing, pictures, rows, synth, tree


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_kill_and_repeat_gives_the_same_bytes(tmp_path: Path, fmt: str) -> None:
    src = pictures(tmp_path / "src", 600 if fmt == "parquet" else 150)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    synth(src, whole, format=fmt, encode="png")

    def written() -> int:
        return len(list(broken.rglob("*.png"))) + 64 * len(list(broken.rglob("shard-*.json")))

    for enough in (5, 90):  # inside the first shard, inside a later one
        process = subprocess.Popen(command(src, broken, "--format", fmt))
        started = time.monotonic()
        while written() < enough and process.poll() is None:
            assert time.monotonic() - started < 60
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (broken / "run.json").exists(), "the kill came too late to test anything"
    subprocess.run(command(src, broken, "--format", fmt, "--resume"), check=True)
    assert tree(broken) == tree(whole)


def test_a_stop_finishes_the_shards_under_way_and_the_same_command_goes_on(
    tmp_path: Path,
) -> None:
    src = pictures(tmp_path / "src", 200)
    run, stop = Synth(src, tmp_path / "out", ROBUST, 0, Options(workers=1)), threading.Event()

    def progress(done: int, _: int) -> None:
        if done == 70:
            stop.set()

    with pytest.raises(HaltedError):
        run.run(stop=stop.is_set, progress=progress)
    assert run.run_folder.missing(4) == [2, 3]
    assert len(list((tmp_path / "out" / "images").iterdir())) == 128
    synth(src, tmp_path / "out")
    synth(src, tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_another_recipe_or_seed_is_refused_with_both_fingerprints(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 3)
    run = Synth(src, tmp_path / "out", ROBUST, 0, Options())
    with run.run_folder.opened(overwrite=False, resume=False):
        pass  # as if killed at once
    other = Synth(src, tmp_path / "out", ROBUST, 1, Options())
    with pytest.raises(UserError) as caught:
        other.run()
    assert run.run_folder.fingerprint in str(caught.value)
    assert other.run_folder.fingerprint in str(caught.value)
    assert "seed" in str(caught.value)
    assert not other.run(overwrite=True)["already_finished"]
    assert other.run()["already_finished"]
    with pytest.raises(UserError, match="finished run"):
        run.run()


def test_a_run_that_began_with_another_writer_of_pictures_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold files of both: the same pixels, other bytes than the command gives."""
    src, out = pictures(tmp_path / "src", 3), tmp_path / "out"
    monkeypatch.setattr(workload, "WRITER", 1)
    began = Synth(src, out, ROBUST, 0, Options()).run_folder
    with began.opened(overwrite=False, resume=False):
        assert began.matches()
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"an unfinished run.*differ in: writer"):
        synth(src, out)


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 3)
    synth(src, tmp_path / "out")
    before = tree(tmp_path / "out")
    assert synth(src, tmp_path / "out")["already_finished"]
    assert tree(tmp_path / "out") == before


def test_resume_insists_on_something_to_resume(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 1)
    with pytest.raises(UserError, match="no unfinished run"):
        Synth(src, tmp_path / "out", ROBUST, 0, Options()).run(resume=True)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_overwrite_leaves_no_marker_without_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 70)
    synth(src, tmp_path / "whole")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    run = Synth(src, tmp_path / "out", ROBUST, 0, Options())
    with monkeypatch.context() as patch:
        patch.setattr(run.run_folder, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            run.run()
        assert len(list((tmp_path / "out" / ".work").glob("shard-*"))) == 2
        patch.setattr(runs.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            run.run(overwrite=True)
    (tmp_path / "out" / "images" / "003.png").unlink()  # as if rmtree had come thus far
    synth(src, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_options_that_would_destroy_something_are_refused(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    synth(src, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(UserError, match="give one of them"):
        Synth(src, tmp_path / "out", ROBUST, 0, Options()).run(overwrite=True, resume=True)
    with pytest.raises(UserError, match="inside the output"):
        Synth(tmp_path / "out" / "images", tmp_path / "out", ROBUST, 0, Options())
    with pytest.raises(UserError, match="is no name"):
        Synth(src, tmp_path / "new", ROBUST, 0, Options(format="parquet", split="../../x"))
    with pytest.raises(UserError, match="is a file"):
        synth(src, src / ".." / "out" / "run.json")
    assert tree(tmp_path / "out") == before


def test_names_that_need_escaping_beside_names_that_look_escaped(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    (src / "000.png").rename(src / "a%FF.png")
    (src / "001.png").rename(os.fsdecode(os.fsencode(src) + b"/a\xff.png"))
    synth(src, tmp_path / "out", copies=2)
    assert len({r["id"] for r in rows(tmp_path / "out")}) == 4
    assert differing(tmp_path / "out") == []


def test_a_picture_that_cannot_be_degraded_leaves_its_batch_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 9)
    real = pipeline.run

    def small_memory(x: torch.Tensor, plans: Any) -> torch.Tensor:
        if len(x) > 2 or any(a.operator == "hsv_saturation" for plan in plans for a in plan):
            raise MemoryError
        return real(x, plans)

    made = {}
    monkeypatch.setattr(pipeline, "run", small_memory)
    for batch in (1, 8):
        result = synth(src, tmp_path / str(batch), batch=batch)
        made[batch] = [r["id"] for r in rows(tmp_path / str(batch))], result["counts"]
    assert made[1] == made[8]
    assert 0 < made[1][1]["failed"] < 9


def test_a_damaged_run_is_said_to_be(tmp_path: Path) -> None:
    src, out = pictures(tmp_path / "src", 3), tmp_path / "out"
    synth(src, out)
    whole = (out / "metadata.jsonl").read_text()
    (out / "metadata.jsonl").write_text("".join(whole.splitlines(keepends=True)[:2]))
    assert differing(out) == differing(out, sample=1) == ["2 rows are left, run.json counts 3"]
    for broken in (whole[:-40], whole + "{}\n"):
        (out / "metadata.jsonl").write_text(broken)
        with pytest.raises(UserError, match="Cannot read"):
            differing(out)
    (out / "metadata.jsonl").unlink()
    with pytest.raises(UserError, match="Cannot read"):
        differing(out)
    for text in ("{}", "[]", "{"):
        (out / "run.json").write_text(text)
        with pytest.raises(UserError, match=r"damaged|Cannot read"):
            differing(out)


def test_foreign_folders_are_never_touched(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="not empty"):
            Synth(src, tmp_path / "out", ROBUST, 0, Options()).run(overwrite=overwrite)
    assert tree(tmp_path / "out") == {"thesis.tex": b"years of work"}
    for inside in (src, src / "out"):
        with pytest.raises(UserError, match="inside the source"):
            Synth(src, inside, ROBUST, 0, Options())


def test_cores_are_counted_where_the_system_tells_of_no_affinity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert (threads.host_threads(), threads.host_threads(3)) == (os.cpu_count(), 3)


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 400)
    process = subprocess.Popen(command(src, tmp_path / "out"))
    while not (tmp_path / "out" / ".work").exists():
        assert process.poll() is None
        time.sleep(0.01)
    with pytest.raises(UserError, match="Another process"):
        synth(src, tmp_path / "out")
    assert process.wait() == 0
    assert synth(src, tmp_path / "out")["counts"]["rows"] == 400


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_a_full_disk_stops_and_loses_nothing(
    tmp_path: Path, fmt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 300)
    synth(src, tmp_path / "whole", format=fmt)
    left = [270]

    def scarce(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        return write

    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_atomic", scarce(runs.write_atomic))
        patch.setattr(shards.ParquetShard, "add", scarce(shards.ParquetShard.add))
        with pytest.raises(StoppedError, match="No space left"):
            synth(src, tmp_path / "out", format=fmt)
    kept = [p.name for p in (tmp_path / "out" / ".work").glob("shard-*")]
    assert kept, "finished shards stay"
    assert not list((tmp_path / "out").rglob(".*.tmp"))
    synth(src, tmp_path / "out", format=fmt)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
