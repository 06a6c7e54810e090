"""Runs from and to an object store: the bytes of a local run, whatever breaks on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from degrade import leases, storage, workload
from degrade.errors import StoppedError, UserError
from degrade.executor import Options, Synth
from degrade.runs import LOCK
from degrade.sources import scan
from degrade.verify import Verifier
from tests.run_help import ROBUST, command, pictures, synth, tree
from tests.s3_help import Store
from tests.storage_help import remote, run_command, upload, without_source


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 sources, so that few pictures make several."""
    for fmt in workload.SHARD_SOURCES:
        monkeypatch.setitem(workload.SHARD_SOURCES, fmt, 16)


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_a_run_on_a_store_is_the_local_one_byte_for_byte(
    tmp_path: Path, s3: Store, fmt: str
) -> None:
    src = pictures(tmp_path / "src", 20)
    (src / "empty.jpg").touch()
    synth(src, tmp_path / "out", format=fmt, copies=2)
    assert remote(src, "s3://bucket/out", format=fmt, copies=2)["counts"]["failed"] == 1
    assert s3.tree("out") == tree(tmp_path / "out")
    upload(s3, src, "src")
    remote("s3://bucket/src", "s3://bucket/second", format=fmt, copies=2)
    remote("s3://bucket/src", str(tmp_path / "back"), format=fmt, copies=2)
    for found in (s3.tree("second"), tree(tmp_path / "back")):
        assert without_source(found) == without_source(tree(tmp_path / "out"))


def test_names_of_all_kinds_keep_their_meaning_and_replay(tmp_path: Path, s3: Store) -> None:
    data = [p.read_bytes() for p in sorted(pictures(tmp_path / "some", 8).iterdir())]
    names = ("a b.png", "ü/é.png", "100%25.png", "x#1.png", "[1]?.png", "a+b&c=d.png", "日/本.PNG")
    src = tmp_path / "s r c#%41"
    for name, content in zip(names, data, strict=False):
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).write_bytes(content)
    upload(s3, src, src.name)
    out = "s3://bucket/o u t#%42/ü"
    remote(f"s3://bucket/{src.name}", out)
    synth(src, tmp_path / "out")
    found = s3.tree("o u t#%42/ü")
    assert without_source(found) == without_source(tree(tmp_path / "out"))
    verifier = Verifier(storage.place(out), None, "cpu", 4)
    assert [d for d in verifier.check() if d] == []
    assert verifier.total == len(names)


def test_more_objects_than_a_page_holds_are_all_found(s3: Store) -> None:
    for i in range(1010):
        s3.put(f"many/{i % 3}/{i}.jpg", b"x")
    s3.put("many/.hidden.jpg", b"x")
    s3.put("many/folder/", b"")
    listing = scan(storage.place("s3://bucket/many"))
    names = [source.path for source in listing.sources]
    assert names == sorted(f"{i % 3}/{i}.jpg" for i in range(1010))
    assert listing.ignored == 1


# ------------------------------------------------------------------------ what breaks on the way


@pytest.mark.parametrize("fmt", ["folder", "parquet"])
def test_a_broken_connection_stops_and_the_same_command_goes_on(
    tmp_path: Path, s3: Store, fmt: str
) -> None:
    src = pictures(tmp_path / "src", 48)
    synth(src, tmp_path / "whole", format=fmt)
    upload(s3, src, "src")
    before = s3.line.passed
    remote("s3://bucket/src", "s3://bucket/again", format=fmt)
    amount = s3.line.passed - before
    for share in (0.6, 0.3):
        s3.line.after(int(share * amount))
        with pytest.raises(StoppedError, match=r"could not be reached.*same command"):
            remote("s3://bucket/src", "s3://bucket/out", patience=0.5, format=fmt)
        s3.line.mend()
        kept = [key for key in s3.keys("out/.work/") if "shard-" in key]
        assert "out/run.json" not in s3.keys("out/")
    assert kept, "finished shards stay"
    assert not remote("s3://bucket/src", "s3://bucket/out", format=fmt)["already_finished"]
    assert without_source(s3.tree("out")) == without_source(tree(tmp_path / "whole"))


def test_a_short_break_is_ridden_out(tmp_path: Path, s3: Store) -> None:
    src = pictures(tmp_path / "src", 40)
    synth(src, tmp_path / "whole")
    broken = s3.line.broken
    s3.line.after(60_000)

    def mend() -> None:
        while not s3.line.down:
            time.sleep(0.01)
        time.sleep(1.0)
        s3.line.mend()

    mending = threading.Thread(target=mend)
    mending.start()
    remote(src, "s3://bucket/out")
    mending.join()
    assert s3.line.broken == broken + 1
    assert s3.tree("out") == tree(tmp_path / "whole")


def test_the_command_says_what_to_do_and_exits_with_2(tmp_path: Path, s3: Store) -> None:
    src = pictures(tmp_path / "src", 3)
    s3.line.cut()
    done = run_command("synth", str(src), "s3://bucket/out", "--patience", "0.5")
    assert done.returncode == 2
    assert "s3://bucket/out could not be reached" in done.stderr
    assert "Traceback" not in done.stderr
    s3.line.mend()
    done = run_command("synth", str(src), "s3://bucket/out")
    assert (done.returncode, done.stderr) == (0, "")
    assert "in s3://bucket/out" in done.stdout
    done = run_command("verify", "s3://bucket/out")
    assert done.stdout == "3 of 3 rows replay.\n"


def test_a_killed_run_goes_on_at_once(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the command's shards are those of every day
    src = pictures(tmp_path / "src", 150)
    synth(src, tmp_path / "whole")
    process = subprocess.Popen(command(src, "s3://bucket/out"))  # type: ignore[arg-type]
    while not any("shard-" in key for key in s3.keys("out/.work/")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "out/.lock" in s3.keys("out/")
    begun = time.monotonic()
    remote(src, "s3://bucket/out")
    assert time.monotonic() - begun < leases.BEAT, "a dead process of this machine is not watched"
    assert s3.tree("out") == tree(tmp_path / "whole")


# ------------------------------------------------------------------------------ one at a time


def lease(**changes: Any) -> bytes:
    return json.dumps({"host": "elsewhere", "pid": 7, "token": "t", "beat": 0, **changes}).encode()


def test_a_lease_that_is_renewed_is_respected(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.2)
    src = pictures(tmp_path / "src", 3)
    out = storage.place("s3://bucket/out")
    with leases.held(out / LOCK):
        with pytest.raises(UserError, match=r"Another process is at work.*process"):
            remote(src, "s3://bucket/out")
        assert s3.keys("out/") == ["out/.lock"]
    assert s3.keys("out/") == []


@pytest.mark.parametrize("left", [lease(), lease(pid=2**22 + 1), b"no json"])
def test_a_lease_that_is_not_renewed_ends(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch, left: bytes
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.2)
    src = pictures(tmp_path / "src", 3)
    s3.put("out/.lock", left)
    assert remote(src, "s3://bucket/out")["counts"]["rows"] == 3
    assert "out/.lock" not in s3.keys("out/")


def test_of_two_who_take_over_at_once_the_one_who_was_overwritten_gives_way(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storage.Remote.create

    def overtaken(self: storage.Remote, data: bytes) -> bool:
        made = real(self, data)
        s3.put("out/.lock", lease())
        return made

    monkeypatch.setattr(storage.Remote, "create", overtaken)
    with pytest.raises(UserError, match="Another process"):
        remote(pictures(tmp_path / "src", 3), "s3://bucket/out")
    assert s3.keys("out/") == ["out/.lock"]


# ------------------------------------------------------------------------- the guarantees of runs


def test_finished_other_and_foreign_runs_are_treated_as_on_a_disk(
    tmp_path: Path, s3: Store
) -> None:
    src = pictures(tmp_path / "src", 5)
    remote(src, "s3://bucket/out")
    before = s3.tree("out")
    assert remote(src, "s3://bucket/out")["already_finished"]
    with pytest.raises(UserError, match=r"a finished run.*seed"):
        remote(src, "s3://bucket/out", seed=1)
    assert s3.tree("out") == before
    s3.put("out/thesis.tex", b"years of work")
    with pytest.raises(UserError, match=r"thesis.tex"):
        remote(src, "s3://bucket/out", seed=1, overwrite=True)
    s3.put("empty/", b"")  # what a console calls a new folder
    assert remote(src, "s3://bucket/empty")["counts"]["rows"] == 5
    s3.put("foreign/thesis.tex", b"years of work")
    with pytest.raises(UserError, match="not empty"):
        remote(src, "s3://bucket/foreign")
    assert s3.tree("foreign") == {"thesis.tex": b"years of work"}
    s3.client.delete_object(Bucket="bucket", Key="out/thesis.tex")
    remote(src, "s3://bucket/out", seed=1, overwrite=True)
    synth(src, tmp_path / "out", seed=1)
    assert s3.tree("out") == tree(tmp_path / "out")
    with pytest.raises(UserError, match="is a file"):
        remote(src, "s3://bucket/out/run.json")


def test_an_unfinished_run_of_another_seed_is_refused_and_can_be_replaced(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 20)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("degrade.runs.Run.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            remote(src, "s3://bucket/out")
    assert len([key for key in s3.keys("out/.work/") if "shard-" in key]) == 2
    with pytest.raises(UserError, match="an unfinished run"):
        remote(src, "s3://bucket/out", seed=1)
    remote(src, "s3://bucket/out", seed=1, overwrite=True)
    synth(src, tmp_path / "out", seed=1)
    assert s3.tree("out") == tree(tmp_path / "out")


def test_names_that_no_store_takes_go_to_quarantine(tmp_path: Path, s3: Store) -> None:
    src = pictures(tmp_path / "src", 2)
    deep = src / "/".join(["x" * 200] * 5)
    deep.mkdir(parents=True)
    (src / "000.png").rename(deep / "000.png")
    result = remote(src, "s3://bucket/out")
    assert result["counts"]["failures"] == {"name_too_long": 1}


def test_an_archived_object_goes_to_quarantine(tmp_path: Path, s3: Store) -> None:
    upload(s3, pictures(tmp_path / "src", 3), "src")
    place = {"Bucket": "bucket", "Key": "src/001.png"}
    data = (tmp_path / "src" / "001.png").read_bytes()
    s3.client.put_object(**place, Body=data, StorageClass="GLACIER")
    counts = remote("s3://bucket/src", str(tmp_path / "out"))["counts"]
    assert (counts["rows"], counts["failures"]) == (2, {"unreadable": 1})
    assert "storage class" in (tmp_path / "out" / "quarantine.jsonl").read_text()


# ------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("src", "out", "message"),
    [
        ("s3://bucket/none", "s3://bucket/out", "no folder or picture s3://bucket/none"),
        ("s3://nobucket/src", "s3://bucket/out", "no folder or picture s3://nobucket/src"),
        ("s3://bucket/text", "s3://bucket/out", r"holds no pictures \(1 other files\)"),
        ("s3://bucket/src", "s3://nobucket/out", "bucket"),
        ("s3://bucket/src", "s3://bucket/src/out", "inside the source"),
        ("s3://bucket/src", "s3://bucket/src", "inside the source"),
        ("s3://bucket/out/src", "s3a://bucket/out", "inside the output"),
        ("s3://bucket/*.jpg", "s3://bucket/out", "is a pattern"),
        ("s3://bucket/src", "hf://datasets/someone/some", "degrade-cli push"),
        ("s3://", "s3://bucket/out", "names no bucket"),
        ("sss://bucket/src", "s3://bucket/out", "Unknown storage sss://.*s3://"),
    ],
)
def test_places_that_cannot_be_are_refused_and_nothing_is_written(
    tmp_path: Path, s3: Store, src: str, out: str, message: str
) -> None:
    upload(s3, pictures(tmp_path / "src", 2), "src")
    upload(s3, tmp_path / "src", "out/src")
    s3.put("text/read.me", b"x")
    before = s3.keys("")
    with pytest.raises((UserError, StoppedError), match=message):
        remote(src, out)
    assert s3.keys("") == before


@pytest.mark.parametrize("which", ["none", "refused"])
def test_keys_that_are_missing_or_wrong_are_named(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    src = pictures(tmp_path / "src", 2)
    storage._filesystem.cache_clear()
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("The AWS Access Key Id you provided does not exist in our records.")

    if which == "none":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    else:
        monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", refused)
    with pytest.raises(StoppedError, match=r"s3://bucket/out.* was refused.*Check the keys"):
        remote(src, "s3://bucket/out")
    assert s3.keys("") == []
    storage._filesystem.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


def test_the_fingerprint_does_not_know_where_the_run_is(tmp_path: Path, s3: Store) -> None:
    src = pictures(tmp_path / "src", 2)
    upload(s3, src, "src")
    found = {
        Synth(storage.place(a), storage.place(b), ROBUST, 0, Options()).run_folder.fingerprint
        for a in (str(src), "s3://bucket/src")
        for b in (str(tmp_path / "out"), "s3://bucket/out", "memory://out")
    }
    assert len(found) == 1
