"""The pool of a benchmark: all items of its sources, in their order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from builders.benchmark.recipe import BenchmarkRecipe
from builders.pool import Collected, Place, Pool, why_few
from builders.sources import Item, SourceSpec
from builders.sources.files import located
from degrade.errors import UserError
from degrade.schema import Question

NO_ANSWER = "no_answer"
_DECISIVE = ("sources", "near_duplicates", "pictures", "unanswered", "protocol")
_NAMED = 3  # rows that an error names


class BenchmarkPool(Pool[BenchmarkRecipe]):
    """The pool of a benchmark. Questions and answers are kept as they are, also asked twice.

    Args:
        folder: To write.
        recipe: Its sources.
        base: Folder that the recipe's paths are relative to.
        workers: Host threads; None: all cores.
    """

    keeps_repeats: ClassVar[bool] = True

    def __init__(
        self, folder: Path, recipe: BenchmarkRecipe, base: Path, workers: int | None = None
    ) -> None:
        data = json.loads(recipe.model_dump_json())
        kept = {key: data[key] for key in _DECISIVE}
        if recipe.protocol == "source":  # rows must be of one of them
            kept["levels"] = data["levels"]
        super().__init__(folder, recipe, base, kept, workers)

    @property
    def _wanted(self) -> None:
        return None

    def _limits_of(self, spec: SourceSpec, found: Collected) -> tuple[int | None, int | None]:
        path = getattr(spec, "path", None)
        if self.recipe.obtain and isinstance(path, Path) and not located(self.base, path).exists():
            raise UserError(f"There is no {path}. {self.recipe.obtain}.")
        return super()._limits_of(spec, found)

    def _answered(self, question: Question) -> Question:
        return question.settled()

    def _unusable(self, item: Item, question: Question) -> tuple[str, str] | None:
        known = question.answer or item.references
        if not known and not (question.caption and not question.question):
            return NO_ANSWER, "there is nothing to compare an answer with"
        if self.recipe.protocol != "source":
            return None
        if item.degraded is None or item.level is None:
            return "not_degraded", "the source has no degraded picture of it"
        if round(item.level, 2) not in self.recipe.levels:
            levels = ", ".join(f"{level:g}" for level in self.recipe.levels[1:])
            return "other_level", f"its level is {item.level:g}, the recipe has {levels}"
        return None

    def _places(self, found: Collected) -> list[Place]:
        unanswered = [f.id for f in found.failures if f.reason == NO_ANSWER]
        if unanswered and self.recipe.unanswered == "refuse":
            shown = ", ".join(unanswered[:_NAMED]) + (", ..." if unanswered[_NAMED:] else "")
            raise UserError(
                f"{len(unanswered)} of {len(found) + len(found.failures)} items have no answer: "
                f"{shown}. A split whose answers are kept secret cannot be scored: take another "
                "one, check which column the recipe maps to 'answer', or build without them: "
                "'unanswered: quarantine'."
            )
        if not len(found):
            raise UserError(f"The sources hold no usable item.{why_few(found)}")
        return [Place(number, group) for number, group in enumerate(self._groups(found))]
