"""The first stage of a build: rows of all sources, checked, parted into splits, on disk.

Pictures are stored once each under the hash of their bytes, so that questions about one picture
share it, and later stages need the sources no more.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from builders import neardup
from builders.recipe import DatasetRecipe
from builders.sources import Item, SourceSpec
from builders.table import part_name
from degrade import __version__, images
from degrade.errors import UserError
from degrade.rng import unit
from degrade.runs import (
    Marker,
    Progress,
    Run,
    bounded_map,
    host_threads,
    line,
    split_counts,
    write_atomic,
)
from degrade.schema import SCHEMA_VERSION, Failure, Question, Record
from degrade.shards import json_lines

ROWS, QUARANTINE, SUMMARY = "rows.jsonl", "quarantine.jsonl", "pool.json"
PICTURES = "pictures"
SHARD_ROWS = 1024
_NONE: neardup.Fingerprint = np.zeros(0, np.uint8)
_SPARE = 1.02  # what `fill` asks for beyond the need, should some be near-duplicates or unusable


class PoolRow(Record):
    """A row of the pool; fields as in :class:`builders.table.Example`.

    ``picture`` is the clean picture's file relative to the pool.
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

    @property
    def part(self) -> str:
        """Name of the files it goes to: the split, with its use where it has one."""
        return part_name(self.split, self.use)


class PoolShard(Marker):
    """A committed piece of the pool."""

    rows: tuple[PoolRow, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class _Looked:
    """A row with what its picture is: the bytes to keep, or why there are none."""

    item: Item
    data: bytes = b""
    ext: str = ""
    digest: str = ""
    fingerprint: neardup.Fingerprint = field(default_factory=lambda: _NONE)
    problem: tuple[str, str] | None = None


@dataclass
class _Collected:
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


class Pool:
    """The pool of a build.

    Args:
        folder: To write.
        recipe: Sources and splits.
        base: Folder that the recipe's paths are relative to.
        workers: Host threads; None: all cores.
    """

    def __init__(
        self, folder: Path, recipe: DatasetRecipe, base: Path, workers: int | None = None
    ) -> None:
        self.folder, self.recipe, self.base = folder, recipe, base
        self.workers = host_threads(workers)
        data = json.loads(recipe.model_dump_json())
        keys = ("seed", "sources", "near_duplicates", "answers", "splits", "pictures")
        kept = {key: data[key] for key in keys}
        for plan in kept["splits"].values():  # how splits are degraded is not decided here
            for key in ("degrade", "operators", "intensities"):
                plan.pop(key)
        settings = {
            "source": str(base).encode("utf-8", "replace").decode(),
            "recipe": kept,
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
        """The rows of a finished pool, in the order of splits and parts, streamed."""
        for item in json_lines(self.folder / ROWS):
            if split in (None, item["split"]):
                yield PoolRow.model_validate(item)

    def failures(self) -> Iterator[Failure]:
        """What was collected and cannot be used."""
        return map(Failure.model_validate, json_lines(self.folder / QUARANTINE))

    # --------------------------------------------------------------------------------- collecting

    def _fill(self, progress: Progress) -> None:
        wanted = self.recipe.rows
        progress(0, wanted)
        path = self.run.work / "spool.jsonl"
        with path.open("w+b") as spool:
            found = _Collected(spool, array("Q"), array("Q"), {}, [], [], set(), set())
            order = sorted(self.recipe.sources, key=lambda spec: spec.rows == "fill")
            for spec in order:
                self._collect(spec, found, wanted, progress)
            places = self._parted(found)
            self._commit(found, places)
            shards = split_counts(len(places), SHARD_ROWS)
            self.run.finish(max(1, len(shards)), _counts, {"collected": len(found)})

    def _collect(
        self, spec: SourceSpec, found: _Collected, wanted: int, progress: Progress
    ) -> None:
        limit = spec.rows if isinstance(spec.rows, int) else None
        missing = wanted - self._usable(found)
        if spec.rows == "fill":
            if missing <= 0:
                return
            limit = int(missing * _SPARE) + 1
        before = len(found)
        items = islice(spec.items(self.base, limit), limit)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="collect") as pool:
            for looked in bounded_map(pool, self._look, items, window=2 * self.workers):
                if spec.rows == "fill" and missing <= len(found) - before:
                    break
                self._take(spec, looked, found)
                progress(min(len(found), wanted), wanted)

    def _usable(self, found: _Collected) -> int:
        """Rows that will find a place: of one picture no more than the largest part holds."""
        largest = max(self.recipe.parts.values())
        return sum(min(n, largest) for n in Counter(found.pictures).values())

    def _look(self, item: Item) -> _Looked:
        """Open a row's picture; what does not depend on other rows."""
        if item.picture is None:
            return _Looked(item, problem=(item.problem or "missing_picture", item.detail))
        try:
            picture = images.decode(item.picture, *self._limits)
        except images.UnreadableError as error:
            return _Looked(item, problem=(error.reason, error.detail))
        data, ext = item.picture, images.extension("keep", picture.format)
        if picture.altered:  # so that the file shows the very pixels that are degraded
            data, ext = images.encode(picture.pixels, "png", picture.icc), "png"
        digest = hashlib.sha256(data).hexdigest()
        return _Looked(item, data, ext, digest, neardup.fingerprint(picture.pixels))

    def _take(self, spec: SourceSpec, looked: _Looked, found: _Collected) -> None:
        item, digest = looked.item, looked.digest
        identity = f"{spec.name}/{item.id}"
        where = f"Source {spec.name!r}, row {item.id!r}"
        if identity in found.ids:
            raise UserError(
                f"{where}: the id occurs twice. Ids must be unique in a source: mend them, map "
                "'id' to another column, or number the rows with `id: \"\"`."
            )
        found.ids.add(identity)
        question = self._question(item, where)
        problem = looked.problem or _unusable(question)
        if problem is None:
            text = f"{digest}\0{question.question}\0{chr(0).join(question.choices)}"
            asked = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:12]
            if asked in found.asked:
                problem = ("duplicate", "an earlier row asks the same about the same picture")
            found.asked.add(asked)
        if problem is not None:
            reason, detail = problem
            failure = Failure(id=identity, source_path=item.name, reason=reason, detail=detail)
            found.failures.append(failure)
            return
        name = f"{PICTURES}/{digest[:2]}/{digest}.{looked.ext}"
        if digest not in found.digests:
            found.digests[digest] = len(found.digests)
            found.fingerprints.append(looked.fingerprint)
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                write_atomic(path, looked.data)
        row = PoolRow(
            id=identity,
            source=spec.name,
            source_name=item.name,
            picture=name,
            group="",
            split="",
            use="",
            license=item.license or spec.license,
            question=question,
        )
        found.offsets.append(found.spool.tell())
        found.pictures.append(found.digests[digest])
        found.spool.write(line(row).encode())

    @property
    def _limits(self) -> tuple[int, int | None]:
        return self.recipe.pictures.max_pixels, self.recipe.pictures.max_side

    def _question(self, item: Item, where: str) -> Question:
        try:
            return item.question.answered(self.recipe.answers)
        except ValueError as error:
            raise UserError(
                f"{where}: {error}. An answer is one of its choices, its 0-based index or its "
                "letter (A to Z): mend the row, the recipe's mapping of columns, or 'answers'."
            ) from None

    # ------------------------------------------------------------------------------------ parting

    def _parted(self, found: _Collected) -> list[tuple[int, str, str, str]]:
        """Row number, group, split and use of the rows to keep, in the order to write them.

        Groups of rows, in an order drawn from their pictures, fill the parts of the splits one
        after another; a group goes whole into the first part that has room for it. One that fits
        nowhere whole goes to the part with most room, as far as there is room.
        """
        recipe = self.recipe
        names = list(found.digests)
        parents = np.arange(len(names))
        if recipe.near_duplicates == "together" and names:
            parents = neardup.groups(np.stack(found.fingerprints))
        members: dict[str, list[int]] = {}
        for number, picture in enumerate(found.pictures):
            members.setdefault(names[parents[picture]][:16], []).append(number)
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
        return [(n, group, *part) for part, rows in placed.items() for n, group in rows]

    def _cut(self, found: _Collected, numbers: list[int]) -> None:
        """Say of rows that no part had room for them beside the others of their picture."""
        for number in numbers:
            row = self._spooled(found, number)
            detail = "its picture has more rows than any part of a split has room for"
            failure = Failure(
                id=row.id, source_path=row.source_name, reason="group_too_large", detail=detail
            )
            found.failures.append(failure)

    def _spooled(self, found: _Collected, number: int) -> PoolRow:
        found.spool.seek(found.offsets[number])
        return PoolRow.model_validate_json(found.spool.readline())

    def _too_few(self, found: _Collected, groups: int, short: dict[tuple[str, str], int]) -> str:
        parts = ", ".join(f"{part_name(*part)} ({left})" for part, left in short.items())
        reasons = Counter(f.reason for f in found.failures)
        unusable = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        first = found.failures[0] if found.failures else None
        why = f" Unusable: {unusable}; first {first.id}: {first.detail}." if first else ""
        fill = "let drawn scenes make them up: {kind: scenes, name: scenes, rows: fill}"
        filled = any(spec.rows == "fill" for spec in self.recipe.sources)
        return (
            f"The sources hold {len(found)} usable rows of {groups} different pictures, the "
            f"recipe's splits want {self.recipe.rows}; missing in {parts}.{why} Ask for fewer "
            f"rows, add a source{'' if filled else ', or ' + fill}."
        )

    def _commit(self, found: _Collected, places: list[tuple[int, str, str, str]]) -> None:
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


def _unusable(question: Question) -> tuple[str, str] | None:
    """Why a question cannot be trained on, as reason and detail."""
    choices = question.choices
    if len(set(choices)) < len(choices):
        return "repeated_choice", f"two of {list(choices)} are the same"
    if choices and not question.answer:
        return "no_answer", "there are choices and no answer"
    if question.question and not question.answer:
        return "no_answer", "there is a question and no answer"
    return None


def _counts(shards: Iterator[PoolShard]) -> dict[str, Any]:
    rows, failures = 0, 0
    for shard in shards:
        rows += len(shard.rows)
        failures += len(shard.failures)
    return {"rows": rows, "failed": failures}
