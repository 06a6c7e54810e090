"""The streaming run: decode | degrade | encode on host threads, shard by shard, resumable.

On a CPU every thread takes a picture through all three steps: one picture fits the cache where a
batch does not, and its pixels cannot depend on what else is in flight. On a CUDA device pictures
are batched by shape while threads decode the next and encode the last.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from degrade import __version__, codecs, images, ops, pipeline, runs, shards
from degrade.errors import HaltedError, UserError
from degrade.images import Encoding, Picture, UnreadableError
from degrade.recipe import Recipe
from degrade.runs import Progress, bounded_map, host_threads, read_json, split_counts
from degrade.runtime import resolve_device, tuned
from degrade.schema import SCHEMA_VERSION, Applied, Failure, Row, describe
from degrade.shards import Format, ParquetShard, PictureRow, Shard, picture_schema
from degrade.sources import Listing, Source, output_names, scan

SHARD_SOURCES: dict[Format, int] = {"folder": 64, "parquet": 256}
MAX_PIXELS = 100_000_000
_CUDA_BATCH = 16
_READ_AHEAD = 4  # batches decoded ahead on a CUDA device; also what shapes are gathered from


@dataclass(frozen=True)
class Options:
    """What ``synth`` was asked for, besides recipe and seed. Sizes in pixels."""

    copies: int = 1
    max_side: int | None = None
    max_pixels: int = MAX_PIXELS
    device: str = "auto"
    batch: int | None = None
    workers: int | None = None
    format: Format = "folder"
    encode: Encoding = "png"
    split: str = "train"
    limit: int | None = None


@dataclass(frozen=True)
class Job:
    """One source of the plan."""

    source: Source
    name: str


@dataclass(frozen=True)
class Done:
    """What became of a job; ``pictures`` only where the caller writes them (Parquet)."""

    rows: tuple[Row, ...] = ()
    pictures: tuple[PictureRow, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True)
class Loaded:
    """A decoded source with the file it came from."""

    job: Job
    picture: Picture
    data: bytes


@dataclass(frozen=True)
class Piece:
    """One picture to make: a copy and level of a loaded source."""

    loaded: Loaded
    suffix: str
    applied: tuple[Applied, ...]


class Synth:
    """A planned run: sources, recipe and options bound to an output folder.

    Args:
        src: Folder of pictures, one picture, or a listing made elsewhere.
        out: Folder to write.
        recipe: What to do.
        seed: Root seed of all draws.
        options: The rest.

    Raises:
        UserError: A source, folder or option that cannot work.
    """

    def __init__(
        self, src: Path | Listing, out: Path, recipe: Recipe, seed: int, options: Options
    ) -> None:
        self.recipe, self.seed, self.options = recipe.narrowed(), seed, options
        listing = src if isinstance(src, Listing) else None
        src = src.root if isinstance(src, Listing) else src
        inside, around = out.resolve(), (src if src.is_dir() else src.parent).resolve()
        if src.is_dir() and inside.is_relative_to(around):
            raise UserError(
                f"The output folder {out} lies inside the source folder {src}: the next run would "
                "degrade its own output. Give a folder outside of it."
            )
        if around.is_relative_to(inside):
            raise UserError(
                f"The source {src} lies inside the output folder {out}, where it would be "
                "overwritten. Give another folder."
            )
        if not re.fullmatch(r"\w+(\.\w+)*", options.split):
            raise UserError(
                f"Split {options.split!r} is no name: use letters, digits, underscores and dots."
            )
        self.listing: Listing = listing or scan(src)
        sources = self.listing.sources[: options.limit]
        self.device = resolve_device(options.device)
        self.batch = options.batch or (_CUDA_BATCH if self.device.type == "cuda" else 1)
        self.workers = host_threads(options.workers)
        self.suffixes = [
            (f"~{copy}" if copy > 1 else "", f"@{name}" if name else "")
            for copy in range(1, options.copies + 1)
            for name in self.recipe.variants
        ]
        names = output_names(sources, ["".join(parts) for parts in self.suffixes])
        self.jobs = [Job(s, n) for s, n in zip(sources, names, strict=True)]
        self.run_folder = shards.open_run(out, self._settings(src))
        self.shards = split_counts(len(self.jobs), SHARD_SOURCES[options.format])

    def _settings(self, src: Path) -> dict[str, Any]:
        """Everything that decides what is written, and nothing of clock, machine or workers."""
        names = "\0".join(f"{j.source.id}\0{j.source.recorded}" for j in self.jobs)
        listed = hashlib.sha256(names.encode()).hexdigest()
        o = self.options
        return {
            "source": str(src).encode("utf-8", "replace").decode(),
            "sources": len(self.jobs),
            "source_list": listed[:16],
            "recipe": json.loads(self.recipe.model_dump_json()),
            "operators": {name: ops.get(name).version for name in self.recipe.operators},
            "seed": self.seed,
            "copies": o.copies,
            "max_side": o.max_side,
            "max_pixels": o.max_pixels,
            "format": o.format,
            "encode": o.encode,
            "split": o.split,
            "device": self.device.type,
            "batch": self.batch,
            "degrade": __version__,
            "schema": SCHEMA_VERSION,
        }

    def run(
        self,
        overwrite: bool = False,
        resume: bool = False,
        progress: Progress | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Do what is left to do and return the content of ``run.json``.

        The result has ``already_finished`` set where nothing was left. ``stop`` is asked before
        every shard whether to leave it at those that are finished.

        Raises:
            HaltedError: It was, and there are more.
            UserError: The folder belongs to another run, or another process is at work in it.
            StoppedError: The disk is full, or the folder cannot be written.
        """
        folder = self.run_folder
        with folder.opened(overwrite, resume) as finished:
            if not finished:
                self._run(progress or (lambda done, total: None), stop)
        return {**read_json(folder.out / shards.RUN), "already_finished": finished}

    def _run(self, progress: Progress, stop: Callable[[], bool]) -> None:
        folder, total = self.run_folder, len(self.jobs)
        todo = [i for i in range(len(self.shards)) if not folder.committed(i)]
        done = total - sum(len(self.shards[i]) for i in todo)
        progress(done, total)
        results = self._results([self.jobs[j] for i in todo for j in self.shards[i]])
        with tuned(one_thread_per_picture=self.batch == 1):
            try:
                for index in todo:
                    if stop():
                        raise HaltedError(f"{done:,} of {total:,} source pictures")
                    for _ in self._shard(index, islice(results, len(self.shards[index]))):
                        done += 1
                        progress(done, total)
            finally:
                results.close()
        extra = {"ignored_files": self.listing.ignored}
        folder.finish(len(self.shards), shards.counts, extra)

    def _shard(self, index: int, results: Iterable[Done]) -> Iterator[Done]:
        """Write one shard and commit it, passing its results on for the progress."""
        folder, parquet = self.run_folder, None
        if self.options.format == "parquet":
            name = f"{self.options.split}-{index:05d}-of-{len(self.shards):05d}.parquet"
            (folder.out / "data").mkdir(exist_ok=True)
            parquet = ParquetShard(folder.out / "data" / name, picture_schema(Row))
        rows: list[Row] = []
        failures: list[Failure] = []
        try:
            for result in results:
                rows.extend(result.rows)
                failures.extend([result.failure] if result.failure else [])
                for picture in result.pictures if parquet else ():
                    parquet.add(picture.columns())  # type: ignore[union-attr]
                yield result
            if parquet:
                parquet.commit()
        except BaseException:
            if parquet:
                parquet.discard()
            raise
        folder.commit(
            Shard(
                fingerprint=folder.fingerprint,
                index=index,
                rows=tuple(rows),
                failures=tuple(failures),
            )
        )

    # ------------------------------------------------------------------------------- the work

    def _results(self, jobs: list[Job]) -> Generator[Done]:
        """Results in the order of the jobs, a bounded number in flight."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="degrade") as pool:
            if self.batch == 1:
                yield from bounded_map(pool, self._one, jobs, window=2 * self.workers)
            else:
                yield from self._batched(pool, jobs)

    def _one(self, job: Job) -> Done:
        loaded = self._load(job)
        if isinstance(loaded, Failure):
            return Done(failure=loaded)
        made = []
        for piece in self._pieces(loaded):
            (pixels,) = self._degrade([piece])
            if isinstance(pixels, str):
                return Done(failure=self._failure(job, "not_degradable", pixels))
            made.append((piece, pixels))
        return self._store(loaded, made)

    def _batched(self, pool: ThreadPoolExecutor, jobs: list[Job]) -> Iterator[Done]:
        groups = split_counts(len(jobs), self.batch * _READ_AHEAD)
        ahead: deque[list[Future[Loaded | Failure]]] = deque()
        stored: list[Future[Done]] = []
        for group in [*groups, None]:
            if group is not None:
                ahead.append([pool.submit(self._load, jobs[i]) for i in group])
            if group is not None and len(ahead) < 2:
                continue
            loaded = [future.result() for future in ahead.popleft()] if ahead else []
            made = self._make(loaded)
            yield from (future.result() for future in stored)
            pairs = zip(loaded, made, strict=True)
            stored = [pool.submit(self._finish, item, entry) for item, entry in pairs]
        yield from (future.result() for future in stored)

    def _make(self, loaded: list[Loaded | Failure]) -> list[list[tuple[Piece, Any]] | Failure]:
        """Degrade a group, batched by shape; one entry per position in the group."""
        by_shape: dict[tuple[int, ...], list[tuple[int, Piece]]] = {}
        made: list[list[tuple[Piece, Any]] | Failure] = []
        for i, item in enumerate(loaded):
            made.append(item if isinstance(item, Failure) else [])
            if isinstance(item, Loaded):
                for piece in self._pieces(item):
                    by_shape.setdefault(item.picture.pixels.shape, []).append((i, piece))
        for entries in by_shape.values():
            for part in split_counts(len(entries), self.batch):
                places, pieces = zip(*(entries[k] for k in part), strict=True)
                degraded = self._degrade(list(pieces))
                for i, piece, pixels in zip(places, pieces, degraded, strict=True):
                    entry = made[i]
                    if isinstance(pixels, str):
                        made[i] = self._failure(piece.loaded.job, "not_degradable", pixels)
                    elif isinstance(entry, list):
                        entry.append((piece, pixels))
        return made

    def _load(self, job: Job) -> Loaded | Failure:
        try:
            path = self.listing.root / job.source.path
            if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for for ever
                return self._failure(job, "unreadable", "not a regular file")
            data = path.read_bytes()
            picture = images.decode(data, self.options.max_pixels, self.options.max_side)
        except OSError as error:
            return self._failure(job, "unreadable", error.strerror or str(error))
        except UnreadableError as error:
            return self._failure(job, error.reason, error.detail)
        return Loaded(job, picture, data)

    def _failure(self, job: Job, reason: str, detail: str) -> Failure:
        return Failure(
            id=job.source.id, source_path=job.source.recorded, reason=reason, detail=detail
        )

    def _pieces(self, loaded: Loaded) -> list[Piece]:
        side = min(loaded.picture.pixels.shape[:2])
        pieces = []
        for copy in dict.fromkeys(copy for copy, _ in self.suffixes):
            key = loaded.job.source.id + copy
            for variant in self.recipe.draw(key, self.seed, side):
                version = f"@{variant.name}" if variant.name else ""
                pieces.append(Piece(loaded, copy + version, variant.applied))
        return pieces

    def _degrade(self, pieces: list[Piece]) -> list[images.Pixels | str]:
        """Pictures of one shape -> the degraded pixels of each, or why it has none."""
        try:
            with torch.inference_mode():
                batch = codecs.from_pixels([p.loaded.picture.pixels for p in pieces], self.device)
                return [*codecs.to_pixels(pipeline.run(batch, [p.applied for p in pieces]))]
        except UserError as error:  # a size that a codec cannot hold
            reason = str(error)
        except (MemoryError, torch.OutOfMemoryError):
            reason = "not enough memory; reduce it with --max-side"
        except RuntimeError as error:
            if "allocate memory" not in str(error):  # torch's CPU allocator has no error of its own
                raise
            reason = "not enough memory; reduce it with --max-side"
        if len(pieces) == 1:
            return [reason]
        return [one for piece in pieces for one in self._degrade([piece])]  # neighbours may do

    def _finish(
        self, loaded: Loaded | Failure, made: list[tuple[Piece, images.Pixels]] | Failure
    ) -> Done:
        for outcome in (loaded, made):
            if isinstance(outcome, Failure):
                return Done(failure=outcome)
        assert isinstance(loaded, Loaded)
        assert isinstance(made, list)
        return self._store(loaded, made)

    def _store(self, loaded: Loaded, made: list[tuple[Piece, images.Pixels]]) -> Done:
        """Encode, and for a folder run write, all versions of one source."""
        job, picture = loaded.job, loaded.picture
        folder = self.options.format == "folder"
        ext = images.extension(self.options.encode, picture.format)
        clean = b"" if folder else self._clean(loaded)
        rows, pictures = [], []
        for piece, pixels in made:
            data = images.encode(pixels, ext, picture.icc)
            name = f"images/{job.name}{piece.suffix}.{ext}"
            row = Row(
                file_name=name,
                id=job.source.id + piece.suffix,
                source_path=job.source.recorded,
                width=pixels.shape[1],
                height=pixels.shape[0],
                encoding=images.described(ext),
                degradations=describe(piece.applied),
                applied=piece.applied,
            )
            rows.append(row)
            if not folder:
                pictures.append(PictureRow(row=row, image=data, clean_image=clean))
                continue
            path = self.run_folder.out / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                runs.write_atomic(path, data)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                detail = "the name is too long to write; shorten it"
                return Done(failure=self._failure(job, "name_too_long", detail))
        return Done(tuple(rows), tuple(pictures))

    def _clean(self, loaded: Loaded) -> bytes:
        """The undamaged picture to publish: the original file where it shows the same pixels."""
        if not loaded.picture.altered:
            return loaded.data
        return images.encode(loaded.picture.pixels, "png", loaded.picture.icc)
