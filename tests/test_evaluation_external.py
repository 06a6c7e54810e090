"""Answers made elsewhere: each format is read, and what does not belong is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from degrade.errors import UserError
from degrade.runs import read_json
from tests.evaluation_help import (
    LEVELS,
    benchmark,
    chain_of,
    entry,
    write_answers,
    write_benchmark,
)
from tests.external_help import ITEMS, Row, letter, rows_of, scored, table, write_table
from trainer.evaluation.records import SCORES, read_judged


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark(tmp_path_factory.mktemp("bench"), items=ITEMS)


# ------------------------------------------------------------------------------------- plain


def test_json_lines_with_id_and_answer_are_scored(bench: Path, tmp_path: Path) -> None:
    rows = rows_of(bench)
    answers = [{"id": i.id, "answer": letter(i) if i.level != 1.0 else "E"} for i in rows]
    path = write_answers(tmp_path / "a.jsonl", reversed(answers))
    found = scored(bench, tmp_path / "out", path)["scores"]["controls"]["none"]
    values = {level: e["value"] for level, e in found["accuracy"]["level"].items()}
    assert values == {"0.00": 1.0, "0.25": 1.0, "0.50": 1.0, "1.00": 0.0}
    assert found["robustness"]["level"]["1.00"]["drop"]["value"] == 1.0


def test_controls_and_token_counts_may_stand_beside(bench: Path, tmp_path: Path) -> None:
    rows = rows_of(bench)
    answers = [
        {"id": i.id, "answer": letter(i), "control": c, "tokens": 7, "cut": False}
        for i in rows
        for c in ("none", "blind")
    ]
    found = scored(bench, tmp_path / "out", write_answers(tmp_path / "a.jsonl", answers))
    assert found["settings"]["controls"] == ["none", "blind"]
    assert found["scores"]["controls"]["blind"]["cost"]["all"]["tokens"]["value"] == 7.0
    assert found["scores"]["against_none"]["blind"]["all"]["value"] == 0.0


def test_answers_of_an_evaluation_can_be_scored_again(bench: Path, tmp_path: Path) -> None:
    rows = rows_of(bench)
    answers = [{"id": i.id, "answer": f"It is ({letter(i)})."} for i in rows]
    scored(bench, tmp_path / "first", write_answers(tmp_path / "a.jsonl", answers))
    again = scored(bench, tmp_path / "second", tmp_path / "first" / "answers.jsonl")
    assert again["scores"] == read_json(tmp_path / "first" / SCORES)
    with pytest.raises(UserError, match="score it with --prompt plain"):
        scored(bench, tmp_path / "x", tmp_path / "first" / "answers.jsonl", prompt="chain")


def test_answers_about_another_build_are_refused_though_its_rows_have_the_same_names(
    bench: Path, tmp_path: Path
) -> None:
    answers = [{"id": i.id, "answer": "A"} for i in rows_of(bench)]
    scored(bench, tmp_path / "first", write_answers(tmp_path / "a.jsonl", answers))
    again = [entry(n, level, encoding="webp") for n in range(ITEMS) for level in LEVELS]
    other = write_benchmark(tmp_path / "bench", again)
    with pytest.raises(UserError, match="another build of it: the pictures"):
        scored(other, tmp_path / "x", tmp_path / "first" / "answers.jsonl")
    found = scored(bench, tmp_path / "y", tmp_path / "first" / "answers.jsonl", splits=["clean"])
    assert found["counts"]["judged"] == ITEMS  # a part of the rows will do


def test_chains_made_elsewhere_are_read_as_chains(bench: Path, tmp_path: Path) -> None:
    answers = [{"id": i.id, "answer": chain_of(i.types, i.question.answer)} for i in rows_of(bench)]
    path = write_answers(tmp_path / "a.jsonl", answers)
    found = scored(bench, tmp_path / "out", path, prompt="chain")["scores"]["controls"]["none"]
    assert found["accuracy"]["all"]["value"] == 1.0
    assert found["perception"]["all"]["f1"]["value"] == 1.0


def test_free_answers_are_compared_and_references_counted(tmp_path: Path) -> None:
    entries = [
        entry(0, 0.0, task="vqa"),
        entry(1, 0.0, task="vqa", references=("green", "green", "blue", "teal")),
    ]
    bench = write_benchmark(tmp_path / "bench", entries)
    answers = [
        {"id": "scenes/000@0.00", "answer": "The answer is Red."},
        {"id": "scenes/001@0.00", "answer": "green"},
    ]
    scored(bench, tmp_path / "out", write_answers(tmp_path / "a.jsonl", answers))
    found = {j.id: (j.correct, j.rule, j.choices) for j in read_judged(tmp_path / "out")}
    assert found["scenes/000@0.00"] == (1.0, "announced", 0)
    assert found["scenes/001@0.00"] == (pytest.approx(2 / 3), "whole", 0)


def test_more_answers_than_are_to_be_scored_are_counted(bench: Path, tmp_path: Path) -> None:
    answers = [{"id": i.id, "answer": "A"} for i in rows_of(bench)]
    path = write_answers(tmp_path / "a.jsonl", answers)
    found = scored(bench, tmp_path / "out", path, splits=["clean", "level_100"])
    assert found["counts"]["ignored_answers"] == 2 * ITEMS
    assert found["counts"]["judged"] == 2 * ITEMS


# ----------------------------------------------------------------------------------- refusals


def _without(index: int) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: rows[:index] + rows[index + 1 :]


REFUSED: dict[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "missing": (_without(3), r"1 of 16 answers are missing: 'scenes/003@0\.00'"),
    "twice": (lambda rows: [*rows, rows[0]], r":17 answers 'scenes/000@0\.00', which .*:1 does"),
    "foreign": (
        lambda rows: [*rows, {"id": "other/1", "answer": "A"}],
        "answers 'other/1', which is no row of the benchmark",
    ),
    "number": (lambda rows: [{**rows[0], "answer": 3}], "'answer', a text"),
    "nothing": (lambda rows: [], "holds no answers"),
    "columns": (lambda rows: [{"name": r["id"], "answer": "A"} for r in rows], "has answer, name"),
    "control": (
        lambda rows: [{**r, "control": "blnd"} for r in rows],
        "control: Input should be 'none', 'blind'",
    ),
    "no base": (
        lambda rows: [{**r, "control": "blind"} for r in rows],
        "no answers about the pictures as they are",
    ),
    "rotated": (
        lambda rows: [*rows, {**rows[0], "rotation": 1}],
        "rotated, which --circular scores",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_answers_that_do_not_fit_are_refused_by_name(
    kind: str, bench: Path, tmp_path: Path
) -> None:
    spoil, message = REFUSED[kind]
    rows: list[Row] = [{"id": i.id, "answer": "A"} for i in rows_of(bench)]
    path = write_answers(tmp_path / "a.jsonl", spoil(rows))
    with pytest.raises(UserError, match=message):
        scored(bench, tmp_path / "out", path)
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_answers_are_refused(bench: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "x", "answer": "A"}\n[1]\n', "utf-8")
    (tmp_path / "b.pkl").write_bytes(b"x")
    (tmp_path / "c.xlsx").write_bytes(b"no workbook")
    for name, message in (
        ("a.jsonl", "answers 'x'"),
        ("b.pkl", "give a result file of VLMEvalKit"),
        ("c.xlsx", "Cannot read"),
        ("d.csv", "There is no file"),
    ):
        with pytest.raises(UserError, match=message):
            scored(bench, tmp_path / "out", tmp_path / name)


def test_a_model_and_answers_exclude_each_other(bench: Path, tmp_path: Path) -> None:
    path = write_answers(tmp_path / "a.jsonl", [])
    with pytest.raises(UserError, match="Give --model, or --answers"):
        scored(bench, tmp_path / "out", path, model="m")
    with pytest.raises(UserError, match="Give --model, or --answers"):
        scored(bench, tmp_path / "out")
    with pytest.raises(UserError, match="leave out --control"):
        scored(bench, tmp_path / "out", path, controls=["blind"])


# --------------------------------------------------------------------------------- VLMEvalKit


@pytest.mark.parametrize("suffix", ["xlsx", "csv", "tsv"])
def test_result_files_of_vlmevalkit_are_scored(suffix: str, bench: Path, tmp_path: Path) -> None:
    files = [
        write_table(
            tmp_path / f"{split}.{suffix}",
            table(
                rows_of(bench, split), lambda i: f'{letter(i)}\tor "so"\nthe answer is {letter(i)}.'
            ),
        )
        for split in ("clean", "level_025", "level_050", "level_100")
    ]
    found = scored(bench, tmp_path / "out", *files)
    assert found["scores"]["controls"]["none"]["accuracy"]["all"]["value"] == 1.0
    assert found["counts"]["judged"] == ITEMS * len(LEVELS)


def test_numbers_and_gaps_of_a_workbook_are_texts_again(tmp_path: Path) -> None:
    choices = ("3", "4", "5", "6")
    entries = [entry(n, 0.0, choices=choices, answer=str(n)) for n in range(3)]
    bench = write_benchmark(tmp_path / "bench", entries)
    rows = rows_of(bench)
    said: dict[str, Any] = dict(zip([i.id for i in rows], (3, None, 5.0), strict=True))
    made = table(rows, lambda i: "")
    for row, item in zip(made, rows, strict=True):
        row |= {"prediction": said[item.id], **{k: int(row[k]) for k in "ABCD"}}
    scored(bench, tmp_path / "out", write_table(tmp_path / "r.xlsx", made))
    assert {j.id: (j.correct, j.rule) for j in read_judged(tmp_path / "out")} == {
        "scenes/000@0.00": (1.0, "exact"),
        "scenes/001@0.00": (0.0, "empty"),
        "scenes/002@0.00": (1.0, "exact"),
    }


def test_rotated_options_of_vlmevalkit_are_recognised(bench: Path, tmp_path: Path) -> None:
    rows = rows_of(bench, "clean")
    made = [r for places in range(4) for r in table(rows, lambda i, p=places: letter(i, p), places)]
    path = write_table(tmp_path / "circular.xlsx", made)
    found = scored(bench, tmp_path / "out", path, splits=["clean"], circular=True)
    assert found["scores"]["controls"]["none"]["accuracy"]["all"]["value"] == 1.0
    with pytest.raises(UserError, match="--circular scores"):
        scored(bench, tmp_path / "plain", path, splits=["clean"])


def test_where_vlmevalkit_got_no_answer_there_is_none(bench: Path, tmp_path: Path) -> None:
    rows = rows_of(bench, "clean")
    said = dict.fromkeys([i.id for i in rows], "A") | {
        rows[0].id: "Failed to obtain answer via API."
    }
    path = write_table(tmp_path / "r.csv", table(rows, lambda i: said[i.id]))
    found = scored(bench, tmp_path / "out", path, splits=["clean"])
    assert found["counts"]["left_out"] == {"failed": 1}
    assert found["counts"]["judged"] == ITEMS - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"question": "Another?"},
            "has a question that 'scenes/000@0.00' of the benchmark has not",
        ),
        ({"B": "purple"}, "has options that 'scenes/000@0.00' of the benchmark has not"),
        ({"id": "mmstar/7@0.25"}, "answers 'mmstar/7@0.25', which is no row"),
    ],
)
def test_results_of_another_benchmark_are_refused(
    changes: Row, message: str, bench: Path, tmp_path: Path
) -> None:
    made = table(rows_of(bench, "clean"), letter)
    made[0] |= changes
    with pytest.raises(UserError) as caught:
        scored(bench, tmp_path / "out", write_table(tmp_path / "r.tsv", made), splits=["clean"])
    assert message in str(caught.value)


def test_tables_without_predictions_are_refused_with_their_columns(
    bench: Path, tmp_path: Path
) -> None:
    made = table(rows_of(bench, "clean"), letter)
    for row in made:
        del row["prediction"]
    with pytest.raises(UserError, match=r"no column 'prediction'; it has index, question"):
        scored(bench, tmp_path / "out", write_table(tmp_path / "r.csv", made), splits=["clean"])
