"""Scores of R-Bench (Li et al., arXiv 2410.05474; code Q-Future/R-Bench).

A score of an answer is in [0, 1]. Cells are task x strength: multiple choice, question, caption;
low, mid, high.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from trainer.metrics.columns import Array, column, same_length
from trainer.metrics.figure import Figure, Ratios, mean
from trainer.metrics.levels import Numbers

Task = Literal["mcq", "vqa", "caption"]
Strength = Literal["low", "mid", "high"]
TASKS: tuple[Task, ...] = get_args(Task)
STRENGTHS: tuple[Strength, ...] = get_args(Strength)


class RBench(NamedTuple):
    """Scores of one model.

    Attributes:
        cells: (task, strength) to mean score; value None where a cell is empty.
        tasks: Unweighted mean of a task's three cells; None where one of them is empty.
        overall: Unweighted mean of the nine; None where one of them is empty.
    """

    cells: dict[tuple[Task, Strength], Figure]
    tasks: dict[Task, Figure]
    overall: Figure


def strength(level: float) -> Strength:
    """Strength 1, 2, 3 of the release, kept as a level of a third, two thirds and 1.

    Raises:
        ValueError: Not near one of these.

    Example:
        0.33 is low, 0.67 mid, 1.0 high.
    """
    step = round(level * len(STRENGTHS))
    if not 1 <= step <= len(STRENGTHS) or abs(level - step / len(STRENGTHS)) > 0.01:
        raise ValueError(f"level {level} is no strength of R-Bench: 0.33, 0.67 or 1.0")
    return STRENGTHS[step - 1]


def absolute(score: Numbers, task: Sequence[str], level: Sequence[float]) -> RBench:
    """Absolute robustness: mean score on damaged pictures, in [0, 1].

    Abs_cell = (1/n) sum_i dis_i; Overall = mean of the nine cells. Source: R-Bench; the Overall of
    table 1 of Robust-R1 is this mean.

    Args:
        score: Of each answer about a damaged picture (:func:`from_ratings`, or right and wrong).
        task: ``mcq``, ``vqa`` or ``caption``.
        level: 0.33, 0.67 or 1.0.

    Raises:
        ValueError: Different lengths, an unknown task or level, or a score outside [0, 1].

    Example:
        Cells of Robust-R1: (.6529 + .6391 + .6097 + .4914 + .4909 + .4980 + .4068 + .3781 +
        .3484) / 9 = .5017.
    """
    values = column("score", score, 0, 1)
    same_length(score=values, task=task, level=level)
    if strange := sorted(set(task) - set(TASKS)):
        raise ValueError(f"task {strange[0]!r} is none of {', '.join(TASKS)}")
    names = [*zip(task, map(strength, level), strict=True)]
    cells = [(t, s) for t in TASKS for s in STRENGTHS]
    rows = np.array([[name == cell for cell in cells] for name in names], float)
    rows = rows.reshape(len(values), len(cells))

    def over(chosen: Sequence[int]) -> Figure:
        part = rows[:, chosen]
        return Ratios(values[:, None] * part, part, _mean)

    return RBench(
        {cell: mean(values, rows[:, i]) for i, cell in enumerate(cells)},
        {t: over([i for i, (u, _) in enumerate(cells) if u == t]) for t in TASKS},
        over(range(len(cells))),
    )


def _mean(cells: Array) -> Array:
    found: Array = cells.mean(axis=-1)
    return found


def relative(
    agreement: Numbers, reference: Numbers, task: Sequence[str], level: Sequence[float]
) -> RBench:
    """Relative robustness: Rel_cell = (1/n) sum_i com_i ref_i, in [0, 1], at most the clean score.

    What of the model's answers to undamaged pictures was both right and kept. Source: R-Bench.

    Args:
        agreement: com: the damaged picture's answer judged against the model's own answer about
            the undamaged one (:func:`agreement` without a judge).
        reference: ref: score of the answer about the undamaged picture.
        task: As in :func:`absolute`.
        level: As in :func:`absolute`.

    Raises:
        ValueError: As in :func:`absolute`.

    Example:
        com 1 1 0, ref 1 0 1: (1 + 0 + 0) / 3.
    """
    same_length(agreement=agreement, reference=reference)
    kept = column("agreement", agreement, 0, 1) * column("reference", reference, 0, 1)
    return absolute(kept, task, level)


def agreement(chosen: Sequence[str], chosen_reference: Sequence[str]) -> Array:
    """com of multiple choice without a judge: 1 where both answers are the same option, else 0.

    com_i = [dis_i = ref_i and it is not empty]. Ours: R-Bench asks a language model.

    Args:
        chosen: Option that the answer about the damaged picture names; empty for none.
        chosen_reference: About the undamaged one.

    Raises:
        ValueError: Different lengths.

    Example:
        A, B, none and A, C, none: 1, 0, 0.
    """
    same_length(chosen=chosen, chosen_reference=chosen_reference)
    return np.array([float(a == b != "") for a, b in zip(chosen, chosen_reference, strict=True)])


def from_ratings(task: str, ratings: Sequence[Any]) -> float:
    """Score of one answer from the n ratings of the judge, in [0, 1]. Source: code of R-Bench.

    mcq: int(sum / n + 0.5) of ratings of 0 or 1, their majority. vqa: sum / (2 n) of ratings of 0,
    1 or 2. Both have n = 5 there. caption: the same, with one rating for each reference (five in
    the release).

    Args:
        task: ``mcq``, ``vqa`` or ``caption``.
        ratings: Of the judge.

    Raises:
        ValueError: Another task or rating, or none.

    Example:
        mcq 1 1 1 0 0: int(0.6 + 0.5) = 1. vqa 2 2 1 2 2: 0.9. caption 2 1 0 1 2: 0.6.
    """
    if task not in TASKS:
        raise ValueError(f"task {task!r} is none of {', '.join(TASKS)}")
    top = 1 if task == "mcq" else 2
    if any(rating not in range(top + 1) for rating in ratings):
        raise ValueError(f"ratings {list(ratings)} of {task}: give integers from 0 to {top}")
    if not ratings:
        raise ValueError(f"no ratings of {task}: give five as R-Bench does, or at least one")
    share = sum(ratings) / (top * len(ratings))
    return float(int(share + 0.5)) if task == "mcq" else float(share)
