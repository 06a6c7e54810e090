"""A build in stages, each resuming by itself: what data sets and benchmarks are built by.

Stages write to ``<OUT>.build``, of a store into that folder of the working directory; the last one
joins them into the data set and, unless told otherwise, what it no longer needs goes away.
"""

from __future__ import annotations

import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from builders.assembly import DataShard, runs_of
from builders.pool import Pool, PoolRow
from builders.recipe import BuildRecipe, portable
from builders.table import ASSETS, CARD, DATA, INFO, PAGE, QUARANTINE, RECIPE
from degrade import __version__, ops
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.places import fetched, writable
from degrade.recipe import Recipe
from degrade.runs import Progress, Run, read_json
from degrade.runtime import resolve_device
from degrade.schema import SCHEMA_VERSION
from degrade.sources import Listing, Source
from degrade.storage import Place, Remote, inside, publish

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Opens a progress bar for a stage."""

R = TypeVar("R", bound=BuildRecipe)
P = TypeVar("P")


@dataclass(frozen=True)
class Machine:
    """Where and how a build runs; of no influence on rows but for the device."""

    device: str = "auto"
    batch: int | None = None
    workers: int | None = None


ANY = Machine()


@dataclass
class Result:
    """What a build did.

    Attributes:
        info: The content of ``dataset.json``; None where a batch of chains is not back yet.
        already_finished: Nothing was left to do.
        seconds: Wall time of each stage that did something.
    """

    info: dict[str, Any] | None = None
    already_finished: bool = False
    seconds: dict[str, float] = field(default_factory=dict)


class Staged(ABC, Generic[R, P]):
    """A planned build; ``P`` is what its stages hand to the last one.

    Args:
        recipe: What to build.
        base: Folder that the recipe's paths are relative to.
        out: Folder to write.
        degradations: What is done to the pictures of each split.
        card: Writes the card of a finished data set.
        machine: Device and workers.

    Raises:
        UserError: The output lies inside a source.
    """

    pool: Pool[R]

    def __init__(
        self,
        recipe: R,
        base: Path,
        out: Place,
        degradations: Mapping[str, Recipe],
        card: Callable[[Path], object],
        machine: Machine,
    ) -> None:
        self.recipe, self.base, self.out, self.machine = recipe, base, out, machine
        self.degradations, self._card = dict(degradations), card
        self.stages = stages_of(out)
        self._refuse_inside()
        settings = {
            "recipe": portable(recipe),
            "degradations": {
                name: json.loads(r.model_dump_json(exclude_none=True))
                for name, r in self.degradations.items()
            },
            "operators": {
                name: ops.get(name).version
                for name in sorted({o for r in self.degradations.values() for o in r.operators})
            },
            "device": resolve_device(machine.device).type,
            "degrade": __version__,
            "schema": SCHEMA_VERSION,
        }
        tables = {QUARANTINE: "failures"}
        written = (DATA, RECIPE, CARD, ASSETS, PAGE)
        self.folder = Run(writable(out), settings, DataShard, INFO, tables, folders=written)

    def run(self, bar: Bar, overwrite: bool = False, keep_stages: bool = False) -> Result:
        """Do what is left to do.

        Args:
            bar: Opens a progress bar for a stage.
            overwrite: Replace another data set in the folder, and stages that another recipe made.
            keep_stages: Keep what the stages wrote.

        Raises:
            UserError: The folder holds something else, or a source or row is not as it must be.
            StoppedError: The disk is full, or a folder cannot be written.
        """
        result = Result()
        # What is there goes away when what replaces it is ready, and not before.
        prepared = self._prepared(bar, True, result) if overwrite else None
        if overwrite and prepared is None:
            return result
        with self.folder.opened(overwrite, resume=False) as finished:
            result.already_finished = finished
            if not finished:
                prepared = prepared or self._prepared(bar, False, result)
                if prepared is None:
                    return result
                with timed(result, "assemble"), bar("assembling") as progress:
                    self._assemble(prepared, progress)
        if not (self.out / CARD).exists():
            self._describe()
        if not keep_stages and self.stages.exists():
            self._clean()
        result.info = read_json(self.out / INFO)
        return result

    def _describe(self) -> None:
        """Write the card beside the data; of a store, from a copy that all of it is read from."""
        with fetched(self.out) as here:
            self._card(here)
            if here == self.out:
                return
            shown = sorted((here / ASSETS).iterdir()) if (here / ASSETS).is_dir() else []
            for path in [*shown, here / CARD]:  # the card last: it says that all is there
                publish(path, self.out / path.relative_to(here).as_posix())

    @abstractmethod
    def _prepared(self, bar: Bar, overwrite: bool, result: Result) -> P | None:
        """All stages but the last; what that one needs, None where it has to wait."""

    @abstractmethod
    def _assemble(self, prepared: P, progress: Progress) -> None:
        """The last stage: write the data set."""

    def _collect(self, bar: Bar, overwrite: bool, result: Result) -> None:
        """The first stage."""
        self.folder.refuse_foreign()
        with timed(result, "collect"), bar("collecting") as progress:
            self.pool.fill(overwrite, progress)

    def _degrade(
        self,
        split: str,
        rows: Iterable[PoolRow],
        recipe: Recipe,
        overwrite: bool,
        progress: Progress,
    ) -> None:
        """A stage of degraded pictures.

        Args:
            split: Names its folder.
            rows: Whose clean pictures to degrade.
            recipe: How.
            overwrite: Replace what another recipe made there.
            progress: Called with pictures.
        """
        sources = tuple(Source(path=row.picture, id=row.id, recorded=row.picture) for row in rows)
        plan, machine = self.recipe.pictures, self.machine
        options = Options(
            max_pixels=plan.max_pixels,
            device=machine.device,
            batch=machine.batch,
            workers=machine.workers,
            encode=plan.encode,
        )
        listing = Listing(self.pool.folder, sources, ignored=0)
        run = Synth(listing, runs_of(self.stages, split), recipe, self.recipe.seed, options)
        run.run(overwrite=overwrite and not run.run_folder.matches(), progress=progress)

    def _clean(self) -> None:
        """Remove the stages, but not the journals of paid answers."""
        for path in self.stages.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif ".sqlite" not in path.name:
                path.unlink()
        if not any(self.stages.iterdir()):
            self.stages.rmdir()

    def _refuse_inside(self) -> None:
        """Refuse to write into a source: the next build would take its own pictures for clean."""
        for spec in self.recipe.sources:
            given = getattr(spec, "path", "")
            path = given if isinstance(given, Remote) else self.base / str(given)
            if given and inside(self.out, path) and path.is_dir():
                raise UserError(
                    f"The output folder {self.out} lies inside the source {path}: the next build "
                    "would read its own output. Give a folder outside of it."
                )


def stages_of(out: Place) -> Path:
    """Where the stages of a build write: on this machine."""
    if not isinstance(out, Path):
        return Path(f"{out.name}.build").absolute()
    return out.resolve().with_name(f"{out.resolve().name}.build")


@contextmanager
def timed(result: Result, stage: str) -> Iterator[None]:
    """Adds the wall time of a block to a stage."""
    start = time.perf_counter()
    try:
        yield
    finally:
        spent = result.seconds.get(stage, 0.0) + time.perf_counter() - start
        result.seconds[stage] = spent
