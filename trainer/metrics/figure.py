"""A metric that knows how it is resampled.

Metrics of this package are functions from columns to a :class:`Figure`: its ``value``, the number
``n`` of answers in it, and what it would be if the clusters of the bootstrap weighed otherwise.
:class:`trainer.metrics.intervals.Bootstrap` makes the interval from that.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trainer.metrics.columns import Array, Indices, Mask

Formula = Callable[[Array], Array]
"""From the values of a figure's cells (..., cells) to the figure (...); NaN where undefined."""

_BLOCKS = 200
_ENTRIES = 2**17  # numbers in one block of work: 1 MiB, as caches hold


class Replicates(NamedTuple):
    """A figure over clusters.

    Attributes:
        totals: (clusters, sums) what each cluster adds to the sums that the figure is made of.
        made: From weights of the clusters (resamples, clusters) and the sums under these weights
            (resamples, sums) to values (resamples,); NaN: undefined.
        left_out: Values with each cluster left out once. Where that is expensive each of 200
            blocks of clusters is left out instead.
    """

    totals: Array
    made: Callable[[Array, Array], Array]
    left_out: Callable[[], Array]

    def drawn(self, weights: Array) -> Array:
        """Values (resamples,) for weights of the clusters (resamples, clusters)."""
        return self.made(weights, weights @ self.totals)


class Figure(ABC):
    """The value of a metric.

    Attributes:
        used: (rows,) which rows are in it.
        n: How many these are.
    """

    def __init__(self, used: Mask) -> None:
        self.used = used

    @property
    def n(self) -> int:
        """Number of rows that are in it."""
        return int(self.used.sum())

    @property
    def value(self) -> float | None:
        """None where it is undefined: no rows, a denominator of 0, a constant column."""
        with np.errstate(all="ignore"):
            found = self._value()
        return found if math.isfinite(found) else None

    @abstractmethod
    def _value(self) -> float: ...

    @abstractmethod
    def replicates(self, code: Indices, count: int) -> Replicates:
        """Prepare for resampling.

        Args:
            code: (n,) cluster of each used row, 0 to count - 1.
            count: Clusters.
        """

    def extremes(self, share: float) -> tuple[float, float] | None:
        """The least and greatest it could be if this share of every cell were other than it is.

        None where there is no limit.
        """
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(value={self.value}, n={self.n})"


def first(cells: Array) -> Array:
    """The formula of a figure that is its only cell."""
    return cells[..., 0]


def mean_of_defined(cells: Array) -> Array:
    """Mean over the last axis without what is undefined; NaN where all is."""
    there = np.isfinite(cells)
    total: Array = np.where(there, cells, 0.0).sum(axis=-1) / there.sum(axis=-1)
    return total


class Ratios(Figure):
    """formula(c_1, ..., c_k) of cells c_j = sum_i tops[i, j] / sum_i bottoms[i, j].

    The value does not depend on the order of the rows, to the bit.

    Args:
        tops: (rows, cells), or (rows,) for one cell.
        bottoms: Same shape, not negative. 1 and 0 for a mean over a part of the rows.
        formula: 1 cell stands for itself by default.
        bounds: Least and greatest value of a cell.
    """

    def __init__(
        self,
        tops: Any,
        bottoms: Any,
        formula: Formula = first,
        bounds: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.tops: Array = np.asarray(tops, float)
        self.bottoms: Array = np.asarray(bottoms, float)
        if self.tops.ndim == 1:
            self.tops, self.bottoms = self.tops[:, None], self.bottoms[:, None]
        self.formula = formula
        self.bounds = bounds
        super().__init__(np.any(self.bottoms > 0, axis=1))

    def cells(self) -> Array:
        """Values of the cells; NaN for an empty one."""
        with np.errstate(all="ignore"):
            return _exact_sums(self.tops) / _exact_sums(self.bottoms)

    def _value(self) -> float:
        return float(self.formula(self.cells()))

    def replicates(self, code: Indices, count: int) -> Replicates:  # noqa: D102
        rows = np.concatenate([self.tops, self.bottoms], axis=1)[self.used]
        if not np.array_equal(rows, np.rint(rows)):
            # Sums of fractions depend on the order of the rows in the last digit.
            order = np.lexsort((*rows.T, code))
            rows, code = rows[order], code[order]
        totals = np.stack([np.bincount(code, column, count) for column in rows.T], axis=1)
        k = self.tops.shape[1]

        def formula(sums: Array) -> Array:
            with np.errstate(all="ignore"):
                return self.formula(sums[..., :k] / sums[..., k:])

        def left_out() -> Array:
            whole = totals.sum(axis=0)
            rest = whole - totals
            # What rounding leaves of a denominator is none.
            rest[:, k:] = np.where(rest[:, k:] > 1e-12 * whole[k:], rest[:, k:], 0.0)
            return formula(rest)

        return Replicates(totals.astype(float), lambda _, sums: formula(sums), left_out)

    def extremes(self, share: float) -> tuple[float, float] | None:
        """All formulas here rise or fall in each cell alone, so that each has its worse end."""
        cells, (low, high) = self.cells(), self.bounds
        if not (math.isfinite(low) and math.isfinite(high)):
            return None
        down, up = cells - share * (cells - low), cells + share * (high - cells)
        alone = np.eye(len(cells), dtype=bool)
        with np.errstate(all="ignore"):
            rises = self.formula(np.where(alone, up, cells)) >= self.formula(
                np.where(alone, down, cells)
            )
            ends = self.formula(np.stack([np.where(rises, down, up), np.where(rises, up, down)]))
        return (float(ends[0]), float(ends[1])) if np.isfinite(ends).all() else None


def mean(values: Array, used: Any = None, bounds: tuple[float, float] = (0.0, 1.0)) -> Ratios:
    """Mean of the values over the rows that are used, all by default."""
    weights = np.ones(len(values)) if used is None else np.asarray(used, float)
    return Ratios(values * weights, weights, bounds=bounds)


def _exact_sums(columns: Array) -> Array:
    return np.array([math.fsum(column[column != 0].tolist()) for column in columns.T])


class OfRows(Figure):
    """A figure that is no function of sums: it is made anew from the rows under each weighting.

    Args:
        first: (rows,) column by which the used rows are sorted.
        used: Which rows.
    """

    def __init__(self, first: Array, used: Mask) -> None:
        super().__init__(used)
        self.order = np.argsort(first[used], kind="stable")

    @abstractmethod
    def _weighted(self, weights: Array) -> Array:
        """Values (resamples,) for weights of the used rows in their order (resamples, n)."""

    def _value(self) -> float:
        return float(self._weighted(np.ones((1, self.n)))[0]) if self.n else math.nan

    def replicates(self, code: Indices, count: int) -> Replicates:  # noqa: D102
        code = code[self.order]
        step = max(1, _ENTRIES // max(1, self.n))

        def made(weights: Array, _: Array) -> Array:
            parts = []
            for start in range(0, len(weights), step):
                with np.errstate(all="ignore"):
                    rows = np.take(weights[start : start + step], code, axis=1)
                    parts.append(self._weighted(rows))
            return np.concatenate(parts)

        def left_out() -> Array:
            blocks = min(count, _BLOCKS)
            weights = np.arange(count) % blocks != np.arange(blocks)[:, None]
            return made(weights.astype(float), none)

        none = np.zeros((count, 0))
        return Replicates(none, made, left_out)


class Spearman(OfRows):
    """Rank correlation of two columns; ties share their mean rank."""

    def __init__(self, first: Array, second: Array, used: Mask) -> None:
        super().__init__(first, used)
        a, b = first[used][self.order], second[used][self.order]
        self.starts = np.unique(a, return_index=True)[1]
        self.other = np.argsort(b, kind="stable")
        _, self.other_starts, inverse = np.unique(
            b[self.other], return_index=True, return_inverse=True
        )
        self.value_of = np.empty(len(b), np.intp)  # which value of the second each row has
        self.value_of[self.other] = inverse

    def _weighted(self, weights: Array) -> Array:
        counts, ranks = _ranks(weights, self.starts)
        others, other_ranks = _ranks(np.take(weights, self.other, axis=1), self.other_starts)
        product = np.take(other_ranks, self.value_of, axis=1)
        product *= weights
        together = np.einsum("ri,ri->r", np.add.reduceat(product, self.starts, axis=1), ranks)
        spread = np.sqrt(np.einsum("ri,ri,ri->r", counts, ranks, ranks))
        spread *= np.sqrt(np.einsum("ri,ri,ri->r", others, other_ranks, other_ranks))
        return np.where(spread > 0, np.clip(together / spread, -1.0, 1.0), np.nan)


def _ranks(weights: Array, starts: Indices) -> tuple[Array, Array]:
    """How much the rows of each value weigh, and their mean rank from the mean of all ranks.

    Ranks are those in a sample in which each row stands as often as it weighs.

    Args:
        weights: (resamples, n) of rows sorted by value.
        starts: Where each value begins.
    """
    few = 4 * len(starts) < weights.shape[1]
    if few:
        counts = np.add.reduceat(weights, starts, axis=1)
        reached = np.cumsum(counts, axis=1)
    else:  # many short sums are slower than one running sum
        ends = np.append(starts[1:], weights.shape[1]) - 1
        reached = np.take(np.cumsum(weights, axis=1), ends, axis=1)
        counts = np.diff(reached, axis=1, prepend=0.0)
    return counts, reached - (counts + reached[:, -1:]) / 2


class Quantile(OfRows):
    """The least value that a share of the rows does not exceed."""

    def __init__(self, values: Array, share: float, used: Mask) -> None:
        super().__init__(values, used)
        self.values, self.share = values[used][self.order], share

    def _weighted(self, weights: Array) -> Array:
        reached = np.cumsum(weights, axis=1)
        enough = reached >= self.share * reached[:, -1:] - 1e-9
        found = self.values[enough.argmax(axis=1)]
        return np.where(reached[:, -1] > 0, found, np.nan)
