"""All figures of one model's answers, or of two models compared, as one nested table.

Columns are named as in the lines of ``judged.jsonl``; the functions here only choose rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trainer.metrics import cost, levels
from trainer.metrics.columns import Indices, masks, same_length, wide
from trainer.metrics.figure import Figure
from trainer.metrics.intervals import Bootstrap, mcnemar
from trainer.metrics.perception import R1_REWARDS, by_type, match, perceived, robust_r1_reward

Columns = Mapping[str, Sequence[Any]]

CLEAN = "clean"
COLUMNS = (
    "item",
    "group",
    "level",
    "operator",
    "stage",
    "intensity_sum",
    "choices",
    "correct",
    "chosen",
    "rule",
    "well_formed",
    "truth",
    "named",
    "tokens",
    "reasoning_tokens",
    "cut",
)
"""Of the answers of one model under one control, one row for each item and level."""

TEXT = "text"
"""A column that may be missing: the answers as they stand, for the rewards of Robust-R1."""


def scores(columns: Columns, bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Every figure that one model's answers have, by level, operator and stage.

    Args:
        columns: ``COLUMNS``, in any order of rows, and ``TEXT`` where it is known.
        bootstrap: How intervals are made.

    Returns:
        ``accuracy``; ``robustness`` where there is a level 0 and another, over the items that have
        all levels, and by what was done to an item at all of them; ``perception`` where a chain
        was asked for; ``cost``. Leaves are :class:`trainer.metrics.intervals.Estimate`.
        ``incomplete`` names the items that lack a level.

    Raises:
        ValueError: Columns missing or of different length, an item twice at a level, a value
            outside its range.
    """
    table = _Table(columns)
    how = bootstrap or Bootstrap()
    group = np.unique(np.asarray(table["group"]), return_inverse=True)[1]
    tree = _flat(_figures(table))
    found = how.estimates((leaf.figure, group[leaf.rows]) for leaf in tree.values())
    return {
        **_nested(dict(zip(tree, found, strict=True))),
        "incomplete": list(_levels_of(table).incomplete),
    }


def comparison(
    first: Columns, second: Columns, bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """The second model less the first on the same items: the table of :func:`scores`, paired.

    Args:
        first: Columns of one model.
        second: Of the other.
        bootstrap: How intervals are made.

    Returns:
        Estimates of the differences of all figures that both have, and ``mcnemar``: ``all`` and
        ``level``, where answers are right or wrong.

    Raises:
        ValueError: Different items, levels or groups, and as :func:`scores`.
    """
    tables = [_Table(first), _Table(second)]
    if odd := sorted(map(str, set(tables[0].keys) ^ set(tables[1].keys))):
        raise ValueError(f"{len(odd)} answers are of one model alone, such as {odd[0]}")
    a, b = (
        table.rows(np.array(sorted(range(table.count), key=[*map(str, table.keys)].__getitem__)))
        for table in tables
    )
    if list(a["group"]) != list(b["group"]):
        raise ValueError("the two have different groups for the same items")
    how = bootstrap or Bootstrap()
    group = np.unique(np.asarray(a["group"]), return_inverse=True)[1]
    before, after = _flat(_figures(a)), _flat(_figures(b))
    shared = [path for path in before if path in after]
    pairs = [(before[path], after[path]) for path in shared]
    gaps = how.comparisons((x.figure, group[x.rows], y.figure, group[y.rows]) for x, y in pairs)
    found = _nested(dict(zip(shared, gaps, strict=True)))
    right = [np.asarray(t["correct"], float) for t in (a, b)]
    if np.isin(right, (0.0, 1.0)).all():
        cells = masks(a["level"])
        found["mcnemar"] = {
            "all": mcnemar(right[0], right[1], group),
            "level": {
                label(level): mcnemar(right[0][m], right[1][m], group[m])
                for level, m in cells.items()
            },
        }
    return found


def label(key: Any) -> str:
    """A cell's key in the table: ``0.50`` for a level, ``none`` where there is none."""
    if isinstance(key, float | int):
        return f"{key:.2f}" if round(key, 2) == key else f"{key}"
    return "none" if key is None else str(key)


class _Leaf(NamedTuple):
    """A figure and which row of the table each of its rows takes its group from."""

    figure: Figure
    rows: Indices


class _Table:
    """Columns by name, and parts of them."""

    def __init__(self, columns: Columns) -> None:
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise ValueError(f"columns missing: {', '.join(missing)}")
        self.columns = {name: columns[name] for name in (*COLUMNS, TEXT) if name in columns}
        self.count = same_length(**self.columns)
        self.keys = list(zip(self.columns["item"], self.columns["level"], strict=True))
        counts = Counter(self.keys)
        if twice := sorted((str(key) for key, count in counts.items() if count > 1)):
            raise ValueError(f"more than one answer of {twice[0]}: give one for an item and level")

    def __getitem__(self, name: str) -> Sequence[Any]:
        return self.columns[name]

    def take(self, name: str, rows: Indices) -> list[Any]:
        column = self.columns[name]
        return [column[i] for i in rows.tolist()]

    def rows(self, rows: Indices) -> _Table:
        return _Table({name: self.take(name, rows) for name in self.columns})

    def where(self, name: str, test: Callable[[Any], bool]) -> Indices:
        return np.flatnonzero([test(value) for value in self.columns[name]])

    def cells(self, by: str, rows: Indices) -> dict[str, Indices]:
        """Rows of every value of a column, among some rows."""
        return {label(key): rows[found] for key, found in masks(self.take(by, rows)).items()}


def _leaves(figures: Mapping[Any, Figure], rows: Indices) -> dict[str, _Leaf]:
    return {label(key): _Leaf(figure, rows) for key, figure in figures.items()}


def _flat(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], _Leaf]:
    found: dict[tuple[str, ...], _Leaf] = {}
    for key, part in tree.items():
        at = (*path, key)
        found |= {at: part} if isinstance(part, _Leaf) else _flat(part, at)
    return found


def _nested(flat: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in flat.items():
        place = found
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return found


# ----------------------------------------------------------------------------------- the table


def _figures(table: _Table) -> dict[str, Any]:
    """Nested leaves."""
    found: dict[str, Any] = {"accuracy": _accuracy(table)}
    if 0.0 in table["level"] and len(_levels_of(table).levels) > 1:
        found["robustness"] = _robustness(table)
    if any(value is not None for value in table["well_formed"]):
        found["perception"] = _perception(table)
    return {**found, "cost": _cost(table)}


def _accuracy(table: _Table) -> dict[str, Any]:
    every = np.arange(table.count)
    damaged = table.where("operator", lambda name: name != CLEAN)

    def micro(rows: Indices) -> _Leaf:
        return _Leaf(levels.accuracy(table.take("correct", rows)), rows)

    def macro(by: str) -> _Leaf:
        correct, cells = table.take("correct", damaged), table.take(by, damaged)
        return _Leaf(levels.macro_accuracy(correct, cells), damaged)

    def split(by: str, rows: Indices) -> dict[str, _Leaf]:
        return {key: micro(part) for key, part in table.cells(by, rows).items()}

    by_level = table.cells("level", damaged)
    return {
        "all": micro(every),
        "damaged": {
            "micro": micro(damaged),
            "macro_operator": macro("operator"),
            "macro_stage": macro("stage"),
        },
        "level": split("level", every),
        "operator": split("operator", every),
        "stage": split("stage", every),
        "level_operator": {key: split("operator", rows) for key, rows in by_level.items()},
        "level_stage": {key: split("stage", rows) for key, rows in by_level.items()},
    }


class _Lines(NamedTuple):
    levels: tuple[float, ...]
    rows: Indices
    incomplete: tuple[str, ...]


def _levels_of(table: _Table) -> _Lines:
    """Rows of the items that have all levels, (items, levels)."""
    known = table.where("level", lambda level: level is not None)
    found = wide(table.take("item", known), table.take("level", known))
    return _Lines(found.levels, known[found.rows], found.incomplete)


def _robustness(table: _Table) -> dict[str, Any]:
    steps, rows, _ = _levels_of(table)

    def kept(lines: Indices) -> dict[str, Any]:
        """Levels against level 0, over the items of these lines."""
        clean = lines[:, 0]
        before, was = table.take("correct", clean), table.take("chosen", clean)
        choices = table.take("choices", clean)
        parts: dict[str, Any] = {}
        for level, column in zip(steps[1:], lines.T[1:], strict=True):
            after = table.take("correct", column)
            corrected = levels.chance_corrected_retention(before, after, choices)
            figures = {
                "drop": levels.drop(before, after),
                "retention": levels.retention(before, after),
                "chance_corrected_retention": corrected,
                "destructive": levels.destructive(before, after),
                "corrective": levels.corrective(before, after),
                "consistency": levels.consistency(was, table.take("chosen", column)),
            }
            parts[label(level)] = _leaves(figures, clean)
        correct = np.array(table.take("correct", lines.ravel()), float).reshape(lines.shape)
        return {"auc": _Leaf(levels.robustness_auc(correct, steps), clean), "level": parts}

    def split(by: str) -> dict[str, Any]:
        """Items to which the same was done at all levels, by what it was."""
        done = [table.take(by, line) for line in rows[:, 1:]]
        same = np.array([len(set(names)) == 1 for names in done], bool)
        return {
            label(name): kept(rows[found & same])
            for name, found in masks([names[0] for names in done]).items()
            if (found & same).any()
        }

    return {**kept(rows), "operator": split("operator"), "stage": split("stage")}


def _perception(table: _Table) -> dict[str, Any]:
    every = table.where("well_formed", lambda value: value is not None)
    matches = dict(
        zip(
            every.tolist(),
            match(table.take("truth", every), table.take("named", every)),
            strict=True,
        )
    )
    single = by_type(list(matches.values()))
    applied = {name for name, part in single.items() if part["recall"].n}

    def figures(rows: Indices) -> dict[str, _Leaf]:
        found = perceived([matches[row] for row in rows.tolist()], applied)
        if TEXT in table.columns:
            texts, truth = table.take(TEXT, rows), table.take("truth", rows)
            found |= {name: robust_r1_reward(texts, truth, name) for name in R1_REWARDS}
        return _leaves(found, rows)

    return {
        "all": figures(every),
        "level": {key: figures(rows) for key, rows in table.cells("level", every).items()},
        "type": {name: _leaves(part, every) for name, part in single.items()},
    }


def _cost(table: _Table) -> dict[str, Any]:
    every = np.arange(table.count)

    def figures(rows: Indices) -> dict[str, Any]:
        tokens, reasoning = table.take("tokens", rows), table.take("reasoning_tokens", rows)
        damage, correct = table.take("intensity_sum", rows), table.take("correct", rows)
        found = {
            "tokens": cost.mean_tokens(tokens),
            "tokens_p95": cost.tokens_quantile(tokens),
            "tokens_damage_spearman": cost.spearman(tokens, damage),
            "reasoning_tokens": cost.mean_tokens(reasoning),
            "reasoning_damage_spearman": cost.spearman(reasoning, damage),
            "accuracy_per_1k_tokens": cost.accuracy_per_1k_tokens(correct, tokens),
            "validity": cost.validity(table.take("well_formed", rows)),
            "truncation": cost.truncation(table.take("cut", rows)),
        }
        rules = cost.shares(table.take("rule", rows))
        return {**_leaves(found, rows), "rule": _leaves(rules, rows)}

    return {
        "all": figures(every),
        "level": {key: figures(rows) for key, rows in table.cells("level", every).items()},
    }
