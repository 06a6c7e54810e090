"""What holds for every kind of source: nothing lost, nothing altered, nothing let out."""

from __future__ import annotations

import json
import os
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders.sources import files, kinds, read_spec
from builders.sources import folder as folder_of_pictures
from builders.sources.mapping import answered, choices_of, explicit
from builders.sources.values import RowError
from degrade.errors import UserError
from degrade.schema import Question
from tests.sources_help import (
    WRITERS,
    Asked,
    add,
    as_webdataset,
    folder,
    hard,
    items,
    jpeg,
    lines,
    problems,
)

option = hard.filter(bool)
asked_rows = st.lists(
    st.tuples(hard, st.lists(option, min_size=2, max_size=4, unique=True).map(tuple)).flatmap(
        lambda qc: st.tuples(st.just(qc[0]), st.just(qc[1]), st.integers(0, len(qc[1]) - 1))
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("kind", WRITERS)
@given(rows=asked_rows)
@example(rows=[('"', ("\r\n", "\t"), 1), ("", ("\ufeff", "\x00"), 0), ("\u2028", ("1", "0"), 0)])
def test_texts_and_bytes_come_back_as_they_were_written(kind: str, rows: Asked) -> None:
    with folder() as root:
        found = items(root, **WRITERS[kind](root, rows))
    assert [i.problem for i in found] == [""] * len(rows)
    assert [i.picture for i in found] == [jpeg(k) for k in range(len(rows))]
    for item, (question, choices, answer) in zip(found, rows, strict=True):
        assert (item.question.question, item.question.choices) == (question, choices)
        assert item.question.answer_index == answer
        assert item.question.answer_as == ("letter" if kind == "vlmevalkit" else "index")
        assert Path(item.name).suffix == ".jpg"


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_appended_change_no_earlier_row(kind: str, tmp_path: Path) -> None:
    rows: Asked = [(f"What is {i}?", ("red", "blue"), i % 2) for i in range(9)]
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few = items(tmp_path / "few", **WRITERS[kind](tmp_path / "few", rows[:4]))
    many = items(tmp_path / "many", **WRITERS[kind](tmp_path / "many", rows))
    assert many[:4] == few
    assert len({i.id for i in many}) == 9


def test_every_kind_is_registered() -> None:
    assert set(kinds()) >= {"folder", "huggingface", "a-okvqa", "llava", "llamafactory"}
    assert set(kinds()) >= {"vlmevalkit", "webdataset", "parquet", "dataset"}
    with pytest.raises(UserError, match="Did you mean 'folder'"):
        read_spec({"kind": "foldr", "name": "x", "path": "."})


def test_a_stored_recipe_names_no_more_columns_than_the_first() -> None:
    spec = read_spec({"kind": "parquet", "name": "x", "path": "p", "columns": {"caption": "text"}})
    again = read_spec(spec.model_dump(mode="json"))
    assert again == spec
    assert explicit(again.columns) == {"text": "caption"}  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------- values


@given(choices=st.lists(option, min_size=2, max_size=6))
def test_a_list_of_choices_is_one_however_it_is_written(choices: list[str]) -> None:
    letters = [chr(65 + i) for i in range(len(choices))]
    forms: list[Any] = [
        choices,
        tuple(choices),
        json.dumps(choices),
        repr(choices),
        np.array(choices, dtype=object),
        dict(zip(letters, choices, strict=True)),
        {"label": letters, "text": choices},
    ]
    for form in forms:
        assert choices_of({"choices": form}, "choices")[0] == tuple(choices)
    columns = {**dict(zip(letters, choices, strict=True)), "Y": None, "Z": ""}
    assert choices_of(columns, ",".join(columns))[0] == tuple(choices)


@pytest.mark.parametrize(
    "value", ["['a' 'b']", "a;b", {"A": "x", "B": "", "C": "y"}, 7, [["a"], "b"], "[a"]
)
def test_choices_that_cannot_be_told_apart_are_refused(value: Any) -> None:
    with pytest.raises(RowError):
        choices_of({"choices": value}, "choices")


@pytest.mark.parametrize(
    ("choices", "answer", "expected", "form"),
    [
        (["red", "blue"], 1, 1, "index"),
        (["red", "blue"], 1.0, 1, "index"),
        (["red", "blue"], "1.0", 1, ""),
        (["red", "blue"], "B", 1, ""),
        (["red", "blue"], "blue", 1, ""),
        (["red", "blue"], -1, None, ""),
        (["red", "blue"], None, None, ""),
        (["red", "blue"], float("nan"), None, ""),
        ([2, 3, 1], 3, 1, ""),  # options that are numbers: the option, not the index
        (["2", "1", "0"], 2, 2, "index"),
        ({"label": ["1", "2"], "text": ["red", "blue"]}, "2", 1, "index"),
        ({"label": ["A", "B"], "text": ["red", "blue"]}, "B", 1, "index"),
    ],
)
def test_an_answer_stands_for_its_option(
    tmp_path: Path, choices: Any, answer: Any, expected: int | None, form: str
) -> None:
    row = {"file_name": "a.jpg", "question": "?", "choices": choices, "answer": answer}
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    lines(tmp_path / "metadata.jsonl", row)
    (item,) = items(tmp_path, kind="folder", path=".")
    assert (item.question.answer_index, item.question.answer_as) == (expected, form)
    assert bool(item.question.answer) == (expected is not None)


def test_an_answer_beyond_all_numbers_is_none_of_the_options() -> None:
    question = answered(Question(choices=("red", "blue")), float("inf"))
    with pytest.raises(ValueError, match="'inf' is none of"):
        question.answered("index")


def test_a_recipe_can_say_what_answers_are(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    row = {"file_name": "a.jpg", "choices": ["2", "1", "0"], "answer": "2"}
    lines(tmp_path / "metadata.jsonl", row)
    for form, index in {"index": 2, "text": 0}.items():
        (item,) = items(tmp_path, kind="folder", path=".", columns={"answer_as": form})
        assert item.question.answer_index == index


def test_captions_rationales_and_several_answers_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    row = {
        "file_name": "a.jpg",
        "answers": ["two", "2", "two", "three"],
        "meta": {"captions": ["", "A cat.", "A pet."]},
        "rationales": '["Whiskers.", "Paws."]',
        "license": "cc0-1.0",
    }
    lines(tmp_path / "metadata.jsonl", row)
    columns = {"answer": "answers", "caption": "meta.captions"}
    (item,) = items(tmp_path, kind="folder", path=".", columns=columns)
    assert item.question == Question(
        answer="two", caption="A cat.", rationales=("Whiskers.", "Paws.")
    )
    assert item.license == "cc0-1.0"


def test_texts_that_are_no_unicode_are_a_problem_of_their_row(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(jpeg(0))
    rows = ['{"file_name": "a.jpg", "question": "\\ud83d"}', {"file_name": "b.jpg"}]
    lines(tmp_path / "metadata.jsonl", *rows)
    found = items(tmp_path, kind="folder", path=".")
    assert problems(found) == ["malformed_row", ""]
    lines(tmp_path / "l.jsonl", '{"id": "\\ud83d", "image": "a.jpg", "conversations": []}')
    (item,) = items(tmp_path, kind="llava", path="l.jsonl")
    assert item.id.encode("utf-8")
    (tmp_path / "metadata.jsonl").unlink()
    (tmp_path / "metadata.csv").write_bytes(b"file_name,question\na.jpg,caf\xe9\nb.jpg,tea\n")
    assert problems(items(tmp_path, kind="folder", path=".")) == ["malformed_row", ""]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    rows = {"metadata.jsonl": '{"file_name": "a.jpg"}\n', "metadata.csv": "file_name\na.jpg\n"}
    (tmp_path / name).write_text(rows[name], "utf-8-sig")
    assert problems(items(tmp_path, kind="folder", path=".")) == [""]
    (tmp_path / "l.json").write_text('[{"image": "a.jpg", "conversations": 1}]', "utf-8-sig")
    assert problems(items(tmp_path, kind="llava", path="l.json")) == ["malformed_row"]


# -------------------------------------------------------------------------------------- security


def named(root: Path, name: str) -> dict[str, dict[str, Any]]:
    """A source of each kind whose one row names a picture."""
    talk = [{"from": "human", "value": "<image>?"}, {"from": "gpt", "value": "!"}]
    lines(root / "in" / "llava.jsonl", {"image": name, "conversations": talk})
    lines(root / "in" / "factory.jsonl", {"images": [name], "conversations": talk})
    lines(root / "in" / "hub.jsonl", {"image": name, "question": "?"})
    lines(root / "in" / "deep" / "metadata.jsonl", {"file_name": name})
    pq.write_table(pa.table({"image": [name]}), root / "in" / "rows.parquet")
    struct = pa.Table.from_pylist([{"image": {"bytes": None, "path": name}}])
    pq.write_table(struct, root / "in" / "struct.parquet")
    frame = pd.DataFrame([{"index": 0, "image_path": name, "question": "?"}])
    frame.to_csv(root / "in" / "bench.tsv", sep="\t", index=False)
    return {
        "llava": {"kind": "llava", "path": "in/llava.jsonl"},
        "llamafactory": {"kind": "llamafactory", "path": "in/factory.jsonl"},
        "huggingface": {"kind": "huggingface", "path": "in/hub.jsonl"},
        "folder": {"kind": "folder", "path": "in"},
        "parquet": {"kind": "parquet", "path": "in/rows.parquet"},
        "struct": {"kind": "parquet", "path": "in/struct.parquet"},
        "hub struct": {"kind": "huggingface", "path": "in/struct.parquet"},
        "vlmevalkit": {"kind": "vlmevalkit", "path": "in/bench.tsv"},
    }


@pytest.mark.parametrize("climb", [True, False])
def test_a_row_cannot_reach_out_of_its_source(tmp_path: Path, climb: bool) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(jpeg(7))
    name = "x/../../../secret.jpg" if climb else str(tmp_path / "secret.jpg")
    for kind, spec in named(tmp_path, name).items():
        if kind == "folder" and climb:  # its names begin one folder deeper
            lines(tmp_path / "in" / "deep" / "metadata.jsonl", {"file_name": "../../secret.jpg"})
        (item,) = items(tmp_path, **spec)
        assert (kind, *problems([item])) == (kind, "outside_the_source")
        assert "absolute_paths" in item.detail
        if not climb:
            (item,) = items(tmp_path, **spec, absolute_paths=True)
            assert (kind, item.picture, item.name) == (kind, jpeg(7), "secret.jpg")


def test_absolute_paths_and_links_inside_the_source_are_fine(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "blob").write_bytes(jpeg(3))
    (tmp_path / "in" / "a.jpg").symlink_to(tmp_path / "blob")
    for kind, spec in named(tmp_path, str(tmp_path / "in" / "a.jpg")).items():
        (item,) = items(tmp_path, **spec)
        assert (kind, item.picture, item.name) == (kind, jpeg(3), "a.jpg")
        assert str(tmp_path) not in item.id


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.jpg", "missing_picture"),
        ("sub", "missing_picture"),
        ("pipe", "missing_picture"),
        ("", "missing_picture"),
        ("https://example.com/a.jpg", "remote_picture"),
        ("a" * 300, "unreadable"),
    ],
)
def test_a_picture_that_cannot_be_read_says_why(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "sub").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe")
    for kind, spec in named(tmp_path, name).items():
        if kind == "folder" and name in {"sub", "pipe"}:
            continue  # metadata lie a folder deeper: the same as a file that is not there
        (item,) = items(tmp_path, **spec)
        assert (kind, *problems([item])) == (kind, reason)


def test_files_that_are_too_large_for_a_picture_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST_PICTURE", 4000)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for place in ("in", "in/deep"):  # where metadata lie
        (tmp_path / place / "a.jpg").write_bytes(bytes(5000))
    for kind, spec in named(tmp_path, "a.jpg").items():
        (item,) = items(tmp_path, **spec)
        assert (kind, *problems([item])) == (kind, "file_too_large")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, size in {"0.jpg": 5000, "0.json": 2, "1.jpg": 900}.items():
            add(tar, name, b"{}" if size == 2 else bytes(size))
    assert problems(items(tmp_path, kind="webdataset", path="a.tar")) == ["file_too_large", ""]
    monkeypatch.setattr(folder_of_pictures, "LARGEST", 4000)
    asks = {"kind": "folder", "path": "in", "questions": "in/a.jpg"}
    with pytest.raises(UserError, match=r"Name it metadata\.jsonl"):
        items(tmp_path, **asks)


# -------------------------------------------------------------------------- columns of a mapping


@pytest.mark.parametrize(
    "kind", ["metadata.jsonl", "metadata.csv", "parquet", "huggingface", "webdataset"]
)
def test_a_column_that_a_recipe_names_must_exist(kind: str, tmp_path: Path) -> None:
    spec = WRITERS[kind](tmp_path, [("?", ("a", "b"), 0)])
    spec.pop("columns", None)
    with pytest.raises(UserError, match=r"columns\.answer.*'answr'.*Did you mean 'answer'"):
        items(tmp_path, **spec, columns={"answer": "answr"})
    with pytest.raises(UserError, match=r"columns\.choices.*'A'.*question"):
        items(tmp_path, **spec, columns={"choices": "A,B"})
    found = items(tmp_path, **spec, columns={"answer": "answer"})
    assert problems(found) == [""]  # and what it does not name may be missing: captions here


def test_a_key_that_some_rows_lack_is_no_mistake(tmp_path: Path) -> None:
    rows = [{"file_name": "a.jpg"}] * 150 + [{"file_name": "a.jpg", "note": "A cat."}]
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    spec = {"kind": "folder", "path": ".", "columns": {"caption": "note"}}
    lines(tmp_path / "metadata.jsonl", *rows[-1:], *rows)
    assert len(items(tmp_path, **spec)) == 152
    lines(tmp_path / "metadata.jsonl", *rows)
    source = read_spec({"name": "x", **spec}).items(tmp_path, None)
    with pytest.raises(UserError, match="note"):  # not after all of a long source
        list(islice(source, 149))
    with pytest.raises(UserError, match="note"):  # nor only where nobody looks any more
        items(tmp_path, wanted=3, **spec)


def test_the_picture_column_must_exist(tmp_path: Path) -> None:
    pq.write_table(pa.table({"img": [jpeg(0)]}), tmp_path / "a.parquet")
    for kind in ("parquet", "huggingface"):
        with pytest.raises(UserError, match=r"columns\.image.*img"):
            items(tmp_path, kind=kind, path="a.parquet")


# ------------------------------------------------------------------------------------- streaming


def test_a_second_shard_is_not_read_before_it_is_needed(tmp_path: Path) -> None:
    rows: Asked = [("?", ("a", "b"), 0)] * 3
    for kind, suffix in {
        "webdataset": "tar",
        "parquet": "parquet",
        "huggingface": "parquet",
    }.items():
        root = tmp_path / kind
        root.mkdir()
        WRITERS[kind](root, rows)
        first = next(root.glob(f"*.{suffix}"))
        (root / f"zz.{suffix}").write_bytes(b"neither of them " * 100)
        # `datasets` reads ahead of its rows in Parquet, but no further than the next file's head.
        source = read_spec({"kind": kind, "name": "x", "path": "."}).items(root, None)
        assert [next(source).problem for _ in range(3)] == [""] * 3
        assert first.exists()
        with pytest.raises(UserError):
            next(source)


@given(cut=st.integers(0, 6000) | st.integers(0, 12).map(lambda n: 512 * n))
def test_a_tar_file_that_breaks_off_is_named_wherever_it_does(cut: int) -> None:
    with folder() as root:
        as_webdataset(root, [("?", ("a", "b"), 0)] * 3)
        path = root / "train-000000.tar"
        data = path.read_bytes()
        end = len(data.rstrip(b"\0")) // 512 * 512 + 512  # zeros follow: the end mark
        path.write_bytes(data[: min(cut, end)])
        with pytest.raises(UserError, match=r"train-000000\.tar is no whole tar file"):
            items(root, kind="webdataset", path="train-000000.tar")
