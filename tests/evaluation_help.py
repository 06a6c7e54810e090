"""A small benchmark with levels, and answers to it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from annotate.testing.faults import prompt_of
from builders import stats
from builders.table import BENCHMARK, DATA, INFO, Entry, Example, columns, level_split
from degrade import images, ops
from degrade.runs import pretty, write_atomic
from degrade.schema import Applied, Chain, Question, describe
from degrade.shards import ParquetShard, picture_schema
from tests.dataset_help import WORDS, picture

LEVELS = (0.0, 0.25, 0.5, 1.0)
OPERATORS = ("lens_blur", "gaussian_noise", "graffiti")


def item_name(number: int) -> str:
    return f"scenes/{number:03d}"


def color_of(number: int) -> str:
    return WORDS[number % len(WORDS)]


def entry(
    number: int, level: float, task: str = "mcq", encoding: str = "png", **changes: Any
) -> Entry:
    """What a benchmark holds of one question at one level."""
    clean = picture(number, 64, 48)
    operator = OPERATORS[number % len(OPERATORS)]
    name, made = item_name(number), clean
    applied: tuple[Applied, ...] = ()
    if level:
        x = torch.from_numpy(clean.copy()).permute(2, 0, 1)[None].float() / 255
        y, records = ops.get(operator)(x, intensities=[level], keys=[name])
        made = (y[0].permute(1, 2, 0) * 255).round().byte().numpy()
        applied = tuple(records)
    data = [images.encode(p, encoding, None) for p in (made, clean)]
    mcq = task == "mcq"
    question = Question(
        question="" if task == "caption" else f"What color is the door of house {number}?",
        choices=WORDS if mcq else (),
        answer=color_of(number),
    ).answered("index" if mcq else "text")
    index = question.answer_index
    fields: dict[str, Any] = {
        **question.model_dump(),
        "id": f"{name}@{level:.2f}",
        "item": name,
        "level": level,
        "task": task,
        "source": "scenes",
        "group": f"scenes/picture{number // 2}",
        "split": level_split(level),
        "use": "",
        "status": "ok",
        "detail": "",
        "answer_text": question.answer_text,
        "answer_index": -1 if index is None else index,
        "degradations": describe(applied),
        "types": Chain.types_of(applied),
        "applied": applied,
        "intensity_sum": sum(a.intensity for a in applied),
        "influence": "",
        "reasoning": "",
        "conclusion": "",
        "chain": "",
        "depth_target": 0,
        "reasoning_tokens": 0,
        "writer": "",
        "answerable": None,
        "license": "CC0-1.0",
        "file_name": f"{name}@{level:.2f}.{encoding}",
        "source_name": f"{number:03d}.{encoding}",
        "width": 64,
        "height": 48,
        "encoding": images.described(encoding),
        "image_sha256": hashlib.sha256(data[0]).hexdigest(),
        "clean_sha256": hashlib.sha256(data[1]).hexdigest(),
        **changes,
    }
    return Entry(Example(**fields), *data)


def write_benchmark(folder: Path, entries: Iterable[Entry]) -> Path:
    """A folder as the build writes it, a file for each split."""
    (folder / DATA).mkdir(parents=True, exist_ok=True)
    by_split: dict[str, list[Entry]] = {}
    for one in entries:
        by_split.setdefault(one.row.split, []).append(one)
    for split, several in by_split.items():
        path = folder / DATA / f"{split}-00000-of-00001.parquet"
        shard = ParquetShard(path, picture_schema(Example))
        for one in several:
            shard.add(columns(one))
        shard.commit()
    recipe = {"name": "small", "kind": BENCHMARK, "levels": list(LEVELS)}
    rows = (one.row for several in by_split.values() for one in several)
    counts = stats.count(rows, by_split)
    info = {"fingerprint": "0", "settings": {"recipe": recipe}, "counts": counts}
    write_atomic(folder / INFO, pretty(info))
    return folder


def benchmark(
    folder: Path, items: int = 6, levels: Sequence[float] = LEVELS, **changes: Any
) -> Path:
    """A benchmark of as many questions, each at all levels; two questions share a picture."""
    made = (entry(number, level, **changes) for level in levels for number in range(items))
    return write_benchmark(folder, made)


# ---------------------------------------------------------------------------------- models


def asked_number(prompt: str) -> int:
    """Which house is asked about."""
    found = re.search(r"house (\d+)", prompt)
    assert found, prompt
    return int(found[1])


def listed(prompt: str) -> list[str]:
    """The options as the prompt lists them."""
    return re.findall(r"^(?:[A-Z]|\d+)\. (.+)$", prompt, re.MULTILINE)


def right_letter(body: dict[str, Any]) -> str:
    """What a model says that knows all answers."""
    prompt = prompt_of(body)
    return "ABCD"[listed(prompt).index(color_of(asked_number(prompt)))]


def chain_of(types: Iterable[Any], answer: str, reasoning: str = "The door looks red.") -> str:
    return Chain(
        types=tuple(types),
        influence="It hides edges.",
        reasoning=reasoning,
        conclusion=f"So {answer}.",
        answer=answer,
    ).render()


def write_answers(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
