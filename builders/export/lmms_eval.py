"""lmms-eval: a task folder, ``--include_path OUT --tasks NAME_SPLIT``, with its own Parquet.

Two tasks for each split: ``NAME_SPLIT`` asks for the answer alone, ``NAME_SPLIT_chain`` for a
chain. Accuracy is reported over all rows, clean and degraded ones, and per stage of damage. A
benchmark is two tasks of all its levels, ``NAME`` and ``NAME_chain``, with the accuracy of each
level (``acc_clean``, ``acc_level_025`` ...). Paths are relative to the folder; releases before 0.7
want to be started in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml

from builders.export import lmms_utils, parquet
from builders.export.base import Format, Found
from builders.export.reading import BROKEN, unreadable
from builders.export.writing import PerPart
from builders.table import DATA, Entry, Example
from degrade.schema import STAGES, AnswerForm, Chain, Degradation, Record

COMMON, UTILS = "common.yaml", "utils.py"
SHORT = {  # by the form of the answer
    "index": "\nReply with the number of the right option alone.",
    "letter": "\nReply with the letter of the right option alone.",
    "text": "\nReply with the answer alone, in a few words.",
}
TEST = "test"
METRICS = ("acc", "acc_clean", "acc_degraded", *(f"acc_{stage}" for stage in STAGES))


class TaskRow(Record):
    """Columns beside ``image``.

    Attributes:
        prompt: The question with its choices.
        question, choices, answer, answer_as, answer_text: What was asked, and its answer.
        references: All right answers, where there are several.
        types, stages: What was applied, in order; empty for a clean picture.
        intensity_sum: Sum of the intensities.
        id, item, split, level: Of the row.
    """

    prompt: str
    question: str
    choices: tuple[str, ...]
    answer: str
    answer_as: AnswerForm
    answer_text: str
    references: tuple[str, ...]
    types: tuple[Degradation, ...]
    stages: tuple[str, ...]
    intensity_sum: float
    id: str
    item: str
    split: str
    level: float | None


class LmmsEval(Format):
    """See the module."""

    name: ClassVar[str] = "lmms-eval"
    summary: ClassVar[str] = "Evaluation with lmms-eval: tasks for each split or benchmark"
    chains_only: ClassVar[bool] = False

    def left_out(self, row: Example) -> str:
        """Rows that cannot be scored."""
        if row.task == "caption":
            return "caption"
        return "" if row.question and row.answer else "no_answer"

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """Parquet and two tasks for each split, and what all tasks share."""
        columns = parquet.schema("image", False, TaskRow)
        levels: dict[str, None] = {}  # splits of a benchmark, in order
        with PerPart(lambda part: parquet.Table(folder, part, columns)) as parts:
            for entry in entries:
                row = entry.row
                same = set(TaskRow.model_fields) & set(Example.model_fields)
                made = TaskRow(
                    prompt=row.asked.prompt(),
                    stages=tuple(a.stage for a in row.applied),
                    **{key: getattr(row, key) for key in same},
                )
                picture = {"bytes": entry.image, "path": row.file_name}
                found = {"image": picture, **made.model_dump()}
                parts[row.part].add(found, len(entry.image))
                if row.level is not None:
                    levels[row.split] = None
        chain = dict.fromkeys(SHORT, f"\n{Chain.instruction()}")
        tests = {name: (TEST, list(parts))} if levels else {}
        tests = tests or {f"{name}_{part}": (part, [part]) for part in parts}
        for test, (split, of) in tests.items():
            for task, endings in ((test, SHORT), (f"{test}_chain", chain)):
                config = yaml.safe_dump(_task(folder, task, split, of, endings), sort_keys=False)
                (folder / f"{task}.yaml").write_text(config, "utf-8")
        (folder / COMMON).write_text(_common([f"acc_{level}" for level in levels]), "utf-8")
        (folder / UTILS).write_text(_utils(), "utf-8")

    def detect(self, folder: Path) -> bool:
        """By its files and columns."""
        there = all((folder / name).is_file() for name in (COMMON, UTILS))
        return there and parquet.holds(folder, "prompt", "stages")

    def read(self, folder: Path) -> Iterator[Found]:
        """Whether the tasks find their data, then the rows."""
        for path in sorted(folder.glob("*.yaml")):
            if path.name != COMMON:
                yield from _problems(folder, path)
        for item in parquet.read(folder, "image"):
            if isinstance(item, Found):
                yield item
                continue
            seen, part = item
            yield seen.found(
                seen.text("id", needed=False),
                seen.text("split", needed=False) or part,
                image=seen.embedded(seen.item.get("image")),
                prompt=seen.text("prompt"),
                choices=seen.texts("choices"),
                answer=seen.text("answer"),
                types=seen.types(seen.item.get("types")),
            )


def _task(
    folder: Path, task: str, split: str, parts: Iterable[str], endings: dict[str, str]
) -> dict[str, Any]:
    files = [p for part in parts for p in (folder / DATA).glob(f"{part}-[0-9]*-of-*.parquet")]
    return {
        "include": COMMON,
        "task": task,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {split: [f"{DATA}/{p.name}" for p in sorted(files)]}},
        "test_split": split,
        "lmms_eval_specific_kwargs": {"default": {"pre_prompt": "", "post_prompt": "", **endings}},
    }


def _common(levels: Iterable[str]) -> str:
    functions = ("doc_to_visual", "doc_to_text", "process_results")
    config = {
        "output_type": "generate_until",
        "doc_to_target": "answer",
        "generation_kwargs": {"max_new_tokens": 1024, "temperature": 0, "do_sample": False},
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True}
            for name in dict.fromkeys((*METRICS, *levels))
        ],
        "metadata": [{"version": 1.0}],
    }
    calls = "".join(f"{name}: !function utils.{name}\n" for name in functions)
    return calls + yaml.safe_dump(config, sort_keys=False)


def _utils() -> str:
    """The functions, with the tags of an answer as chains have them."""
    parts = dict.fromkeys(("influence", "reasoning", "conclusion"), "")
    last = Chain(types=(), answer="?", **parts).render().splitlines()[-1]
    source = Path(lmms_utils.__file__).read_text("utf-8")
    return source.replace('TAGS = ("", "")', f"TAGS = {tuple(last.split('?'))!r}")


def _problems(folder: Path, path: Path) -> Iterator[Found]:
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
        files = config["dataset_kwargs"]["data_files"]
        listed = files[config["test_split"]]
    except (*BROKEN, yaml.YAMLError, KeyError, TypeError) as error:
        yield unreadable(path.name, error, "task")
        return
    for name in listed if isinstance(listed, list) else [listed]:
        if not (folder / str(name)).is_file():
            yield unreadable(path.name, f"{name} is not there", "missing_file")
