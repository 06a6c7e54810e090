"""Exports: every row with its original bytes, traps avoided, nothing half done, faults told."""

from __future__ import annotations

import json
import string
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.export import formats, get, parquet, writing
from builders.exporting import export
from builders.table import Dataset, Entry
from degrade import images
from degrade.schema import Chain
from tests.dataset_help import small_dataset
from tests.export_help import changed, exported, files, problems, reencoded, refused, remade

FORMATS = sorted(formats())
TRAINING = sorted(name for name in FORMATS if get(name).chains_only)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("small") / "data", rows=8)


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return Dataset(folder)


# ---------------------------------------------------------------------------------- every format


def test_the_formats_of_the_field_are_there() -> None:
    assert set(TRAINING) == {"llamafactory", "vlm-r1", "trl-sft", "trl-grpo"}
    assert set(FORMATS) - set(TRAINING) == {"webdataset", "imagefolder", "vlmevalkit", "lmms-eval"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_reader_finds_every_row_with_its_original_bytes(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    out = exported(data, name, tmp_path / "out")
    wanted = {entry.row.id: entry for entry in data.entries()}
    found = list(get(name).read(out))
    assert sorted(row.id for row in found) == sorted(wanted)
    for row in found:
        entry = wanted[row.id]
        assert not row.problems
        assert row.split == entry.row.split
        assert row.image == entry.image
        assert row.clean in (None, entry.clean)
        assert row.placeholders in (None, row.pictures)
        assert row.pictures == 1
        assert (row.prompt or "").startswith(entry.row.question)
        assert row.chain in (None, entry.row.chain)
        assert row.types in (None, entry.row.types)
        assert row.choices in (None, entry.row.choices)


@pytest.mark.parametrize("name", TRAINING)
def test_training_rows_ask_for_the_chain_that_they_teach(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    wanted = {e.row.id: e.row for e in data.entries(pictures=False)}
    for row in get(name).read(exported(data, name, tmp_path / "out")):
        assert row.prompt == f"{wanted[row.id].asked.prompt()}\n{Chain.instruction()}"
        assert row.chain == wanted[row.id].chain


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_from_all_others_by_its_files(
    name: str, data: Dataset, folder: Path, tmp_path: Path
) -> None:
    out = exported(data, name, tmp_path / "out")
    assert [other for other, fmt in formats().items() if fmt.detect(out)] == [name]
    assert not get(name).detect(folder)
    assert not get(name).detect(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_data_set_gives_the_same_bytes(name: str, data: Dataset, tmp_path: Path) -> None:
    assert files(exported(data, name, tmp_path / "a")) == files(
        exported(data, name, tmp_path / "b")
    )


@pytest.mark.parametrize("name", FORMATS)
def test_memory_does_not_grow_with_the_rows(name: str, data: Dataset, tmp_path: Path) -> None:
    first = next(data.entries())
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3)).astype(np.uint8)
    big = changed(first, image=images.encode(noise, "png", None), clean=first.clean)

    def peak(rows: int) -> int:
        entries = (changed(big, id=f"drawn/{i}", image=big.image) for i in range(rows))
        (tmp_path / str(rows)).mkdir()
        tracemalloc.start()
        get(name).write(entries, tmp_path / str(rows), "small")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few, many = peak(70), peak(210)
    assert many < 1.25 * few + len(big.image)


@pytest.mark.parametrize("name", FORMATS)
def test_splits_and_uses_stay_apart(name: str, data: Dataset, tmp_path: Path) -> None:
    out = exported(data, name, tmp_path / "out")
    names = " ".join(files(out))
    for part in ("train_sft", "train_rl", "validation", "test_seen", "test_unseen"):
        assert part in names


@pytest.mark.parametrize("name", FORMATS)
def test_rows_without_a_chain_go_to_no_trainer_and_are_counted(
    name: str, folder: Path, tmp_path: Path
) -> None:
    data = remade(folder, tmp_path / "data", lambda i, e: refused(e) if i % 5 == 0 else e)
    total = sum(1 for _ in data.entries(pictures=False))
    result = export(data, name, tmp_path / "out")
    lost = sum(e.row.status != "ok" for e in data.entries(pictures=False))
    if get(name).chains_only:
        assert result["left_out"] == {"no_chain": lost}
        assert result["rows"] == total - lost
    else:
        assert result["left_out"] == {}
        assert result["rows"] == total
    assert not problems(name, tmp_path / "out")


@pytest.mark.parametrize("name", FORMATS)
def test_ids_of_any_kind_become_files_of_their_own(name: str, folder: Path, tmp_path: Path) -> None:
    odd = [
        "a/B.jpg",
        "a/b.jpg",
        "A/b.JPG",
        "a_b jpg",
        "../up",
        "con",
        "x" * 300,
        "é/😀\n",
        ".",
        "a",
    ]

    def renamed(i: int, e: Entry) -> Entry:
        return changed(e, id=odd[i] if i < len(odd) else e.row.id)

    out = exported(remade(folder, tmp_path / "data", renamed), name, tmp_path / "out")
    assert {row.id for row in get(name).read(out)} > set(odd)
    assert not problems(name, out)
    for path in files(out):
        assert path.isascii()
        assert len(Path(path).name) < 100
    assert len({path.lower() for path in files(out)}) == len(files(out))


@pytest.mark.parametrize("name", FORMATS)
def test_pictures_of_every_kind_keep_their_bytes(name: str, folder: Path, tmp_path: Path) -> None:
    kinds = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000"]

    def other(i: int, e: Entry) -> Entry:
        kind = kinds[i % len(kinds)]
        return changed(e, image=reencoded(e.image, kind), clean=reencoded(e.clean, kind))

    data = remade(folder, tmp_path / "data", other)
    wanted = {e.row.id: e for e in data.entries()}
    for row in get(name).read(exported(data, name, tmp_path / "out")):
        assert not row.problems
        assert row.image == wanted[row.id].image
        assert row.clean in (None, wanted[row.id].clean)


# ------------------------------------------------------------------------------------- the names

TEXT = st.text(max_size=60)


@given(st.lists(TEXT, min_size=2, max_size=20, unique=True))
def test_file_names_differ_wherever_ids_do(ids: list[str]) -> None:
    names = [writing.stem(identity) for identity in ids]
    assert len(set(names)) == len(names)
    for name in names:
        assert set(name) <= set(string.ascii_lowercase + string.digits + "-")
        assert 13 < len(name) < 60


# ------------------------------------------------------------------------------ texts and traps


@pytest.mark.parametrize("name", ["llamafactory", "vlm-r1"])
@pytest.mark.parametrize("word", ["<image>", "<video>", "<audio>"])
def test_rows_that_speak_of_placeholders_are_left_out(
    name: str, word: str, folder: Path, tmp_path: Path
) -> None:
    def spoken(i: int, e: Entry) -> Entry:
        return changed(e, question=f"What does {word} mean?") if i < 2 else e

    data = remade(folder, tmp_path / "data", spoken)
    assert export(data, name, tmp_path / "out")["left_out"] == {"placeholder_in_text": 2}


def test_llamafactory_has_an_entry_for_each_split(data: Dataset, tmp_path: Path) -> None:
    out = exported(data, "llamafactory", tmp_path / "out")
    info = json.loads((out / "dataset_info.json").read_text())
    assert sorted(info) == [
        f"small_{part}" for part in ("test_seen", "test_unseen", "train_rl", "train_sft")
    ] + ["small_validation"]
    assert info["small_train_sft"] == {
        "file_name": "small_train_sft.json",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "images": "images"},
    }
    (row, *_) = json.loads((out / "small_train_sft.json").read_text())
    human, gpt = row["conversations"]
    assert human["from"] == "human"
    assert human["value"].startswith("<image>What color")
    assert gpt["from"] == "gpt"
    assert gpt["value"].startswith("<TYPE>")


def test_vlm_r1_keys_have_one_type_and_a_known_reward(data: Dataset, tmp_path: Path) -> None:
    out = exported(data, "vlm-r1", tmp_path / "out")
    rows = [json.loads(line) for line in (out / "train_rl.jsonl").read_text().splitlines()]
    assert len(rows) == 6
    assert {tuple((k, type(v)) for k, v in row.items()) for row in rows} == {
        tuple((k, type(v)) for k, v in rows[0].items())
    }
    assert {row["accu_reward_method"] for row in rows} == {"default"}
    assert all((out / row["image"]).is_file() for row in rows)


def test_trl_messages_hold_plain_strings_and_no_image_key(data: Dataset, tmp_path: Path) -> None:
    for name in ("trl-sft", "trl-grpo"):
        out = exported(data, name, tmp_path / name)
        (path, *_) = sorted((out / "data").glob("train_rl-*"))
        kind = pq.read_schema(path).field("prompt").type.value_type
        assert {kind.field(i).name for i in range(kind.num_fields)} == {"role", "content"}
        assert str(kind.field("content").type) == "string"


def test_large_splits_are_written_in_several_files(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SHARD_BYTES", 40_000)
    monkeypatch.setattr(parquet.shards, "ROW_GROUP_ROWS", 1)
    for name, suffix in (("webdataset", "tar"), ("trl-sft", "parquet"), ("lmms-eval", "parquet")):
        out = exported(data, name, tmp_path / name)
        found = sorted(p.name for p in (out / "data").glob("train_rl*"))
        of = len(found)
        assert of > 1
        assert found == [f"train_rl-{i:05d}-of-{of:05d}.{suffix}" for i in range(of)]
        assert not problems(name, out)
        assert len(list(get(name).read(out))) == 14
        (out / "data" / found[1]).unlink()
        assert problems(name, out) == {"missing_file"}


def test_webdataset_keys_have_no_dots_and_samples_the_same_files(
    folder: Path, tmp_path: Path
) -> None:
    def dotted(i: int, e: Entry) -> Entry:
        return changed(e, id=f"a.b/{i}.c.jpg", clean=reencoded(e.clean, ["JPEG", "PNG"][i % 2]))

    out = exported(remade(folder, tmp_path / "data", dotted), "webdataset", tmp_path / "out")
    for path in (out / "data").iterdir():
        with tarfile.open(path) as tar:
            members = tar.getnames()
        keys = [name.partition(".")[0] for name in members]
        assert [name.partition(".")[2] for name in members] == ["jpg", "clean.jpg", "json"] * (
            len(members) // 3
        )
        assert keys[::3] == keys[1::3] == keys[2::3]
        assert len(set(keys)) == len(keys) // 3


def test_imagefolder_has_two_pictures_and_shares_clean_ones(folder: Path, tmp_path: Path) -> None:
    first = next(Dataset(folder).entries())
    data = remade(folder, tmp_path / "data", lambda i, e: changed(e, clean=first.clean))
    out = exported(data, "imagefolder", tmp_path / "out")
    for part in ("train_sft", "train_rl", "validation", "test_seen", "test_unseen"):
        rows = [
            json.loads(line) for line in (out / part / "metadata.jsonl").read_text().splitlines()
        ]
        assert len(list((out / part / "clean").iterdir())) == 1
        assert len(list((out / part / "images").iterdir())) == len(rows)
        claimed = {key for key in rows[0] if key.endswith("file_name")}
        assert claimed == {"file_name", "clean_file_name"}
        assert not any(isinstance(v, list | dict | None.__class__) for v in rows[0].values())
