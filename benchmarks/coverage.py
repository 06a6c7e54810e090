"""How often 95 % intervals hold the true value, and how long 10,000 answers take to score.

    python benchmarks/coverage.py                     # 1,000 evaluations a setting, some minutes
    python benchmarks/coverage.py --evaluations 4000 --pictures 20

An evaluation is simulated from its pictures up: a picture is easy or hard and suffers from damage
more or less, has one to four questions, and every question is asked at all levels and of two
models. So answers of a picture hang together, levels are paired, and so are the models. The true
values are those of the whole population, from 400,000 pictures. Printed per figure: the share of
intervals that cover, below and above (the true value is beyond that end), mean width; and the same
for the plain percentile bootstrap. Exit status 1 where a figure covers less than 93 % or more than
97 % of the time.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.evaluations import evaluation
from trainer import metrics

Array = NDArray[np.float64]

LEVELS = (0.0, 0.25, 0.5, 1.0)
GUESS = 0.25
GAIN = 0.3  # of the second model, in logits


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        pictures: In an evaluation.
        ability: Of the first model, in logits: 0.5 is about 70 % right on clean pictures of four
            options, 3 about 94 %.
    """

    pictures: int
    ability: float


class Evaluation(NamedTuple):
    """Answers (model, item, level) of 0 and 1, and the picture of each item."""

    correct: Array
    group: NDArray[np.intp]


def simulated(setting: Setting, rng: np.random.Generator) -> Evaluation:
    count = setting.pictures
    group = np.repeat(np.arange(count), rng.integers(1, 5, count))
    ease = rng.normal(0.0, 1.0, count)[group] + rng.normal(0.0, 0.8, len(group))
    suffers = 1.5 * np.exp(rng.normal(0.0, 0.4, count))[group]
    ability = setting.ability + np.array([0.0, GAIN])
    logits = (
        ability[:, None, None]
        + ease[None, :, None]
        - suffers[None, :, None] * np.array(LEVELS)[None, None, :]
    )
    right = GUESS + (1.0 - GUESS) / (1.0 + np.exp(-logits))
    return Evaluation((rng.random(right.shape) < right).astype(float), group)


def figures(correct: Array) -> dict[str, metrics.Figure | tuple[metrics.Figure, metrics.Figure]]:
    """The figures that are covered; of two models a pair."""
    clean, worst = correct[0, :, 0], correct[0, :, -1]
    return {
        "accuracy": metrics.accuracy(clean),
        "accuracy, damaged": metrics.accuracy(worst),
        "drop": metrics.drop(clean, worst),
        "retention": metrics.retention(clean, worst),
        "robustness AUC": metrics.robustness_auc(correct[0], LEVELS),
        "difference": (metrics.accuracy(worst), metrics.accuracy(correct[1, :, -1])),
        "difference of drops": (
            metrics.drop(clean, worst),
            metrics.drop(correct[1, :, 0], correct[1, :, -1]),
        ),
    }


@dataclass
class Count:
    """Intervals of one kind."""

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, low: float | None, high: float | None) -> None:
        """Take one in; no interval (None) covers nothing."""
        self.low.append(np.nan if low is None else low)
        self.high.append(np.nan if high is None else high)


class Covered(NamedTuple):
    """What became of the intervals: shares that cover, lie above and below the truth; width."""

    share: float
    above: float
    below: float
    width: float

    @classmethod
    def of(cls, count: Count, truth: float) -> Covered:
        """Of these intervals."""
        low, high = np.array(count.low), np.array(count.high)
        inside = (low - 1e-12 <= truth) & (truth <= high + 1e-12)
        return cls(
            float(inside.mean()),
            float((low > truth).mean()),
            float((high < truth).mean()),
            float(np.nanmean(high - low)),
        )


class Line(NamedTuple):
    """A figure's true value, and what became of its intervals of both kinds."""

    truth: float
    ours: Covered
    percentile: Covered


def measured(
    setting: Setting, evaluations: int, resamples: int, population: int = 400_000, seed: int = 0
) -> dict[str, Line]:
    """Simulate evaluations and see which intervals hold the true values."""
    everything = Setting(population, setting.ability)
    whole = simulated(everything, np.random.default_rng(seed + 1))
    truth = {name: _value(figure) for name, figure in figures(whole.correct).items()}
    ours = {name: Count() for name in truth}
    plain = {name: Count() for name in truth}
    rng = np.random.default_rng(seed)
    for i in range(evaluations):
        correct, group = simulated(setting, rng)
        how = metrics.Bootstrap(resamples, seed=i)
        for name, figure in figures(correct).items():
            if isinstance(figure, tuple):
                found = how.compare(figure[0], group, figure[1], group)
            else:
                found = how.estimate(figure, group)
            ours[name].add(found.low, found.high)
            plain[name].add(*_percentile(figure, group, resamples, rng))
    return {
        name: Line(true, Covered.of(ours[name], true), Covered.of(plain[name], true))
        for name, true in truth.items()
    }


def _value(figure: metrics.Figure | tuple[metrics.Figure, metrics.Figure]) -> float:
    if isinstance(figure, tuple):
        return _value(figure[1]) - _value(figure[0])
    assert figure.value is not None
    return figure.value


def _percentile(
    figure: metrics.Figure | tuple[metrics.Figure, metrics.Figure],
    group: NDArray[np.intp],
    resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    count = int(group[-1]) + 1
    weights = rng.multinomial(count, np.full(count, 1.0 / count), resamples).astype(float)
    parts = figure if isinstance(figure, tuple) else (figure,)
    drawn = [part.replicates(group, count).drawn(weights) for part in parts]
    values = drawn[1] - drawn[0] if len(drawn) == 2 else drawn[0]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def speed() -> str:
    """Seconds to score 10,000 answers, all figures with intervals."""
    lines = []
    for items, groups, levels in ((2500, 2000, LEVELS), (10_000, 10_000, (1.0,))):
        columns = evaluation(items, groups, levels, [f"operator {c}" for c in "abcdefghijklmnop"])
        start, used = time.perf_counter(), time.process_time()
        found = metrics.scores(columns)
        wall, used = time.perf_counter() - start, time.process_time() - used
        lines.append(
            f"10,000 answers about {groups:,} pictures at {len(levels)} level(s): {_leaves(found)} "
            f"figures with intervals in {wall:.1f} s ({used:.1f} s of processor time)"
        )
    return "\n".join(lines)


def _leaves(tree: object) -> int:
    return sum(map(_leaves, tree.values())) if isinstance(tree, dict) else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--pictures", type=int, nargs="+", default=[30, 60, 200])
    parser.add_argument("--ability", type=float, nargs="+", default=[0.5, 1.5])
    given = parser.parse_args()
    print(speed(), flush=True)
    missed = []
    for pictures in given.pictures:
        for ability in given.ability:
            setting = Setting(pictures, ability)
            found = measured(setting, given.evaluations, given.resamples)
            print(f"\n{given.evaluations} evaluations of {pictures} pictures, ability {ability}")
            print("| figure | true | covers % | above % | below % | width | percentile % | width |")
            print("|---|---|---|---|---|---|---|---|")
            for name, (true, ours, plain) in found.items():
                print(
                    f"| {name} | {true:.3f} | {100 * ours.share:.1f} | {100 * ours.above:.1f} "
                    f"| {100 * ours.below:.1f} | {ours.width:.3f} | {100 * plain.share:.1f} "
                    f"| {plain.width:.3f} |",
                    flush=True,
                )
                if not 0.93 <= ours.share <= 0.97:
                    missed.append(f"{name} of {pictures} pictures, ability {ability}")
    print("\noutside 93 to 97 %:", "; ".join(missed) or "none")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
