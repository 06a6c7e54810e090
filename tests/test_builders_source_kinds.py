"""Folders, the Hub's library, A-OKVQA, Parquet and our own data sets as sources."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.sources import read_spec
from builders.sources.spelled import spelled
from builders.table import Dataset
from degrade.errors import UserError
from degrade.schema import Question
from tests.conftest import PHOTOS
from tests.dataset_help import small_dataset
from tests.sources_help import (
    as_a_okvqa,
    as_parquet,
    items,
    jpeg,
    lines,
    problems,
    write_pictures,
)

# ---------------------------------------------------------------------------------------- folder


def test_the_example_photographs_have_their_questions() -> None:
    found = items(PHOTOS, kind="folder", path=".", questions="questions.jsonl")
    assert [i.id for i in found] == sorted(p.name for p in PHOTOS.glob("*.jpg"))
    assert all(i.picture == (PHOTOS / i.id).read_bytes() for i in found)
    assert {i.question.answer_index for i in found} == {0}
    assert all(i.question.caption and len(i.question.rationales) == 2 for i in found)


def test_pictures_alone_are_rows_without_questions(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(jpeg(1))
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    found = items(tmp_path, kind="folder", path=".")
    assert [(i.id, i.name, i.picture) for i in found] == [
        ("a.jpg", "a.jpg", jpeg(0)),
        ("b/caf%E9.jpg", "b/caf%E9.jpg", jpeg(1)),
    ]
    assert {i.question for i in found} == {Question()}
    with pytest.raises(UserError, match="metadata"):
        items(tmp_path, kind="folder", path=".", columns={"question": "q"})
    with pytest.raises(UserError, match="no folder"):
        items(tmp_path, kind="folder", path="nowhere")


def test_questions_that_fit_nothing_are_rows_with_a_reason(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", [("", (), 0)] * 2)
    lines(
        tmp_path / "q.jsonl",
        {"source_path": "p1.jpg", "question": "One?"},
        {"file_name": "p1.jpg", "question": "Two?"},
        {"id": "p9.jpg", "question": "Of what?"},
        "{half a line",
        {"question": "Nameless?"},
        {"source_path": "p1.jpg", "questin": "Three?"},
    )
    found = items(tmp_path, kind="folder", path="in", questions="q.jsonl")
    assert [i.id for i in found[:4]] == ["p0.jpg", "p1.jpg", "p1.jpg#2", "p1.jpg#3"]
    assert [i.question.question for i in found[:3]] == ["", "One?", "Two?"]
    assert problems(found[:4]) == ["", "", "", "malformed_row"]
    assert "questin" in found[3].detail
    rest = ["missing_picture", "malformed_line", "malformed_line"]
    assert sorted(problems(found[4:])) == sorted(rest)


def test_metadata_of_splits_are_read_together(tmp_path: Path) -> None:
    for split, numbers in {"train": (0, 1), "test": (2,)}.items():
        (tmp_path / split / "images").mkdir(parents=True)
        rows = []
        for n in numbers:
            (tmp_path / split / "images" / f"{n}.jpg").write_bytes(jpeg(n))
            rows.append({"file_name": f"images/{n}.jpg", "question": f"{n}?"})
        lines(tmp_path / split / "metadata.jsonl", *rows, rows[0])
    (tmp_path / "train" / "unnamed.jpg").write_bytes(jpeg(9))
    found = items(tmp_path, kind="folder", path=".")
    assert [i.id for i in found] == [
        "test/images/2.jpg",
        "test/images/2.jpg#2",
        "train/images/0.jpg",
        "train/images/1.jpg",
        "train/images/0.jpg#2",
    ]
    assert [i.question.question for i in found] == ["2?", "2?", "0?", "1?", "0?"]
    (tmp_path / "test" / "metadata.csv").write_text("file_name\n")
    with pytest.raises(UserError, match=r"metadata\.jsonl and metadata\.csv"):
        items(tmp_path, kind="folder", path=".")


def test_metadata_may_name_the_clean_picture_and_choices_in_columns(tmp_path: Path) -> None:
    write_pictures(tmp_path, [("", (), 0)] * 2)
    (tmp_path / "metadata.csv").write_text(
        "file_name,clean_file_name,q,A,B,C,answer\n"
        'p0.jpg,p1.jpg,"Which, then?",red,blue,,B\n'
        "p0.jpg,p1.jpg,Which?,red,blue\n"
    )
    columns = {"image": "clean_file_name", "question": "q", "choices": "A,B,C"}
    first, second = items(tmp_path, kind="folder", path=".", columns=columns)
    assert (first.picture, first.id) == (jpeg(1), "p1.jpg")
    assert first.question.question == "Which, then?"
    assert (first.question.choices, first.question.answer_index) == (("red", "blue"), 1)
    assert problems([second]) == ["malformed_line"]


# ------------------------------------------------------------------------------ the Hub's library


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("streaming", [True, False])
def test_the_library_gives_original_bytes_of_every_layout(tmp_path: Path, streaming: bool) -> None:
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "meta": {"caption": datasets.Value("string")},
            "views": datasets.List(datasets.Image()),
        }
    )
    picture = [{"bytes": jpeg(i), "path": f"/home/somebody/{i}.jpg"} for i in range(3)]
    table = datasets.Dataset.from_dict(
        {
            "image": picture,
            "label": [0, 1, 0],
            "meta": [{"caption": "A pet."}] * 3,
            "views": [[p] for p in picture],
        },
        features=features,
    )
    (tmp_path / "hub" / "data").mkdir(parents=True)
    table.to_parquet(tmp_path / "hub" / "data" / "train-00000-of-00001.parquet")
    table.save_to_disk(str(tmp_path / "saved"))
    plain = tmp_path / "pictures" / "train"
    plain.mkdir(parents=True)
    for i in range(3):
        (plain / f"{i}.jpg").write_bytes(jpeg(i))
    lines(plain / "metadata.jsonl", *({"file_name": f"{i}.jpg", "n": i} for i in range(3)))
    wanted = [jpeg(i) for i in range(3)]
    columns = {"answer": "label", "caption": "meta.caption"}
    for path in ("hub", "saved", "hub/data/train-00000-of-00001.parquet"):
        for image in ("image", "views"):
            chosen = {"path": path, "streaming": streaming, "columns": {**columns, "image": image}}
            found = items(tmp_path, kind="huggingface", **chosen)
            assert [i.picture for i in found] == wanted
            assert [i.name for i in found] == ["0.jpg", "1.jpg", "2.jpg"]
            assert [i.question.answer for i in found] == ["cat", "dog", "cat"]
            assert [i.id for i in found] == ["train-0", "train-1", "train-2"]
            assert {i.question.caption for i in found} == {"A pet."}
    found = items(tmp_path, kind="huggingface", path="pictures", streaming=streaming)
    assert [i.picture for i in found] == wanted


@pytest.mark.usefixtures("cache")
def test_the_library_reads_pictures_inside_archives(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for i in range(2):
        (tmp_path / "plain" / f"{i}.jpg").write_bytes(jpeg(i))
    shutil.make_archive(str(tmp_path / "zipped" / "train"), "zip", tmp_path / "plain")
    for streaming in (True, False):
        found = items(tmp_path, kind="huggingface", path="zipped", streaming=streaming)
        assert [(i.name, i.picture) for i in found] == [("0.jpg", jpeg(0)), ("1.jpg", jpeg(1))]


@pytest.mark.usefixtures("cache")
def test_what_was_downloaded_is_inside_and_other_archives_are_not(tmp_path: Path) -> None:
    for name in ("cache", "other", "in"):
        (tmp_path / name).mkdir()
    (tmp_path / "cache" / "a.jpg").write_bytes(jpeg(0))
    for name in ("cache", "other"):
        with zipfile.ZipFile(tmp_path / name / "a.zip", "w") as file:
            file.writestr("b.jpg", jpeg(1))
    paths = ["cache/a.jpg", "cache/a.zip", "other/a.zip", "cache/none.zip"]
    names = [f"{'zip://b.jpg::' * p.endswith('zip')}{tmp_path / p}" for p in paths]
    lines(tmp_path / "in" / "rows.jsonl", *({"image": n} for n in names))
    found = items(tmp_path, kind="huggingface", path="in/rows.jsonl")
    assert [i.picture for i in found] == [jpeg(0), jpeg(1), None, None]
    assert problems(found) == ["", "", "outside_the_source", "unreadable"]


@pytest.mark.usefixtures("cache")
def test_what_the_library_cannot_load_is_said_with_what_there_is(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # The library takes a "test" in any folder's name for the name of a split.
    root = tmp_path_factory.mktemp("hub")
    (root / "data").mkdir()
    as_parquet(root / "data", [("?", ("a", "b"), 0)])
    for keys, words in (
        ({"split": "val"}, "train"),
        ({"config": "none"}, "default"),
        ({"path": "./nowhere"}, "no file or folder"),
        ({"path": "nobody/nothing"}, "Hub"),
        ({"columns": {"image": "answer"}}, "holds no pictures"),
    ):
        chosen = {"kind": "huggingface", "path": ".", **keys}
        with pytest.raises(UserError, match=words):
            items(root, **chosen)


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install \"degrade\[hub\]\""):
        items(tmp_path, kind="huggingface", path="org/name")


# --------------------------------------------------------------------------------------- A-OKVQA


def test_a_okvqa_as_published(tmp_path: Path) -> None:
    spec = as_a_okvqa(tmp_path, [("Which?", ("a", "b", "c", "d"), 2), ("Who?", ("a", "b"), 0)])
    flat = tmp_path / "flat"
    flat.mkdir()
    (tmp_path / "train2017" / f"{0:012d}.jpg").rename(flat / f"{0:012d}.jpg")
    first, second = items(tmp_path, **spec, images="flat")
    assert (first.id, first.picture) == ("q0", jpeg(0))
    assert first.question.rationales == ("One.", "Two.")
    assert (first.question.answer, first.question.answer_as) == ("2", "index")
    assert problems([second]) == ["missing_picture"]
    assert read_spec({"name": "x", **spec}).license == "other"
    with pytest.raises(UserError, match="nowhere"):
        items(tmp_path, **spec, images="nowhere")


@pytest.mark.parametrize("answer", [None, -1, "left out"])
def test_test_questions_of_a_okvqa_have_no_answer(tmp_path: Path, answer: Any) -> None:
    row = {"image_id": 7, "question_id": "q", "question": "?", "choices": ["a", "b"]}
    row |= {} if answer == "left out" else {"correct_choice_idx": answer}
    odd = {**row, "image_id": "../7", "question_id": "r"}
    (tmp_path / "rows.json").write_text(json.dumps([row, odd, "no row"]))
    (tmp_path / f"{7:012d}.jpg").write_bytes(jpeg(0))
    first, *rest = items(tmp_path, kind="a-okvqa", path="rows.json", split="test")
    assert (first.question.choices, first.question.answer) == (("a", "b"), "")
    assert problems(rest) == ["malformed_row", "malformed_row"]


def test_the_hubs_form_of_a_okvqa_is_read_from_its_files(tmp_path: Path) -> None:
    row = {
        "image": {"bytes": jpeg(0), "path": None},
        "question_id": "q0",
        "question": "?",
        "choices": ["a", "b"],
        "correct_choice_idx": 1,
        "direct_answers": "['x', 'y']",
        "rationales": ["One."],
    }
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "validation-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    (item,) = items(tmp_path, kind="a-okvqa", path=".", split="validation")
    assert (item.id, item.name, item.picture) == (
        "q0",
        "data/validation-00000-of-00001-0.jpg",
        jpeg(0),
    )
    assert item.question.answer_text == "b"


# -------------------------------------------------------------------------- our own, and Parquet


def test_a_built_data_set_is_a_source_of_its_clean_pictures(tmp_path: Path) -> None:
    small_dataset(tmp_path / "set", rows=4)
    entries = list(Dataset(tmp_path / "set").entries())
    found = items(tmp_path, kind="dataset", path="set")
    assert [i.id for i in found] == [e.row.id for e in entries]
    assert [i.picture for i in found] == [e.clean for e in entries]
    assert [i.question for i in found] == [e.row.asked for e in entries]
    assert [i.license for i in found] == [e.row.license for e in entries]
    some = items(tmp_path, kind="dataset", path="set", split="validation")
    assert [i.id for i in some] == [e.row.id for e in entries if e.row.split == "validation"]


def test_parquet_files_of_folders_and_columns_with_dots(tmp_path: Path) -> None:
    for name, number in {"b/z": 1, "a/z": 0, "[x]/z": 2}.items():
        path = tmp_path / "in" / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        table = {"image": [jpeg(number)], "a.b": ["?"], "m": [{"c": {"d": "A pet."}}]}
        pq.write_table(pa.table(table), path)
    columns = {"question": "a.b", "caption": "m.c.d"}
    found = items(tmp_path, kind="parquet", path="in", columns=columns)
    assert [i.id for i in found] == ["[x]/z-0", "a/z-0", "b/z-0"]
    assert [i.picture for i in found] == [jpeg(2), jpeg(0), jpeg(1)]
    assert {(i.question.question, i.question.caption) for i in found} == {("?", "A pet.")}
    (item,) = items(tmp_path, kind="parquet", path="in/[x]/*.parquet", columns=columns)
    assert item.id == "z-0"
    with pytest.raises(UserError, match=r"m\.c\.e"):
        items(tmp_path, kind="parquet", path="in", columns={"caption": "m.c.e"})
    (tmp_path / "in" / "a" / "z.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UserError, match=r"a/z\.parquet"):
        items(tmp_path, kind="parquet", path="in")


# -------------------------------------------------------------------------- on a command line


def test_paths_on_a_command_line_are_those_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pics", "recipes"):
        (tmp_path / name).mkdir()
    (tmp_path / "q.jsonl").write_text("{}")
    monkeypatch.chdir(tmp_path)
    beside = tmp_path / "recipes"
    made = spelled("folder:pics,questions=q.jsonl,name=mine", beside)
    assert (str(made.path), str(made.questions)) == ("../pics", "../q.jsonl")
    assert spelled("scenes:rows=3", beside).rows == 3
    assert spelled("huggingface:owner/name,columns.image=pics", beside).path == "owner/name"
