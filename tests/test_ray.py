"""The Ray engine writes what the local one writes, whoever dies on the way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from degrade import ray_engine, recipe, storage, workload
from degrade.errors import HaltedError, StoppedError, UserError
from degrade.executor import Options, Synth
from degrade.ray_engine import RayEngine
from tests import hearing
from tests.conftest import PHOTOS
from tests.run_help import pictures, synth, tree
from tests.s3_help import Store, store
from tests.storage_help import upload, without_source

ROBUST = recipe.load("robust-r1")


@pytest.fixture(scope="module")
def s3() -> Iterator[Store]:
    with store() as running:
        yield running


@pytest.fixture(scope="module")
def cluster(s3: Store) -> Iterator[Any]:
    """One of two CPUs for all tests; its workers have the environment of now."""
    ray = ray_engine._ray()
    RayEngine(workers=2)._connect(ray)
    yield ray
    ray.shutdown()


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 sources, so that few pictures make several."""
    for fmt in workload.SHARD_SOURCES:
        monkeypatch.setitem(workload.SHARD_SOURCES, fmt, 16)


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, crops of them, and files that are none."""
    folder = pictures(tmp_path_factory.mktemp("ray") / "src", 40)
    for path in PHOTOS.glob("*.jpg"):
        shutil.copy(path, folder / path.name)
    (folder / "empty.jpg").touch()
    (folder / "zz.jpg").write_text("no picture")
    return folder


def on_ray(src: Any, out: Any, workers: int, patience: float = 30, **options: Any) -> Any:
    options.setdefault("max_side", 64)
    places = storage.place(src, patience), storage.place(out, patience)
    run = Synth(*places, ROBUST, 0, Options(**options))
    told: list[tuple[int, int]] = []
    result = run.run(
        engine=RayEngine(workers=workers),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (len(run.work), len(run.work))
    return result


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize(("fmt", "workers", "copies"), [("folder", 2, 1), ("parquet", 1, 2)])
def test_ray_writes_the_bytes_of_the_local_engine(
    tmp_path: Path, cluster: Any, src: Path, fmt: str, workers: int, copies: int
) -> None:
    counts = synth(src, tmp_path / "local", format=fmt, max_side=64, copies=copies)["counts"]
    result = on_ray(src, tmp_path / "ray", workers, format=fmt, copies=copies)
    assert result["counts"] == counts
    assert counts["failures"] == {"empty_file": 1, "not_a_picture": 1}
    assert tree(tmp_path / "ray") == tree(tmp_path / "local")


def workers() -> list[int]:
    """Process ids of the actors below this process: of its own cluster and no other."""
    parents, actors = {}, []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid = int(status.parent.name)
            parents[pid] = int(status.read_text().rpartition(")")[2].split()[1])
            if status.with_name("cmdline").read_bytes().startswith(b"ray::MapWorker"):
                actors.append(pid)

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return [pid for pid in actors if ours(pid)]


def when(condition: Callable[[], bool], action: Callable[[], None]) -> threading.Thread:
    """Do something once a condition holds, beside the test."""

    def wait() -> None:
        begun = time.monotonic()
        while not condition() and time.monotonic() - begun < 120:
            time.sleep(0.005)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.usefixtures("small_shards")
def test_a_killed_worker_costs_neither_a_row_nor_gives_one_twice(
    tmp_path: Path, cluster: Any, src: Path
) -> None:
    synth(src, tmp_path / "local", max_side=64)
    killed = []

    def kill() -> None:
        for pid in workers()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    images = tmp_path / "ray" / "images"
    killing = when(lambda: len(list(images.glob("*.png"))) > 5, kill)
    on_ray(src, tmp_path / "ray", 2)
    killing.join()
    assert killed
    assert tree(tmp_path / "ray") == tree(tmp_path / "local")


def command(src: Path, out: Path) -> list[str]:
    options = ["--engine", "ray", "--ray-workers", "2", "--max-side", "64", "--copies", "8"]
    python, *rest = hearing.COMMAND
    return [python, "-W", "error", *rest, "synth", str(src), str(out), *options, "--quiet"]


def test_a_driver_that_is_interrupted_or_killed_goes_on(tmp_path: Path, cluster: Any) -> None:
    # The workers are ahead of what the driver has heard: each shard takes a while.
    src = pictures(tmp_path / "src", 320)
    synth(src, tmp_path / "local", max_side=64, copies=8)
    out = tmp_path / "ray"
    for number, end in enumerate((signal.SIGINT, signal.SIGKILL)):
        process = subprocess.Popen(command(src, out), stderr=subprocess.PIPE, text=True)
        begun = time.monotonic()
        made = len(list(out.glob("images/*.png")))
        while len(list(out.glob("images/*.png"))) <= made + 5 and process.poll() is None:
            assert time.monotonic() - begun < 120
            time.sleep(0.005)
        process.send_signal(end)
        _, said = process.communicate()
        assert process.returncode == (130, -signal.SIGKILL)[number], said
        assert number or "the same command goes on" in said, said
        assert "Traceback" not in said
        assert not (out / "run.json").exists(), "it ended before it was killed"
    on_ray(src, out, 2, copies=8)
    assert tree(out) == tree(tmp_path / "local")


@pytest.mark.usefixtures("small_shards")
def test_a_broken_connection_stops_ray_and_the_same_command_goes_on(
    tmp_path: Path, cluster: Any, src: Path, s3: Store
) -> None:
    synth(src, tmp_path / "local", max_side=64)
    upload(s3, src, "src")
    s3.line.after(150_000)
    with pytest.raises(StoppedError, match="could not be reached"):
        on_ray("s3://bucket/src", "s3://bucket/out", 2, patience=0.5)
    s3.line.mend()
    on_ray("s3://bucket/src", "s3://bucket/out", 2)
    assert without_source(s3.tree("out")) == without_source(tree(tmp_path / "local"))


def test_a_stop_between_shards_keeps_what_is_committed(
    tmp_path: Path, cluster: Any, src: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many shards that take a while: the worker is ahead of what the driver has heard.
    monkeypatch.setitem(workload.SHARD_SOURCES, "folder", 2)
    options = Options(max_side=64, copies=10)
    run, stop = Synth(src, tmp_path / "out", ROBUST, 0, options), Event()

    def stop_at_once(done: int, _: int) -> None:
        if done:
            stop.set()

    with pytest.raises(HaltedError):
        run.run(engine=RayEngine(workers=1), stop=stop.is_set, progress=stop_at_once)
    assert 0 < len(run.run_folder.missing(run.work.task.shards)) < run.work.task.shards
    on_ray(src, tmp_path / "out", 2, copies=10)
    synth(src, tmp_path / "local", max_side=64, copies=10)
    assert tree(tmp_path / "out") == tree(tmp_path / "local")


def test_what_ray_cannot_do_is_said_beforehand(
    tmp_path: Path, cluster: Any, src: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="3 Ray workers want a CPU each and the cluster has 2"):
        on_ray(src, tmp_path / "out", 3)
    with pytest.raises(UserError, match="memory of this process"):
        on_ray(src, "memory://out", 1)
    monkeypatch.setattr(ray_engine.socket, "gethostname", lambda: "another")
    with pytest.raises(UserError, match=r"is a path of this machine.*--shared"):
        on_ray(src, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_an_address_where_no_cluster_is_is_said_at_once(address: str) -> None:
    ray = ray_engine._ray()
    with pytest.raises(UserError, match=r"no Ray cluster at .*127.0.0.1:9.*ray start --head"):
        RayEngine(address)._connect(ray)


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r'pip install "degrade\[ray\]"'):
        on_ray(pictures(tmp_path / "src", 1), tmp_path / "out", 1)
