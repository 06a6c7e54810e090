"""Time of each operator on a picture, against what a user would take instead.

    python benchmarks/operators.py                          # the whole table, some minutes
    python benchmarks/operators.py --op lens_blur --op graffiti --repeat 5
    python benchmarks/operators.py --device cuda            # ours on the GPU, peers on the host

Peers are the published OpenCV formulas, imagecorruptions, albumentations and kornia: the call of
each, at comparable strength, stands in peers/. Install them with
`pip install albumentations==2.0.8` and `pip install --no-deps imagecorruptions==1.1.2` (its
requirement opencv-python collides with opencv-python-headless).

All are measured in one process on the same 512x512 photographs and the same number of threads, in
turns, repetition after repetition; the medians are compared, so that a busy machine hits all alike.
CPU ms is the time of all threads together. On a machine that is busy with other work, --clock cpu
--threads 1 compares that instead of the time on the wall.

- Ours on a CPU and the peers that take one picture: one picture per host thread, with no threads
  inside the libraries, as degrade.executor does it. kornia: one batch, with torch's threads.
- Each takes its own kind of picture: 8-bit arrays for the peers, float32 for ours and for kornia.
  The way from one to the other and back, which a pipeline goes once per picture whatever the number
  of operators, is printed on top. Drawing the parameters is part of every call.
- degrade.runtime.keep_freed_memory() is called first: it serves ours and the peers alike.
- A call slower than --slow seconds gets fewer pictures (marked *).
- On CUDA ours runs on batches that lie on the device already, synchronised; bytes are those of the
  batch read once and written once, as a share of the measured bandwidth of copying on the device.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from peers.libraries import Call, Peer, peers
from PIL import Image, ImageOps

from degrade import ops, pipeline
from degrade.runtime import keep_freed_memory, resolve_device

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
INTENSITY = 0.5
ROUND_SECONDS = 0.05  # a round repeats its pictures until it lasts about as long


def pictures(count: int, side: int) -> list[np.ndarray]:
    """Square photographs; every other time around they are mirrored."""
    paths, made = sorted(PHOTOS.glob("*.jpg")), []
    for i in range(count):
        with Image.open(paths[i % len(paths)]) as image:
            square = ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS)
        if i // len(paths) % 2:
            square = ImageOps.mirror(square)
        made.append(np.array(square))
    return made


def to_float(images: list[np.ndarray]) -> torch.Tensor:
    return pipeline.to_float(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous())


def to_arrays(x: torch.Tensor) -> list[np.ndarray]:
    return list(pipeline.to_uint8(x).permute(0, 2, 3, 1).contiguous().cpu().numpy())


@dataclass
class Contestant:
    """A call with the way it is fed.

    ``round`` handles the first ``count`` pictures ``passes`` times and returns the 8-bit results
    of the last pass where asked.
    """

    library: str
    what: str
    round: Callable[[int, int, bool], list[np.ndarray]]
    count: int = 0
    passes: int = 1
    rmse: float = 0.0
    problem: str = ""
    clock: str = "wall"
    times: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Per picture by the chosen clock, the median of the repetitions: what is compared."""
        return self.cpu_seconds if self.clock == "cpu" else self.wall_seconds

    @property
    def wall_seconds(self) -> float:
        """Per picture on the wall, the median of the repetitions."""
        return statistics.median(wall for wall, _ in self.times)

    @property
    def cpu_seconds(self) -> float:
        """Per picture, of all threads together: what is left of noise on a busy machine."""
        return statistics.median(cpu for _, cpu in self.times)

    def measure(self) -> None:
        """Run one round and note its time."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.round(self.count, self.passes, False)
        handled = self.count * self.passes
        self.times.append(
            ((time.perf_counter() - wall) / handled, (time.process_time() - cpu) / handled)
        )


class Field:
    """Pictures, threads and device of a run, and how a contestant meets them."""

    def __init__(self, images: list[np.ndarray], threads: int, device: torch.device) -> None:
        self.images, self.threads, self.device = images, threads, device
        self.batch = to_float(images)
        self.on_device = self.batch.to(device)
        # torch keeps a number of threads per thread: those of the pool compute alone.
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        cv2.setNumThreads(1)

    def ours(self, name: str) -> Contestant:
        """The operator, as the executor runs it."""
        op, draws = ops.get(name), iter(range(10**9))

        @torch.inference_mode()
        def batched(count: int, passes: int, wanted: bool) -> list[np.ndarray]:
            for _ in range(passes):
                keys = [(next(draws), i) for i in range(count)]
                out = op(self.on_device[:count], [INTENSITY] * count, keys)[0]
            torch.cuda.synchronize(self.device)
            return to_arrays(out) if wanted else []

        @torch.inference_mode()
        def single(i: int) -> torch.Tensor:
            return op(self.batch[i : i + 1], [INTENSITY], [(next(draws), i)])[0]

        def per_thread(count: int, passes: int, wanted: bool) -> list[np.ndarray]:
            out = list(self.pool.map(single, [*range(count)] * passes))[-count:]
            return to_arrays(torch.cat(out)) if wanted else []

        on_cpu = self.device.type == "cpu"
        return Contestant("ours", f"intensity {INTENSITY}", per_thread if on_cpu else batched)

    def peer(self, peer: Peer) -> Contestant:
        """Another library, on the host."""
        return Contestant(
            peer.library, peer.what, self._batched(peer) if peer.batched else self._per_thread(peer)
        )

    def _batched(self, peer: Peer) -> Callable[[int, int, bool], list[np.ndarray]]:
        made: list[Call] = []

        @torch.inference_mode()
        def run(count: int, passes: int, wanted: bool) -> list[np.ndarray]:
            made.extend([] if made else [peer.make()])
            torch.set_num_threads(self.threads)
            for _ in range(passes):
                out = made[0](self.batch[:count])
            torch.set_num_threads(1)
            return to_arrays(out) if wanted else []

        return run

    def _per_thread(self, peer: Peer) -> Callable[[int, int, bool], list[np.ndarray]]:
        local = threading.local()  # transforms of albumentations hold state

        def single(i: int) -> np.ndarray:
            if not hasattr(local, "call"):
                local.call = peer.make()
            return np.asarray(local.call(self.images[i]))

        def run(count: int, passes: int, wanted: bool) -> list[np.ndarray]:
            return list(self.pool.map(single, [*range(count)] * passes))[-count:]

        return run

    def prepare(self, contestant: Contestant, slow: float) -> None:
        """Warm up, note the strength, and choose a round of a sensible length."""
        few, each = min(self.threads, len(self.images)), math.inf
        begin = time.perf_counter()
        try:
            for _ in range(4):
                start = time.perf_counter()
                results = contestant.round(few, 1, True)
                each = min(each, (time.perf_counter() - start) / few)
                if time.perf_counter() - begin > 4 * few * slow:
                    break
        except Exception as error:  # a peer that does not work here is a finding, not a crash
            if contestant.library == "ours":
                raise
            contestant.problem = f"{type(error).__name__}: {error}".splitlines()[0]
            return
        contestant.count = few if each > slow else len(self.images)
        if contestant.count > few:
            results = contestant.round(contestant.count, 1, True)
        pairs = zip(results, self.images, strict=False)
        squares = [np.mean((a.astype(np.float32) - b) ** 2) for a, b in pairs]
        contestant.rmse = float(np.sqrt(np.mean(squares)))
        contestant.passes = max(1, round(ROUND_SECONDS / (each * contestant.count)))

    def conversion(self, repeat: int) -> float:
        """Seconds per picture from 8-bit array to float and back, one picture per thread."""
        calls = [partial(lambda image: to_arrays(to_float([image])), i) for i in self.images]
        way = Contestant("", "", lambda count, passes, wanted: list(self.pool.map(_call, calls)))
        way.count = len(self.images)
        for _ in range(repeat + 1):
            way.measure()
        return way.seconds


def _call(function: Callable[[], Any]) -> Any:
    return function()


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written per second by copying 256 MiB on the device."""
    source = torch.zeros(1 << 28, dtype=torch.uint8, device=device)
    target, times = torch.empty_like(source), []
    for _ in range(20):
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return 2 * source.numel() / statistics.median(times)


def contest(field_: Field, name: str, repeat: int, slow: float, clock: str) -> list[Contestant]:
    """All of an operator, ours first, measured in turns."""
    everyone = [field_.ours(name), *(field_.peer(p) for p in peers(name))]
    for contestant in everyone:
        contestant.clock = clock
        field_.prepare(contestant, slow)
    runners = [c for c in everyone if not c.problem]
    for turn in range(repeat):
        shift = turn % len(runners)  # nobody always runs after the same neighbour
        for contestant in runners[shift:] + runners[:shift]:
            contestant.measure()
    return everyone


def report(name: str, everyone: list[Contestant], full: int) -> dict[str, Any]:
    """Print the rows of an operator and return them as data."""
    ours = everyone[0]
    rows = []
    for c in everyone:
        row: dict[str, Any] = {"library": c.library, "call": c.what}
        if c.problem:
            print(f"| {name} | {c.library} | {c.what} | n/a ({c.problem}) | | | |", flush=True)
            rows.append(row | {"problem": c.problem})
            continue
        ratio, mark = c.seconds / ours.seconds, "" if c.count == full else " *"
        last = "" if c is ours else f"{ratio:.2f}"
        print(
            f"| {name} | {c.library} | {c.what} | {1e3 * c.wall_seconds:.2f}{mark} | {last} "
            f"| {1e3 * c.cpu_seconds:.2f} | {c.rmse:.1f} |",
            flush=True,
        )
        times = {"ms": 1e3 * c.seconds, "wall_ms": 1e3 * c.wall_seconds}
        times |= {"cpu_ms": 1e3 * c.cpu_seconds, "cpu_ms_least": 1e3 * min(t for _, t in c.times)}
        rows.append(row | times | {"pictures": c.count, "rmse": c.rmse})
    against = [c for c in everyone[1:] if not c.problem]
    fastest = min(against, key=lambda c: c.seconds, default=None)
    return {
        "rows": rows,
        "ours_ms": 1e3 * ours.seconds,
        "fastest": fastest and f"{fastest.library}: {fastest.what}",
        "ratio": fastest and fastest.seconds / ours.seconds,
    }


def summary(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Print the ratios, one line per operator, and what they come to."""
    print("\n| operator | ours, ms | fastest peer | fastest peer / ours |\n|---|---|---|---|")
    for name, entry in table.items():
        ratio = f"{entry['ratio']:.2f}" if entry["ratio"] else "no peer"
        print(f"| {name} | {entry['ours_ms']:.2f} | {entry['fastest'] or ''} | {ratio} |")
    ratios = {name: entry["ratio"] for name, entry in table.items() if entry["ratio"]}
    if not ratios:
        return {}
    mean = statistics.geometric_mean(ratios.values())
    below = [name for name, ratio in ratios.items() if ratio < 0.5]
    print(
        f"\nGeometric mean of fastest peer / ours over {len(ratios)} operators: {mean:.2f}. "
        f"Below 0.5: {len(below)}{' (' + ', '.join(below) + ')' if below else ''}."
    )
    return {"geometric_mean": mean, "below_half": below, "by_library": by_library(table)}


def by_library(table: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Print how ours compares with each library, its fastest call where it has several."""
    ratios: dict[str, dict[str, float]] = {}
    for name, entry in table.items():
        for row in entry["rows"][1:]:
            if "ms" in row:
                known = ratios.setdefault(row["library"], {})
                known[name] = min(row["ms"] / entry["ours_ms"], known.get(name, math.inf))
    means = {library: statistics.geometric_mean(r.values()) for library, r in ratios.items()}
    for library, mean in means.items():
        print(f"{library} / ours: {mean:.2f} over {len(ratios[library])} operators.")
    return means


def on_device(table: dict[str, dict[str, Any]], side: int, bandwidth: float) -> None:
    """Print images and bytes per second of ours on the device."""
    print(f"\nCopying on the device: {bandwidth / 1e9:.0f} GB/s (read and written).\n")
    print("| operator | images/s | GB/s in and out | share of copying |\n|---|---|---|---|")
    for name, entry in table.items():
        rate = 1e3 / entry["ours_ms"]
        moved = rate * 2 * 3 * 4 * side**2
        entry |= {"images_per_second": rate, "bytes_per_second": moved}
        print(f"| {name} | {rate:.0f} | {moved / 1e9:.1f} | {moved / bandwidth:.0%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--op", action="append", choices=ops.names(), help="default: all")
    parser.add_argument("--repeat", type=int, default=9, help="rounds of each contestant")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="to compare by")
    parser.add_argument("--device", default="cpu", help="of ours: cpu or cuda")
    parser.add_argument("--pictures", type=int, help="default: 8, on CUDA a batch of 16")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--slow", type=float, default=0.25, help="seconds a picture")
    parser.add_argument("--json", type=Path, help="write the table here as well")
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    device = resolve_device(args.device)
    count = args.pictures or (16 if device.type == "cuda" else 8)
    field_ = Field(pictures(count, args.side), args.threads, device)
    print(
        f"{count} pictures of {args.side}x{args.side}, {args.threads} threads, ours on {device}, "
        f"medians of {args.repeat}, compared by the {args.clock} clock.\n"
        f"8 bit to float and back, once per pipeline: "
        f"{1e3 * field_.conversion(args.repeat):.2f} ms per picture.\n"
    )
    print("| operator | from | call | ms per picture | / ours | CPU ms | RMSE |")
    print("|---|---|---|---|---|---|---|")
    table = {}
    for name in args.op or ops.names():
        table[name] = report(name, contest(field_, name, args.repeat, args.slow, args.clock), count)
    result: dict[str, Any] = {"threads": args.threads, "device": str(device), "operators": table}
    result |= summary(table)
    if device.type == "cuda":
        result["copy_bytes_per_second"] = copy_bandwidth(device)
        on_device(table, args.side, result["copy_bytes_per_second"])
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
