"""The pre-flight: every row that will not do is refused by its id, before training."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.table import DATA, Dataset, Entry
from degrade.errors import UserError
from degrade.schema import Chain
from tests.dataset_help import small_dataset
from tests.trainer_help import Change, entries_of, rewritten, row_with, table, tiny
from trainer import data, models, preflight, reports
from trainer.tiny import build

pytestmark = pytest.mark.usefixtures("training_cache")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("small") / "data", rows=16)


@pytest.fixture(scope="module")
def processor(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    rows = [e.row for e in Dataset(small).entries("train", pictures=False)]
    texts = [f"{data.prompt(r.asked, 'chain')}\n{r.chain}" for r in rows]
    folder = build(tmp_path_factory.mktemp("model") / "m", texts)
    return models.load_processor(str(folder), tiny(small).model)


def check(
    folder: Path, processor: Any, kind: data.Kind = "sft", context: int = 0, **changes: Any
) -> Any:
    config = tiny(folder, **changes)
    return preflight.Preflight(config, kind, processor, context).check(
        data.selected(data.read(config.data, "train"), config, kind), workers=2
    )


def test_good_rows_pass_and_are_measured(small: Path, processor: Any) -> None:
    report = check(small, processor)
    assert report.kept == [0, 1, 2, 3]
    assert report.refused == []
    report.stop("x")
    found = report.summary()
    # 96 x 72 pixels become 84 x 84, sides being multiples of 28: 3 x 3 tokens
    assert found["picture_tokens"] == {"least": 9, "mean": 9.0, "p95": 9, "most": 9}
    assert found["prompt_tokens"]["least"] > 9
    assert found["completion_tokens"]["least"] > 20


def broken_chain(entry: Entry) -> Entry:
    return row_with(chain=entry.row.chain[:-5])(entry)


def other_types(entry: Entry) -> Entry:
    chain = Chain.parse(entry.row.chain)
    assert isinstance(chain, Chain)
    return row_with(chain=chain.model_copy(update={"types": ()}).render())(entry)


def other_answer(entry: Entry) -> Entry:
    return row_with(answer=str((int(entry.row.answer) + 1) % 4))(entry)


def other_version(entry: Entry) -> Entry:
    applied = tuple(a.model_copy(update={"version": 99}) for a in entry.row.applied)
    return row_with(applied=applied)(entry)


def not_a_number(entry: Entry) -> Entry:
    applied = tuple(a.model_copy(update={"intensity": float("nan")}) for a in entry.row.applied)
    return row_with(applied=applied)(entry)


@pytest.mark.parametrize("kind", ["sft", "rl"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (broken_chain, "chain"),
        (row_with(chain=""), "chain"),
        (row_with(chain=Chain.instruction()), "chain"),
        (other_types, "types"),
        (other_answer, "answer"),
        (row_with(answer=""), "no_answer"),
        (row_with(answer="4"), "answer"),
        (row_with(choices=("Red.", "red", "blue"), answer="red", answer_as="text"), "answer"),
        (row_with(types=()), "types"),
        (row_with(depth_target=0), "depth"),
        (not_a_number, "columns"),
        (other_version, "record"),
        (lambda e: Entry(e.row, e.image, e.clean[: len(e.clean) // 2]), "picture"),
        (lambda e: Entry(e.row, e.image, b""), "picture"),
        (row_with(question="What is <|image_pad|> here?"), "placeholders"),
        (row_with(question="word " * 4000), "length"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_refused_by_its_id(
    small: Path, processor: Any, tmp_path: Path, change: Change, reason: str, kind: data.Kind
) -> None:
    folder = rewritten(tmp_path / "d", small, change)
    report = check(folder, processor, kind, context=4096, rl__use="sft")
    assert [r.reason for r in report.refused] == [reason]
    assert report.refused[0].id == entries_of(small)[0].row.id
    assert report.kept == [1, 2, 3]
    with pytest.raises(UserError, match=report.refused[0].id) as caught:
        report.stop("refused.jsonl")
    assert "data.refused to drop" in str(caught.value)


def holding(folder: Path, small: Path, name: str, value: Any, kind: pa.DataType | None) -> Path:
    """The SFT rows with this value in the first, or, where a type is given, in all of a column."""
    path = rewritten(folder, small, row_with()) / DATA / "train_sft-00000.parquet"
    table = pq.read_table(path)
    known = table[name].to_pylist()
    values = [value] * len(known) if kind else [value, *known[1:]]
    column = pa.array(values, kind or table.schema.field(name).type)
    pq.write_table(table.set_column(table.column_names.index(name), name, column), path)
    return folder


@pytest.mark.parametrize("kind", ["sft", "rl"])
@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("id", None, None),
        ("question", None, None),
        ("chain", None, None),
        ("applied", None, None),
        ("types", None, None),
        ("status", None, None),
        ("encoding", None, None),
        ("intensity_sum", None, None),
        ("intensity_sum", float("nan"), None),
        ("intensity_sum", "0.5", pa.string()),
        ("depth_target", "40", pa.string()),
        ("types", "lens blur", pa.string()),
        ("choices", "red, blue", pa.string()),
        ("answer", 2, pa.int64()),
    ],
)
def test_values_that_a_column_cannot_have_are_refused_before_training(
    small: Path,
    processor: Any,
    tmp_path: Path,
    kind: data.Kind,
    name: str,
    value: Any,
    column: pa.DataType | None,
) -> None:
    folder = holding(tmp_path / "d", small, name, value, column)
    report = check(folder, processor, kind, rl__use="sft", sft__curriculum="intensity")
    assert {r.reason for r in report.refused} == {"columns"}
    assert all(r.detail.startswith(f"{name}: ") for r in report.refused)
    assert len(report.refused) == (4 if column else 1)


def test_encodings_that_nobody_can_write_are_refused(
    small: Path, processor: Any, tmp_path: Path
) -> None:
    folder = rewritten(tmp_path / "d", small, row_with(encoding="bmp quality 3"))
    (refused,) = check(folder, processor).refused
    assert refused.reason == "record"
    assert "Unknown format of pictures 'bmp'" in refused.detail


def test_files_without_rows_are_no_rows_and_files_that_are_no_parquet_are_named_so(
    small: Path, tmp_path: Path
) -> None:
    folder = rewritten(tmp_path / "d", small, row_with())
    rows = pq.read_table(folder / DATA / "train_sft-00000.parquet")
    pq.write_table(rows.slice(0, 0), folder / DATA / "train_rl-00000.parquet")
    assert len(table(folder)) == 4
    pq.write_table(rows.slice(0, 0), folder / DATA / "train_sft-00000.parquet")
    with pytest.raises(UserError, match="it has no rows"):
        table(folder)
    (folder / DATA / "train_sft-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"Cannot read split train.*Parquet"):
        table(folder)


def test_rows_that_are_answered_during_training_are_looked_at_before_it(
    small: Path, processor: Any, tmp_path: Path
) -> None:
    folder = rewritten(tmp_path / "d", small, lambda e: Entry(e.row, e.image, b"none"))
    watch = {"data__watch_split": "train", "watch__rows": 3, "watch__answer_every": 1}

    def watched(**changes: Any) -> list[str]:
        config = tiny(folder, **watch, **changes)
        read = data.read(config.data, "train")
        return list(preflight.Preflight(config, "rl", processor).watched(read)["id"])

    known = [entry.row.id for entry in entries_of(small)]
    assert watched(data__picture="stored") == known[:3]
    with pytest.raises(UserError, match=rf"Row {known[0]} of train.*watch\.answer_every to 0"):
        watched()
    assert watched(data__refused="drop") == known[1:3]
    with pytest.raises(UserError, match="No row of train can be answered"):
        watched(data__refused="drop", rl__max_prompt_tokens=1)


@pytest.mark.parametrize("token", ["<|image_pad|>", "<|video_pad|>", "<|im_end|>"])
def test_tokens_of_the_models_own_are_refused_in_what_is_learnt(
    small: Path, processor: Any, tmp_path: Path, token: str
) -> None:
    def speaking(entry: Entry) -> Entry:
        said = entry.row.chain.replace("<REASONING>", f"<REASONING>So {token} is ")
        return row_with(chain=said)(entry)

    folder = rewritten(tmp_path / "d", small, speaking)
    (refused,) = check(folder, processor).refused
    assert refused.reason == "placeholders"
    assert token in refused.detail
    # RL neither learns nor shows a row's chain
    assert check(folder, processor, "rl", rl__use="sft").refused == []


def test_stored_pictures_are_opened_where_they_are_what_is_shown(
    small: Path, processor: Any, tmp_path: Path
) -> None:
    folder = rewritten(tmp_path / "d", small, lambda e: Entry(e.row, e.image[:300], e.clean))
    assert check(folder, processor, data__picture="replayed").refused == []
    assert len(check(folder, processor, data__picture="stored").refused) == 1


def test_rows_whose_chain_the_build_refused_are_counted_not_refused(
    small: Path, processor: Any, tmp_path: Path
) -> None:
    folder = rewritten(tmp_path / "d", small, row_with(status="leak", chain=""))
    report = check(folder, processor)
    assert (report.without_chain, report.kept, report.refused) == (1, [1, 2, 3], [])
    asked = check(folder, processor, kind="rl", rl__use="sft")
    assert asked.kept == [0, 1, 2, 3]  # rewards need the answer and the record


def test_chains_that_no_answer_can_equal_in_length_are_counted(small: Path, processor: Any) -> None:
    lengths = check(small, processor, "rl").completions.values
    for limit, long in ((max(lengths), 0), (max(lengths) - 1, lengths.count(max(lengths)))):
        report = check(small, processor, "rl", rl__max_new_tokens=limit)
        assert (report.too_long, len(report.kept)) == (long, len(lengths))
        assert ("are cut off" in reports.lengths_line(report.summary())) == bool(long)


def test_what_is_counted_is_what_is_learnt_and_asked(small: Path, processor: Any) -> None:
    report = check(small, processor)
    row = table(small)[0]
    said = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": asked(row)}]},
        {"role": "assistant", "content": [{"type": "text", "text": row["chain"]}]},
    ]
    text = processor.apply_chat_template(said, tokenize=False)
    pixels = data.picture(row, "stored")
    whole = len(processor(text=[text], images=[pixels])["input_ids"][0])
    assert report.prompts.values[0] + report.completions.values[0] == whole
    assert check(small, processor, data__limit=1, sft__max_tokens=whole).refused == []
    assert check(small, processor, data__limit=1, sft__max_tokens=whole - 1).refused


def asked(row: Any) -> str:
    return data.prompt(data.question(row), "chain")


def test_no_prompt_is_cut(small: Path, processor: Any) -> None:
    longest = check(small, processor, kind="rl").summary()["prompt_tokens"]["most"]
    rl: dict[str, Any] = {"kind": "rl", "rl__max_new_tokens": 64}
    assert check(small, processor, context=longest + 64, **rl).refused == []
    assert check(small, processor, context=longest + 63, **rl).refused
    assert check(small, processor, rl__max_prompt_tokens=longest, kind="rl").refused == []
    assert check(small, processor, rl__max_prompt_tokens=longest - 1, kind="rl").refused
    assert check(small, processor, sft__max_tokens=longest).refused


def test_padding_is_on_the_left_and_anything_else_is_refused(
    small: Path, processor: Any, tmp_path: Path
) -> None:
    processor.tokenizer.padding_side = "right"
    try:
        processor.save_pretrained(str(tmp_path / "right"))
        with pytest.raises(UserError, match="pads on the right"):
            preflight.Preflight(tiny(small), "rl", processor)
    finally:
        processor.tokenizer.padding_side = "left"
    (tmp_path / "right" / "config.json").write_text('{"model_type": "qwen2_5_vl"}', "utf-8")
    assert models.load_processor(str(tmp_path / "right")).tokenizer.padding_side == "left"


def test_limits_of_pixels_hold_in_the_processor(small: Path, processor: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = processor.image_processor(
            images=[np.zeros((1000, 700, 3), np.uint8)], return_tensors="np"
        )
    assert made["image_grid_thw"][0].prod() * 14 * 14 <= 12544
