"""An evaluation from nothing to its page, by the commands alone: build, train, evaluate, report.

    python benchmarks/end_to_end.py OUT
    python benchmarks/end_to_end.py OUT --scale 0.02        # a slice, to see it run

Draws the small world of ``proof_scenes.py`` into a folder of pictures with questions. What follows
are commands of ``degrade-cli``, each printed with its seconds: a data set to train on, a benchmark
of new scenes at four levels, a tiny model trained on clean pictures, one that goes on from there
with chains about degraded ones, the evaluation of both, and their report. The same command goes on
with what is unfinished.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import yaml
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import proof_scenes as world
from degrade import ops
from degrade.schema import STAGES, Chain

SIDE = 112
"""Of the pictures: what the preset ``tiny`` sees without reducing."""

ROWS, ITEMS, ANSWER_STEPS, CHAIN_STEPS = 4000, 400, 1000, 600
TESTS_FROM = 10**6
CASES = {"color": "The shape is {}.", "form": "It is a {}.", "frame": "The frame is {}."}


def pictures(folder: Path, first: int, count: int) -> None:
    """Scenes as PNG with ``questions.jsonl``, in which each has its question and what is true."""
    if (folder / "questions.jsonl").exists():
        return
    folder.mkdir(parents=True)
    lines = []
    for number in range(first, first + count):
        pixels, facts, asked, question = world.scene(number)
        name = f"{number:07d}.png"
        large = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(large).save(folder / name)
        told = [asked, *(other for other in facts if other != asked)]
        lines.append(
            {
                "source_path": name,
                "question": question.question,
                "choices": question.choices,
                "answer": question.answer,
                "caption": f"A {facts['color']} {facts['form']} in a {facts['frame']} frame.",
                "rationales": [CASES[name].format(facts[name]) for name in told],
            }
        )
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def recipes(folder: Path, rows: int) -> None:
    """The files that the commands take: what is done, what is built, how is asked."""
    chosen = [ops.get(name) for name in (*world.SEEN, *world.UNSEEN)]
    stages = {s: [op.name for op in chosen if op.stage == s] for s in STAGES}
    one = {"name": "one", "summary": "One operator, any strength.", "stages": stages}
    one |= {"count": {1: 1}, "clean": world.CLEAN_SHARE, "intensity": {"low": 0.05, "high": 1.0}}
    common = {"summary": "Shapes in clutter.", "held_out": {"operators": list(world.UNSEEN)}}
    # Drawn alike but for color and form: nearly the same picture, and never the same question.
    common["near_duplicates"] = "ignore"

    def source(name: str) -> list[dict[str, Any]]:
        path, questions = str(folder / name), str(folder / name / "questions.jsonl")
        given = {"kind": "folder", "name": name, "path": path, "questions": questions}
        return [{**given, "license": "CC0-1.0"}]

    data = {"name": "small-world", **common, "answers": "text", "sources": source("train")}
    data["splits"] = {"train": {"rows": rows, "degrade": "one.yaml", "operators": "seen"}}
    bench = {"kind": "benchmark", "name": "small-world-bench", **common}
    bench |= {"sources": source("test"), "degrade": "one.yaml"}
    # As it was trained: the options bare, which answers repeat.
    bare = {"name": "bare", "option": "{text}", "mcq": "{question}\n{options}"}
    bare |= {"vqa": "{question}", "caption": "{question}", "told_clean": "{prompt}"}
    bare["told"] = "{types}\n{prompt}"
    request = f"{bare['mcq']}\n{Chain.instruction()}"
    files = {
        "one": one,
        "data": data,
        "bench": bench,
        "bare": bare,
        "bare-chain": {**bare, "name": "bare-chain", "chain": True, "mcq": request},
    }
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def commands(answer_steps: int, chain_steps: int) -> list[str]:
    """What a person would type, in the folder."""
    train = "train sft tiny {} --data data --set sft.use= --set sft.steps={} --set sft.batch={} "
    train += "--set sft.schedule=cosine --set sft.learning_rate={} --set watch.save_every=250"
    clean = " --set data.picture=clean --set data.target=answer --set model.path=start/sft/model"
    chains = " --set model.path=clean/sft/model"
    ask = "evaluate bench {} --model {} --prompt {} --batch 100 --max-tokens 320"
    return [
        "build dataset data.yaml data",
        "build benchmark bench.yaml bench",
        # A vocabulary of all that is asked and said, and weights that are still random.
        train.format("start", 1, 4, 1e-9),
        train.format("clean", answer_steps, 32, 3e-3) + clean,
        train.format("chains", chain_steps, 16, 3e-3) + chains,
        ask.format("eval-clean", "clean/sft/model", "bare.yaml"),
        ask.format("eval-chains", "chains/sft/model", "bare-chain.yaml"),
        "report eval-clean eval-chains --name answers --name chains --to report",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="of rows, items and steps")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of commands")
    given = parser.parse_args()
    sizes = (ROWS, ITEMS, ANSWER_STEPS, CHAIN_STEPS)
    rows, items, answers, chains = (max(16, round(n * given.scale)) for n in sizes)
    pictures(given.out / "train", 0, rows)
    pictures(given.out / "test", TESTS_FROM, items)
    recipes(given.out.resolve(), rows)
    env = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    for number, command in enumerate(commands(answers, chains)):
        if given.only is not None and number not in given.only:
            continue
        print(f"$ degrade-cli {command}", flush=True)
        started = time.time()
        words = [sys.executable, "-m", "degrade.cli", *shlex.split(command)]
        done = subprocess.run(words, cwd=given.out, env=os.environ | env, check=False)
        print(f"# {time.time() - started:.0f} s, exit {done.returncode}\n", flush=True)
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
