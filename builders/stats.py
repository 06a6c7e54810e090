"""The statistics of a data set: what ``dataset.json`` counts and the card shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from builders.table import OK, Example
from degrade.plots import BINS, bin_of


class SplitCounts:
    """Counts of one split, row by row; memory is a set of groups."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter[str]] = {
            key: Counter()
            for key in (
                "uses",
                "statuses",
                "stages",
                "operators",
                "per_row",
                "answers",
                "choices",
                "sources",
                "licenses",
                "writers",
                "tasks",
                "tags",
            )
        }
        self._intensities: dict[str, list[int]] = {}
        self._groups: set[str] = set()
        self.rows = 0

    def add(self, row: Example) -> None:
        """Count one row."""
        self.rows += 1
        self._groups.add(row.group)
        counted = self._counters
        counted["statuses"][row.status] += 1
        counted["per_row"][str(len(row.applied))] += 1
        counted["sources"][row.source] += 1
        counted["licenses"][row.license] += 1
        counted["stages"].update(a.stage for a in row.applied)
        counted["operators"].update(a.operator for a in row.applied)
        if row.use:
            counted["uses"][row.use] += 1
        if row.choices:
            counted["choices"][str(len(row.choices))] += 1
            counted["answers"][str(row.answer_index)] += 1
        for a in row.applied:
            self._intensities.setdefault(a.operator, [0] * BINS)[bin_of(a.intensity)] += 1
        counted["tasks"][row.task] += 1
        counted["tags"].update(row.source_tags)
        if row.status == OK and row.writer:
            counted["writers"][row.writer] += 1

    def result(self) -> dict[str, Any]:
        """All counts, names in order."""
        return {
            "rows": self.rows,
            "ok": self._counters["statuses"][OK],
            "clean": self._counters["per_row"]["0"],
            "groups": len(self._groups),
            **{key: dict(sorted(c.items())) for key, c in self._counters.items()},
            "intensities": dict(sorted(self._intensities.items())),
        }


def count(rows: Iterable[Example], splits: Iterable[str]) -> dict[str, Any]:
    """Counts of a data set.

    Args:
        rows: All rows; read to the end.
        splits: The splits in the order to list them.

    Returns:
        ``rows``, ``ok`` (rows with an accepted chain), ``licenses`` (license -> rows) and
        ``splits``: name -> ``rows``, ``ok``, ``clean`` (undamaged rows), ``groups`` (different
        pictures); ``uses``, ``statuses``, ``stages``, ``operators``, ``per_row`` (number of
        operators -> rows), ``answers`` (0-based position -> rows), ``choices`` (their number ->
        rows), ``sources``, ``licenses``, ``writers``, ``tasks``, ``tags``: name -> number;
        ``intensities``: operator -> ten counts, see :data:`BINS`.
    """
    found = {name: SplitCounts() for name in splits}
    licenses: Counter[str] = Counter()
    for row in rows:
        found[row.split].add(row)
        licenses[row.license] += 1
    results = {name: counts.result() for name, counts in found.items()}
    return {
        "rows": sum(r["rows"] for r in results.values()),
        "ok": sum(r["ok"] for r in results.values()),
        "licenses": dict(sorted(licenses.items())),
        "splits": results,
    }
