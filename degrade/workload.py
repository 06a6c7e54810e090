"""What a run has to do: its options, its sources cut into shards, what every worker must know."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from degrade import __version__, ops, shards
from degrade.errors import UserError
from degrade.images import WRITER, Encoding
from degrade.places import writable
from degrade.recipe import Recipe
from degrade.runs import Run, split_counts
from degrade.runtime import resolve_devices
from degrade.schema import SCHEMA_VERSION
from degrade.shards import Format, Shard
from degrade.sources import Listing, OutputNames, Source, scan
from degrade.storage import Place, absolute, inside

SHARD_SOURCES: dict[Format, int] = {"folder": 64, "parquet": 256}
MAX_PIXELS = 100_000_000
_CUDA_BATCH = 16


@dataclass(frozen=True)
class Options:
    """What ``synth`` was asked for, besides recipe and seed. Sizes in pixels.

    ``away``: the device is that of other machines, and not looked for here.
    """

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
    away: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One source of the plan, and the name to write under."""

    source: Source
    name: str


@dataclass(frozen=True)
class ShardJobs:
    """A shard to make: its place in the run and its jobs."""

    index: int
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Task:
    """What a worker must know to make any shard of a run. Pickles small: it holds no source.

    Attributes:
        root: Where the sources are.
        run: The folder to write.
        recipe: What to do.
        seed: Root seed of all draws.
        options: As asked for.
        devices: That the worker degrades on, of one kind.
        batch: Pictures to degrade at once.
        suffixes: What copies and levels add to the id and name of a source.
        shards: Number of shards of the whole run.
    """

    root: Place
    run: Run[Shard]
    recipe: Recipe
    seed: int
    options: Options
    devices: tuple[torch.device, ...]
    batch: int
    suffixes: tuple[tuple[str, str], ...]
    shards: int

    @property
    def device(self) -> torch.device:
        """The first of the devices."""
        return self.devices[0]

    def absolute(self) -> Task:
        """For a process whose working directory is another."""
        return replace(self, root=absolute(self.root), run=self.run.at(absolute(self.run.out)))

    def with_threads(self, threads: int) -> Task:
        """For a worker that has so many."""
        return replace(self, options=replace(self.options, workers=threads))


class Workload:
    """The shards of a run and what is needed to make them.

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
        self, src: Place | Listing, out: Place, recipe: Recipe, seed: int, options: Options
    ) -> None:
        recipe = recipe.narrowed()
        listing = src if isinstance(src, Listing) else None
        src = src.root if isinstance(src, Listing) else src
        _refuse_overlap(src, out)
        if not re.fullmatch(r"\w+(\.\w+)*", options.split):
            raise UserError(
                f"Split {options.split!r} is no name: use letters, digits, underscores and dots."
            )
        self.listing: Listing = listing or scan(src)
        sources = self.listing.sources[: options.limit]
        away = options.away and options.device == "cuda"
        devices = (torch.device("cuda"),) if away else resolve_devices(options.device)
        device = devices[0]
        batch = options.batch or (_CUDA_BATCH if device.type == "cuda" else 1)
        suffixes = tuple(
            (f"~{copy}" if copy > 1 else "", f"@{name}" if name else "")
            for copy in range(1, options.copies + 1)
            for name in recipe.variants
        )
        self._names = OutputNames(sources, ["".join(parts) for parts in suffixes])
        self._sources = sources
        self._shards = split_counts(len(sources), SHARD_SOURCES[options.format])
        settings = _settings(src, sources, recipe, seed, options, device, batch)
        self.task = Task(
            root=self.listing.root,
            run=shards.open_run(out, settings),
            recipe=recipe,
            seed=seed,
            options=options,
            devices=devices,
            batch=batch,
            suffixes=suffixes,
            shards=len(self._shards),
        )

    def __len__(self) -> int:
        """Number of sources."""
        return len(self._sources)

    @property
    def told(self) -> dict[str, int]:
        """What the summary says of the listing besides; ``limit`` where it left sources out."""
        told, limit = {"ignored_files": self.listing.ignored}, self.task.options.limit
        return told | ({"limit": limit} if limit and limit < len(self.listing.sources) else {})

    def size(self, index: int) -> int:
        """Number of sources of a shard."""
        return len(self._shards[index])

    def shard(self, index: int) -> ShardJobs:
        """A shard to make."""
        places = self._shards[index]
        return ShardJobs(index, tuple(Job(self._sources[i], self._names[i]) for i in places))


def _refuse_overlap(src: Place, out: Place) -> None:
    writable(out)
    folder = src.is_dir()
    if folder and inside(out, src):
        raise UserError(
            f"The output folder {out} lies inside the source folder {src}: the next run would "
            "degrade its own output. Give a folder outside of it."
        )
    if inside(src if folder else src.parent, out):
        raise UserError(
            f"The source {src} lies inside the output folder {out}, where it would be "
            "overwritten. Give another folder."
        )


def _settings(
    src: Place,
    sources: Sequence[Source],
    recipe: Recipe,
    seed: int,
    o: Options,
    device: torch.device,
    batch: int,
) -> dict[str, Any]:
    """Everything that decides what is written, and nothing of clock, machine or workers."""
    listed = hashlib.sha256()
    for i, source in enumerate(sources):
        listed.update(f"{chr(0) if i else ''}{source.id}\0{source.recorded}".encode())
    return {
        "source": str(src).encode("utf-8", "replace").decode(),
        "sources": len(sources),
        "source_list": listed.hexdigest()[:16],
        "recipe": json.loads(recipe.model_dump_json()),
        "operators": {name: ops.get(name).version for name in recipe.operators},
        "seed": seed,
        "copies": o.copies,
        "max_side": o.max_side,
        "max_pixels": o.max_pixels,
        "format": o.format,
        "encode": o.encode,
        "writer": WRITER,
        "split": o.split,
        "device": device.type,
        "batch": batch,
        "degrade": __version__,
        "schema": SCHEMA_VERSION,
    }
