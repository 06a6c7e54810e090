"""The runner of exports: whole or nothing, counted, repeated without work, refused in words."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from builders.export import formats
from builders.export.base import EXPORT, LISTED
from builders.exporting import export
from builders.table import Dataset, Entry
from degrade.errors import StoppedError, UserError
from tests.dataset_help import small_dataset
from tests.export_help import exported, files, refused, remade, undamaged

FORMATS = sorted(formats())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("small") / "data", rows=8)


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return Dataset(folder)


def test_the_summary_says_what_was_exported(data: Dataset, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    result = export(
        data, "vlm-r1", tmp_path / "out", progress=lambda done, all_: told.append((done, all_))
    )
    assert told[-1] == (14, 14)
    assert [done for done, _ in told] == list(range(1, 15))
    assert result.pop("already_finished") is False
    assert result == json.loads((tmp_path / "out" / EXPORT).read_text())
    assert result["format"] == "vlm-r1"
    assert result["dataset"] == "small"
    assert result["fingerprint"] == data.fingerprint
    counts = {"train": 8, "validation": 2, "test_seen": 2, "test_unseen": 2}
    assert result["counts"] == counts
    assert result["rows"] == 14
    listed = [json.loads(line) for line in (tmp_path / "out" / LISTED).read_text().splitlines()]
    assert {row["id"]: (row["image"], row["clean"]) for row in listed} == {
        e.row.id: tuple(hashlib.sha256(d).hexdigest() for d in (e.image, e.clean))
        for e in data.entries()
    }


def test_a_finished_export_is_left_as_it_is(data: Dataset, tmp_path: Path) -> None:
    out = exported(data, "trl-sft", tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    result = export(data, "trl-sft", out)
    assert result["already_finished"] is True
    assert result["rows"] == 14
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_another_export_is_replaced_only_when_asked(
    data: Dataset, folder: Path, tmp_path: Path
) -> None:
    out = exported(data, "trl-sft", tmp_path / "out")
    other = remade(folder, tmp_path / "data", lambda i, e: undamaged(e))
    for changed_to in (
        lambda **more: export(other, "trl-sft", out, **more),
        lambda **more: export(data, "imagefolder", out, **more),
        lambda **more: export(data, "trl-sft", out, splits=["train"], **more),
        lambda **more: export(data, "trl-sft", out, use="rl", **more),
    ):
        with pytest.raises(UserError, match="--overwrite"):
            changed_to()
        assert changed_to(overwrite=True)["already_finished"] is False
        assert changed_to()["already_finished"] is True
        exported(data, "trl-sft", out, overwrite=True)
    assert files(out) == files(exported(data, "trl-sft", tmp_path / "fresh"))


def test_what_is_no_export_is_never_replaced(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("out", "file"):
        with pytest.raises(UserError, match="Give a"):
            export(data, "vlm-r1", tmp_path / name, overwrite=True)
    assert files(tmp_path) == {"out/mine.txt": b"mine", "file": b"mine"}
    (tmp_path / "out" / "mine.txt").unlink()
    assert export(data, "vlm-r1", tmp_path / "out")["rows"] == 14


_KILLED = """
import os, signal, sys
from pathlib import Path
from builders.exporting import export
from builders.table import Dataset
def progress(done, total):
    if done == 9:
        os.kill(os.getpid(), signal.SIGKILL)
export(Dataset(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3]), progress=progress)
"""


def test_a_killed_export_leaves_no_half_of_one(data: Dataset, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", _KILLED, str(folder), "imagefolder", str(out)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    assert subprocess.run(command, env=env, check=False).returncode == -signal.SIGKILL
    assert not out.exists()
    assert any(tmp_path.iterdir())
    (tmp_path / ".out.replaced").mkdir()  # as one that was killed while it replaced another
    exported(data, "imagefolder", out)
    assert files(out) == files(exported(data, "imagefolder", tmp_path / "fresh"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fresh", "out"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_stops_an_export_without_traces(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StoppedError, match="No space left on device"):
        export(data, name, tmp_path / "out", progress=full)
    assert not any(tmp_path.iterdir())


def test_two_exports_to_one_folder_do_not_meet(data: Dataset, tmp_path: Path) -> None:
    with (
        FileLock(str(tmp_path / ".out.lock")),
        pytest.raises(UserError, match="Another process"),
    ):
        export(data, "vlm-r1", tmp_path / "out")


def test_misspelt_names_suggest_the_nearest(data: Dataset, tmp_path: Path) -> None:
    for options, nearest in (
        ({"to": "llama-factory"}, "'llamafactory'"),
        ({"splits": ["test_sen"]}, "'test_seen'"),
        ({"use": "sf"}, "'sft'"),
    ):
        with pytest.raises(UserError, match=f"Did you mean {nearest}"):
            export(data, **{"to": "vlm-r1", "out": tmp_path / "out"} | options)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_splits_and_a_use_are_chosen(data: Dataset, tmp_path: Path) -> None:
    result = export(data, "trl-grpo", tmp_path / "out", splits=["validation", "train"], use="rl")
    assert result["counts"] == {"train": 6, "validation": 2}
    found = sorted(p.name for p in (tmp_path / "out" / "data").iterdir())
    assert found == ["train-00000-of-00001.parquet", "validation-00000-of-00001.parquet"]


def test_an_export_of_nothing_says_why(folder: Path, tmp_path: Path) -> None:
    data = remade(folder, tmp_path / "data", lambda i, e: refused(e))
    with pytest.raises(UserError, match="14 no_chain"):
        export(data, "trl-sft", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_data_set_with_other_bytes_than_recorded_is_refused(folder: Path, tmp_path: Path) -> None:
    def swapped(i: int, e: Entry) -> Entry:
        return Entry(e.row, e.clean, e.clean) if i == 3 else e

    with pytest.raises(UserError, match="not those that were recorded"):
        export(remade(folder, tmp_path / "data", swapped), "vlm-r1", tmp_path / "out")
