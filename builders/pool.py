"""The first stage of a build: rows of all sources, checked and put in their places, on disk.

Pictures are stored once each under the hash of their bytes, so that questions about one picture
share it, and later stages need the sources no more. Which row goes where is for subclasses to say.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from builders import neardup
from builders.recipe import BuildRecipe
from builders.sources import Item, SourceSpec
from builders.table import part_name
from degrade import __version__, images
from degrade.errors import UserError
from degrade.runs import Marker, Progress, Run, line, split_counts, write_atomic
from degrade.schema import SCHEMA_VERSION, Failure, Question, Record, Task
from degrade.shards import json_lines
from degrade.threads import bounded_map, host_threads

ROWS, QUARANTINE, SUMMARY = "rows.jsonl", "quarantine.jsonl", "pool.json"
PICTURES = "pictures"
SHARD_ROWS = 1024
_NONE: neardup.Fingerprint = np.zeros(0, np.uint8)

R = TypeVar("R", bound=BuildRecipe)


class PoolRow(Record):
    """A row of the pool; fields as in :class:`builders.table.Example`.

    ``picture`` is the clean picture's file relative to the pool, ``degraded`` that of the picture
    which the source itself degraded, empty where there is none.
    """

    id: str
    source: str
    source_name: str
    picture: str
    group: str
    split: str
    use: str
    license: str
    question: Question
    task: Task
    references: tuple[str, ...] = ()
    degraded: str = ""
    level: float | None = None
    tags: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """Name of the files it goes to: the split, with its use where it has one."""
        return part_name(self.split, self.use)


class PoolShard(Marker):
    """A committed piece of the pool."""

    rows: tuple[PoolRow, ...]
    failures: tuple[Failure, ...]


class Place(NamedTuple):
    """Where a row goes; ``number`` is its place in the order in which rows were collected."""

    number: int
    group: str
    split: str = ""
    use: str = ""


class Kept(NamedTuple):
    """A picture to keep: its bytes, what they are and their digest."""

    data: bytes
    ext: str
    digest: str

    @property
    def name(self) -> str:
        """Of its file below the pool."""
        return f"{PICTURES}/{self.digest[:2]}/{self.digest}.{self.ext}"


@dataclass(frozen=True)
class Looked:
    """A row with its pictures, or why it has none to use."""

    item: Item
    picture: Kept | None = None
    degraded: Kept | None = None
    fingerprint: neardup.Fingerprint = field(default_factory=lambda: _NONE)
    problem: tuple[str, str] | None = None


@dataclass
class Collected:
    """What is known of the accepted rows while sources are read: small, whatever they hold."""

    spool: IO[bytes]
    offsets: array[int]
    pictures: array[int]  # of each row: index of its picture
    digests: dict[str, int]  # of each picture, in order of appearance
    fingerprints: list[neardup.Fingerprint]
    failures: list[Failure]
    ids: set[str]
    asked: set[bytes]  # digests of (picture, question)

    def __len__(self) -> int:
        return len(self.offsets)


class Pool(ABC, Generic[R]):
    """The pool of a build.

    Args:
        folder: To write.
        recipe: Sources, and what is done with them.
        base: Folder that the recipe's paths are relative to.
        decisive: What of the recipe decides the content of the pool, as JSON.
        workers: Host threads; None: all cores.
    """

    keeps_repeats: ClassVar[bool]
    """Whether a row may ask what an earlier one asks about the same picture."""

    def __init__(
        self,
        folder: Path,
        recipe: R,
        base: Path,
        decisive: Mapping[str, Any],
        workers: int | None = None,
    ) -> None:
        self.folder, self.recipe, self.base = folder, recipe, base
        self.workers = host_threads(workers)
        settings = {
            "source": str(base).encode("utf-8", "replace").decode(),
            "recipe": decisive,
            "degrade": __version__,
            "schema": SCHEMA_VERSION,
        }
        tables = {ROWS: "rows", QUARANTINE: "failures"}
        self.run = Run(folder, settings, PoolShard, SUMMARY, tables, folders=(PICTURES,))

    def fill(self, overwrite: bool, progress: Progress) -> None:
        """Collect, unless it is done.

        Args:
            overwrite: Read the sources anew, which may hold something else by now.
            progress: Called with rows.

        Raises:
            UserError: A source is not what the recipe says, a row cannot be what it claims, or
                there are too few rows.
            StoppedError: The disk is full.
        """
        with self.run.opened(overwrite, resume=False) as finished:
            if not finished:
                self._fill(progress)

    def rows(self, split: str | None = None) -> Iterator[PoolRow]:
        """The rows of a finished pool in their order, streamed."""
        for item in json_lines(self.folder / ROWS):
            if split in (None, item["split"]):
                yield PoolRow.model_validate(item)

    def failures(self) -> Iterator[Failure]:
        """What was collected and cannot be used."""
        return map(Failure.model_validate, json_lines(self.folder / QUARANTINE))

    # ------------------------------------------------------------------------- what subclasses say

    @property
    @abstractmethod
    def _wanted(self) -> int | None:
        """Rows to collect; None: all there are."""

    @abstractmethod
    def _places(self, found: Collected) -> list[Place]:
        """The rows to keep, in the order to write them.

        Raises:
            UserError: They do not suffice.
        """

    @abstractmethod
    def _answered(self, question: Question) -> Question:
        """The question with its answer as the build gives it.

        Raises:
            ValueError: The answer is none of the choices.
        """

    @abstractmethod
    def _unusable(self, item: Item, question: Question) -> tuple[str, str] | None:
        """Why a row with such a question cannot be used, as reason and detail."""

    def _limits_of(self, spec: SourceSpec, found: Collected) -> tuple[int | None, int | None]:
        """Rows to ask a source for, and how many accepted ones of it are enough; None: all."""
        return (spec.rows if isinstance(spec.rows, int) else None), None

    # --------------------------------------------------------------------------------- collecting

    def _fill(self, progress: Progress) -> None:
        progress(0, self._wanted or 0)
        path = self.run.work / "spool.jsonl"
        with path.open("w+b") as spool:
            found = Collected(spool, array("Q"), array("Q"), {}, [], [], set(), set())
            for spec in sorted(self.recipe.sources, key=lambda spec: spec.rows == "fill"):
                self._collect(spec, found, progress)
            places = self._places(found)
            self._commit(found, places)
            shards = split_counts(len(places), SHARD_ROWS)
            self.run.finish(max(1, len(shards)), _counts, {"collected": len(found)})

    def _collect(self, spec: SourceSpec, found: Collected, progress: Progress) -> None:
        limit, enough = self._limits_of(spec, found)
        if limit == 0:
            return
        before = len(found)
        items = islice(spec.items(self.base, limit), limit)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="collect") as pool:
            for looked in bounded_map(pool, self._look, items, window=2 * self.workers):
                if enough is not None and enough <= len(found) - before:
                    break
                self._take(spec, looked, found)
                total = self._wanted or len(found)
                progress(min(len(found), total), total)

    def _look(self, item: Item) -> Looked:
        """Open a row's pictures; what does not depend on other rows."""
        if item.picture is None:
            return Looked(item, problem=(item.problem or "missing_picture", item.detail))
        try:
            picture, kept = self._kept(item.picture)
            degraded = None if item.degraded is None else self._kept(item.degraded)[1]
        except images.UnreadableError as error:
            return Looked(item, problem=(error.reason, error.detail))
        return Looked(item, kept, degraded, neardup.fingerprint(picture.pixels))

    def _kept(self, data: bytes) -> tuple[images.Picture, Kept]:
        limits = self.recipe.pictures
        picture = images.decode(data, limits.max_pixels, limits.max_side)
        ext = images.extension("keep", picture.format)
        if picture.altered:  # so that the file shows the very pixels that are degraded
            data, ext = images.encode(picture.pixels, "png", picture.icc), "png"
        return picture, Kept(data, ext, hashlib.sha256(data).hexdigest())

    def _take(self, spec: SourceSpec, looked: Looked, found: Collected) -> None:
        item, picture = looked.item, looked.picture
        identity = f"{spec.name}/{item.id}"
        where = f"Source {spec.name!r}, row {item.id!r}"
        if identity in found.ids:
            raise UserError(
                f"{where}: the id occurs twice. Ids must be unique in a source: mend them, map "
                "'id' to another column, or number the rows with `id: \"\"`."
            )
        found.ids.add(identity)
        question = self._question(item, where)
        problem = looked.problem or self._unusable(item, question)
        if problem is None and picture and not self.keeps_repeats:
            problem = _repeated(picture.digest, question, found)
        if problem is not None or picture is None:
            reason, detail = problem or ("missing_picture", "")
            failure = Failure(id=identity, source_path=item.name, reason=reason, detail=detail)
            found.failures.append(failure)
            return
        if picture.digest not in found.digests:
            found.digests[picture.digest] = len(found.digests)
            found.fingerprints.append(looked.fingerprint)
        for kept in (picture, looked.degraded):
            if kept and not (path := self.folder / kept.name).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, kept.data)
        row = PoolRow(
            id=identity,
            source=spec.name,
            source_name=item.name,
            picture=picture.name,
            group="",
            split="",
            use="",
            license=item.license or spec.license,
            question=question,
            task=item.task or _task(question),
            references=item.references,
            degraded=looked.degraded.name if looked.degraded else "",
            level=item.level,
            tags=item.tags,
        )
        found.offsets.append(found.spool.tell())
        found.pictures.append(found.digests[picture.digest])
        found.spool.write(line(row).encode())

    def _question(self, item: Item, where: str) -> Question:
        try:
            return self._answered(item.question)
        except ValueError as error:
            raise UserError(
                f"{where}: {error}. An answer is one of its choices, its 0-based index or its "
                "letter (A to Z): mend the row, the recipe's mapping of columns, or 'answers'."
            ) from None

    def _groups(self, found: Collected) -> list[str]:
        """The group of each row: that of its picture with the nearly same ones."""
        names = list(found.digests)
        parents = np.arange(len(names))
        if self.recipe.near_duplicates == "together" and names:
            parents = neardup.groups(np.stack(found.fingerprints))
        return [names[parents[picture]][:16] for picture in found.pictures]

    def _spooled(self, found: Collected, number: int) -> PoolRow:
        found.spool.seek(found.offsets[number])
        return PoolRow.model_validate_json(found.spool.readline())

    def _commit(self, found: Collected, places: list[Place]) -> None:
        for index, part in enumerate(split_counts(len(places), SHARD_ROWS)):
            rows = []
            for number, group, split, use in (places[i] for i in part):
                row = self._spooled(found, number)
                rows.append(row.model_copy(update={"group": group, "split": split, "use": use}))
            failures = tuple(found.failures) if index == 0 else ()
            shard = PoolShard(
                fingerprint=self.run.fingerprint, index=index, rows=tuple(rows), failures=failures
            )
            self.run.commit(shard)


def _repeated(digest: str, question: Question, found: Collected) -> tuple[str, str] | None:
    text = f"{digest}\0{question.question}\0{chr(0).join(question.choices)}"
    asked = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:12]
    known = asked in found.asked
    found.asked.add(asked)
    return ("duplicate", "an earlier row asks the same about the same picture") if known else None


def _task(question: Question) -> Task:
    if question.choices:
        return "mcq"
    return "vqa" if question.question else "caption"


def why_few(found: Collected) -> str:
    """What kept rows from being used, for an error; empty where nothing did."""
    reasons = Counter(f.reason for f in found.failures)
    unusable = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
    first = found.failures[0] if found.failures else None
    return f" Unusable: {unusable}; first {first.id}: {first.detail}." if first else ""


def _counts(shards: Iterator[PoolShard]) -> dict[str, Any]:
    rows, failures = 0, 0
    for shard in shards:
        rows += len(shard.rows)
        failures += len(shard.failures)
    return {"rows": rows, "failed": failures}
