"""What answers cost, and whether they are in order. Unknown values (None) are left out, also of n.

``tokens`` are of the answer, counted by the model's tokenizer.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from trainer.metrics.columns import Array, column, known, masks, same_length
from trainer.metrics.figure import Figure, Quantile, Ratios, Spearman, mean
from trainer.metrics.levels import Numbers

Known = Sequence[float | bool | None]


def mean_tokens(tokens: Known) -> Figure:
    """(1/n) sum_i tokens_i, in [0, inf); None where no count is known.

    Raises:
        ValueError: A number that is not finite.

    Example:
        10, unknown, 30: 20, n = 2.
    """
    values, there = known("tokens", tokens)
    return mean(values, there, bounds=(0.0, np.inf))


def tokens_quantile(tokens: Known, share: float = 0.95) -> Figure:
    """The least count that a share of the answers does not exceed; None where none is known.

    inf {t : F(t) >= share}, numpy's method ``inverted_cdf`` (Hyndman and Fan, The American
    Statistician 50, 1996, definition 1): always a count that occurred.

    Raises:
        ValueError: A share outside (0, 1], a number that is not finite.

    Example:
        1, 2 ... 20: p95 is 19.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share {share}: give one in (0, 1]")
    values, there = known("tokens", tokens)
    return Quantile(values, share, there)


def spearman(first: Known | Array, second: Known | Array) -> Figure:
    """rho = Pearson's correlation of the ranks, ties sharing their mean, in [-1, 1].

    None for fewer than two pairs, or where either column is constant. Tokens against summed
    intensity: whether a model reasons longer about worse pictures. Source: Spearman, The American
    Journal of Psychology 15, 1904; Robust-R1, figure 6, shows this relation.

    Raises:
        ValueError: Different lengths, or a number that is not finite.

    Example:
        1 2 2 3 and 1 2 3 4: 0.949.
    """
    same_length(first=first, second=second)
    a, a_there = known("first", list(first))
    b, b_there = known("second", list(second))
    return Spearman(a, b, a_there & b_there)


def accuracy_per_1k_tokens(correct: Numbers, tokens: Known) -> Figure:
    """1000 sum_i correct_i / sum_i tokens_i, in [0, inf); None where no token was made.

    Source: right answers for a budget; the ratio of sums, as a mean of ratios is ruled by the
    shortest answers.

    Raises:
        ValueError: Different lengths, or a number outside its range.

    Example:
        Three right of four with 100 tokens each: 1000 x 3 / 400 = 7.5.
    """
    same_length(correct=correct, tokens=tokens)
    values, there = known("tokens", tokens)
    column("tokens", values, 0)
    right = column("correct", correct, 0, 1)
    return Ratios(1000.0 * right * (there & (values > 0)), values, bounds=(0.0, np.inf))


def validity(well_formed: Known) -> Figure:
    """Share of answers that are a chain as asked for, in [0, 1]; None where none was asked for.

    Source: the format reward of Robust-R1, section 4, as a rate.

    Example:
        Yes, no, not asked: 0.5, n = 2.
    """
    values, there = known("well_formed", well_formed)
    return mean(values, there)


def truncation(cut: Known) -> Figure:
    """Share of answers that ran into the limit of tokens, in [0, 1]; None where it is unknown.

    Example:
        Cut, whole, unknown: 0.5, n = 2.
    """
    values, there = known("cut", cut)
    return mean(values, there)


def shares(values: Sequence[Hashable]) -> dict[Any, Figure]:
    """Share of rows with each value that occurs, in (0, 1]: of rules that found the answer, say.

    Example:
        ``refusal``, ``letter``, ``letter``: letter 2/3, refusal 1/3, n = 3 each.
    """
    return {value: mean(rows.astype(float)) for value, rows in masks(values).items()}
