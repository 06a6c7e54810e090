"""Answers that were made elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trainer.evaluation.config import read_options
from trainer.evaluation.items import Benchmark, Item
from trainer.evaluation.prompts import rotated
from trainer.evaluation.runner import Evaluation

ITEMS = 4
Row = dict[str, Any]


def rows_of(bench: Path, *splits: str) -> tuple[Item, ...]:
    return Benchmark(bench).items(splits).items


def scored(bench: Path, out: Path, *files: Path, **options: Any) -> dict[str, Any]:
    summary = Evaluation(bench, out, read_options({"resamples": 100, **options}), files).run()
    assert summary
    return summary


def letter(item: Item, places: int = 0) -> str:
    index = item.question.answer_index
    assert index is not None
    return "ABCD"[(index - places) % 4]


def table(rows: Iterable[Item], prediction: Callable[[Item], str], places: int = 0) -> list[Row]:
    """What VLMEvalKit writes: the table without its pictures, and what the model said."""
    made = []
    for number, item in enumerate(rows):
        options = dict(zip("ABCD", rotated(item.question.choices, places), strict=True))
        made.append(
            {
                "index": number + 1_000_000 * places,
                "question": item.question.question,
                "answer": letter(item, places),
                "category": item.operator,
                "l2-category": item.stage,
                "split": item.split,
                "id": item.id,
                **options,
                "prediction": prediction(item),
            }
        )
    return made


def write_table(path: Path, rows: list[Row]) -> Path:
    import pandas as pd

    frame = pd.DataFrame(rows)
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        tabs = "\t" if path.suffix == ".tsv" else ","
        frame.to_csv(path, sep=tabs, index=False, quoting=csv.QUOTE_ALL)
    return path
