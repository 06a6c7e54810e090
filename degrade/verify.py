"""Does a run replay? Applies every record to the clean picture again and compares."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from degrade import codecs, images, pipeline, shards
from degrade.errors import UserError
from degrade.runtime import resolve_device, tuned
from degrade.schema import Applied
from degrade.shards import Stored
from degrade.sources import find
from degrade.storage import Place
from degrade.summary import read_summary
from degrade.threads import bounded_map

# Between devices single pixels may round the other way (a property of the operators, tested).
CROSS_DEVICE_SHARE = 0.001


@dataclass(frozen=True)
class Difference:
    """A row that does not replay: why, in words."""

    id: str
    file_name: str
    problem: str


def replay(
    pixels: images.Pixels, applied: tuple[Applied, ...], device: torch.device
) -> images.Pixels:
    """Apply a record to a clean picture once more: (H, W, 3) uint8 to the same.

    Raises:
        UserError: The record is of another size, operator or version.
    """
    with torch.inference_mode():
        batch = codecs.from_pixels([pixels], device)
        return codecs.to_pixels(pipeline.run(batch, [applied]))[0]


def compare(
    stored: images.Pixels,
    clean: images.Pixels,
    applied: tuple[Applied, ...],
    encoding: str,
    device: torch.device,
    same_device: bool,
) -> str:
    """How a stored picture differs from its replay, in words; empty where it does not.

    Args:
        stored: What was written, (H, W, 3) uint8.
        clean: What it was made from.
        applied: Its record.
        encoding: How it was written: a lossy one is replayed too.
        device: To replay on.
        same_device: It is of the kind that made the picture: nothing may differ. Otherwise 0.1 %
            of the pixels may round the other way.

    Raises:
        UserError: The record is of another size, operator or version.
    """
    replayed = replay(clean, applied, device)
    if images.reencoded(encoding):
        data = images.encode(replayed, encoding.split(" ", maxsplit=1)[0], None)
        replayed = images.decode(data, 2**62).pixels
    if stored.shape != replayed.shape:
        return f"stored (H, W) {stored.shape[:2]}, replayed {replayed.shape[:2]}"
    gap = np.abs(stored.astype(np.int16) - replayed)
    off = float((gap > 1).any(axis=2).mean())
    if off <= (0.0 if same_device else CROSS_DEVICE_SHARE):
        return ""
    return f"differs by up to {gap.max()} grey levels on {off:.2%} of pixels"


class Verifier:
    """Replays a finished run.

    Args:
        out: The run's folder.
        source: Where the clean pictures are; by default where the run found them. Not needed for
            Parquet, which holds them.
        device: Device to replay on.
        workers: Host threads.

    Raises:
        UserError: Not a finished run, or the source is missing.
    """

    def __init__(self, out: Place, source: Place | None, device: str, workers: int) -> None:
        self.out = out
        _, self.run = read_summary(out, shards.RUNS)
        self.settings: dict[str, Any] = self.run["settings"]
        self.device = resolve_device(device)
        self.same_device = self.device.type == self.settings["device"]
        self.workers = workers
        self.total = int(self.run["counts"]["rows"])
        self.source = shards.clean_folder(self.settings, source)

    def check(self, sample: int | None = None) -> Iterator[Difference | None]:
        """One entry per row checked, None where it replays; one more where rows are missing.

        Args:
            sample: Check only this many, spread evenly over the run.
        """
        total = self.total
        wanted = total if sample is None else min(sample, total)
        found = 0

        def chosen() -> Iterator[Stored]:
            nonlocal found
            for i, item in enumerate(shards.read_rows(self.out, self.settings["format"])):
                found += 1
                if i < total and i * wanted // total != (i + 1) * wanted // total:
                    yield item

        with tuned(one_thread_per_picture=True), ThreadPoolExecutor(self.workers) as pool:
            yield from bounded_map(pool, self._one, chosen(), window=2 * self.workers)
        if found != total:
            problem = f"{found} rows are left, {shards.RUN} counts {total}"
            yield Difference("", str(self.out), problem)

    def _one(self, item: Stored) -> Difference | None:
        row, stored, clean = item.row, item.image, item.clean
        try:
            stored = stored if stored is not None else (self.out / row.file_name).read_bytes()
            clean = clean if clean is not None else find(self.source, row.source_path).read_bytes()
            found = images.decode(stored, max_pixels=2**62).pixels
            limits = self.settings["max_pixels"], self.settings["max_side"]
            source = images.decode(clean, *limits).pixels
            problem = compare(
                found, source, row.applied, row.encoding, self.device, self.same_device
            )
        except (OSError, UserError, images.UnreadableError) as error:
            problem = str(error)
        return Difference(row.id, row.file_name, problem) if problem else None
