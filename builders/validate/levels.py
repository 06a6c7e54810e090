"""Checks of a benchmark across its levels: the same items, asked the same, damaged alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from builders.export.base import Problem
from builders.table import Example, level_split
from builders.validate.across import key
from degrade import ops
from degrade.params import Draw, SeedMark

_NEAR = 1e-9


class _First(NamedTuple):
    """What the first row of an item said: short names of texts, and the first damage."""

    id: str
    asked: bytes
    clean: bytes


@dataclass
class Levels:
    """Remembers the items of a benchmark: some hundred bytes each.

    Args:
        levels: Split -> nominal level, 0 for the undamaged one.
        complete: Every item is at every level; else each is undamaged and at one more.
    """

    levels: Mapping[str, float]
    complete: bool
    _first: dict[str, _First] = field(default_factory=dict)
    _damage: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _seen: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Levels:
        """As a recipe in ``dataset.json`` has them; those that are no numbers are left out."""
        given = recipe.get("levels")
        levels = [v for v in given if isinstance(v, float)] if isinstance(given, list) else []
        splits = {level_split(level): level for level in levels}
        return cls(splits, recipe.get("protocol") != "source")

    def add(self, where: str, row: Example) -> Iterator[Problem]:
        """Take a row in; gives what is wrong with it and beside the item's rows before it."""
        level = self.levels.get(row.split)
        self._seen.setdefault(row.split, set()).add(row.item)
        if level is None or row.level is None or abs(row.level - level) > _NEAR:
            yield Problem("level_split", where, f"level {row.level} in {row.split!r}")
            return
        if row.id != (wanted := f"{row.item}@{level:.2f}"):
            yield Problem("level_split", where, f"id {row.id!r}, not {wanted!r}")
        if not level and (row.applied or row.image_sha256 != row.clean_sha256):
            yield Problem("level_clean", where, "the undamaged level has another picture")
        for applied in row.applied:
            if abs(applied.intensity - level) > _NEAR:
                detail = f"{applied.label}({applied.intensity:g}) at level {level:g}"
                yield Problem("level_intensity", where, detail)
        yield from self._beside(where, row, level)

    def _beside(self, where: str, row: Example, level: float) -> Iterator[Problem]:
        texts = (row.question, *row.choices, row.answer, row.answer_as, *row.references, row.task)
        here = _First(row.id, key(*texts), key(row.clean_sha256, row.group))
        first = self._first.setdefault(row.item, here)
        if here.asked != first.asked:
            yield Problem("level_question", where, f"not as in {first.id!r}")
        if here.clean != first.clean:
            yield Problem("level_picture", where, f"not as in {first.id!r}")
        if not level:
            return
        drawn = key(*_drawn(row))
        told, known = self._damage.setdefault(row.item, (row.id, drawn))
        if known != drawn:
            yield Problem("level_draws", where, f"not as in {told!r}")

    def missing(self) -> Iterator[Problem]:
        """Items that are not at every level where they belong, once all rows are in."""
        everything = dict.fromkeys(item for seen in self._seen.values() for item in seen)
        damaged = [split for split, level in self.levels.items() if level]
        for item in everything:
            there = {split for split in self.levels if item in self._seen.get(split, ())}
            if self.complete or not there.intersection(damaged):
                lost = [split for split in self.levels if split not in there]
            else:
                lost = [split for split in self.levels if split not in {*there, *damaged}]
            if lost:
                yield Problem("level_items", ", ".join(lost), f"{item!r} is not there")


def _drawn(row: Example) -> Iterator[str]:
    """What the levels of an item must share: operators in order, seeds, and what was drawn."""
    for applied in row.applied:
        yield f"{applied.operator} {applied.version} {applied.short_side}"
        yield from (f"{seed.name} {seed.value}" for seed in applied.seeds)
        known = ops.get(applied.operator).arguments if ops.exists(applied.operator) else ()
        drawn = {a.name for a in known if isinstance(a.declaration, Draw | SeedMark)}
        yield from (f"{p.name} {p.value:g}" for p in applied.params if p.name in drawn)
    yield from row.source_tags
