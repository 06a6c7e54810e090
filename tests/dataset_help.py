"""A small data set for tests, with real records and real chains, in about a second."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

from annotate.depth import target, tokens
from annotate.measure import measure
from annotate.offline import write
from builders import stats
from builders.table import DATA, INFO, OK, QUARANTINE, RECIPE, Entry, Example, columns
from degrade import images, recipe
from degrade.runs import line, pretty, write_atomic
from degrade.schema import Failure, Question, Row, describe
from degrade.shards import ParquetShard, picture_schema
from degrade.verify import replay

WORDS = ("red", "green", "blue", "yellow")
SEEN = ("lens_blur", "jpeg_compression", "gaussian_noise", "graffiti")
UNSEEN = ("motion_blur", "scan_lines")
HELD_OUT = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)


def picture(number: int, width: int = 96, height: int = 72) -> images.Pixels:
    """A textured picture unlike that of any other number."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    grown = coarse.repeat(height // 6, axis=0).repeat(width // 8, axis=1).astype(np.int16)
    return np.clip(grown + rng.integers(-12, 13, grown.shape), 0, 255).astype(np.uint8)


def _recipe(split: str) -> recipe.Recipe:
    names = {"test_unseen": UNSEEN}.get(split, SEEN)
    grid = tuple(i / 100 for i in range(1, 101) if i / 100 not in HELD_OUT)
    base = recipe.load("robust-r1").narrowed(names).model_dump()
    held = split.startswith("test")
    base |= {"intensity": None, "among": HELD_OUT if held else grid, "count": {1: 1.0, 2: 1.0}}
    return recipe.Recipe.model_validate(base)


def small_dataset(folder: Path, rows: int = 12, name: str = "small", choices: bool = True) -> Path:
    """Write a data set as the build does: train (sft, rl), validation, test_seen, test_unseen.

    Args:
        folder: To make.
        rows: Rows of train; the other splits have a quarter of it, at least 2.
        name: Of its recipe.
        choices: Ask with four choices (answers as indices), or freely.
    """
    (folder / DATA).mkdir(parents=True)
    sizes = {"train": rows, **dict.fromkeys(("validation", "test_seen", "test_unseen"), 0)}
    sizes = {split: n or max(2, rows // 4) for split, n in sizes.items()}
    number, everything = 0, []
    for split, count in sizes.items():
        entries = []
        for i in range(count):
            use = ("sft" if i < count // 4 else "rl") if split == "train" else ""
            entries.append(_entry(number, split, use, choices))
            number += 1
        everything += entries
        parts: dict[str, list[Entry]] = {}
        for entry in entries:
            use = entry.row.use
            parts.setdefault(f"{split}_{use}" if use else split, []).append(entry)
        for part, held in parts.items():
            shard = ParquetShard(
                folder / DATA / f"{part}-00000-of-00001.parquet", picture_schema(Example)
            )
            for entry in held:
                shard.add(columns(entry))
            shard.commit()
    splits = {
        split: {
            "rows": n,
            "operators": "unseen" if split == "test_unseen" else "seen",
            "intensities": "unseen" if split.startswith("test") else "seen",
            "degrade": "robust-r1",
            "use": {"sft": 0.25, "rl": 0.75} if split == "train" else {},
        }
        for split, n in sizes.items()
    }
    settings = {
        "recipe": {
            "name": name,
            "summary": "A small data set.",
            "seed": 0,
            "answers": "index" if choices else "text",
            "sources": [{"kind": "scenes", "name": "drawn", "license": "CC0-1.0", "rows": "fill"}],
            "held_out": {"operators": list(UNSEEN), "intensities": list(HELD_OUT)},
            "splits": splits,
            "chains": {"writer": "offline"},
            "pictures": {"max_side": None, "encode": "png"},
        },
        "degrade": "0.1.0",
        "schema": 1,
    }
    depth = {"depth_spearman": 0.99, "reasoning_tokens_mean": 60.0, "rows": 1, "ok": 1}
    found = stats.count((e.row for e in everything), sizes)
    found |= {"quarantined": 1, "failures": {"broken": 1}}
    digest = hashlib.sha256(pretty(settings)).hexdigest()[:16]
    info = {
        "fingerprint": digest,
        "settings": settings,
        "chains": dict.fromkeys(sizes, depth),
        "counts": found,
    }
    failure = Failure(id="drawn/x", source_path="x.png", reason="broken", detail="no picture")
    write_atomic(folder / QUARANTINE, line(failure).encode())
    write_atomic(folder / RECIPE, yaml.safe_dump(settings["recipe"], sort_keys=False).encode())
    write_atomic(folder / INFO, pretty(info))
    return folder


def _entry(number: int, split: str, use: str, choices: bool) -> Entry:
    identity = f"drawn/{number:06d}"
    clean = picture(number)
    data = images.encode(clean, "png", None)
    (variant,) = _recipe(split).draw(identity, 7, min(clean.shape[:2]))
    made = replay(clean, variant.applied, torch.device("cpu"))
    degraded = images.encode(made, "png", None)
    color = WORDS[number % 4]
    question = Question(
        question=f"What color is the door of house {number}?",
        choices=WORDS if choices else (),
        answer=color,
        caption=f"A house with a {color} door beside a garden wall.",
        rationales=(f"The door of the house is painted {color}.",),
    ).answered("index" if choices else "text")
    row = Row(
        file_name=f"images/{identity}.png",
        id=identity,
        source_path=f"{number:06d}.png",
        width=clean.shape[1],
        height=clean.shape[0],
        encoding="png lossless",
        degradations=describe(variant.applied),
        applied=variant.applied,
    )
    chain = write(row, question, measure(clean, made), 0)
    index = question.answer_index
    example = Example(
        **question.model_dump(),
        **row.model_dump(exclude={"source_path"}),
        item=identity,
        task="mcq" if choices else "vqa",
        source="drawn",
        group=identity,
        split=split,
        use=use,
        status=OK,
        detail="",
        answer_text=question.answer_text,
        answer_index=-1 if index is None else index,
        types=chain.types,
        intensity_sum=round(sum(a.intensity for a in row.applied), 4),
        influence=chain.influence,
        reasoning=chain.reasoning,
        conclusion=chain.conclusion,
        chain=chain.render(),
        depth_target=target(row.applied),
        reasoning_tokens=tokens(chain.reasoning),
        writer="offline",
        answerable=None,
        license="CC0-1.0",
        source_name=f"{number:06d}.png",
        image_sha256=hashlib.sha256(degraded).hexdigest(),
        clean_sha256=hashlib.sha256(data).hexdigest(),
    )
    return Entry(example, degraded, data)


def licensed(data: Path, license: str) -> Path:
    """The same data set with another license in every row."""
    for path in (data / DATA).iterdir():
        table = pq.read_table(path)
        i = table.column_names.index("license")
        column = pa.array([license] * len(table))
        pq.write_table(table.set_column(i, table.schema.field("license"), column), path)
    return data
