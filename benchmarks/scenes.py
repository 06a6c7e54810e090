"""Drawn scenes: speed, variety, balance, and what can be guessed without looking.

    python benchmarks/scenes.py [--rows 11000] [--seed 0] [--described]

"Guessed" is the share of right answers of the best of four guessers that see question type and
choices but no picture: the most frequent place among the choices, the most frequent rank of a
number among them, the choice least or most alike to the others, and the choice that most often was
right when it was offered. Each learns on one half of the rows and is scored on the other. Chance
is 25 %.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from builders.scenes import Scene, describe, draw
from degrade.images import encode
from degrade.schema import Question


class Figures(NamedTuple):
    """Shares are of all rows; ``guessed`` is by question type, with the type's number of rows."""

    rows: int
    distinct_questions: float
    distinct_rows: int
    positions: tuple[float, ...]
    families: dict[str, float]
    answers: list[tuple[str, float]]
    guessed: dict[str, tuple[float, int]]


def figures(scenes: Sequence[Scene]) -> Figures:
    """Variety and balance of scenes, from their descriptions."""
    n = len(scenes)
    questions = [s.question for s in scenes]
    by_type: dict[str, list[Question]] = defaultdict(list)
    for s in scenes:
        by_type[f"{s.family} {s.template}"].append(s.question)
    places = Counter(q.answer_index for q in questions)
    answers = Counter(q.answer for q in questions)
    return Figures(
        rows=n,
        distinct_questions=len({q.question for q in questions}) / n,
        distinct_rows=len({(repr(s.layout), s.question.question) for s in scenes}),
        positions=tuple(places[k] / n for k in range(4)),
        families={f: c / n for f, c in sorted(Counter(s.family for s in scenes).items())},
        answers=[(a, c / n) for a, c in answers.most_common(8)],
        guessed={t: (guessed(qs), len(qs)) for t, qs in sorted(by_type.items())},
    )


def _number(text: str) -> float:
    try:
        return float(text.replace(":", "."))
    except ValueError:
        return 0.0


def _place(q: Question) -> list[object]:
    return list(range(len(q.choices)))


def _rank(q: Question) -> list[object]:
    order = sorted(q.choices, key=lambda c: (_number(c), c))
    return [order.index(c) for c in q.choices]


def _likeness(q: Question) -> list[object]:
    words = [set(c.replace(":", " ").split()) for c in q.choices]
    shared = [sum(len(a & b) for b in words) for a in words]
    order = sorted(shared)
    return [order.index(s) for s in shared]


def _text(q: Question) -> list[object]:
    return list(q.choices)


def guessed(questions: Sequence[Question]) -> float:
    """Share of right answers of the best guesser, learning and scoring on halves."""
    return max(_score(questions, feature) for feature in (_place, _rank, _likeness, _text))


def _score(questions: Sequence[Question], feature: Callable[[Question], list[object]]) -> float:
    right = 0.0
    halves = questions[::2], questions[1::2]
    for learnt, scored in (halves, halves[::-1]):
        offered: Counter[object] = Counter()
        correct: Counter[object] = Counter()
        for q in learnt:
            values = feature(q)
            offered.update(values)
            correct[values[q.answer_index or 0]] += 1
        for q in scored:
            values = feature(q)
            # Four offers without success in advance: what was seen once proves little.
            rates = [(correct[v] + 1) / (offered[v] + 4) for v in values]
            best = [k for k, rate in enumerate(rates) if rate == max(rates)]
            right += (q.answer_index in best) / len(best)
    return right / max(1, len(questions))


def _duplicates(scenes: Iterable[Scene]) -> tuple[int, int, float, float, float]:
    pictures: set[bytes] = set()
    pairs: set[tuple[bytes, str]] = set()
    drawn = packed = size = 0.0
    count = 0
    for scene in scenes:
        start = time.process_time()
        pixels = draw(scene)
        middle = time.process_time()
        data = encode(pixels, "png", None)
        drawn, packed = drawn + middle - start, packed + time.process_time() - middle
        digest = hashlib.sha256(data).digest()
        pictures.add(digest)
        pairs.add((digest, scene.question.question))
        size += len(data)
        count += 1
    return count - len(pictures), count - len(pairs), drawn / count, packed / count, size / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=11000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--described", action="store_true", help="without drawing the pictures")
    args = parser.parse_args()
    start = time.process_time()
    scenes = [describe(args.seed, i) for i in range(args.rows)]
    told = (time.process_time() - start) / args.rows
    f = figures(scenes)
    print(f"{f.rows} rows, distinct questions {f.distinct_questions:.1%}")
    print("place of the answer: " + ", ".join(f"{p:.1%}" for p in f.positions))
    print("families: " + ", ".join(f"{n} {p:.1%}" for n, p in f.families.items()))
    print("most frequent answers: " + ", ".join(f"{a!r} {p:.1%}" for a, p in f.answers))
    print("guessed without the picture:")
    for name, (share, count) in f.guessed.items():
        print(f"  {name:22s} {share:6.1%} of {count}")
    print(f"describing {told * 1e3:.2f} ms a scene of CPU time")
    if not args.described:
        same, pairs, drawn, packed, size = _duplicates(scenes)
        print(f"duplicate pictures {same}, duplicate question-picture pairs {pairs}")
        print(
            f"drawing {drawn * 1e3:.1f} ms, PNG {packed * 1e3:.1f} ms, {size / 1e3:.0f} kB a scene"
        )


if __name__ == "__main__":
    main()
