"""The build of a benchmark: collect, degrade, assemble. No chains: models answer it themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builders.benchmark.assembly import LEVELS, BenchmarkAssembly
from builders.benchmark.pool import BenchmarkPool
from builders.benchmark.recipe import BenchmarkRecipe
from builders.staged import ANY, Bar, Machine, Result, Staged, stages_of, timed
from degrade.runs import Progress
from degrade.storage import Place


class BenchmarkBuild(Staged[BenchmarkRecipe, bool]):
    """A planned build of a benchmark; its stages hand on nothing but that they are done.

    Args:
        recipe: What to build.
        base: Folder that the recipe's paths are relative to.
        out: Folder of the benchmark.
        card: Writes the card of a finished benchmark.
        machine: Device and workers.

    Raises:
        UserError: A degradation recipe that does not exist, or of which no operator is left.
    """

    def __init__(
        self,
        recipe: BenchmarkRecipe,
        base: Path,
        out: Place,
        card: Callable[[Path], object],
        machine: Machine = ANY,
    ) -> None:
        self._recipe = made = recipe.degradation(base)
        # What makes a level, recorded by itself: it draws what the recipe of all levels draws.
        alone = {}
        if made:
            levels = recipe.damaged.items()
            alone = {split: made.narrowed(intensity=level) for split, level in levels}
        super().__init__(recipe, base, out, alone, card, machine)
        pool = BenchmarkPool(stages_of(out) / "pool", recipe, base, machine.workers)
        self.pool: BenchmarkPool = pool
        self._assembly = BenchmarkAssembly(recipe, pool, self.folder, self.stages)

    def _prepared(self, bar: Bar, overwrite: bool, result: Result) -> bool:
        self._collect(bar, overwrite, result)
        if self._recipe is not None:
            with timed(result, "degrade"), bar("degrading") as progress:
                self._degrade(LEVELS, self.pool.rows(), self._recipe, overwrite, progress)
        return True

    def _assemble(self, prepared: bool, progress: Progress) -> None:
        self._assembly.write({}, progress)
