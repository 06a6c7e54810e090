"""Accuracy and what damage does to it.

``correct`` is in [0, 1] per answer. Functions of two levels take one number for each item, in the
same order for both (:func:`trainer.metrics.columns.wide` finds them).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from trainer.metrics.columns import Array, Mask, column, masks, same_length
from trainer.metrics.figure import Figure, Ratios, mean, mean_of_defined

Numbers = Sequence[float] | Array


def accuracy(correct: Numbers) -> Figure:
    """Acc = (1/n) sum_i correct_i, in [0, 1]; None for no answers.

    Source: the score of multiple-choice benchmarks (MMStar, RealWorldQA); over the answers of all
    operators together it is the micro average.

    Raises:
        ValueError: A number outside [0, 1].

    Example:
        Right, wrong, right, right: 0.75, n = 4.
    """
    return mean(column("correct", correct, 0, 1))


def accuracy_by(correct: Numbers, *by: Sequence[Hashable]) -> dict[Any, Figure]:
    """Accuracy of every cell: by level, by operator, by stage, or by several columns together.

    Acc_c = sum_{i in c} correct_i / n_c, in [0, 1]. Cells that do not occur are not in the result.

    Args:
        correct: Per answer.
        by: One or more columns; with several, cells are tuples.

    Raises:
        ValueError: Columns of different length, or a number outside [0, 1].

    Example:
        ``accuracy_by([1, 0, 1], [0.0, 0.5, 0.5])``: 1 at 0.0 (n = 1), 0.5 at 0.5 (n = 2).
    """
    values = column("correct", correct, 0, 1)
    same_length(correct=values, **{f"column {i}": c for i, c in enumerate(by)})
    return {cell: mean(values, rows) for cell, rows in masks(*by).items()}


def macro_accuracy(correct: Numbers, operator: Sequence[Hashable]) -> Figure:
    """(1/C) sum_c Acc_c over the operators (or stages) that occur, in [0, 1]; None for none.

    Every operator counts alike, however many pictures it was drawn for. In a resample without an
    operator the mean is over the others. Source: macro averaging; Hendrycks and Dietterich, ICLR
    2019, section 4, average over corruptions likewise.

    Raises:
        ValueError: Columns of different length, or a number outside [0, 1].

    Example:
        Blur right, right, right, noise wrong: macro (1 + 0) / 2 = 0.5, micro 3/4.
    """
    values = column("correct", correct, 0, 1)
    same_length(correct=values, operator=operator)
    rows = _matrix(list(masks(operator).values()), len(values))
    return Ratios(values[:, None] * rows, rows, mean_of_defined)


def _matrix(found: list[Mask], rows: int) -> Array:
    return np.stack(found, axis=1).astype(float) if found else np.zeros((rows, 1))


def _pair(clean: Numbers, damaged: Numbers) -> tuple[Array, Array]:
    same_length(clean=clean, damaged=damaged)
    return column("clean", clean, 0, 1), column("damaged", damaged, 0, 1)


def drop(clean: Numbers, damaged: Numbers) -> Figure:
    """Drop = Acc_clean - Acc_damaged over the same items, in [-1, 1]; None for no items.

    Source: Robust-R1, table 2, in points of 1 instead of 100.

    Args:
        clean: ``correct`` of each item at level 0.
        damaged: Of the same items at another level.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Clean 1 1 1 0, damaged 1 0 0 1: 0.75 - 0.5 = 0.25.
    """
    before, after = _pair(clean, damaged)
    return Ratios(*_cells(before, after), lambda c: c[..., 0] - c[..., 1])


def _cells(*columns: Array) -> tuple[Array, Array]:
    tops = np.stack(columns, axis=1)
    return tops, np.ones_like(tops)


def retention(clean: Numbers, damaged: Numbers) -> Figure:
    """Retention = Acc_damaged / Acc_clean, in [0, inf); 1 for no loss; None where Acc_clean is 0.

    Source: the usual ratio form of the drop; its area over intensity is :func:`robustness_auc`.

    Args:
        clean: ``correct`` of each item at level 0.
        damaged: Of the same items at another level.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Clean 1 1 1 0, damaged 1 0 0 1: 0.5 / 0.75 = 0.667.
    """
    before, after = _pair(clean, damaged)
    return Ratios(*_cells(before, after), lambda c: c[..., 1] / c[..., 0])


def chance(choices: Sequence[int]) -> Array:
    """What guessing is worth for each item: 1 / choices, and 0 where there are none (free text).

    Raises:
        ValueError: A negative number.
    """
    counts = column("choices", choices, 0)
    return np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)


def chance_corrected_retention(clean: Numbers, damaged: Numbers, choices: Sequence[int]) -> Figure:
    """(Acc_damaged - c) / (Acc_clean - c), c the mean chance of the items.

    1 for no loss, 0 where nothing is left but guessing, negative below that; at most 1 unless the
    damaged accuracy is higher. None where the clean accuracy is not above chance: there is no
    knowledge to retain. Source: Cohen's kappa, (p - chance) / (1 - chance), of both levels; the
    1 - chance cancels out.

    Args:
        clean: ``correct`` of each item at level 0.
        damaged: Of the same items at another level.
        choices: Number of options of each item; 0 for free text.

    Raises:
        ValueError: Different lengths, or a number outside its range.

    Example:
        Clean 0.75, damaged 0.5, four options: (0.5 - 0.25) / (0.75 - 0.25) = 0.5.
    """
    before, after = _pair(clean, damaged)
    same_length(clean=before, choices=choices)

    def formula(cells: Array) -> Array:
        known = cells[..., 0] - cells[..., 2]
        return np.where(known > 0, (cells[..., 1] - cells[..., 2]) / known, np.nan)

    return Ratios(*_cells(before, after, chance(choices)), formula)


def robustness_auc(correct: Any, levels: Sequence[float]) -> Figure:
    """AUC = (1 / s_L) sum_l (s_l - s_{l-1}) (r_l + r_{l-1}) / 2, r_l = Acc_l / Acc_0.

    The area under retention over intensity by the trapezoid rule, over the width of the levels, so
    that 1 is no loss whatever the greatest level. In [0, inf); None where Acc_0 is 0. Source: area
    under a robustness curve; numpy.trapezoid has the rule.

    Args:
        correct: (items, levels) in [0, 1].
        levels: Intensities, ascending, the first 0.

    Raises:
        ValueError: Levels that do not ascend from 0, or do not fit the columns.

    Example:
        Levels 0, 0.5, 1 with accuracies 0.8, 0.6, 0.2: r = 1, 0.75, 0.25;
        0.5 (1.75 / 2) + 0.5 (1 / 2) = 0.6875.
    """
    values = np.asarray(correct, float)
    steps = np.diff(np.asarray(levels, float))
    if len(levels) < 2 or levels[0] != 0 or not (steps > 0).all():
        raise ValueError(f"levels {list(levels)}: give at least two, ascending from 0")
    if values.ndim != 2 or values.shape[1] != len(levels):
        raise ValueError(f"correct has shape {values.shape}: give (items, {len(levels)} levels)")
    column("correct", values.ravel(), 0, 1)

    def formula(cells: Array) -> Array:
        kept = cells / cells[..., :1]
        area: Array = ((kept[..., 1:] + kept[..., :-1]) / 2 * steps).sum(axis=-1) / steps.sum()
        return area

    return Ratios(values, np.ones_like(values), formula)


def destructive(clean: Numbers, damaged: Numbers) -> Figure:
    """P(wrong on the damaged picture | right on the clean one), in [0, 1]; None if none is right.

    sum_i clean_i (1 - damaged_i) / sum_i clean_i. Source: the split of flips of Bench-C (arXiv
    2511.19032). ``n`` is the items that were right on the clean picture.

    Args:
        clean: ``correct`` of each item at level 0.
        damaged: Of the same items at another level.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Clean 1 1 1 0, damaged 1 0 0 1: 2/3.
    """
    before, after = _pair(clean, damaged)
    return Ratios(before * (1 - after), before)


def corrective(clean: Numbers, damaged: Numbers) -> Figure:
    """P(right on the damaged picture | wrong on the clean one), in [0, 1]; None if none is wrong.

    sum_i (1 - clean_i) damaged_i / sum_i (1 - clean_i): lucky guesses, and detail that misled.
    Source: the split of flips of Bench-C (arXiv 2511.19032). ``n`` is the items that were wrong on
    the clean picture.

    Args:
        clean: ``correct`` of each item at level 0.
        damaged: Of the same items at another level.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Clean 1 1 1 0, damaged 1 0 0 1: 1/1.
    """
    before, after = _pair(clean, damaged)
    return Ratios((1 - before) * after, 1 - before)


def consistency(clean: Sequence[str], damaged: Sequence[str]) -> Figure:
    """P(same answer on the damaged picture as on the clean one, right or wrong), in [0, 1].

    (1/n) sum_i [clean_i = damaged_i and it is not empty]: where no answer was found there is none
    to keep. None for no items. Source: answer consistency under perturbation, the complement of
    the flip probability of Hendrycks and Dietterich, ICLR 2019, section 4.

    Args:
        clean: ``chosen`` of each item at level 0.
        damaged: Of the same items at another level.

    Raises:
        ValueError: Different lengths.

    Example:
        A, B, none and A, C, none: 1/3.
    """
    same_length(clean=clean, damaged=damaged)
    pairs = zip(clean, damaged, strict=True)
    return mean(np.array([float(a == b != "") for a, b in pairs]))
