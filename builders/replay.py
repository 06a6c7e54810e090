"""The pictures of a ``recipe.parquet`` made again from their source."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from builders import stats
from builders.recipe_file import NO_LIMIT, RecipeRow, read_info
from builders.sources import Item, SourceSpec, read_spec
from builders.spool import Spool, Wanted, pixels_sha256
from builders.table import (
    ASSETS,
    CARD,
    DATA,
    INFO,
    QUARANTINE,
    RECIPE,
    Entry,
    Example,
    columns,
)
from degrade import __version__, images, shards
from degrade.errors import UserError
from degrade.runs import Marker, Progress, Run, read_json, write_atomic
from degrade.runtime import resolve_device, tuned
from degrade.schema import SCHEMA_VERSION, Failure, Record
from degrade.threads import bounded_map, host_threads
from degrade.verify import replay as degraded

DIFFERENCES, SPOOL = "differences.jsonl", ".clean"

Outcome = Literal["identical", "bytes_differ", "pixels_differ"]


class Difference(Record):
    """A row that was made again and is not the recorded one to the byte."""

    id: str
    file_name: str
    outcome: Outcome


class Replayed(Marker):
    """A committed file of a replay: its failures, and what is not the same to the byte."""

    rows: int
    differences: tuple[Difference, ...]
    failures: tuple[Failure, ...]


def replay(
    recipe: Path,
    source: SourceSpec | None,
    out: Path,
    *,
    base: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make the pictures of a ``recipe.parquet`` from their source: a data set like the recorded.

    A row's clean picture is known by the digest of its bytes, or else of its pixels, wherever in
    the source it is. Made again on the same kind of device, files come out to the byte as they
    were; ``counts.replay`` tells how many did (``identical``), how many are packed otherwise
    (``bytes_differ``, the pixels are the same) and how many have other pixels (``pixels_differ``,
    single grey levels that another device or library rounds the other way). The latter two are
    named in ``differences.jsonl``, rows that could not be made in ``quarantine.jsonl``.

    Args:
        recipe: The Parquet file.
        source: Where the clean pictures are. None where all are drawn scenes, which are drawn
            again in any case.
        out: Folder to write; the same call goes on with an unfinished one.
        base: Folder that the source's paths are relative to; the working directory by default.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: Host threads; all cores by default.
        overwrite: Replace what an earlier replay wrote.
        progress: Called with (pictures found and rows made, both in all).

    Returns:
        The content of ``dataset.json`` and ``already_finished``.

    Raises:
        UserError: Not a recipe, the source is missing, or the folder holds something else.
        StoppedError: The disk is full.
    """
    job = _Replay(recipe, source, out, base or Path(), resolve_device(device), workers)
    return job.run(overwrite, progress or (lambda done, total: None))


@dataclass(frozen=True)
class _Made:
    """What became of a row; a failure or the rest."""

    failure: Failure | None = None
    entry: Entry | None = None
    outcome: Outcome = "identical"


class _Replay:
    def __init__(
        self,
        recipe: Path,
        source: SourceSpec | None,
        out: Path,
        base: Path,
        device: torch.device,
        workers: int | None,
    ) -> None:
        self.recipe, self.out, self.base = recipe, out, base
        self.device, self.workers = device, host_threads(workers)
        self.info = read_info(recipe)
        self.files: dict[str, int] = self.info["files"]
        self.total = sum(self.files.values())
        recorded = self.info["settings"]["recipe"]["sources"]
        self.drawn = {s["name"]: read_spec(s) for s in recorded if s["kind"] == "scenes"}
        self.source = source
        settings = {
            **self.info["settings"],
            "source": source.kind if source else "",  # where it is, is nobody else's matter
            "replay": {"of": self.info["fingerprint"], "table": _file_sha256(recipe)},
            "device": device.type,
            "degrade": __version__,
            "schema": SCHEMA_VERSION,
        }
        tables = {QUARANTINE: "failures", DIFFERENCES: "differences"}
        written = (DATA, SPOOL, RECIPE, CARD, ASSETS)
        self.job = Run(out, settings, Replayed, INFO, tables, folders=written)
        pictures = settings["recipe"].get("pictures", {})
        limits = pictures.get("max_pixels", NO_LIMIT), pictures.get("max_side")
        self.spool = Spool(out / SPOOL, limits)

    def run(self, overwrite: bool, progress: Progress) -> dict[str, Any]:
        with self.job.opened(overwrite, resume=False) as finished:
            if not finished:
                with (
                    tuned(one_thread_per_picture=True),
                    ThreadPoolExecutor(self.workers, thread_name_prefix="replay") as pool,
                ):
                    self._make(pool, progress)
                self.spool.drop()
                extra = {key: self.info[key] for key in ("chains",) if key in self.info}
                self.job.finish(len(self.files), self._counts, extra)
                if text := self.info.get(RECIPE):
                    write_atomic(self.out / RECIPE, text.encode())
        return {**read_json(self.out / INFO), "already_finished": finished}

    def _make(self, pool: ThreadPoolExecutor, progress: Progress) -> None:
        (self.out / DATA).mkdir(exist_ok=True)
        todo = {i for i in range(len(self.files)) if not self.job.committed(i)}
        wanted = self._wanted() if todo else {}
        total = sum(map(len, wanted.values())) + self.total
        done = 0
        for name, pictures in wanted.items():
            found = 0
            items = self._items(name, pictures)
            for found in self.spool.fill(pool, items, pictures.values(), window=2 * self.workers):
                progress(done + found, total)
            done += found
        rows = self._rows()
        for index, (name, count) in enumerate(self.files.items()):
            part = [next(rows) for _ in range(count)] if index not in todo else None
            if part is not None:
                done += count
                progress(done, total)
                continue
            this_file = (next(rows) for _ in range(count))
            made = bounded_map(pool, self._one, this_file, window=2 * self.workers)
            for _ in self._file(index, name, made):
                done += 1
                progress(done, total)

    def _wanted(self) -> dict[str, dict[str, Wanted]]:
        """The pictures to look for, each once: name of the scenes, or "" for the source."""
        wanted: dict[str, dict[str, Wanted]] = {}
        for row in self._rows():
            name = row.item.partition("/")[0]
            here = wanted.setdefault(name if name in self.drawn else "", {})
            clean = row.clean_sha256, row.clean_pixels_sha256
            here[clean[0]] = Wanted(row.item, *clean)
            if row.came_degraded:
                image = row.image_sha256, row.image_pixels_sha256
                here[image[0]] = Wanted(row.item, *image)
        if "" in wanted and self.source is None:
            names = [s["name"] for s in self.info["settings"]["recipe"]["sources"]]
            missing = ", ".join(name for name in names if name not in self.drawn)
            raise UserError(f"Say where the clean pictures of {missing} are: --source KIND:PATH.")
        return wanted

    def _items(self, name: str, pictures: Mapping[str, Wanted]) -> Iterator[Item]:
        if name in self.drawn:
            last = max(int(one.item.rpartition("/")[2]) for one in pictures.values())
            return self.drawn[name].items(self.base, last + 1)
        assert self.source is not None  # or _wanted has refused
        return self.source.items(self.base, None)

    def _rows(self) -> Iterator[RecipeRow]:
        try:
            yield from map(RecipeRow.model_validate, shards.parquet_rows(self.recipe))
        except (OSError, ValueError) as error:
            raise UserError(f"Cannot read {self.recipe}: {error}") from None

    def _file(self, index: int, name: str, made: Iterator[_Made]) -> Iterator[_Made]:
        """Write one Parquet file and commit it, passing its rows on for the progress."""
        shard = shards.ParquetShard(self.out / DATA / name, shards.picture_schema(Example))
        failures: list[Failure] = []
        differences: list[Difference] = []
        rows = 0
        try:
            for one in made:
                if one.failure:
                    failures.append(one.failure)
                if one.entry:
                    rows += 1
                    shard.add(columns(one.entry))
                    if one.outcome != "identical":
                        row = one.entry.row
                        differences.append(
                            Difference(id=row.id, file_name=row.file_name, outcome=one.outcome)
                        )
                yield one
            shard.commit()
        except BaseException:
            shard.discard()
            raise
        self.job.commit(
            Replayed(
                fingerprint=self.job.fingerprint,
                index=index,
                rows=rows,
                differences=tuple(differences),
                failures=tuple(failures),
            )
        )

    def _one(self, row: RecipeRow) -> _Made:
        clean = self.spool.read(row.clean_sha256)
        image = self.spool.read(row.image_sha256) if row.came_degraded else clean
        if clean is None or image is None:
            return self._failed(row, *self.spool.why_missing(row.item))
        try:
            data = image if images.is_original(row.encoding) else self._damaged(row, clean)
        except (UserError, images.UnreadableError) as error:
            return self._failed(row, "not_replayable", str(error))
        digests = hashlib.sha256(data).hexdigest(), hashlib.sha256(clean).hexdigest()
        outcome: Outcome = "identical"
        if digests != (row.image_sha256, row.clean_sha256):
            # Lossy files are compared as what they show.
            shown = pixels_sha256(images.decode(data, NO_LIMIT).pixels)
            same = shown == row.image_pixels_sha256
            outcome = "bytes_differ" if same else "pixels_differ"
        example = row.example.model_copy(
            update={"image_sha256": digests[0], "clean_sha256": digests[1]}
        )
        return _Made(entry=Entry(example, data, clean), outcome=outcome)

    def _damaged(self, row: RecipeRow, clean: bytes) -> bytes:
        picture = images.decode(clean, NO_LIMIT)
        pixels = degraded(picture.pixels, row.applied, self.device)
        return images.encode(pixels, row.file_name.rsplit(".", 1)[1], picture.icc)

    def _failed(self, row: RecipeRow, reason: str, detail: str) -> _Made:
        return _Made(Failure(id=row.id, source_path=row.source_name, reason=reason, detail=detail))

    def _counts(self, markers: Iterator[Replayed]) -> dict[str, Any]:
        outcomes, reasons = Counter[str](), Counter[str]()
        for marker in markers:
            counted = Counter[str](d.outcome for d in marker.differences)
            outcomes.update(counted)
            outcomes["identical"] += marker.rows - counted.total()
            reasons.update(f.reason for f in marker.failures)
        splits = list(self.info["counts"]["splits"])
        return {
            **stats.count(self._written(), splits),
            "quarantined": reasons.total(),
            "failures": dict(sorted(reasons.items())),
            "replay": dict(sorted(outcomes.items())),
        }

    def _written(self) -> Iterator[Example]:
        for name in self.files:
            rows = shards.parquet_rows(self.out / DATA / name, list(Example.model_fields))
            yield from map(Example.model_validate, rows)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
