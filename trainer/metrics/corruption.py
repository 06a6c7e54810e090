"""Corruption errors of Hendrycks and Dietterich (ICLR 2019, section 4).

All need a reference model, and say nothing without its name: where several models are compared it
is the model that they were trained from. Answers of both are about the same damaged pictures; those
about clean ones are left out by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainer.metrics.columns import Array, column, masks, same_length
from trainer.metrics.figure import Figure, Ratios, mean_of_defined
from trainer.metrics.levels import Numbers

_PERCENT = 100.0


class Corruption(NamedTuple):
    """Errors by operator and their mean.

    Attributes:
        by_operator: Value None where the denominator is not positive.
        mean: Over the operators where it is; the same ones in every resample, as far as defined.
        undefined: Operators that are not in the mean.
    """

    by_operator: dict[str, Figure]
    mean: Figure
    undefined: tuple[str, ...]


def corruption_error(
    correct: Numbers, reference: Numbers, operator: Sequence[str], level: Sequence[float]
) -> Corruption:
    """CE_c = 100 sum_s E_{s,c} / sum_s E^ref_{s,c}, E = 1 - accuracy; mCE = mean over c.

    In [0, inf); 100 is as good as the reference, less is better. Levels count alike. None where
    the reference makes no error. Source: Hendrycks and Dietterich, ICLR 2019, section 4.

    Args:
        correct: Of each answer about a damaged picture.
        reference: Of the reference model's answer to the same.
        operator: Of the picture.
        level: Nominal intensity.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Errors 0.2 and 0.4 at two levels where the reference has 0.3 and 0.5:
        100 (0.6 / 0.8) = 75.
    """
    return _errors({"correct": correct, "reference": reference}, operator, level)


def relative_corruption_error(
    correct: Numbers,
    reference: Numbers,
    clean: Numbers,
    clean_reference: Numbers,
    operator: Sequence[str],
    level: Sequence[float],
) -> Corruption:
    """rCE_c = 100 sum_s (E_{s,c} - E_clean) / sum_s (E^ref_{s,c} - E^ref_clean).

    E_clean is over the same items as E_{s,c}, as not every item meets every operator. Unbounded;
    100 is to lose as much as the reference, 0 nothing. None where the reference loses nothing, or
    gains: a ratio to that has no meaning, and its sign would be wrong. Source: Hendrycks and
    Dietterich, ICLR 2019, section 4.

    Args:
        correct: Of each answer about a damaged picture.
        reference: Of the reference model's answer to the same.
        clean: Of each answer about the same item's clean picture.
        clean_reference: Of the reference model's answer to that.
        operator: Of the damaged picture.
        level: Nominal intensity.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Errors 0.2 and 0.4, clean 0.1; reference 0.3 and 0.5, clean 0.2:
        100 (0.1 + 0.3) / (0.1 + 0.3) = 100.
    """
    columns = {
        "correct": correct,
        "reference": reference,
        "clean": clean,
        "clean_reference": clean_reference,
    }
    return _errors(columns, operator, level)


def mean_error(correct: Numbers, operator: Sequence[str], level: Sequence[float]) -> Figure:
    """100 (1/C) sum_c (1/S_c) sum_s E_{s,c}: the mean error without a reference, in [0, 100].

    None for no answers. Source: "unnormalized mCE" of the code to Hendrycks and Dietterich.

    Raises:
        ValueError: Different lengths, or a number outside [0, 1].

    Example:
        Blur with errors 0.2 and 0.4, noise with 0.5 and 0.7: 100 (0.3 + 0.6) / 2 = 45.
    """
    values = column("correct", correct, 0, 1)
    same_length(correct=values, operator=operator, level=level)
    cells, places = _cells(operator, level)

    def formula(means: Array) -> Array:
        errors = [mean_of_defined(1.0 - means[..., place]) for place in places.values()]
        return _PERCENT * mean_of_defined(np.stack(errors, axis=-1))

    if not places:
        return Ratios(np.zeros((0, 1)), np.zeros((0, 1)))
    return Ratios(values[:, None] * cells, cells, formula)


def _cells(operator: Sequence[str], level: Sequence[float]) -> tuple[Array, dict[str, list[int]]]:
    """(rows, cells) of 0 and 1, and the cells of each operator, one for each of its levels."""
    found = masks(operator, level)
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(found):
        places.setdefault(name, []).append(place)
    rows = len(operator)
    cells = np.stack(list(found.values()), axis=1) if found else np.zeros((rows, 0))
    return cells.astype(float), places


def _errors(
    columns: dict[str, Numbers], operator: Sequence[str], level: Sequence[float]
) -> Corruption:
    values = [column(name, given, 0, 1) for name, given in columns.items()]
    same_length(**dict(zip(columns, values, strict=True)), operator=operator, level=level)
    cells, places = _cells(operator, level)

    def figure(part: list[str]) -> Figure:
        """Mean over some operators of their ratios."""
        chosen = [place for name in part for place in places[name]]
        bottoms = np.tile(cells[:, chosen], len(values))
        tops = np.concatenate([v[:, None] * cells[:, chosen] for v in values], axis=1)
        ends = np.cumsum([len(places[name]) for name in part])[:-1]

        def formula(means: Array) -> Array:
            # (..., model or reference, then clean, cells) -> loss of accuracy of both, per cell
            split = means.reshape(*means.shape[:-1], len(values), -1)
            lost = (split[..., 2:, :] if len(values) == 4 else 1.0) - split[..., :2, :]
            ratios = []
            for run in np.split(lost, ends, axis=-1):
                own, other = run[..., 0, :].sum(axis=-1), run[..., 1, :].sum(axis=-1)
                ratios.append(np.where(other > 0, own / other, np.nan))
            return _PERCENT * mean_of_defined(np.stack(ratios, axis=-1))

        if not part:
            return Ratios(np.zeros((len(values[0]), 1)), np.zeros((len(values[0]), 1)))
        return Ratios(tops, bottoms, formula)

    by_operator = {name: figure([name]) for name in places}
    defined = [name for name, found in by_operator.items() if found.value is not None]
    undefined = tuple(name for name in by_operator if name not in defined)
    return Corruption(by_operator, figure(defined), undefined)
