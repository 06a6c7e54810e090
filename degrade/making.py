"""Making one shard: load, degrade, encode, write, commit.

What is written depends on the task and the shard alone: never on the worker, on what was made
before or on what else is in flight. Names are fixed beforehand, each file appears whole, and the
marker comes last, so that a shard can be made again at any time, by anyone.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from degrade import codecs, images, pipeline, runs
from degrade.errors import UserError
from degrade.images import Picture, UnreadableError
from degrade.runs import split_counts
from degrade.schema import Applied, Failure, Row, describe
from degrade.shards import ParquetShard, PictureRow, Shard, picture_schema
from degrade.workload import Job, ShardJobs, Task


@dataclass(frozen=True)
class Done:
    """What became of a job; ``pictures`` only where the shard's file holds them (Parquet)."""

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


Made = list[tuple[Piece, images.Pixels]]
"""All versions of one source, degraded."""

_GROUP_BATCHES = 4  # batches gathered from one group, so that mixed shapes still fill them


class Maker:
    """Makes the shards of a task. Its methods may be called from many threads."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def write(self, shard: ShardJobs, results: Iterable[Done]) -> Iterator[Done]:
        """Write the results of a shard's jobs and commit it, passing them on for the progress."""
        task, parquet = self.task, None
        if task.options.format == "parquet":
            name = f"{task.options.split}-{shard.index:05d}-of-{task.shards:05d}.parquet"
            (task.run.out / "data").mkdir(exist_ok=True)
            parquet = ParquetShard(task.run.out / "data" / name, picture_schema(Row))
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
        task.run.commit(
            Shard(
                fingerprint=task.run.fingerprint,
                index=shard.index,
                rows=tuple(rows),
                failures=tuple(failures),
            )
        )

    # ------------------------------------------------------------------------------- the work

    def one(self, job: Job) -> Done:
        """All steps of one job."""
        loaded = self.load(job)
        if isinstance(loaded, Failure):
            return Done(failure=loaded)
        made = []
        for piece in self._pieces(loaded):
            (pixels,) = self.degrade([piece], self.task.device)
            if isinstance(pixels, str):
                return Done(failure=_failure(job, "not_degradable", pixels))
            made.append((piece, pixels))
        return self.store(loaded, made)

    def groups(self, jobs: tuple[Job, ...]) -> Iterator[tuple[Job, ...]]:
        """The jobs of a shard that are loaded together, and from which batches are gathered.

        Part of what decides the pixels, as a batch may round a last digit otherwise: so it is a
        matter of the shard alone.
        """
        for part in split_counts(len(jobs), self.task.batch * _GROUP_BATCHES):
            yield jobs[part.start : part.stop]

    def degrade_group(
        self, loaded: list[Loaded | Failure], device: torch.device
    ) -> list[Made | Failure]:
        """Degrade a group, batched by shape; one entry per position in the group."""
        by_shape: dict[tuple[int, ...], list[tuple[int, Piece]]] = {}
        made: list[Made | Failure] = []
        for i, item in enumerate(loaded):
            made.append(item if isinstance(item, Failure) else [])
            if isinstance(item, Loaded):
                for piece in self._pieces(item):
                    by_shape.setdefault(item.picture.pixels.shape, []).append((i, piece))
        for entries in by_shape.values():
            for part in split_counts(len(entries), self.task.batch):
                places, pieces = zip(*(entries[k] for k in part), strict=True)
                degraded = self.degrade(list(pieces), device)
                for i, piece, pixels in zip(places, pieces, degraded, strict=True):
                    entry = made[i]
                    if isinstance(pixels, str):
                        made[i] = _failure(piece.loaded.job, "not_degradable", pixels)
                    elif isinstance(entry, list):
                        entry.append((piece, pixels))
        return made

    def load(self, job: Job) -> Loaded | Failure:
        """Read and decode a source."""
        options = self.task.options
        try:
            path = self.task.root / job.source.path
            # A pipe would be waited for for ever.
            if isinstance(path, Path) and not stat.S_ISREG(path.stat().st_mode):
                return _failure(job, "unreadable", "not a regular file")
            data = path.read_bytes()
            picture = images.decode(data, options.max_pixels, options.max_side)
            ext = images.extension(options.encode, picture.format)
            images.check_sides(picture.pixels, ext)
        except OSError as error:
            return _failure(job, "unreadable", error.strerror or str(error))
        except UnreadableError as error:
            return _failure(job, error.reason, error.detail)
        except UserError as error:
            return _failure(job, "too_long_to_write", str(error))
        return Loaded(job, picture, data)

    def _pieces(self, loaded: Loaded) -> list[Piece]:
        side = min(loaded.picture.pixels.shape[:2])
        pieces = []
        for copy in dict.fromkeys(copy for copy, _ in self.task.suffixes):
            key = loaded.job.source.id + copy
            for variant in self.task.recipe.draw(key, self.task.seed, side):
                version = f"@{variant.name}" if variant.name else ""
                pieces.append(Piece(loaded, copy + version, variant.applied))
        return pieces

    def degrade(self, pieces: list[Piece], device: torch.device) -> list[images.Pixels | str]:
        """Pictures of one shape -> the degraded pixels of each, or why it has none."""
        try:
            with torch.inference_mode():
                clean = [p.loaded.picture.pixels for p in pieces]
                batch = codecs.from_pixels(clean, device)
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
        # Neighbours may do.
        return [one for piece in pieces for one in self.degrade([piece], device)]

    def finish(self, loaded: Loaded | Failure, made: Made | Failure) -> Done:
        """The last step of a job of a group."""
        for outcome in (loaded, made):
            if isinstance(outcome, Failure):
                return Done(failure=outcome)
        assert isinstance(loaded, Loaded)
        assert isinstance(made, list)
        return self.store(loaded, made)

    def store(self, loaded: Loaded, made: Made) -> Done:
        """Encode, and for a folder run write, all versions of one source."""
        job, picture, encoding = loaded.job, loaded.picture, self.task.options.encode
        folder = self.task.options.format == "folder"
        ext = images.extension(encoding, picture.format)
        clean = b"" if folder else _clean(loaded)
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
            path = self.task.run.out / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                runs.write_atomic(path, data)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                detail = "the name is too long to write; shorten it"
                return Done(failure=_failure(job, "name_too_long", detail))
        return Done(tuple(rows), tuple(pictures))


def _failure(job: Job, reason: str, detail: str) -> Failure:
    return Failure(id=job.source.id, source_path=job.source.recorded, reason=reason, detail=detail)


def _clean(loaded: Loaded) -> bytes:
    """The undamaged picture to publish: the original file where it shows the same pixels."""
    if not loaded.picture.altered:
        return loaded.data
    return images.encode(loaded.picture.pixels, "png", loaded.picture.icc)
