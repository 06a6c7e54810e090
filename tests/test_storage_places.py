"""Names of places: what each means, what is refused, what lacks a package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from degrade import places, storage, workload
from degrade.errors import UserError
from degrade.runs import WORK
from tests.hubserver import TOKEN, hub
from tests.hubstate import Blob, Repo
from tests.run_help import pictures, synth, tree
from tests.storage_help import remote, run_command, without_source


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 sources, so that few pictures make several."""
    for fmt in workload.SHARD_SOURCES:
        monkeypatch.setitem(workload.SHARD_SOURCES, fmt, 16)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match=r'gs://.*pip install "degrade\[gs\]"'):
        storage.place("gs://bucket/src")


def test_a_long_name_of_a_store_has_a_local_copy() -> None:
    named = storage.place("memory://bucket") / ("\U0001f600" * 200 + ".csv")
    assert isinstance(named, storage.Remote)
    named.write_bytes(b"a,b")
    with named.open(encoding="utf-8") as file:
        assert file.read() == "a,b"
    named.unlink()


def test_local_names_are_local_paths() -> None:
    assert storage.place("a/b") == Path("a/b")
    assert storage.place("file:///a/b c") == Path("/a/b c")
    assert storage.place("C:/x") == Path("C:/x")


def test_pictures_are_read_from_the_hub(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 7)
    (src / "a b").mkdir()
    (src / "000.png").rename(src / "a b" / "ü#1.png")
    synth(src, tmp_path / "local")
    with hub() as running:
        files = {f"pics/{name}": Blob(data, lfs=False) for name, data in tree(src).items()}
        running.repos["me/photos"] = Repo(private=False, files=files, commits=[{}])
        told = {
            "HF_ENDPOINT": running.url,
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path / "home"),
        }
        out = str(tmp_path / "out")
        done = run_command("synth", "hf://datasets/me/photos/pics", out, "-q", **told)
    assert (done.returncode, done.stderr) == (0, "")
    assert without_source(tree(tmp_path / "out")) == without_source(tree(tmp_path / "local"))


def test_another_store_of_fsspec_works_as_well(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 20)
    synth(src, tmp_path / "out")
    remote(src, "memory://folder/out")
    import fsspec

    memory = fsspec.filesystem("memory")
    found = {p[len("/folder/out/") :]: memory.cat_file(p) for p in memory.find("/folder/out")}
    assert found == tree(tmp_path / "out")
    assert not memory.exists(f"/folder/out/{WORK}")


def test_what_lies_beside_a_folder_is_called_as_it_however_the_folder_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run" / "inside").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert places.beside(Path("run"), "-chains") == Path("run-chains")
    monkeypatch.chdir("run")
    assert places.beside(Path(), "-chains") == tmp_path / "run-chains"
    monkeypatch.chdir("inside")
    assert places.beside(Path(".."), "-chains") == tmp_path / "run-chains"
    store = storage.place("memory://bucket/run")
    assert str(places.beside(store, "-chains")) == "memory://bucket/run-chains"
