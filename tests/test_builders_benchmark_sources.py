"""Named benchmarks in the exact shapes in which they are published; R-Bench; options in texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.sources import read_spec
from builders.sources.inline import parted
from degrade.errors import UserError
from tests.benchmark_help import b64, built, table
from tests.sources_help import jpeg

ASK = "Please answer directly with only the letter of the correct option and nothing else."


def hub(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A Parquet file as the Hub stores it."""
    for i, row in enumerate(rows):
        row.setdefault("image", {"bytes": jpeg(i), "path": f"{i}.jpg"})
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


# ------------------------------------------------------------------------------ named benchmarks

MMSTAR = {
    "question": "Which option describe the object relationship in the image correctly?\nOptions: "
    "A: The suitcase is on the book., B: The suitcase, red, is beneath the cat., C: The suitcase "
    "is beneath the bed., D: The suitcase is beneath the book.",
    "answer": "A",
    "category": "coarse perception",
    "l2_category": "image scene and topic",
    "meta_info": {"source": "MMBench", "split": "val", "image_path": "images/0.jpg"},
}
MATH = (
    "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at "
    "the end.\nQuestion: Is the function odd?\nChoices:\n(A) Yes\n(B) No"
)


def test_mmstar_of_the_hub(tmp_path: Path) -> None:
    rows = [{"index": 0, **MMSTAR}, {"index": 1, **MMSTAR, "question": MATH, "answer": "B"}]
    first, second = built("mmstar", hub(tmp_path / "val.parquet", rows), tmp_path / "out")
    assert first.id == "mmstar/0@0.00"
    assert first.question == MMSTAR["question"].split("\nOptions:")[0]
    assert first.choices == (
        "The suitcase is on the book.",
        "The suitcase, red, is beneath the cat.",
        "The suitcase is beneath the bed.",
        "The suitcase is beneath the book.",
    )
    assert (first.answer, first.answer_as, first.answer_index) == ("A", "letter", 0)
    assert second.question == MATH.partition("\nChoices:")[0]
    assert (second.choices, second.answer) == (("Yes", "No"), "B")
    assert {first.license, second.license} == {"other"}


def test_mmstar_of_vlmevalkit(tmp_path: Path) -> None:
    stem = "Which option describes it?"
    rows = [
        {
            "index": i,
            "image": b64(i),
            "question": stem,
            **dict(zip("ABCD", ("a cat", "a dog", "3", "none"), strict=True)),
            "answer": "CB"[i],
            "category": "coarse perception",
            "l2_category": "image emotion",
            "split": "val",
        }
        for i in range(2)
    ]
    first, second = built("mmstar", table(tmp_path / "MMStar.tsv", rows), tmp_path / "out")
    assert (first.item, second.item) == ("mmstar/0", "mmstar/1")
    assert first.question == stem
    assert first.choices == ("a cat", "a dog", "3", "none")
    assert [(r.answer, r.answer_as, r.answer_text) for r in (first, second)] == [
        ("C", "letter", "3"),
        ("B", "letter", "a dog"),
    ]


def test_realworldqa_of_the_hub(tmp_path: Path) -> None:
    texts = [
        (f"In which direction does it face?\n\nA. Left\nB. Straight\nC. Right\n{ASK}", "C"),
        ("How many people are there? Please answer directly with a single word or number.", "3"),
    ]
    rows = [{"question": q, "answer": a} for q, a in texts]
    folder = tmp_path / "copy" / "data"
    folder.mkdir(parents=True)
    hub(folder / "test-00000-of-00001.parquet", rows)
    first, second = built("realworldqa", tmp_path / "copy", tmp_path / "out")
    assert first.question == "In which direction does it face?"
    assert first.choices == ("Left", "Straight", "Right")
    assert (first.answer, first.task) == ("C", "mcq")
    assert (second.question, second.choices) == (texts[1][0], ())
    assert (second.answer, second.task) == ("3", "vqa")
    assert {first.license, second.license} == {"CC-BY-ND-4.0"}


def test_realworldqa_of_vlmevalkit(tmp_path: Path) -> None:
    """Questions with two options leave the other columns empty."""
    rows = [
        {"index": i, "image": b64(i), "question": "Is it one-way?", "A": "Yes", "B": "No", "C": c,
         "answer": "B"}
        for i, c in enumerate(("", "Maybe"))
    ]  # fmt: skip
    first, second = built("realworldqa", table(tmp_path / "R.tsv", rows), tmp_path / "out")
    assert (first.choices, second.choices) == (("Yes", "No"), ("Yes", "No", "Maybe"))
    assert {first.license, first.answer} == {"CC-BY-ND-4.0", "B"}


def test_mmmb(tmp_path: Path) -> None:
    rows = [
        {
            "index": 7 + i,
            "image": b64(i),
            "question": "What is this?",
            "hint": ("", "Look at the sky.")[i],
            **dict(zip("ABCD", ("sun", "moon", "star", "lamp"), strict=True)),
            "answer": "B",
            "category": "object",
            "split": "dev",
        }
        for i in range(2)
    ]
    first, second = built("mmmb", table(tmp_path / "mmmb_en.tsv", rows), tmp_path / "out")
    assert [first.item, second.item] == ["mmmb/7", "mmmb/8"]
    assert (first.question, second.question) == ("What is this?", "Look at the sky.\nWhat is this?")
    assert first.choices == ("sun", "moon", "star", "lamp")


DIRECT = ["cigarette"] * 8 + ["joint", "smoke"]
AOKVQA = {
    "question_id": "22jbM6gDxdaMaunuzgrsBB",
    "question": "What is in the motorcyclist's mouth?",
    "choices": ["toothpick", "food", "popsicle stick", "cigarette"],
    "correct_choice_idx": 3,
    "difficult_direct_answer": False,
    "rationales": ["He's smoking while riding.", "It is lit.", "The man is smoking."],
}


def test_a_okvqa_of_the_hub(tmp_path: Path) -> None:
    """There the direct answers are the text of a list."""
    rows = [{**AOKVQA, "direct_answers": repr(DIRECT)}]
    (row,) = built("a-okvqa", hub(tmp_path / "validation.parquet", rows), tmp_path / "out")
    assert row.item == "a-okvqa/22jbM6gDxdaMaunuzgrsBB"
    assert (row.answer, row.answer_as, row.answer_text) == ("3", "index", "cigarette")
    assert row.references == tuple(DIRECT)
    assert row.rationales == tuple(AOKVQA["rationales"])  # type: ignore[arg-type]


def test_a_okvqa_of_its_authors_and_of_vlmevalkit(tmp_path: Path) -> None:
    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    (tmp_path / "coco" / "val2017" / "000000000042.jpg").write_bytes(jpeg(1))
    told = {**AOKVQA, "split": "val", "image_id": 42, "direct_answers": DIRECT}
    (tmp_path / "aokvqa_v1p0_val.json").write_text(json.dumps([told]))
    spec = read_spec(
        {"kind": "a-okvqa", "name": "a", "path": "aokvqa_v1p0_val.json", "images": "coco",
         "split": "val"}
    )  # fmt: skip
    (item,) = spec.items(tmp_path, None)
    assert (item.picture, item.references) == (jpeg(1), tuple(DIRECT))
    cells = dict(zip("ABCD", AOKVQA["choices"], strict=True))  # type: ignore[call-overload]
    rows = [{"index": 0, "image": b64(0), "question": "What?", **cells, "answer": "D"}]
    (row,) = built("a-okvqa", table(tmp_path / "a-okvqa.tsv", rows), tmp_path / "out")
    assert (row.answer, row.answer_text, row.references) == ("D", "cigarette", ())


def test_wrong_columns_missing_answers_and_duplicate_indices_are_refused_by_name(
    tmp_path: Path,
) -> None:
    renamed = [{"index": 0, **{k: v for k, v in MMSTAR.items() if k != "answer"}, "label": "A"}]
    with pytest.raises(UserError, match=r"'columns\.answer' .* Unknown column 'answer'"):
        built("mmstar", hub(tmp_path / "a.parquet", renamed), tmp_path / "out")
    secret = [{"index": i, **MMSTAR, "answer": ""} for i in range(3)]
    with pytest.raises(UserError, match="3 of 3 items have no answer: mmstar/0, mmstar/1"):
        built("mmstar", hub(tmp_path / "b.parquet", secret), tmp_path / "out")
    cells = {"image": b64(0), "question": "?", "A": "x", "B": "y", "answer": "A"}
    twice = table(tmp_path / "c.tsv", [{"index": 4, **cells}, {"index": 4, **cells}])
    with pytest.raises(UserError, match="row '4': the id occurs twice"):
        built("mmmb", twice, tmp_path / "out")
    with pytest.raises(UserError, match="is no TSV of VLMEvalKit"):
        built("mmmb", table(tmp_path / "d.tsv", [{"id": 4, **cells}]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------- options in texts

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028"
                             "\u2029"), min_size=1)  # fmt: skip
PLAIN = WORD.map(str.strip).filter(lambda text: bool(text) and not text.startswith("("))


@given(PLAIN, st.lists(PLAIN, min_size=2, max_size=6), st.sampled_from([".", ")", ":"]))
def test_options_on_lines_come_back_word_for_word(stem: str, options: list[str], mark: str) -> None:
    lines = [f"{chr(65 + i)}{mark} {option}" for i, option in enumerate(options)]
    for heading in ([], ["Options:"]):
        text = "\n".join([stem, *heading, *lines, ASK])
        found = parted(text)
        assert found is not None
        assert found[1] == tuple(options)
        assert stem.startswith(found[0]) or found[0] == stem


@pytest.mark.parametrize(
    "text",
    [
        "How many?",
        "A. Only one option",
        "A. No question\nB. at all",
        "Which of A, B and C?",
        "Options: A: one",
        "What do you see?\nA. one\nC. three",
        "",
    ],
)
def test_texts_without_options_are_left_alone(text: str) -> None:
    assert parted(text) is None


def test_a_question_whose_answer_is_none_of_its_options_is_left_alone(tmp_path: Path) -> None:
    rows = [{"question": "Which?\nA. one\nB. two", "answer": "seven"}]
    (row,) = built("realworldqa", hub(tmp_path / "test.parquet", rows), tmp_path / "out")
    assert (row.question, row.choices, row.answer) == (rows[0]["question"], (), "seven")
