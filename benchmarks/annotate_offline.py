"""The offline writer on 11,000 rows like A-OKVQA's: speed, variety, depth, refusals by the checks.

    python benchmarks/annotate_offline.py [--rows 11000] [--bare 0.1] [--scenes 0.1]

Questions, options, answers, captions and rationales are made up here from a small world, so their
variety is below that of human texts; records are drawn by the recipe ``robust-r1``; measurements
are random numbers of plausible size. Variety is that of influence and reasoning together, without
the conclusion, types and answer; "numbers masked" counts all numbers as one word.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import made_up

from annotate import diversity
from annotate.depth import target, tokens
from annotate.measure import COLORS, Seen
from annotate.offline import write
from degrade import recipe
from degrade.schema import Applied, Question, Row, describe


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


def fakes(count: int, seed: int = 0, bare: float = 0.0, scenes: float = 0.0) -> Iterator[Fake]:
    """Rows with questions; shares of them without any text, and with a caption alone."""
    drawn = recipe.load("robust-r1")
    rng = random.Random(seed)
    for i in range(count):
        key = f"aokvqa/{seed}-{i:06d}.jpg"
        width, height = rng.choice(((640, 480), (480, 640), (640, 427), (612, 612), (500, 375)))
        applied = drawn.draw(key, seed, min(width, height))[0].applied
        row = Row(
            file_name=f"images/{i}.png", id=key, source_path=key, width=width, height=height,
            encoding="png", degradations=describe(applied), applied=applied,
        )  # fmt: skip
        question = made_up.question(seed, key)
        u = rng.random()
        if u < bare:
            question = Question()
        elif u < bare + scenes:
            question = Question(caption=made_up.caption(seed, key))
        yield Fake(row, question, looked(rng, applied))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=11000)
    parser.add_argument("--bare", type=float, default=0.0, help="share of rows without any text")
    parser.add_argument("--scenes", type=float, default=0.0, help="share with a caption alone")
    parser.add_argument("--show", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rows = list(fakes(args.rows, args.seed, args.bare, args.scenes))
    start = time.process_time()
    chains = [write(f.row, f.question, f.seen, args.seed) for f in rows]
    seconds = time.process_time() - start
    print(
        f"{len(chains)} chains in {seconds:.1f} s of one core: {len(chains) / seconds:.0f} a second"
    )

    said = [
        " ".join((f.question.question, f.question.caption, *f.question.rationales)) for f in rows
    ]
    print(
        f"the rows' own texts: distinct-3 {diversity.distinct(said, 3):.3f}, self-BLEU-3 "
        f"{diversity.self_bleu(said):.3f}"
    )
    prose = [f"{c.influence} {c.reasoning}" for c in chains]
    for name, texts in (
        ("influence + reasoning", prose),
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
    aims = [target(f.row.applied) for f in rows]
    sums = [sum(a.intensity for a in f.row.applied) for f in rows]
    depth = [tokens(c.reasoning) for c in chains]
    whole = [tokens(c.render()) for c in chains]
    off = sorted(abs(n - aim) / aim for n, aim in zip(depth, aims, strict=True))
    print(
        f"Spearman of summed intensity and reasoning tokens {diversity.spearman(sums, depth):.4f}, "
        f"chain tokens {diversity.spearman(sums, whole):.4f}"
    )
    print(
        f"reasoning off target: median {off[len(off) // 2]:.1%}, 95 % within "
        f"{off[int(0.95 * len(off))]:.1%}, 99 % {off[int(0.99 * len(off))]:.1%}, most {off[-1]:.1%}"
    )
    from annotate.checks import check

    refused: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    for f, c, aim in zip(rows, chains, aims, strict=True):
        for finding in check(c, f.row, f.question, aim):
            refused[finding.code] += 1
            shown[f"{finding.code}: {finding.detail}"] += 1
    print(f"refused by the checks: {dict(refused) or 'none'}")
    for text, times in shown.most_common(25):
        print(f"  {times:5} {text}")
    order = sorted(range(len(rows)), key=lambda i: sums[i])
    for name, at in (("low", 0.12), ("middle", 0.5), ("high", 0.93)):
        print(f"\n--- {name} damage")
        for k in range(args.show):
            i = order[min(len(order) - 1, int(at * len(order)) + 7 * k)]
            q = rows[i].question
            print(
                f"\n[{sums[i]:.2f}, target {aims[i]}, {depth[i]} tokens] {q.question} {q.choices}"
            )
            print(chains[i].render())


if __name__ == "__main__":
    main()
