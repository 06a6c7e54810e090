"""What installs beside us, on a data set or an export at full size; see ``loaders.py``.

    python loads_here.py FORMAT FOLDER

FORMAT is ``dataset`` (the folder of a build) or an export's. `datasets` reads every split of every
configuration, locally and as a stream: the same rows, all pictures whole. `webdataset` decodes
every sample; TRL prepares every row of the split that its trainer is for, and collates some.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import tiny_llava
from PIL import Image

LOOKED_AT = 20
TRAINED = {"trl-sft": ("train", "train_sft"), "trl-grpo": ("train", "train_rl")}
PICTURES = ("image", "images", "clean_image", "clean", "jpg", "clean.jpg")


def undecoded(rows: Any) -> Any:
    """The same rows with their pictures as stored bytes."""
    for name in PICTURES:
        if name in rows.features:
            many = isinstance(rows.features[name], datasets.List)
            kind = datasets.Image(decode=False)
            rows = rows.cast_column(name, datasets.List(kind) if many else kind)
    return rows


def digest(rows: Any, names: list[str]) -> tuple[int, str]:
    """Number of rows, and the digest of their ids and pictures in order."""
    number, found = 0, hashlib.sha256()
    for row in rows:
        number += 1
        found.update(str((row.get("json") or row)["id"]).encode())
        for name in names:
            value = row[name][0] if isinstance(row[name], list) else row[name]
            data = value["bytes"] or Path(value["path"]).read_bytes()
            found.update(hashlib.sha256(data).digest())
    return number, found.hexdigest()


def every_split(folder: Path, cache: str) -> Iterator[tuple[str, str, Any]]:
    """Configuration, name and rows of every split that `datasets` finds; streams are the same."""
    for config in datasets.get_dataset_config_names(str(folder)):
        load = partial(datasets.load_dataset, str(folder), config)
        local, streams = load(cache_dir=cache), load(streaming=True)
        assert list(local) == list(streams)
        for split, rows in local.items():
            names = [n for n in PICTURES if n in rows.features]
            here = digest(undecoded(rows), names)
            assert here == digest(undecoded(streams[split]), names), (config, split)
            for row in rows.select(range(0, len(rows), max(1, len(rows) // LOOKED_AT))):
                for name in names:
                    shown = row[name][0] if isinstance(row[name], list) else row[name]
                    assert min(shown.convert("RGB").size) > 0
            print(f"{config}/{split}: {here[0]} rows, local and streamed the same", flush=True)
            yield config, split, rows


def webdataset(folder: Path) -> None:
    """Every sample through the library, both pictures decoded."""
    import webdataset as wds

    for path in sorted((folder / "data").glob("*.tar")):
        samples = wds.WebDataset(str(path), shardshuffle=False).decode("pil")
        number = 0
        for image, clean, told in samples.to_tuple("jpg", "clean.jpg", "json"):
            assert image.size == clean.size == (told["width"], told["height"])
            number += 1
        print(f"webdataset, {path.name}: {number} samples decoded", flush=True)


def trl(name: str, rows: Any) -> None:
    """TRL's own preparation of every row, and a batch of some."""
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
    from trl.data_utils import prepare_multimodal_messages

    texts = [
        message["content"]
        for row in rows.select_columns([c for c in ("prompt", "completion") if c in rows.features])
        for message in row["prompt"] + row.get("completion", [])
    ]
    processor = tiny_llava.processor(texts[:400])
    common: dict[str, Any] = {
        "output_dir": tempfile.mkdtemp(),
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "max_steps": 1,
        "disable_tqdm": True,
    }
    model = tiny_llava.model(processor)
    if name == "trl-sft":
        size = min(LOOKED_AT, len(rows))
        options = SFTConfig(**common, per_device_train_batch_size=size, max_length=None)
        made = SFTTrainer(model=model, processing_class=processor, train_dataset=rows, args=options)
        batch = next(iter(made.get_train_dataloader()))
        image = processor.tokenizer.convert_tokens_to_ids(tiny_llava.IMAGE)
        counted = (batch["input_ids"] == image).sum(1).tolist()
        assert counted == [tiny_llava.TOKENS] * size, counted
    else:
        options = GRPOConfig(**common, num_generations=2, per_device_train_batch_size=2)
        made = GRPOTrainer(
            model=model,
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            processing_class=processor,
            train_dataset=rows,
            args=options,
        )
        assert next(iter(made.get_train_dataloader()))[0]["solution"]
    blank = Image.new("RGB", (8, 8))
    for row in rows.select_columns(["prompt"]):
        turns = prepare_multimodal_messages(row["prompt"], images=[blank])
        assert [part["type"] for part in turns[0]["content"]] == ["image", "text"]
    print(f"{name}: {len(rows)} rows prepared by TRL, one picture each", flush=True)


def main(name: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as cache:
        if name == "webdataset":
            webdataset(folder)
        for config, split, rows in every_split(folder, cache):
            if config == "default" and split in TRAINED.get(name, ()):
                trl(name, rows)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
