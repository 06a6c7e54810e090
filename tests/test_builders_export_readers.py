"""Readers of exports tell what a loader would trip over, whatever was done to the files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from builders.export import formats, get
from builders.table import Dataset
from tests.dataset_help import small_dataset
from tests.export_help import exported, problems

FORMATS = sorted(formats())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("small") / "data", rows=8)


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return Dataset(folder)


Edit = Callable[[Path], None]


def _replaced(pattern: str, old: str, new: str) -> Edit:
    def edit(out: Path) -> None:
        path = sorted(out.glob(pattern))[0]
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return edit


def _removed(pattern: str) -> Edit:
    return lambda out: sorted(out.glob(pattern))[0].unlink()


def _cut(pattern: str, keep: float) -> Edit:
    def edit(out: Path) -> None:
        path = sorted(out.glob(pattern))[0]
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return edit


def _garbled(pattern: str, at: float) -> Edit:
    def edit(out: Path) -> None:
        path = sorted(out.glob(pattern))[0]
        found = bytearray(path.read_bytes())
        start = int(len(found) * at) // 512 * 512
        found[start : start + 1024] = b"\xff" * 1024
        path.write_bytes(found)

    return edit


def _emptied(column: str) -> Edit:
    def edit(out: Path) -> None:
        path = sorted(out.glob("data/*.parquet"))[0]
        table = pq.read_table(path)
        rows = table.to_pylist()
        rows[0][column] = None
        pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)

    return edit


def _bare(out: Path) -> None:
    path = sorted(out.glob("data/*.parquet"))[0]
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)


FAULTS: list[tuple[str, Edit, set[str]]] = [
    ("llamafactory", _removed("images/*.png"), {"missing_picture"}),
    ("llamafactory", _replaced("*_train_rl.json", '"gpt"', '"bot"'), {"conversation"}),
    ("llamafactory", _replaced("*_train_rl.json", "images/", "../images/"), {"missing_picture"}),
    ("llamafactory", _replaced("*_train_rl.json", "What", "<video>What"), {"placeholder"}),
    ("llamafactory", _replaced("dataset_info.json", "sharegpt", "alpaca"), {"entry"}),
    ("llamafactory", _replaced("dataset_info.json", '"images"', '"image"'), {"entry"}),
    ("llamafactory", _cut("*_train_rl.json", 0.7), {"unreadable_file"}),
    ("llamafactory", _cut("dataset_info.json", 0.7), {"unreadable_file"}),
    ("llamafactory", _removed("*_train_rl.json"), {"unreadable_file"}),
    ("vlm-r1", _removed("images/*.png"), {"missing_picture"}),
    ("vlm-r1", _cut("train_rl.jsonl", 0.5), {"broken_row", "missing_picture"}),
    ("vlm-r1", _replaced("train_rl.jsonl", '"default"', '"vibes"'), {"reward"}),
    ("vlm-r1", _replaced("train_rl.jsonl", '"default"', "1"), {"reward", "type_changes"}),
    ("vlm-r1", _replaced("train_rl.jsonl", '"human"', '"user"'), {"conversation"}),
    ("trl-sft", _cut("data/train_rl-*", 0.5), {"unreadable_file"}),
    ("trl-sft", _emptied("images"), {"missing_picture"}),
    ("trl-sft", _emptied("completion"), {"conversation"}),
    ("trl-sft", _bare, {"features"}),
    ("trl-grpo", _emptied("image"), {"missing_picture"}),
    ("trl-grpo", _emptied("degradations"), {"broken_row"}),
    ("trl-grpo", _emptied("solution"), {"broken_row"}),
    ("trl-grpo", _bare, {"features"}),
    ("webdataset", _cut("data/train_rl-*", 0.5), {"unreadable_file"}),
    ("webdataset", _garbled("data/train_rl-*", 0.0), {"unreadable_file"}),
    ("imagefolder", _removed("train_rl/images/*"), {"missing_picture"}),
    ("imagefolder", _removed("train_rl/clean/*"), {"missing_picture"}),
    ("imagefolder", _cut("train_rl/metadata.jsonl", 0.9), {"broken_row", "missing_picture"}),
    (
        "imagefolder",
        _replaced("train_rl/metadata.jsonl", "images/", "/images/"),
        {"missing_picture"},
    ),
    ("vlmevalkit", _cut("*train_rl*.tsv", 0.9), {"unreadable_file"}),
    ("vlmevalkit", _replaced("*train_rl*.tsv", '\n"1"\t', '\n"0"\t'), {"index"}),
    ("vlmevalkit", _replaced("*train_rl*.tsv", '\t"green"', '\t"None"'), {"reads_as_missing"}),
    ("vlmevalkit", _replaced("*train_rl*.tsv", "iVBOR", "iV OR"), {"missing_picture"}),
    ("vlmevalkit", _replaced("*train_rl*.tsv", '"answer"', '"label"'), {"columns", "answer"}),
    ("lmms-eval", _replaced("small_train_rl.yaml", "00000-of", "00007-of"), {"missing_file"}),
    ("lmms-eval", _replaced("small_train_rl.yaml", "test_split:", "test_split"), {"task"}),
    ("lmms-eval", _emptied("choices"), {"broken_row"}),
]


@pytest.mark.parametrize(("name", "edit", "codes"), FAULTS)
def test_readers_tell_what_loaders_would_trip_over(
    name: str, edit: Edit, codes: set[str], data: Dataset, tmp_path: Path
) -> None:
    out = exported(data, name, tmp_path / "out")
    edit(out)
    assert problems(name, out) == codes


def test_placeholders_are_counted_as_llamafactory_counts_them(
    data: Dataset, tmp_path: Path
) -> None:
    out = exported(data, "llamafactory", tmp_path / "out")
    _replaced("*_train_rl.json", "<TYPE>", "<image><TYPE>")(out)
    found = [r for r in get("llamafactory").read(out) if r.placeholders != r.pictures]
    assert [(r.placeholders, r.pictures) for r in found] == [(2, 1)]


@pytest.mark.parametrize("name", FORMATS)
def test_readers_survive_any_damage(name: str, data: Dataset, tmp_path: Path) -> None:
    out = exported(data, name, tmp_path / "out")
    draw = random.Random(name)
    paths = [p for p in sorted(out.rglob("*")) if p.is_file() and p.suffix != ".png"]
    for _ in range(12):
        path = draw.choice(paths)
        kept = path.read_bytes()
        start = draw.randrange(len(kept))
        path.write_bytes(kept[:start] + draw.randbytes(draw.randrange(40)) + kept[start + 20 :])
        for fmt in formats().values():
            fmt.detect(out)
        assert len(list(get(name).read(out))) <= 20
        path.write_bytes(kept)
