"""Exports for evaluators: VLMEvalKit's tables and lmms-eval's tasks, their traps avoided."""

from __future__ import annotations

import base64
import csv
import io
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders.export import lmms_utils, vlmevalkit
from builders.export.vlmevalkit import MISSING, SWITCHES, AsRead, safe_name
from builders.exporting import export
from builders.table import Dataset, Entry
from degrade.errors import UserError
from degrade.schema import Chain, Question
from tests.dataset_help import small_dataset
from tests.export_help import (
    asked,
    exported,
    named,
    problems,
    remade,
    undamaged,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("small") / "data", rows=8)


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return Dataset(folder)


@given(st.lists(st.sampled_from([*SWITCHES, "MMBench", "x", "-", "mm", "c", "o"]), max_size=6))
def test_no_name_switches_the_protocol_of_vlmevalkit(parts: list[str]) -> None:
    made = safe_name("".join(parts))
    assert not any(word in made.lower() for word in SWITCHES)
    assert made.replace("-", "") == "".join(parts).replace("-", "")


def _tables(out: Path) -> dict[str, list[dict[str, str]]]:
    csv.field_size_limit(sys.maxsize)
    found = {}
    for path in out.glob("*.tsv"):
        with path.open(newline="") as file:
            found[path.name] = list(csv.DictReader(file, delimiter="\t", strict=True))
    return found


def test_vlmevalkit_tables_hold_what_it_groups_by(folder: Path, tmp_path: Path) -> None:
    data = remade(folder, tmp_path / "data", lambda i, e: undamaged(e) if i % 4 == 0 else e)
    out = exported(data, "vlmevalkit", tmp_path / "out")
    tables = _tables(out)
    assert len(tables) == 5
    wanted = {e.row.id: e for e in data.entries()}
    for name, rows in tables.items():
        assert [int(row["index"]) for row in rows] == list(range(len(rows)))
        for row in rows:
            e = wanted[row["id"]]
            assert name.startswith(f"small_{e.row.part}_")
            assert base64.b64decode(row["image"]) == e.image
            assert len(row["image"]) > 64
            assert row["question"] == e.row.question
            assert [row[c] for c in "ABCD"] == list(e.row.choices)
            assert row[row["answer"]] == e.row.answer_text
            assert row["split"] == e.row.split
            types = [t.label for t in e.row.types]
            assert row["category"] == (
                types[0] if len(types) == 1 else "several" * bool(types) or "clean"
            )
            stages = {a.stage for a in e.row.applied}
            assert row["l2-category"] in (stages if len(stages) == 1 else {"several", "clean"})
        raw = (out / name).read_text()
        assert raw.startswith('"index"\t"image"\t"question"')
        assert '\n"0"\t"' in raw


def test_vlmevalkit_tables_stay_below_the_size_at_which_it_compresses_pictures_anew(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [row for rows in _tables(exported(data, "vlmevalkit", tmp_path / "whole")).values()
             for row in rows]  # fmt: skip
    largest = 3 * max(len(row["image"]) for row in whole)
    monkeypatch.setattr(vlmevalkit, "LARGEST", largest)
    out = exported(data, "vlmevalkit", tmp_path / "out")
    assert all(path.stat().st_size <= largest for path in out.glob("*.tsv"))
    tables = _tables(out)
    assert any("_1of" in name for name in tables)
    assert sorted(r["id"] for rows in tables.values() for r in rows) == sorted(
        row["id"] for row in whole
    )
    assert not problems("vlmevalkit", out)


def test_vlmevalkit_names_change_with_what_they_hold(
    data: Dataset, folder: Path, tmp_path: Path
) -> None:
    other = remade(folder, tmp_path / "data", lambda i, e: undamaged(e))
    one = exported(data, "vlmevalkit", tmp_path / "one")
    two = exported(other, "vlmevalkit", tmp_path / "two")
    assert not {p.name for p in one.glob("*.tsv")} & {p.name for p in two.glob("*.tsv")}


def test_vlmevalkit_names_do_not_switch_to_circular_evaluation(
    folder: Path, tmp_path: Path
) -> None:
    data = named(Dataset(folder), "MMBench-Circular")
    out = exported(data, "vlmevalkit", tmp_path / "out")
    for path in out.glob("*.tsv"):
        assert path.name.startswith("m-mbench-c-ircular_")
        assert not problems("vlmevalkit", out)


def test_rows_that_vlmevalkit_cannot_ask_are_left_out_with_the_reason(
    folder: Path, tmp_path: Path
) -> None:
    def odd(i: int, e: Entry) -> Entry:
        many = tuple(f"option {n}" for n in range(27))
        questions = [
            Question(question="How many?", answer="three", answer_as="text"),
            Question(question="Who?", choices=("None", "me"), answer="me", answer_as="text"),
            Question(question="Which?", choices=many, answer="3", answer_as="index"),
            Question(question="Which?", choices=("one",), answer="0", answer_as="index"),
        ]
        return asked(e, questions[i]) if i < len(questions) else e

    data = remade(folder, tmp_path / "data", odd)
    assert export(data, "vlmevalkit", tmp_path / "out")["left_out"] == {
        "no_choices": 1,
        "reads_as_missing": 1,
        "number_of_choices": 2,
    }
    assert export(data, "lmms-eval", tmp_path / "lmms")["left_out"] == {}


def test_columns_of_numbers_with_gaps_are_refused(folder: Path, tmp_path: Path) -> None:
    def counted(i: int, e: Entry) -> Entry:
        choices = ("1", "2", "3", "4")[: 2 + i % 3]
        return asked(
            e, Question(question="How many?", choices=choices, answer="0", answer_as="index")
        )

    data = remade(folder, tmp_path / "data", counted)
    with pytest.raises(UserError, match="column C are numbers"):
        export(data, "vlmevalkit", tmp_path / "out")
    assert not (tmp_path / "out").exists()


CELLS = st.sampled_from(
    ["", "None", "1", "4", "10", "007", "1.0", "1.5", "1.50", "-3", "+3", "1e5", " 2", "two", "1_0"]
)


@given(st.lists(CELLS, min_size=1, max_size=4))
def test_columns_that_pandas_changes_are_known(cells: list[str]) -> None:
    column = AsRead()
    for cell in cells:
        column.add(cell)
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", quoting=csv.QUOTE_ALL)
    writer.writerows([["index", "A"], *([str(i), cell] for i, cell in enumerate(cells))])
    read = pd.read_csv(io.StringIO(buffer.getvalue()), sep="\t")["A"]
    shown = [None if pd.isna(value) else str(value) for value in read]
    wanted = [None if not cell or cell in MISSING else cell for cell in cells]
    assert column.changed == (shown != wanted)


# -------------------------------------------------------------------------------------- lmms-eval

DOC = {
    "choices": ["red", "green", "blue", "2"],
    "answer": "1",
    "answer_as": "index",
    "answer_text": "green",
    "stages": ["acquisition", "acquisition", "environment"],
}


@pytest.mark.parametrize(
    ("reply", "answer_as", "right"),
    [
        ("1", "index", True),
        (" (1). ", "index", True),
        ("1. green", "index", True),
        ("The answer is 1", "index", True),
        ("green", "index", True),
        ("Green.", "index", True),
        ("2", "index", False),
        ("4", "index", False),
        ("B", "letter", True),
        ("b) green", "letter", True),
        ("The answer is B.", "letter", True),
        ("A", "letter", False),
        ("a green one", "letter", False),
        ("green", "letter", True),
        ("green", "text", True),
        ('"Green"', "text", True),
        ("red", "text", False),
        ("", "text", False),
    ],
)
def test_replies_are_read_as_the_prompt_asked_for_them(
    reply: str, answer_as: str, right: bool
) -> None:
    found = lmms_utils.process_results({**DOC, "answer_as": answer_as}, [reply])
    kinds = ("acc", "acc_degraded", "acc_acquisition", "acc_environment")
    assert found == dict.fromkeys(kinds, float(right))


def test_free_answers_are_compared_as_texts() -> None:
    doc = {"choices": [], "answer": "A red bus", "answer_text": "A red bus", "stages": []}
    doc["answer_as"] = "text"
    for reply, right in (("a red  bus.", 1.0), ("a bus", 0.0)):
        assert lmms_utils.process_results(doc, [reply]) == {"acc": right, "acc_clean": right}


def test_lmms_eval_reads_the_answers_of_chains(data: Dataset, tmp_path: Path) -> None:
    out = exported(data, "lmms-eval", tmp_path / "out")
    space: dict[str, object] = {"__name__": "utils"}
    exec(compile((out / "utils.py").read_text(), "utils.py", "exec"), space)
    score = space["process_results"]
    assert callable(score)
    for entry in data.entries(pictures=False):
        row = entry.row
        doc = {"choices": list(row.choices), "answer_as": row.answer_as, "stages": []}
        doc |= {"answer": row.answer, "answer_text": row.answer_text}
        assert score(doc, [row.chain])["acc"] == 1.0
        wrong = row.parsed
        assert wrong
        other = str((int(row.answer) + 1) % 4)
        assert score(doc, [wrong.model_copy(update={"answer": other}).render()])["acc"] == 0.0


def test_lmms_eval_tasks_name_their_files_and_how_to_answer(data: Dataset, tmp_path: Path) -> None:
    out = exported(data, "lmms-eval", tmp_path / "out")
    config = yaml.safe_load((out / "small_test_seen.yaml").read_text())
    assert config["task"] == "small_test_seen"
    assert config["test_split"] == "test_seen"
    (listed,) = config["dataset_kwargs"]["data_files"]["test_seen"]
    assert (out / listed).is_file()
    doc = {"prompt": "Q?", "answer_as": "letter"}
    given_ = config["lmms_eval_specific_kwargs"]["default"]
    assert "letter" in lmms_utils.doc_to_text(doc, given_)
    chain = yaml.safe_load((out / "small_test_seen_chain.yaml").read_text())
    text = lmms_utils.doc_to_text(doc, chain["lmms_eval_specific_kwargs"]["default"])
    assert text == f"Q?\n{Chain.instruction()}"
