"""Slips in names of stores, and a disk of this machine that is full: said, and nothing left."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from degrade import places, shards, storage
from degrade.errors import StoppedError, UserError
from tests.run_help import pictures, synth, tree
from tests.s3_help import Store
from tests.shell_help import Shell
from tests.storage_help import remote, without_source
from tests.test_annotate import made


def test_a_store_in_capital_letters_is_the_same(tmp_path: Path, s3: Store) -> None:
    src = pictures(tmp_path / "src", 3)
    s3.upload(src, "photos")
    assert storage.place("S3://bucket/photos") == storage.place("s3://bucket/photos")
    remote("S3://bucket/photos", str(tmp_path / "out"))
    synth(src, tmp_path / "local")
    assert without_source(tree(tmp_path / "out")) == without_source(tree(tmp_path / "local"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [("s3:/bucket/a", "s3://bucket/a"), ("GS:/b", "GS://b"), ("file:/a/b", "file:///a/b")],
)
def test_a_url_that_lost_a_slash_is_no_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"{given} lacks a slash: give {meant}, or ./{given}"):
        storage.place(given)
    assert storage.place(f"./{given}") == Path(given)
    (tmp_path / given.partition("/")[0]).mkdir()
    assert storage.place(given) == Path(given)


def test_a_place_of_http_is_named_as_it_was_given() -> None:
    assert str(storage.place("http://127.0.0.1/photos")) == "http://127.0.0.1/photos"


# ------------------------------------------------------------------------------ no room here


def test_a_copy_that_finds_no_room_stops_at_once_and_says_where(s3: Store) -> None:
    s3.put("data/large", b"x" * 100_000)
    begun = time.monotonic()
    with pytest.raises(StoppedError) as stopped:
        (storage.place("s3://bucket/data") / "large").download(Path("/dev/full"))
    assert time.monotonic() - begun < 10
    for part in ("No space left on device", tempfile.gettempdir(), "s3://bucket/data", "TMPDIR"):
        assert part in str(stopped.value)


def test_a_fetched_folder_leaves_nothing_where_there_is_no_room(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("data/large", b"x" * 100_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    download = storage.Remote.download
    monkeypatch.setattr(
        storage.Remote, "download", lambda self, local: download(self, Path("/dev/full"))
    )
    with (
        pytest.raises(StoppedError, match="No space left"),
        places.fetched(storage.place("s3://bucket/data")),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_shards_for_a_store_that_find_no_room_here_say_where(
    tmp_path: Path, s3: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = pictures(tmp_path / "src", 3)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        patch.setattr(shards.ParquetShard, "add", full)
        with pytest.raises(StoppedError, match=rf"\({scratch}, through which s3://bucket/out goes"):
            remote(src, "s3://bucket/out", format="parquet")
    assert list(scratch.iterdir()) == []
    remote(src, "s3://bucket/out", format="parquet")
    synth(src, tmp_path / "out", format="parquet")
    assert s3.tree("out") == tree(tmp_path / "out")


# ------------------------------------------------------------------------ chains and builds


@pytest.mark.parametrize("inside", ["", "/chains", "/data"])
def test_chains_do_not_go_into_their_run(
    tmp_path: Path, s3: Store, shell: Shell, inside: str
) -> None:
    run = made(tmp_path, 2)
    s3.upload(run, "run")
    before = tree(run)
    for folder in (str(run), "s3://bucket/run"):
        for model in ((), ("--writer", "llm", "--model", "m", "--dry-run")):
            code, _, err = shell("annotate", folder, folder + inside, *model)
            assert (code, f"{folder}{inside} lies inside the run {folder}" in err) == (2, True)
    assert tree(run) == before
    assert len(s3.keys("")) == len(before)


def test_sources_of_a_build_are_asked_as_long_as_patience_says(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    s3.upload(pictures(tmp_path / "src", 2), "photos")
    s3.line.cut()
    source = "folder:s3://bucket/photos,license=CC0-1.0"
    for words in (
        ["benchmark", source, "bench"],
        ["dataset", "robust-r1-11k", "data", "--source", source, "--scale", "0.001"],
    ):
        code, _, err = shell("build", *words, "--patience", "0.3")
        assert (code, "s3://bucket/photos could not be reached for 0.3 s" in err) == (2, True), err


def test_a_refused_build_leaves_no_folder(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = shell("build", "benchmark", "folder:none", "deep/er/bench")
    assert (code, "no folder or picture" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "deep").mkdir()
    shell("build", "benchmark", "folder:none", "deep/er/bench")
    assert list(tmp_path.rglob("*")) == [tmp_path / "deep"], "what was there stays"
