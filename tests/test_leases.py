"""Leases on a store: who may take over, and what becomes of who was taken over."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from degrade import leases, storage, workload
from degrade.errors import StoppedError, UserError
from degrade.executor import Options, Synth
from degrade.runs import LOCK, WORK
from degrade.storage import Remote
from tests.run_help import ROBUST, pictures


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A folder of a store, where leases are renewed often."""
    monkeypatch.setattr(leases, "BEAT", 0.1)
    folder = storage.place("memory://leases/out")
    assert isinstance(folder, Remote)
    yield folder
    folder.remove_tree()


def lease(**changes: Any) -> bytes:
    return json.dumps({"host": "elsewhere", "pid": 7, "token": "t", "beat": 0, **changes}).encode()


def test_a_process_number_of_another_machine_or_container_says_nothing(out: Remote) -> None:
    lock = out / LOCK
    theirs = {"host": socket.gethostname(), "pid": 2**22 + 1, "space": "another boot and namespace"}
    lock.write_bytes(lease(**theirs))
    renewed = threading.Timer(0.15, lambda: lock.write_bytes(lease(**theirs, beat=1)))
    renewed.start()
    with pytest.raises(UserError, match="Another process"), leases.held(lock):
        pass
    renewed.join()
    assert lock.read_bytes() == lease(**theirs, beat=1)


def test_a_newcomer_who_was_slow_leaves_the_lease_of_the_quicker_one(
    out: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = out / LOCK
    lock.write_bytes(lease())
    real, seen = leases._read, []

    def overtaken(lock: Remote) -> dict[str, Any] | None:
        seen.append(real(lock))
        if len(seen) >= 7:  # that is how long one watches
            lock.write_bytes(lease(token="quicker", beat=len(seen)))
        return seen[-1]

    monkeypatch.setattr(leases, "_read", overtaken)
    with pytest.raises(UserError, match="Another process"), leases.held(lock):
        pass
    assert json.loads(lock.read_bytes())["token"] == "quicker"


def test_who_lost_the_lease_commits_no_more(
    tmp_path: Path, out: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(workload.SHARD_SOURCES, "folder", 8)
    run = Synth(pictures(tmp_path / "src", 20), out, ROBUST, 0, Options(workers=1))

    def taken_over(done: int, total: int) -> None:
        if done == 10:
            (out / LOCK).write_bytes(lease())
            time.sleep(0.4)

    with pytest.raises(StoppedError, match="took over memory://leases/out"):
        run.run(progress=taken_over)
    kept = [path.name for path in (out / WORK).iterdir()]
    assert kept == ["plan.json", "shard-000000.json"]
    assert (out / LOCK).read_bytes() == lease()
    (out / LOCK).unlink()
    assert run.run()["counts"]["rows"] == 20
