"""The last stage of a benchmark's build: pool and degraded pictures become its levels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from builders.assembly import Assembly, failures_of, known, runs_of
from builders.benchmark.recipe import BenchmarkRecipe
from builders.pool import PoolRow
from builders.table import OK, Entry, Example, level_split
from degrade import images
from degrade.errors import UserError
from degrade.schema import Applied, Chain, Failure, Question, Row, describe
from degrade.shards import METADATA, json_lines
from degrade.sources import OutputNames, Source

LEVELS = "levels"
"""Names the one run that makes all levels."""

_NO_LIMIT = 2**62  # what is in the pool has passed the limit


class Leveled(NamedTuple):
    """An item at a level; ``record`` is None where no operator has damaged it."""

    row: PoolRow
    level: float
    name: str
    record: Row | None


class BenchmarkAssembly(Assembly[BenchmarkRecipe, Leveled]):
    """The writing of a benchmark: a split for each level, of the same items in the same order."""

    @property
    def _splits(self) -> Iterable[str]:
        return self.recipe.splits

    @cached_property
    def _failed(self) -> dict[str, Failure]:
        """Items that could not be degraded: they are in no level."""
        return {} if self.recipe.protocol == "source" else failures_of(self._run)

    @property
    def _run(self) -> Path:
        return runs_of(self.stages, LEVELS)

    def _first_failures(self) -> Iterable[Failure]:
        return (*self.pool.failures(), *self._failed.values())

    def _rows(self, level: float) -> Iterator[PoolRow]:
        """The items of a level."""
        own = self.recipe.protocol == "source" and level > 0
        for row in self.pool.rows():
            if row.id not in self._failed and not (own and round(row.level or 0, 2) != level):
                yield row

    def _parts(self) -> dict[str, int]:
        splits = self.recipe.splits.items()
        return {split: sum(1 for _ in self._rows(level)) for split, level in splits}

    def _joined(self) -> Iterator[Leveled | Failure]:
        sources = [Source(path=row.picture, id=row.id) for row in self.pool.rows()]
        suffixes = [f"@{level:.2f}" for level in self.recipe.levels]
        names = dict(zip((s.id for s in sources), OutputNames(sources, suffixes), strict=True))
        for level in self.recipe.levels:
            records = self._records(level)
            for row in self._rows(level):
                record = next(records, None) if records else None
                if records and (record is None or record.id != f"{row.id}@{level:g}"):
                    raise UserError(
                        f"The stages in {self.stages} do not fit: there is no record of {row.id!r} "
                        f"at level {level:g} where it belongs. Build again with --overwrite."
                    )
                yield Leveled(row, level, f"images/{names[row.id]}@{level:.2f}", record)

    def _records(self, level: float) -> Iterator[Row] | None:
        """What was done for a level, in the order of the items; None where nothing was."""
        if not level or self.recipe.protocol == "source":
            return None
        end = f"@{level:g}"
        found = (item for item in json_lines(self._run / METADATA) if item["id"].endswith(end))
        return map(Row.model_validate, found)

    def _entry(self, joined: Leveled) -> Entry:
        row, level, name, record = joined
        clean = (self.pool.folder / row.picture).read_bytes()
        applied: tuple[Applied, ...] = ()
        if record:
            image = (self._run / record.file_name).read_bytes()
            applied, encoding = record.applied, record.encoding
            width, height = record.width, record.height
        else:
            file = row.degraded if level else row.picture
            image = (self.pool.folder / file).read_bytes() if level else clean
            height, width = images.decode(image, _NO_LIMIT).pixels.shape[:2]
            encoding = images.original(Path(file).suffix[1:])
        example = Example(
            id=f"{row.id}@{level:.2f}",
            item=row.id,
            source=row.source,
            group=row.group,
            split=level_split(level),
            use="",
            level=level,
            status=OK,
            detail="",
            task=row.task,
            **known(self._asked(row)),
            references=row.references,
            degradations=describe(applied),
            types=Chain.types_of(applied),
            applied=applied,
            intensity_sum=round(sum(a.intensity for a in applied), 4),
            influence="",
            reasoning="",
            conclusion="",
            chain="",
            depth_target=0,
            reasoning_tokens=0,
            writer="",
            answerable=None,
            license=row.license,
            source_tags=row.tags,
            file_name=f"{name}.{encoding.split()[0]}",
            source_name=row.source_name,
            width=width,
            height=height,
            encoding=encoding,
            image_sha256=hashlib.sha256(image).hexdigest(),
            clean_sha256=hashlib.sha256(clean).hexdigest(),
        )
        return Entry(example, image, clean)

    def _asked(self, row: PoolRow) -> Question:
        """The question as the source has it; one that wants a caption and says so, where it asks
        nothing.
        """
        asked = row.question
        if asked.question:
            return asked
        answer = asked.answer or next(iter(row.references), asked.caption)
        return asked.model_copy(update={"question": self.recipe.ask, "answer": answer})
