"""Exports are loaded by the libraries they are for: datasets, webdataset, pandas, TRL.

LLaMA-Factory and lmms-eval need environments of their own: ``python benchmarks/loaders.py``.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
import webdataset
import yaml
from PIL import Image

from benchmarks.peers import tiny_llava
from builders.table import Dataset, Entry
from degrade.schema import Applied, Chain, Degradation, Question
from tests.dataset_help import small_dataset
from tests.export_help import asked, changed, exported, reencoded, remade, undamaged

PARTS = {"train_sft": 2, "train_rl": 6, "validation": 2, "test_seen": 2, "test_unseen": 2}
PICTURES = {  # format -> columns of the degraded and the clean picture
    "imagefolder": ("image", "clean"),
    "webdataset": ("jpg", "clean.jpg"),
    "trl-sft": ("images", None),
    "trl-grpo": ("image", None),
    "lmms-eval": ("image", None),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(small_dataset(tmp_path_factory.mktemp("small") / "data", rows=8))


@pytest.fixture(scope="module")
def entries(data: Dataset) -> dict[str, Entry]:
    return {entry.row.id: entry for entry in data.entries()}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def loaded(out: Path, tmp_path: Path, streaming: bool = False) -> dict[str, Any]:
    """All splits of a folder, as someone who was given it would load them."""
    cache = {} if streaming else {"cache_dir": str(tmp_path / "cache")}
    return dict(datasets.load_dataset(str(out), streaming=streaming, **cache))


def raw(found: Any, column: str) -> Any:
    """A data set whose pictures come as the bytes that were stored."""
    kind = datasets.Image(decode=False)
    many = isinstance(found.features[column], datasets.List)
    return found.cast_column(column, datasets.List(kind) if many else kind)


def bytes_of(value: Any) -> bytes:
    value = value[0] if isinstance(value, list) else value
    return value["bytes"] or Path(value["path"]).read_bytes()


# ----------------------------------------------------------------------------------- datasets


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_datasets_loads_every_split_with_the_original_bytes(
    name: str, streaming: bool, data: Dataset, entries: dict[str, Entry], tmp_path: Path
) -> None:
    image, clean = PICTURES[name]
    found = loaded(exported(data, name, tmp_path / "out"), tmp_path, streaming)
    assert set(found) == set(PARTS)
    for part, rows in found.items():
        assert len(list(rows)) == PARTS[part]
        shown = next(iter(rows))[image]
        assert (shown[0] if isinstance(shown, list) else shown).size == (96, 72)
        for row in raw(raw(rows, image), clean or image):
            entry = entries[(row.get("json") or row)["id"]]
            assert part.startswith(entry.row.split)
            assert bytes_of(row[image]) == entry.image
            assert not clean or bytes_of(row[clean]) == entry.clean


@pytest.mark.parametrize("name", ["imagefolder", "webdataset"])
def test_all_columns_come_back_through_datasets(
    name: str, data: Dataset, entries: dict[str, Entry], tmp_path: Path
) -> None:
    found = loaded(exported(data, name, tmp_path / "out"), tmp_path)
    for rows in found.values():
        for row in rows:
            told = row.get("json") or row
            wanted = entries[told["id"]].row
            again = [Applied.model_validate(a) for a in json.loads(told["applied"])]
            assert tuple(again) == wanted.applied
            types = [Degradation.model_validate(t) for t in json.loads(told["types"])]
            assert tuple(types) == wanted.types
            for key in ("choices", "rationales"):
                assert tuple(json.loads(told[key])) == getattr(wanted, key)
            for key in ("question", "answer", "chain", "intensity_sum", "depth_target", "license"):
                assert told[key] == getattr(wanted, key)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_splits_that_lack_what_others_have_load_beside_them(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    """A split of clean pictures and free questions; pictures of several kinds, the first alike."""
    free = Question(question="What is it?", answer="a house", answer_as="text")

    def odd(i: int, e: Entry) -> Entry:
        if e.row.split == "test_seen":
            return asked(undamaged(e), free)
        if e.row.split == "validation":
            return changed(e, answerable=True, clean=reencoded(e.clean, "JPEG"))
        return undamaged(e) if i % 2 else changed(e, image=reencoded(e.image, "WEBP"))

    image, _ = PICTURES[name]
    out = exported(remade(data.folder, tmp_path / "data", odd), name, tmp_path / "out")
    for streaming in (False, True):
        found = loaded(out, tmp_path, streaming)
        assert {part: len(list(rows)) for part, rows in found.items()} == PARTS
        shown = next(iter(found["test_seen"]))[image]
        assert (shown[0] if isinstance(shown, list) else shown).size == (96, 72)


def test_llamafactory_files_load_as_its_loader_loads_them(
    data: Dataset, entries: dict[str, Entry], tmp_path: Path
) -> None:
    out = exported(data, "llamafactory", tmp_path / "out")
    for name, entry in json.loads((out / "dataset_info.json").read_text()).items():
        found = datasets.load_dataset(
            "json",
            data_files=[str(out / entry["file_name"])],
            split="train",
            cache_dir=str(tmp_path / "cache"),
        )
        assert len(found) == PARTS[name.removeprefix("small_")]
        for row in found:
            human, gpt = row[entry["columns"]["messages"]]
            (picture,) = row[entry["columns"]["images"]]
            assert (human["from"], gpt["from"]) == ("human", "gpt")
            assert gpt["value"] == entries[row["id"]].row.chain
            assert (human["value"] + gpt["value"]).count("<image>") == 1
            assert (out / picture).read_bytes() == entries[row["id"]].image


def test_vlm_r1_lines_load_as_its_loader_loads_them(
    data: Dataset, entries: dict[str, Entry], tmp_path: Path
) -> None:
    out = exported(data, "vlm-r1", tmp_path / "out")
    for part, number in PARTS.items():
        with (out / f"{part}.jsonl").open() as file:
            found = datasets.Dataset.from_list([json.loads(line) for line in file])
        assert len(found) == number
        for row in found:
            human, gpt = row["conversations"]
            assert "<image>" not in human["value"].replace("<image>", "", 1)
            assert gpt["value"] == entries[row["id"]].row.chain
            assert (out / row["image"]).read_bytes() == entries[row["id"]].image


def test_lmms_eval_tasks_load_their_data(data: Dataset, tmp_path: Path) -> None:
    out = exported(data, "lmms-eval", tmp_path / "out")
    tasks = [p for p in sorted(out.glob("*.yaml")) if p.name != "common.yaml"]
    assert len(tasks) == 2 * len(PARTS)
    for path in tasks:
        config = yaml.safe_load(path.read_text())
        files = config["dataset_kwargs"]["data_files"]
        found = datasets.load_dataset(
            config["dataset_path"],
            data_files={part: [str(out / f) for f in listed] for part, listed in files.items()},
            cache_dir=str(tmp_path / "cache"),
        )[config["test_split"]]
        assert len(found) == PARTS[config["test_split"]]
        assert {"image", "prompt", "answer", "answer_as", "answer_text", "stages"} <= set(
            found.column_names
        )


# --------------------------------------------------------------------------------- webdataset


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_webdataset_library_decodes_every_sample(
    data: Dataset, entries: dict[str, Entry], tmp_path: Path
) -> None:
    def kinds(i: int, e: Entry) -> Entry:
        return changed(e, clean=reencoded(e.clean, ["JPEG", "PNG", "WEBP"][i % 3]))

    odd = remade(data.folder, tmp_path / "data", kinds)
    pictures = {entry.row.id: entry for entry in odd.entries()}
    out = exported(odd, "webdataset", tmp_path / "out")
    for part, number in PARTS.items():
        urls = str(out / "data" / f"{part}-{{00000..00000}}-of-00001.tar")
        raw_samples = list(webdataset.WebDataset(urls, shardshuffle=False))
        assert len(raw_samples) == number
        for sample in raw_samples:
            entry = pictures[json.loads(sample["json"])["id"]]
            assert (sample["jpg"], sample["clean.jpg"]) == (entry.image, entry.clean)
        decoded = webdataset.WebDataset(urls, shardshuffle=False).decode("pil")
        for image, clean, told in decoded.to_tuple("jpg", "clean.jpg", "json"):
            assert image.size == clean.size == (96, 72)
            assert Chain.parse(told["chain"]) == entries[told["id"]].row.parsed


# ------------------------------------------------------------------------------------- pandas


def test_pandas_gives_vlmevalkit_the_questions_unchanged(data: Dataset, tmp_path: Path) -> None:
    def quoted(i: int, e: Entry) -> Entry:
        odd = 'He said "what?"\tand left.\nWhy,\r\n\'é\u2028 #1?'
        choices = ('"a', "1", "b\tc", "-") if i % 2 else e.row.choices
        return asked(e, Question(question=odd, choices=choices, answer="2", answer_as="index"))

    odd = remade(data.folder, tmp_path / "data", quoted)
    entries = {entry.row.id: entry for entry in odd.entries()}
    out = exported(odd, "vlmevalkit", tmp_path / "out")
    tables = sorted(out.glob("*.tsv"))
    assert len(tables) == len(PARTS)
    for path in tables:
        table = pd.read_csv(path, sep="\t")
        assert table["index"].dtype.kind == "i"
        assert table["index"].is_unique
        for _, row in table.iterrows():
            entry = entries[row["id"]]
            assert base64.b64decode(row["image"]) == entry.image
            assert Image.open(io.BytesIO(base64.b64decode(row["image"]))).size == (96, 72)
            options = {c: row[c] for c in string.ascii_uppercase if c in row and pd.notna(row[c])}
            assert row["question"] == entry.row.question
            assert tuple(options.values()) == entry.row.choices
            assert options[row["answer"]] == entry.row.answer_text


# ---------------------------------------------------------------------------------------- TRL


@pytest.mark.filterwarnings("ignore")  # TRL's and transformers' own
def test_trl_trains_on_what_was_exported(
    data: Dataset, entries: dict[str, Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the real SFT and of the real GRPO trainer, with a model of a few weights."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    sft = loaded(exported(data, "trl-sft", tmp_path / "sft", use="sft"), tmp_path)["train"]
    turns = sft.remove_columns("images")
    texts = [m["content"] for row in turns for m in row["prompt"] + row["completion"]]
    processor = tiny_llava.processor(texts)
    common: dict[str, Any] = {
        "output_dir": str(tmp_path / "run"),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    model = tiny_llava.model(processor)
    trainer = SFTTrainer(
        model=model,
        processing_class=processor,
        train_dataset=sft,
        args=SFTConfig(**common, max_length=None),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    assert batch["pixel_values"].shape == (2, 3, tiny_llava.SIDE, tiny_llava.SIDE)
    image = processor.tokenizer.convert_tokens_to_ids(tiny_llava.IMAGE)
    assert (batch["input_ids"] == image).sum(1).tolist() == [tiny_llava.TOKENS] * 2
    learnt = {
        processor.tokenizer.decode(row[row != -100], skip_special_tokens=True).strip()
        for row in batch["labels"]
    }
    assert learnt == {e.row.chain for e in entries.values() if e.row.use == "sft"}
    trainer.train()

    seen: list[dict[str, Any]] = []

    def reward(completions: list[Any], **columns: Any) -> list[float]:
        listed = {k: v for k, v in columns.items() if isinstance(v, list)}
        rows = zip(*listed.values(), strict=True)
        seen.extend(dict(zip(listed, values, strict=True)) for values in rows)
        return [float(len(c[0]["content"])) for c in completions]

    rl = loaded(exported(data, "trl-grpo", tmp_path / "rl", use="rl"), tmp_path)["train"]
    GRPOTrainer(
        model=model,
        reward_funcs=reward,
        processing_class=processor,
        train_dataset=rl,
        args=GRPOConfig(**common, num_generations=2, max_completion_length=4),
    ).train()
    assert len(seen) == 2
    for row in seen:
        wanted = entries[row["id"]].row
        assert wanted.use == "rl"
        assert row["solution"] == wanted.chain
        assert tuple(map(Degradation.model_validate, row["degradations"])) == wanted.types
        assert tuple(row["choices"]) == wanted.choices
        for key in ("depth_target", "intensity_sum", "answer", "answer_as", "answer_text"):
            assert row[key] == getattr(wanted, key)
        pixels = hashlib.sha256(row["image"].convert("RGB").tobytes())
        stored = Image.open(io.BytesIO(entries[row["id"]].image)).convert("RGB")
        assert pixels.digest() == hashlib.sha256(stored.tobytes()).digest()
