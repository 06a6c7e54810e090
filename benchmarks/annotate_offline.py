"""The offline writer on 11,000 rows: speed, variety, depth, refusals by the checks.

    python benchmarks/annotate_offline.py [--like aokvqa|scenes|captions|nothing] [--rows 11000]
    python benchmarks/annotate_offline.py --pictures 1000    # synth, then the whole command, timed

Rows are like those of A-OKVQA (questions, options, answers, captions and rationales made up from a
small world, so their variety is below that of human texts), drawn scenes as builders/scenes
describes them, captions alone, or without any text. Records are drawn by the recipe ``robust-r1``;
measurements are random numbers of plausible size. Variety is that of influence and reasoning
together, without the conclusion, types and answer; "numbers masked" counts all numbers as one word.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import made_up
from PIL import Image

from annotate import diversity
from annotate.checks import check
from annotate.depth import target, tokens
from annotate.measure import COLORS, Seen
from annotate.offline import write
from builders.scenes import describe as scene
from degrade import recipe
from degrade.schema import Applied, Chain, Question, Row, describe

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
LIKE = ("aokvqa", "scenes", "captions", "nothing")


class Fake(NamedTuple):
    """A row, what is asked about it, and measurements."""

    row: Row
    question: Question
    seen: Seen


def looked(rng: random.Random, applied: tuple[Applied, ...]) -> Seen:
    harm = min(1.0, sum(a.intensity for a in applied) / 3)
    luma = rng.uniform(0.2, 0.7)
    dark = max([a.intensity for a in applied if a.operator == "dark_illumination"], default=0.0)
    cells = [min(1.0, max(0.0, luma + rng.uniform(-0.2, 0.2))) for _ in range(9)]
    kept = [round(max(0.0, 1 - harm * rng.uniform(0.5, 1.1)), 3) if applied else 1.0 for _ in cells]
    colors = [rng.choice(COLORS) for _ in cells]
    palette = [c for c, _ in Counter(colors).most_common(4)]
    return Seen(
        luma_clean=luma, luma_degraded=luma * (1 - 0.8 * dark),
        contrast_clean=0.2, contrast_degraded=0.2 * (1 - 0.5 * harm),
        saturation_clean=0.3, saturation_degraded=0.25, noise=0.1 * harm,
        clipped_dark=0.3 * dark, clipped_bright=rng.uniform(0, 0.1),
        kept=tuple(kept), luma=tuple(cells), detail=tuple(rng.random() for _ in cells),
        colors=tuple(colors), palette=tuple(palette),
    )  # fmt: skip


def fakes(count: int, like: str = "aokvqa", seed: int = 0) -> Iterator[Fake]:
    """Rows of one of the kinds of LIKE."""
    drawn = recipe.load("robust-r1")
    rng = random.Random(seed)
    for i in range(count):
        key = f"{like}/{seed}-{i:06d}.jpg"
        width, height = rng.choice(((640, 480), (480, 640), (640, 427), (612, 612), (500, 375)))
        applied = drawn.draw(key, seed, min(width, height))[0].applied
        row = Row(
            file_name=f"images/{i}.png", id=key, source_path=key, width=width, height=height,
            encoding="png", degradations=describe(applied), applied=applied,
        )  # fmt: skip
        yield Fake(row, asked(like, seed, i, key), looked(rng, applied))


def asked(like: str, seed: int, number: int, key: str) -> Question:
    """What the row's data set says of it."""
    match like:
        case "scenes":
            return scene(seed, number).question.answered("index")
        case "captions":
            return Question(caption=made_up.caption(seed, key))
        case "nothing":
            return Question()
        case _:
            return made_up.question(seed, key)


def variety(rows: list[Fake], chains: list[Chain]) -> None:
    said = [
        " ".join((f.question.question, f.question.caption, *f.question.rationales)) for f in rows
    ]
    print(
        f"the rows' own texts: distinct-3 {diversity.distinct(said, 3):.3f}, self-BLEU-3 "
        f"{diversity.self_bleu(said):.3f}"
    )
    for name, texts in (
        ("influence + reasoning", [f"{c.influence} {c.reasoning}" for c in chains]),
        ("influence", [c.influence for c in chains]),
        ("reasoning", [c.reasoning for c in chains]),
        ("conclusion", [c.conclusion for c in chains]),
    ):
        d = [diversity.distinct(texts, n) for n in (1, 2, 3)]
        masked = diversity.distinct(texts, 3, mask_numbers=True)
        print(
            f"{name:22} unique {diversity.unique_share(texts):.4f}  distinct-1..3 "
            f"{d[0]:.3f} {d[1]:.3f} {d[2]:.3f}  numbers masked {masked:.3f}"
            f"  self-BLEU-3 {diversity.self_bleu(texts):.3f} (500 texts "
            f"{diversity.self_bleu(texts, sample=500):.3f})  top-20 openers "
            f"{diversity.opener_share(texts):.3f}"
        )


def depth(rows: list[Fake], chains: list[Chain]) -> None:
    aims = [target(f.row.applied) for f in rows]
    sums = [sum(a.intensity for a in f.row.applied) for f in rows]
    reached = [tokens(c.reasoning) for c in chains]
    whole = [tokens(c.render()) for c in chains]
    off = sorted(abs(n - aim) / aim for n, aim in zip(reached, aims, strict=True))
    print(
        f"Spearman of summed intensity and reasoning tokens "
        f"{diversity.spearman(sums, reached):.4f}, chain tokens "
        f"{diversity.spearman(sums, whole):.4f}"
    )
    print(
        f"reasoning off target: median {off[len(off) // 2]:.1%}, 95 % within "
        f"{off[int(0.95 * len(off))]:.1%}, 99 % {off[int(0.99 * len(off))]:.1%}, most {off[-1]:.1%}"
    )


def refusals(rows: list[Fake], chains: list[Chain]) -> None:
    refused: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    chains_refused = 0
    for f, c in zip(rows, chains, strict=True):
        findings = check(c, f.row, f.question, target(f.row.applied))
        chains_refused += bool(findings)
        for finding in findings:
            refused[finding.code] += 1
            shown[f"{finding.code}: {finding.detail}"] += 1
    print(f"refused by the checks: {chains_refused} of {len(rows)} {dict(refused) or ''}")
    for text, times in shown.most_common(25):
        print(f"  {times:5} {text}")


def show(rows: list[Fake], chains: list[Chain], number: int) -> None:
    sums = [sum(a.intensity for a in f.row.applied) for f in rows]
    order = sorted(range(len(rows)), key=lambda i: sums[i])
    for name, at in (("low", 0.12), ("middle", 0.5), ("high", 0.93)):
        print(f"\n--- {name} damage")
        for k in range(number):
            i = order[min(len(order) - 1, int(at * len(order)) + 7 * k)]
            q, aim = rows[i].question, target(rows[i].row.applied)
            print(f"\n[{sums[i]:.2f}, target {aim}, {tokens(chains[i].reasoning)} tokens]")
            print(f"{q.question} {q.choices} | {q.caption} | {' '.join(q.rationales)}")
            print(chains[i].render())


def make_pictures(folder: Path, count: int) -> None:
    """JPEG pictures of 400 x 300 pixels: crops of the example photographs."""
    folder.mkdir(parents=True)
    rng = random.Random(0)
    photos = []
    for path in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(path) as image:
            k = max(480 / image.width, 360 / image.height)
            size = (round(image.width * k), round(image.height * k))
            photos.append(image.convert("RGB").resize(size))
    for i in range(count):
        photo = photos[i % len(photos)]
        x, y = rng.randint(0, photo.width - 400), rng.randint(0, photo.height - 300)
        photo.crop((x, y, x + 400, y + 300)).save(folder / f"{i:06d}.jpg", quality=92)


def used(command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak memory in MiB of a command."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    cpu = usage.ru_utime + usage.ru_stime
    return time.monotonic() - start, cpu, usage.ru_maxrss / 1024


def whole_command(count: int) -> None:
    """Time and memory of ``degrade-cli annotate`` with pictures, at two sizes of a run."""
    cli = [sys.executable, "-c", "from degrade.cli import main; main()"]
    print("| rows | seconds | rows/s | CPU ms a row | peak MiB |\n|---|---|---|---|---|")
    for rows in (count // 4, count):
        with tempfile.TemporaryDirectory() as name:
            source, run = f"{name}/photos", f"{name}/run"
            make_pictures(Path(source), rows)
            used([*cli, "synth", source, run, "--quiet"])
            wall, cpu, peak = used([*cli, "annotate", run, "--quiet"])
        print(
            f"| {rows} | {wall:.1f} | {rows / wall:.0f} | {1e3 * cpu / rows:.1f} | {peak:.0f} |",
            flush=True,
        )
    print(f"11,000 rows at this speed: {11_000 * wall / count:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=11000)
    parser.add_argument("--like", choices=LIKE, default="aokvqa")
    parser.add_argument("--show", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, help="time the whole command on so many")
    args = parser.parse_args()
    if args.pictures:
        whole_command(args.pictures)
        return
    rows = list(fakes(args.rows, args.like, args.seed))
    start = time.process_time()
    chains = [write(f.row, f.question, f.seen, args.seed) for f in rows]
    seconds = time.process_time() - start
    print(
        f"{len(chains)} chains in {seconds:.1f} s of one core: {len(chains) / seconds:.0f} a second"
    )
    variety(rows, chains)
    depth(rows, chains)
    refusals(rows, chains)
    show(rows, chains, args.show)


if __name__ == "__main__":
    main()
