"""Training that was killed or found no room goes on where it was."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from degrade.errors import StoppedError
from tests.trainer_help import log, same, tiny, weights
from trainer import checkpoints, sft
from trainer.callbacks import Log

pytestmark = pytest.mark.usefixtures("training_cache")


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.trainer_help import cached_in, tiny
from trainer import checkpoints, sft

mark = checkpoints.mark
def killed(folder):
    if folder.name == "checkpoint-4":  # its files are there, its marker is not
        os.kill(os.getpid(), signal.SIGKILL)
    mark(folder)
checkpoints.mark = killed
rows, out, cache = map(Path, sys.argv[1:])
with cached_in(cache):
    sft.stage(tiny(rows, sft__use="", sft__steps=6, watch__save_every=2), out).run()
"""


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(rows: Path, tmp_path: Path) -> None:
    config = tiny(rows, sft__use="", sft__steps=6, watch__save_every=2)
    out = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED, str(rows), str(out), str(tmp_path / "cache")]
    ended = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (out / "sft/checkpoints/checkpoint-4/model.safetensors").exists()
    said: list[str] = []
    sft.stage(config, out, say=said.append).run()
    assert "Going on from checkpoint-2." in said
    sft.stage(config, tmp_path / "whole").run()
    assert same(weights(out / "sft/model"), weights(tmp_path / "whole/sft/model"))
    steps = [[e["step"] for e in log(run / "sft")] for run in (out, tmp_path / "whole")]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.pt"])
def test_a_disk_that_takes_no_more_leaves_the_last_complete_checkpoint(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    # The system itself cuts files off, in the middle of what safetensors and torch write.
    config = tiny(rows, sft__use="", sft__steps=3, watch__save_every=1)
    folder = tmp_path / "out/sft/checkpoints"
    report, limits = Log.report, resource.getrlimit(resource.RLIMIT_FSIZE)

    def filling(self: Log, state: Any) -> None:
        report(self, state)
        if state.global_step == 2:
            size = (folder / "checkpoint-1" / file).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1000, limits[1]))

    monkeypatch.setattr(Log, "report", filling)
    try:
        with pytest.raises(StoppedError, match=r"MiB free.*checkpoint-1 is complete"):
            sft.stage(config, tmp_path / "out").run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in checkpoints.found(folder)] == ["checkpoint-1"]
    monkeypatch.undo()
    said: list[str] = []
    assert sft.stage(config, tmp_path / "out", say=said.append).run()["steps"] == 3
    assert "Going on from checkpoint-1." in said
    assert [p.name for p in checkpoints.found(folder)] == ["checkpoint-2", "checkpoint-3"]


def test_a_made_up_model_that_could_not_be_written_leaves_nothing_behind(
    rows: Path, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        with pytest.raises(StoppedError, match=r"the tiny model could not be written.*MiB free"):
            sft.stage(tiny(rows, sft__use=""), tmp_path / "out").run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "out/sft/base").exists()


def test_only_whole_checkpoints_count(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "weights").write_bytes(b"x" * step)
        checkpoints.mark(folder)
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-10"
    (tmp_path / "checkpoint-10/weights").write_bytes(b"x")  # cut off
    (tmp_path / "checkpoint-3/complete.json").unlink()
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-2"
    assert [p.name for p in checkpoints.found(tmp_path)] == ["checkpoint-1", "checkpoint-2"]
    checkpoints.rotate(tmp_path, 1)
    assert [p.name for p in checkpoints.found(tmp_path)] == ["checkpoint-2"]
