"""The build of a data set: collect, degrade, annotate, assemble. Each stage resumes by itself.

Stages write to ``<OUT>.build``; the last one joins them into the data set and, unless told
otherwise, what it no longer needs goes away.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from builders.assembly import Assembly, DataShard, chains_of, runs_of
from builders.pool import Pool, PoolRow
from builders.recipe import DatasetRecipe, portable
from builders.table import (
    ASSETS,
    CARD,
    DATA,
    INFO,
    PAGE,
    QUARANTINE,
    RECIPE,
)
from degrade import __version__, ops
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.runs import Progress, Run, read_json, write_atomic
from degrade.runtime import resolve_device
from degrade.schema import SCHEMA_VERSION
from degrade.sources import Listing, Source

QUESTIONS = "questions.jsonl"

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Opens a progress bar for a stage."""


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


@dataclass(frozen=True)
class Machine:
    """Where and how a build runs; of no influence on rows but for the device."""

    device: str = "auto"
    batch: int | None = None
    workers: int | None = None


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


class Build:
    """A planned build.

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
        out: Path,
        chains: ChainsStage,
        card: Callable[[Path], object],
        machine: Machine = Machine(),
    ) -> None:
        self.recipe, self.base, self.out, self.machine = recipe, base, out, machine
        self._chains, self._card = chains, card
        self.stages = out.resolve().with_name(f"{out.resolve().name}.build")
        self._refuse_inside()
        chains.check(recipe.chains)
        self.degradations = {name: recipe.degradation(name, base) for name in recipe.splits}
        self.pool = Pool(self.stages / "pool", recipe, base, machine.workers)
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
        self.folder = Run(out, settings, DataShard, INFO, tables, folders=written)
        self._assembly = Assembly(recipe, self.pool, self.folder, self.stages)

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
        chains = self._prepared(bar, True, result) if overwrite else None
        if overwrite and chains is None:
            return result
        with self.folder.opened(overwrite, resume=False) as finished:
            result.already_finished = finished
            if not finished:
                chains = chains or self._prepared(bar, False, result)
                if chains is None:
                    return result
                with _timed(result, "assemble"), bar("assembling") as progress:
                    self._assembly.write(chains, progress)
        if not (self.out / CARD).exists():
            self._card(self.out)
        if not keep_stages and self.stages.exists():
            self._clean()
        result.info = read_json(self.out / INFO)
        return result

    def _prepared(self, bar: Bar, overwrite: bool, result: Result) -> dict[str, Any] | None:
        """All stages but the last; the summaries of the chains, None where a batch is out."""
        self.folder.refuse_foreign()
        with _timed(result, "collect"), bar("collecting") as progress:
            self.pool.fill(overwrite, progress)
        chains: dict[str, Any] = {}
        for split in self.recipe.splits:
            with _timed(result, "degrade"), bar(f"degrading {split}") as progress:
                self._degrade(split, overwrite, progress)
        for split in self.recipe.splits:
            with _timed(result, "annotate"), bar(f"annotating {split}") as progress:
                summary = self._annotate(split, overwrite, progress)
            if summary is None:
                return None
            chains[split] = summary["counts"]
        return chains

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
        out = self.out.resolve()
        for spec in self.recipe.sources:
            path = self.base / str(getattr(spec, "path", ""))
            if getattr(spec, "path", "") and path.is_dir() and out.is_relative_to(path.resolve()):
                raise UserError(
                    f"The output folder {self.out} lies inside the source {path}: the next build "
                    "would read its own output. Give a folder outside of it."
                )

    # ------------------------------------------------------------------------------------- stages

    def _degrade(self, split: str, overwrite: bool, progress: Progress) -> None:
        sources = tuple(
            Source(path=row.picture, id=row.id, recorded=row.picture)
            for row in self.pool.rows(split)
        )
        plan, machine = self.recipe.pictures, self.machine
        options = Options(
            max_pixels=plan.max_pixels,
            device=machine.device,
            batch=machine.batch,
            workers=machine.workers,
            encode=plan.encode,
        )
        listing = Listing(self.pool.folder, sources, ignored=0)
        run = Synth(
            listing,
            runs_of(self.stages, split),
            self.degradations[split],
            self.recipe.seed,
            options,
        )
        run.run(overwrite=overwrite and not run.run_folder.matches(), progress=progress)

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


class _timed:  # noqa: N801 - used as a function
    """Adds the wall time of a block to a stage."""

    def __init__(self, result: Result, stage: str) -> None:
        self._result, self._stage = result, stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = self._result.seconds.get(self._stage, 0.0) + time.perf_counter() - self._start
        self._result.seconds[self._stage] = spent
