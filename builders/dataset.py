"""The build of a data set: collect, degrade, annotate, assemble. Each stage resumes by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from builders.assembly import ChainAssembly, chains_of, runs_of
from builders.parting import SplitPool
from builders.pool import PoolRow
from builders.recipe import DatasetRecipe
from builders.staged import ANY, Bar, Machine, Result, Staged, stages_of, timed
from degrade.runs import Progress, write_atomic
from degrade.storage import Place

__all__ = ["Bar", "Build", "ChainsStage", "Machine", "Result"]

QUESTIONS = "questions.jsonl"


class ChainsStage(Protocol):
    """``annotate.cli.Chains``, handed in: builders know chains only as rows on disk."""

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse options that cannot work, before anything else is done.

        Raises:
            UserError: An unknown key, or a value that is not allowed.
        """

    def write(
        self,
        run: Path,
        dest: Path,
        *,
        options: Mapping[str, Any],
        questions: Path | None,
        workers: int | None,
        overwrite: bool,
        progress: Progress | None,
    ) -> dict[str, Any] | None:
        """Write the chains of a run; the summary, or None where a batch is not back yet."""


class Build(Staged[DatasetRecipe, dict[str, Any]]):
    """A planned build of a data set; its stages hand on the summaries of the chains.

    Args:
        recipe: What to build.
        base: Folder that the recipe's paths are relative to.
        out: Folder of the data set.
        chains: The annotating stage.
        card: Writes the card of a finished data set.
        machine: Device and workers.

    Raises:
        UserError: A degradation recipe that does not exist or does not fit.
    """

    def __init__(
        self,
        recipe: DatasetRecipe,
        base: Path,
        out: Place,
        chains: ChainsStage,
        card: Callable[[Path], object],
        machine: Machine = ANY,
    ) -> None:
        chains.check(recipe.chains)
        degradations = {name: recipe.degradation(name, base) for name in recipe.splits}
        super().__init__(recipe, base, out, degradations, card, machine)
        self._chains = chains
        self.pool: SplitPool = SplitPool(stages_of(out) / "pool", recipe, base, machine.workers)
        self._assembly = ChainAssembly(recipe, self.pool, self.folder, self.stages)

    def _prepared(self, bar: Bar, overwrite: bool, result: Result) -> dict[str, Any] | None:
        """All stages but the last; the summaries of the chains, None where a batch is out."""
        self._collect(bar, overwrite, result)
        chains: dict[str, Any] = {}
        for split in self.recipe.splits:
            with timed(result, "degrade"), bar(f"degrading {split}") as progress:
                rows, recipe = self.pool.rows(split), self.degradations[split]
                self._degrade(split, rows, recipe, overwrite, progress)
        for split in self.recipe.splits:
            with timed(result, "annotate"), bar(f"annotating {split}") as progress:
                summary = self._annotate(split, overwrite, progress)
            if summary is None:
                return None
            chains[split] = summary["counts"]
        return chains

    def _assemble(self, prepared: dict[str, Any], progress: Progress) -> None:
        self._assembly.write({"chains": prepared}, progress)

    def _annotate(self, split: str, overwrite: bool, progress: Progress) -> dict[str, Any] | None:
        run, dest = runs_of(self.stages, split), chains_of(self.stages, split)
        asked = self.stages / f"{split}-{QUESTIONS}"
        write_atomic(asked, b"".join(_question_line(row) for row in self.pool.rows(split)))
        return self._chains.write(
            run,
            dest,
            options=self.recipe.chains,
            questions=asked,
            workers=self.machine.workers,
            overwrite=overwrite,
            progress=progress,
        )


def _question_line(row: PoolRow) -> bytes:
    value = {"id": row.id, **row.question.model_dump(mode="json")}
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()
