"""How long it takes to score answers: reading them, the rules, all figures with their intervals.

    python benchmarks/evaluate.py                 # 10,000 answers
    python benchmarks/evaluate.py --items 500

The benchmark is made up, four levels of a question about a color, with empty pictures, which
scoring does not read; the answers are right, wrong, wordy, refusing or rambling. Prints seconds of
the clock and of the processor, for reading and for scoring.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders.table import DATA, INFO, Entry, Example, columns, level_split
from degrade.runs import pretty
from degrade.schema import Applied, Chain, Question
from degrade.shards import ParquetShard, picture_schema
from trainer.evaluation.config import read_options
from trainer.evaluation.runner import Evaluation

LEVELS = (0.0, 0.25, 0.5, 1.0)
OPERATORS = ("lens_blur", "gaussian_noise", "motion_blur", "graffiti", "scan_lines", "mean_shift")
COLORS = ("red", "green", "blue", "yellow")
TALK = "The street is long, the houses are far away and the sky is gray over all of them. "
WAYS = (
    "{label}",
    "({label})",
    "The answer is {label}.",
    "{label}. {text}",
    "I think it is {label}, because of what can be seen of the door.",
    "The door is {text}.",
    "<ANSWER>{label}<ANSWER_END>",
    "I'm sorry, I cannot tell.",
    5 * TALK,
    3 * TALK + "So the answer is ({label}).",
)


def rows(items: int) -> Iterator[Example]:
    """All levels of so many questions; two are about one picture."""
    for level in LEVELS:
        for number in range(items):
            operator = OPERATORS[number % len(OPERATORS)]
            made = Applied(
                operator=operator, version=1, stage="environment", intensity=level, short_side=48
            )
            applied = (made,) if level else ()
            asked = Question(
                question=f"What color is the door of house {number}?",
                choices=COLORS,
                answer=COLORS[number % len(COLORS)],
            ).answered("index")
            texts = dict.fromkeys(
                "use detail degradations influence reasoning conclusion chain writer encoding "
                "license file_name source_name".split(),
                "",
            )
            counts = dict.fromkeys(("depth_target", "reasoning_tokens", "width", "height"), 0)
            yield Example(
                **asked.model_dump(),
                **texts,
                **counts,
                id=f"made/{number}@{level:.2f}",
                item=f"made/{number}",
                source="made",
                group=f"made/{number // 2}",
                split=level_split(level),
                level=level,
                status="ok",
                task="mcq",
                answer_text=asked.answer_text,
                answer_index=number % len(COLORS),
                types=Chain.types_of(applied),
                applied=applied,
                intensity_sum=level,
                answerable=None,
                image_sha256=f"{number}@{level}",
                clean_sha256=f"{number}",
            )


def write(folder: Path, items: int) -> tuple[Path, Path]:
    """A benchmark, and answers to it."""
    rng = random.Random(0)
    bench, answers = folder / "bench", folder / "answers.jsonl"
    (bench / DATA).mkdir(parents=True)
    (bench / INFO).write_bytes(pretty({"settings": {"recipe": {"name": "made-up"}}, "counts": {}}))
    shard = ParquetShard(bench / DATA / "all-00000-of-00001.parquet", picture_schema(Example))
    with answers.open("w", encoding="utf-8") as file:
        for row in rows(items):
            shard.add(columns(Entry(row, b"", b"")))
            right = rng.random() < 0.9 - 0.5 * (row.level or 0.0)
            index = row.answer_index if right else rng.randrange(len(COLORS))
            text = rng.choice(WAYS).format(label="ABCD"[index], text=COLORS[index])
            line = {"id": row.id, "answer": text, "tokens": len(text.split()), "cut": False}
            file.write(json.dumps(line) + "\n")
    shard.commit()
    return bench, answers


def measured(folder: Path, items: int) -> dict[str, Any]:
    """Seconds of the clock and of the processor."""
    bench, answers = write(folder, items)
    seconds: dict[str, Any] = {}
    clock, processor = time.perf_counter(), time.process_time()

    def lap(name: str) -> None:
        nonlocal clock, processor
        now = time.perf_counter(), time.process_time()
        seconds[name] = (round(now[0] - clock, 2), round(now[1] - processor, 2))
        clock, processor = now

    planned = Evaluation(bench, folder / "out", read_options({}), [answers])
    lap("reading")
    summary = planned.run()
    lap("scoring")
    assert summary
    return {"answers": summary["counts"]["answers"], "seconds": seconds, **summary["counts"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=2500, help="questions, four levels each")
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), items)
    print(f"{found['answers']} answers\n\n| step | seconds | of the processor |\n|---|---|---|")
    for name, (wall, cpu) in found["seconds"].items():
        print(f"| {name} | {wall} | {cpu} |")
    totals = [sum(pair[i] for pair in found["seconds"].values()) for i in range(2)]
    print(f"| together | {totals[0]:.2f} | {totals[1]:.2f} |\n")
    print(f"Rules: {found['rules']['none']}")


if __name__ == "__main__":
    main()
