"""Answers from lmms-eval, and from frameworks that our exports were given to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from degrade.cli import app
from degrade.errors import UserError
from tests.dataset_help import WORDS, small_dataset
from tests.evaluation_help import (
    LEVELS,
    benchmark,
    entry,
    write_answers,
    write_benchmark,
)
from tests.external_help import ITEMS, Row, letter, rows_of, scored, table, write_table
from trainer.evaluation.items import Item
from trainer.evaluation.records import read_answers, read_judged


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark(tmp_path_factory.mktemp("bench"), items=ITEMS)


# ---------------------------------------------------------------------------------- lmms-eval


def samples(rows: Iterable[Item], said: Callable[[Item], str], **more: Any) -> list[Row]:
    """What lmms-eval 0.7 writes with --log_samples: the row is told by its place alone."""
    asked = [(number, item, item.question.prompt()) for number, item in enumerate(rows)]
    return [
        {
            "doc_id": number,
            "target": item.question.answer,
            "filtered_resps": said(item),
            "doc_hash": "x",
            "acc": 1.0,
            "input": text,
            **more,
        }
        for number, item, text in asked
    ]


def test_samples_of_lmms_eval_are_scored_by_their_place_in_the_task(
    bench: Path, tmp_path: Path
) -> None:
    rows = samples(rows_of(bench), lambda i: i.question.answer if i.level != 0.5 else "9")
    path = write_answers(tmp_path / "20260101_samples_small.jsonl", reversed(rows))
    found = scored(bench, tmp_path / "out", path)["scores"]["controls"]["none"]["accuracy"]
    assert {level: e["value"] for level, e in found["level"].items()} == {
        "0.00": 1.0, "0.25": 1.0, "0.50": 0.0, "1.00": 1.0
    }  # fmt: skip
    assert {a.text for a in read_answers(tmp_path / "out")} == {"0", "1", "2", "3", "9"}


def test_samples_of_a_data_set_are_a_task_for_each_split(tmp_path: Path) -> None:
    data = small_dataset(tmp_path / "data", rows=8)
    files = [
        write_answers(
            tmp_path / f"x_samples_small_{split}_chain.jsonl",
            samples(rows_of(data, split), lambda i: i.question.answer),
        )
        for split in ("test_seen", "test_unseen")
    ]
    splits = ["test_seen", "test_unseen"]
    found = scored(data, tmp_path / "out", *files, splits=splits)
    assert found["scores"]["controls"]["none"]["accuracy"]["all"]["value"] == 1.0
    unnamed = files[0].rename(tmp_path / "samples.jsonl")
    with pytest.raises(UserError, match="does not say which split it is of"):
        scored(data, tmp_path / "out2", unnamed, splits=splits)


def test_captions_have_no_place_in_the_tasks_of_lmms_eval(tmp_path: Path) -> None:
    describe = {"task": "caption", "question": "Please describe this image."}
    entries = [entry(n, 0.0, **({} if n else describe)) for n in range(3)]
    bench = write_benchmark(tmp_path / "bench", entries)
    rows = [i for i in rows_of(bench) if i.task == "mcq"]
    path = write_answers(
        tmp_path / "x_samples_small.jsonl",
        samples(rows, lambda i: i.question.answer, input=None),
    )
    found = scored(bench, tmp_path / "out", path, tasks=["mcq"])["scores"]["controls"]["none"]
    assert (found["accuracy"]["all"]["value"], found["accuracy"]["all"]["n"]) == (1.0, 2)


def test_options_that_lmms_eval_listed_without_labels_are_read_as_texts(tmp_path: Path) -> None:
    texts = [entry(n, 0.0, answer=WORDS[n], answer_as="text") for n in range(2)]
    bench = write_benchmark(tmp_path / "bench", texts)
    rows = samples(rows_of(bench), lambda i: f"{i.question.answer}.")
    path = write_answers(tmp_path / "x_samples_small_clean.jsonl", rows)
    scored(bench, tmp_path / "out", path)
    assert [(j.correct, j.rule) for j in read_judged(tmp_path / "out")] == [(1.0, "exact")] * 2


def test_raw_responses_and_documents_of_lmms_eval_are_preferred_where_they_are_kept(
    bench: Path, tmp_path: Path
) -> None:
    rows = rows_of(bench, "clean")
    made = samples(rows, lambda i: "")
    for row, item in zip(made, reversed(rows), strict=True):
        row |= {"doc": {"id": item.id}, "resps": [[item.question.answer]], "input": None}
    path = write_answers(tmp_path / "samples_small_clean.jsonl", made)
    found = scored(bench, tmp_path / "out", path, splits=["clean"])
    assert found["scores"]["controls"]["none"]["accuracy"]["all"]["value"] == 1.0


def test_samples_of_another_task_are_refused(bench: Path, tmp_path: Path) -> None:
    rows = samples(rows_of(bench, "clean"), lambda i: "0")
    path = tmp_path / "x_samples_small_clean.jsonl"
    for changes, message in (
        ({"input": "What is it?"}, "was asked something else than 'scenes/000@0.00'"),
        ({"doc_id": 99}, "doc_id 99 is none of the 4 rows"),
    ):
        write_answers(path, [{**rows[0], **changes}, *rows[1:]])
        with pytest.raises(UserError, match=message):
            scored(bench, tmp_path / "out", path, splits=["clean"])
    write_answers(path, [{"doc_id": 0, "input": "x"}])
    with pytest.raises(UserError, match="neither 'filtered_resps' nor 'resps'"):
        scored(bench, tmp_path / "out", path, splits=["clean"])


def test_files_of_two_formats_are_refused(bench: Path, tmp_path: Path) -> None:
    clean, other = rows_of(bench, "clean"), rows_of(bench, "level_025", "level_050", "level_100")
    first = write_table(tmp_path / "clean.csv", table(clean, letter))
    second = write_answers(tmp_path / "a.jsonl", [{"id": i.id, "answer": letter(i)} for i in other])
    with pytest.raises(UserError, match="different formats"):
        scored(bench, tmp_path / "out", first, second)


# -------------------------------------------------------------------------- with our exports


def test_our_exports_come_back_scored(bench: Path, tmp_path: Path) -> None:
    import pandas as pd
    import pyarrow.parquet as pq

    for name in ("vlmevalkit", "lmms-eval"):
        done = CliRunner().invoke(app, ["export", str(bench), str(tmp_path / name), "--to", name])
        assert done.exit_code == 0, done.output
    (path,) = (tmp_path / "vlmevalkit").glob("*.tsv")
    table = pd.read_csv(path, sep="\t").drop(columns="image")
    table["prediction"] = table["answer"]
    table.to_excel(tmp_path / "model_small.xlsx", index=False)
    rows = [
        {"input": row["prompt"], "filtered_resps": row["answer"], "target": row["answer"]}
        for file in sorted((tmp_path / "lmms-eval" / "data").glob("*.parquet"))
        for row in pq.read_table(file, columns=["prompt", "answer"]).to_pylist()
    ]
    (task,) = {p.stem for p in (tmp_path / "lmms-eval").glob("*.yaml")} - {"common", "small_chain"}
    samples_file = write_answers(
        tmp_path / f"20260101_samples_{task}.jsonl",
        [{"doc_id": number, **row} for number, row in enumerate(rows)],
    )
    for name, answers in (("v", tmp_path / "model_small.xlsx"), ("l", samples_file)):
        found = scored(bench, tmp_path / name, answers)
        accuracy = found["scores"]["controls"]["none"]["accuracy"]
        assert (accuracy["all"]["value"], accuracy["all"]["n"]) == (1.0, ITEMS * len(LEVELS))
