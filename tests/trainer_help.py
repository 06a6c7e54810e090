"""A data set whose chains a tiny model can learn in seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from builders.table import DATA, Dataset, Entry, Example, columns
from degrade.schema import Chain
from degrade.shards import ParquetShard, picture_schema
from tests.dataset_help import small_dataset
from trainer import data
from trainer.config import Config, load

Change = Callable[[Entry], Entry]


def short_dataset(folder: Path, rows: int = 24) -> Path:
    """As ``small_dataset``, each chain a few words long."""
    small_dataset(folder, rows=rows)
    for path in sorted((folder / DATA).glob("*.parquet")):
        split, _, use = path.name.partition("-")[0].partition("_")
        if split == "test":
            continue
        entries = list(Dataset(folder).entries(split, use))
        shard = ParquetShard(path, picture_schema(Example))
        for entry in entries:
            row = entry.row
            chain = Chain(
                types=row.types,
                influence="It hides edges.",
                reasoning=f"The door looks {row.answer_text}.",
                conclusion=f"So {row.answer_text}.",
                answer=row.answer,
            )
            changed = {"chain": chain.render(), "depth_target": 5, "reasoning": chain.reasoning}
            made = row.model_copy(update=changed)
            shard.add(columns(type(entry)(made, entry.image, entry.clean)))
        shard.commit()
    return folder


def tiny(data: Path, **changes: Any) -> Config:
    """The ``tiny`` preset on a data set; ``rl__steps=2`` stands for ``rl.steps: 2``."""
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return load("tiny", {"data.path": str(data), "watch.save_every": 1000, **dotted})


@contextmanager
def cached_in(folder: Path) -> Iterator[None]:
    """Let `datasets` keep what it converts there; say nothing meanwhile."""
    import datasets

    settings = datasets.config
    before = settings.HF_DATASETS_CACHE, settings.DOWNLOADED_DATASETS_PATH
    settings.HF_DATASETS_CACHE, settings.DOWNLOADED_DATASETS_PATH = folder, folder / "downloads"
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        settings.HF_DATASETS_CACHE, settings.DOWNLOADED_DATASETS_PATH = before
        datasets.enable_progress_bars()


def table(folder: Path, kind: data.Kind = "sft", **changes: Any) -> Any:
    config = tiny(folder, **changes)
    return data.selected(data.read(config.data, config.data.split), config, kind)


def rewritten(folder: Path, small: Path, change: Change) -> Path:
    """A copy of the SFT rows, the first changed."""
    (folder / DATA).mkdir(parents=True)
    entries = list(Dataset(small).entries("train", "sft"))
    entries[0] = change(entries[0])
    shard = ParquetShard(folder / DATA / "train_sft-00000.parquet", picture_schema(Example))
    for entry in entries:
        shard.add(columns(entry))
    shard.commit()
    return folder


def row_with(**update: Any) -> Change:
    return lambda entry: Entry(entry.row.model_copy(update=update), entry.image, entry.clean)


def entries_of(folder: Path) -> list[Entry]:
    return list(Dataset(folder).entries("train", "sft"))


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return found


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
