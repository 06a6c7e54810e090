"""The pool of a data set: rows parted into splits, so that no picture is on both sides."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import ClassVar

from builders.pool import Collected, Place, Pool, why_few
from builders.recipe import DatasetRecipe
from builders.sources import Item, SourceSpec
from builders.table import part_name
from degrade.errors import UserError
from degrade.rng import unit
from degrade.schema import Failure, Question

_SPARE = 1.02  # what `fill` asks for beyond the need, should some be near-duplicates or unusable
_DECISIVE = ("seed", "sources", "near_duplicates", "answers", "splits", "pictures")


class SplitPool(Pool[DatasetRecipe]):
    """The pool of a data set.

    Args:
        folder: To write.
        recipe: Sources and splits.
        base: Folder that the recipe's paths are relative to.
        workers: Host threads; None: all cores.
    """

    keeps_repeats: ClassVar[bool] = False

    def __init__(
        self, folder: Path, recipe: DatasetRecipe, base: Path, workers: int | None = None
    ) -> None:
        data = json.loads(recipe.model_dump_json())
        kept = {key: data[key] for key in _DECISIVE}
        for plan in kept["splits"].values():  # how splits are degraded is not decided here
            for key in ("degrade", "operators", "intensities"):
                plan.pop(key)
        super().__init__(folder, recipe, base, kept, workers)

    @property
    def _wanted(self) -> int:
        return self.recipe.rows

    def _limits_of(self, spec: SourceSpec, found: Collected) -> tuple[int | None, int | None]:
        if spec.rows != "fill":
            return super()._limits_of(spec, found)
        missing = max(0, self._wanted - self._usable(found))
        return (int(missing * _SPARE) + 1 if missing else 0), missing

    def _usable(self, found: Collected) -> int:
        """Rows that will find a place: of one picture no more than the largest part holds."""
        largest = max(self.recipe.parts.values())
        return sum(min(n, largest) for n in Counter(found.pictures).values())

    def _answered(self, question: Question) -> Question:
        return question.answered(self.recipe.answers)

    def _unusable(self, item: Item, question: Question) -> tuple[str, str] | None:
        """Why a question cannot be trained on, as reason and detail."""
        choices = question.choices
        if len(set(choices)) < len(choices):
            return "repeated_choice", f"two of {list(choices)} are the same"
        if choices and not question.answer:
            return "no_answer", "there are choices and no answer"
        if question.question and not question.answer:
            return "no_answer", "there is a question and no answer"
        return None

    def _places(self, found: Collected) -> list[Place]:
        """Places in the parts of the splits.

        Groups of rows, in an order drawn from their pictures, fill the parts one after another; a
        group goes whole into the first part that has room for it. One that fits nowhere whole goes
        to the part with most room, as far as there is room.
        """
        recipe = self.recipe
        members: dict[str, list[int]] = {}
        for number, group in enumerate(self._groups(found)):
            members.setdefault(group, []).append(number)
        room = recipe.parts
        placed: dict[tuple[str, str], list[tuple[int, str]]] = {part: [] for part in room}
        for group in sorted(members, key=lambda g: (unit(recipe.seed, "split", g), g)):
            rows = members[group]
            fitting = [part for part, left in room.items() if left >= len(rows)]
            part = fitting[0] if fitting else max(room, key=lambda p: room[p])
            kept = rows[: room[part]]
            if not fitting:
                self._cut(found, rows[len(kept) :])
            room[part] -= len(kept)
            placed[part] += [(number, group) for number in kept]
            if not any(room.values()):
                break
        if short := {part: left for part, left in room.items() if left}:
            raise UserError(self._too_few(found, len(members), short))
        return [Place(n, group, *part) for part, rows in placed.items() for n, group in rows]

    def _cut(self, found: Collected, numbers: list[int]) -> None:
        """Say of rows that no part had room for them beside the others of their picture."""
        for number in numbers:
            row = self._spooled(found, number)
            detail = "its picture has more rows than any part of a split has room for"
            failure = Failure(
                id=row.id, source_path=row.source_name, reason="group_too_large", detail=detail
            )
            found.failures.append(failure)

    def _too_few(self, found: Collected, groups: int, short: dict[tuple[str, str], int]) -> str:
        parts = ", ".join(f"{part_name(*part)} ({left})" for part, left in short.items())
        fill = "let drawn scenes make them up: {kind: scenes, name: scenes, rows: fill}"
        filled = any(spec.rows == "fill" for spec in self.recipe.sources)
        return (
            f"The sources hold {len(found)} usable rows of {groups} different pictures, the "
            f"recipe's splits want {self.recipe.rows}; missing in {parts}.{why_few(found)} Ask for "
            f"fewer rows, add a source{'' if filled else ', or ' + fill}."
        )
