"""Data sets, benchmarks and sources on a store: read as folders are, or clearly refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from builders import assembly
from builders.sources import Item, read_spec
from degrade.errors import UserError
from tests.dataset_help import small_dataset
from tests.evaluation_help import benchmark, write_answers
from tests.s3_help import Store
from tests.shell_help import Shell, without
from tests.test_annotate import made
from tests.test_run import pictures, tree
from tests.trainer_help import cached_in, tiny
from trainer import data as training
from trainer.evaluation.items import Benchmark
from trainer.evaluation.records import SUMMARY

# ------------------------------------------------------------ what reads data sets and benchmarks


@pytest.fixture
def dataset(tmp_path: Path, s3: Store) -> Path:
    """A data set here and as s3://bucket/data."""
    folder = small_dataset(tmp_path / "data")
    s3.upload(folder, "data")
    return folder


@pytest.mark.parametrize("fmt", ["trl-sft", "imagefolder"])
def test_an_export_of_a_data_set_on_a_store_is_the_local_one(
    tmp_path: Path, dataset: Path, shell: Shell, fmt: str
) -> None:
    shell.done("export", dataset, tmp_path / "here", "--to", fmt)
    shell.done("export", "s3://bucket/data", tmp_path / "there", "--to", fmt)
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


def validated(shell: Shell, folder: Path, url: str, *options: str) -> bool:
    """Whether the reports of a folder and of the same on a store say the same."""
    first, here, _ = shell("validate", folder, "--json", *options)
    second, there, err = shell("validate", url, "--json", *options)
    assert (first, err) == (second, "")
    return bool(json.loads(there) == json.loads(here.replace(str(folder), url)))


def test_a_data_set_on_a_store_is_validated_as_one_here(
    tmp_path: Path, s3: Store, dataset: Path, shell: Shell
) -> None:
    assert validated(shell, dataset, "s3://bucket/data", "--sample", "4")
    (dataset / "dataset.json").write_text("{")
    s3.put("data/dataset.json", b"{")
    assert validated(shell, dataset, "s3://bucket/data")
    shell.done("export", small_dataset(tmp_path / "other"), tmp_path / "out", "--to", "trl-sft")
    s3.upload(tmp_path / "out", "export")
    assert validated(shell, tmp_path / "out", "s3://bucket/export")


def test_a_copy_is_whole_after_a_broken_connection(dataset: Path, s3: Store, shell: Shell) -> None:
    broken = s3.line.broken
    s3.line.after(3000)
    mending = s3.mend_soon(1.0)
    assert validated(shell, dataset, "s3://bucket/data")
    mending.join()
    assert s3.line.broken == broken + 1


def test_names_that_lead_out_of_a_copy_are_refused(dataset: Path, s3: Store, shell: Shell) -> None:
    s3.put("data/../../escaped", b"x")
    for url in ("s3://bucket/data", "s3://bucket/data/.."):
        code, _, err = shell("validate", url)
        assert code == 2
        assert "data/../../escaped is no name of a file on a disk" in err


def test_a_benchmark_on_a_store_is_evaluated_and_reported_as_one_here(
    tmp_path: Path, s3: Store, shell: Shell
) -> None:
    bench = benchmark(tmp_path / "bench")
    s3.upload(bench, "bench")
    said = ({"id": item.id, "answer": "A"} for item in Benchmark(bench).rows)
    answers = write_answers(tmp_path / "answers.jsonl", said)
    shell.done("evaluate", bench, tmp_path / "here", "--answers", answers)
    shell.done("evaluate", "s3://bucket/bench", tmp_path / "there", "--answers", answers)
    here, there = tree(tmp_path / "here"), tree(tmp_path / "there")
    assert without(there, SUMMARY, "source") == without(here, SUMMARY, "source")
    shell.done("report", tmp_path / "there", "--to", tmp_path / "page")
    shell.done("report", tmp_path / "here", "--bench", "s3://bucket/bench", "--to", tmp_path / "b")
    shell.done("report", tmp_path / "here", "--to", tmp_path / "c")
    assert tree(tmp_path / "b") == tree(tmp_path / "c")
    assert tree(tmp_path / "page")["report.html"]


def test_training_rows_on_a_store_are_those_of_a_folder(
    tmp_path: Path, s3: Store, dataset: Path
) -> None:
    broken = s3.line.broken
    with cached_in(tmp_path / "cache"):
        here = training.read(tiny(dataset).data, "train")
        there = tiny(Path("x"), data__path="s3://bucket/data").data
        s3.line.after(2000)
        mending = s3.mend_soon(0.5)
        found = training.read(there, "train")
        mending.join()
        assert found.to_dict() == here.to_dict()
        assert s3.line.broken == broken + 1
        passed = s3.line.passed
        again = training.read(there, "train")
        assert again.to_dict() == here.to_dict()
        assert s3.line.passed - passed < 10_000
        with pytest.raises(UserError, match=r"split other of s3:.*it has only test_seen"):
            training.read(there, "other")
        with pytest.raises(UserError, match=r"no Parquet files in s3://bucket/none/data; give"):
            training.read(there.model_copy(update={"path": "s3://bucket/none"}), "train")


# ------------------------------------------------------------------------------- what is built


def photos(tmp_path: Path, s3: Store) -> Path:
    """Pictures with questions here and as s3://bucket/photos and s3://bucket/questions.jsonl."""
    folder = pictures(tmp_path / "photos", 5)
    (folder / "a b").mkdir()
    (folder / "000.png").rename(folder / "a b" / "ü#1.png")
    asked = [
        {"source_path": name, "question": "What is it?", "answer": "a cup"}
        for name in ("a b/ü#1.png", "001.png", "002.png", "003.png", "004.png")
    ]
    write_answers(tmp_path / "questions.jsonl", asked)
    s3.upload(folder, "photos")
    s3.put("questions.jsonl", (tmp_path / "questions.jsonl").read_bytes())
    return folder


def items(**spec: Any) -> list[Item]:
    return list(read_spec({"name": "some", **spec}).items(Path("/nowhere"), None))


def same(kind: str, here: Path, url: str, **more: Any) -> list[Item]:
    """The items of a source, which are the same from a store."""
    found = items(kind=kind, path=str(here), **more)
    assert items(kind=kind, path=url, **more) == found
    return found


def test_sources_on_a_store_are_those_of_folders(tmp_path: Path, s3: Store, dataset: Path) -> None:
    folder = photos(tmp_path, s3)
    assert [i.id for i in same("folder", folder, "s3://bucket/photos")][-1] == "a b/ü#1.png"
    asked = same("folder", folder, "s3://bucket/photos", questions="s3://bucket/questions.jsonl")
    assert {i.question.answer for i in asked} == {"a cup"}
    assert len(same("dataset", dataset, "s3://bucket/data")) == 21
    run = made(tmp_path, 6, format="parquet")
    s3.upload(run, "run")
    assert len(same("parquet", run / "data", "s3://bucket/run/data")) == 6
    one = "data/train-00000-of-00001.parquet"
    assert len(same("parquet", run / one, f"s3://bucket/run/{one}")) == 6


def test_metadata_on_a_store_name_pictures_beside_and_nothing_outside(
    tmp_path: Path, s3: Store
) -> None:
    folder = pictures(tmp_path / "more" / "train", 3)
    names = ("000.png", "gone.png", "../escape.png", "../../out.png", "/etc/passwd", "002.png")
    write_answers(folder / "metadata.jsonl", ({"file_name": n, "caption": "A cup."} for n in names))
    s3.upload(tmp_path / "more", "more")
    s3.put("out.png", b"private")
    found = items(kind="folder", path="s3://bucket/more")
    here = items(kind="folder", path=str(tmp_path / "more"))
    assert [(i.id, i.problem) for i in found] == [(i.id, i.problem) for i in here]
    assert [i.problem for i in found] == [
        "",
        "missing_picture",
        "missing_picture",
        "outside_the_source",
        "outside_the_source",
        "",
    ]
    assert [i.picture for i in found] == [i.picture for i in here]


def test_a_benchmark_of_pictures_on_a_store_is_that_of_a_folder(
    tmp_path: Path, s3: Store, shell: Shell
) -> None:
    folder = photos(tmp_path, s3)
    asked = tmp_path / "questions.jsonl"
    here = ("build", "benchmark", f"folder:{folder},questions={asked},name=cups")
    shell.done(*here, tmp_path / "here")
    url = "folder:s3://bucket/photos,questions=s3://bucket/questions.jsonl,name=cups"
    shell.done("build", "benchmark", url, tmp_path / "there")
    first, second = tree(tmp_path / "here"), tree(tmp_path / "there")
    tables = [name for name in first if name.endswith((".parquet", "quarantine.jsonl"))]
    assert len(tables) == 5
    assert {name: second[name] for name in tables} == {name: first[name] for name in tables}


def test_a_data_set_is_built_on_a_store_as_in_a_folder_and_used_from_there(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    demo = ("build", "dataset", "demo", "--scale", "0.05")
    shell.done(*demo, "out")
    shell.done(*demo, "s3://bucket/out")
    assert s3.tree("out") == tree(tmp_path / "out")
    assert not (tmp_path / "out.build").exists()
    code, out, _ = shell(*demo, "s3://bucket/out")
    assert (code, "s3://bucket/out is finished already" in out) == (0, True)
    code, _, err = shell(*demo, "s3://bucket/out", "--seed", "7")
    assert code == 2
    assert "s3://bucket/out holds a finished run" in err
    s3.put("out/README.md", b"of another build")
    shell.done(*demo, "s3://bucket/out", "--overwrite")
    assert s3.tree("out") == tree(tmp_path / "out")
    shell.done("validate", "s3://bucket/out")


STOPPED = """
import builders.assembly as a
a.SHARD_ROWS = 4
from degrade.cli import main
main()
"""


def test_a_killed_build_goes_on(
    tmp_path: Path, s3: Store, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(assembly, "SHARD_ROWS", 4)
    scenes = ("build", "benchmark", "scenes", "--limit", "12")
    shell.done(*scenes, "out")
    command = (*scenes, "s3://bucket/out")
    process = subprocess.Popen([sys.executable, "-c", STOPPED, *command])
    while not any("shard-" in key for key in s3.keys("out/.work/")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "out/dataset.json" not in s3.keys("out/")
    assert (tmp_path / "out.build").is_dir()
    before = {key for key in s3.keys("out/.work/") if "shard-" in key}
    commits: list[str] = []
    commit = assembly.Run.commit

    def counted(self: Any, marker: Any) -> None:
        commits.append(f"out/.work/shard-{marker.index:06d}.json")
        commit(self, marker)

    monkeypatch.setattr(assembly.Run, "commit", counted)
    shell.done(*command)
    assert 0 < len(commits) < 13
    assert not before & set(commits)
    assert s3.tree("out") == tree(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset", "demo", "hf://datasets/me/data"], "degrade-cli push"),
        (
            ["benchmark", "folder:s3://bucket/photos", "s3://bucket/photos/out"],
            "s3://bucket/photos/out lies inside the source s3://bucket/photos",
        ),
        (["benchmark", "webdataset:s3://bucket/x", "out"], "path: s3://bucket/x is on a store"),
        (["benchmark", "mmstar", "out", "--data", "s3://bucket/x.tsv"], "s3://bucket/x.tsv is on"),
        (["benchmark", "a-okvqa", "out", "--data", "s3://bucket/x"], "s3://bucket/x is on a store"),
        (["benchmark", "folder:s3://bucket/none", "out"], "no folder or picture s3://bucket/none"),
        (["benchmark", "parquet:s3://bucket/none", "out"], "s3://bucket/none holds no files"),
        (["dataset", "s3://bucket/mine.yaml", "out"], "s3://bucket/mine.yaml is on a store"),
    ],
)
def test_what_a_build_cannot_do_on_a_store_is_said(
    tmp_path: Path,
    s3: Store,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    s3.upload(pictures(tmp_path / "src", 1), "photos")
    code, _, err = shell("build", *words)
    assert (code, message in err) == (2, True), err
    assert s3.keys("") == ["photos/000.png"]
    assert not (tmp_path / "s3:").exists()
