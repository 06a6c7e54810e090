"""Pictures a second of `degrade-cli synth`, against only decoding and encoding the same files.

    python benchmarks/synth.py                    # rate, share of the ceiling, where the time goes
    python benchmarks/synth.py --memory           # peak memory at 500 and at 5000 pictures
    python benchmarks/synth.py --shapes 40        # as many shapes of as many pixels, mixed
    python benchmarks/synth.py --device cuda --workers 16 --pictures 2000

The sources are random square crops of the example photographs, written as JPEG to a temporary
folder; crops and flips are the same every time. The ceiling is a loop with as many threads that
reads the same files, decodes, encodes and writes them with the same functions and settings, and
degrades nothing: degrading for free would be that fast. Both run in turns; medians are compared, by
the clock and by processor time, which other work on the machine disturbs less.

Then one more run with a single worker, with clocks around its steps: each row is the time spent in
a step itself, without the steps inside it. On a CPU that is processor time of the thread, which
other work on the machine does not disturb; on CUDA wall time, synchronised at each border.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageOps

from degrade import codecs, images, ops, pipeline, recipe, runs
from degrade.executor import MAX_PIXELS, Options, Synth
from degrade.making import Maker
from degrade.recipe import Recipe
from degrade.registry import Operator
from degrade.runtime import tuned
from degrade.threads import bounded_map

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
TARGET_RATIO, TARGET_GROWTH = 0.70, 0.10
DISTINCT = 200  # sources beyond these are links to them: the run reads and decodes them all


def make_sources(folder: Path, count: int, side: int, shapes: int = 1) -> None:
    """Random crops of the photographs, every other one mirrored, as JPEG: square, or in turns of
    as many shapes from 3:4 to 4:3, all with the pixels of the square.
    """
    aspects = np.geomspace(0.75, 4 / 3, shapes) if shapes > 1 else np.ones(1)
    rng, photos = np.random.default_rng(0), []
    for path in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(path) as image:
            photos.append(image.convert("RGB"))
    folder.mkdir(parents=True)
    for i in range(count):
        path = folder / f"{i:05d}.jpg"
        if i >= DISTINCT:
            path.hardlink_to(folder / f"{i % DISTINCT:05d}.jpg")
            continue
        photo = photos[i % len(photos)]
        length = int(min(photo.size) * rng.uniform(0.6, 1.0))
        left, top = (int(rng.integers(0, n - length + 1)) for n in photo.size)
        crop = photo.crop((left, top, left + length, top + length))
        stretch = float(np.sqrt(aspects[i % shapes]))
        size = (round(side * stretch), round(side / stretch))
        crop = crop.resize(size, Image.Resampling.LANCZOS)
        if rng.random() < 0.5:
            crop = ImageOps.mirror(crop)
        crop.save(path, quality=92)


Spent = tuple[float, float]
"""Seconds by the clock, and of all processors."""


def now() -> Spent:
    return time.perf_counter(), time.process_time()


def since(start: Spent) -> Spent:
    wall, cpu = now()
    return wall - start[0], cpu - start[1]


def degraded(src: Path, out: Path, chosen: Recipe, options: Options) -> Spent:
    """The whole command."""
    start = now()
    result = Synth(src, out, chosen, 0, options).run()
    seconds = since(start)
    if result["counts"]["failed"]:
        raise RuntimeError(f"Some pictures failed: {result['counts']}")
    return seconds


def copied(src: Path, out: Path, workers: int) -> Spent:
    """Decoding and encoding alone."""

    def one(path: Path) -> None:
        picture = images.decode(path.read_bytes(), MAX_PIXELS)
        data = images.encode(picture.pixels, "png", picture.icc)
        runs.write_atomic(out / f"{path.stem}.png", data)

    start = now()
    out.mkdir()
    with ThreadPoolExecutor(workers) as pool, tuned(one_thread_per_picture=True):
        for _ in bounded_map(pool, one, sorted(src.iterdir()), window=2 * workers):
            pass
    return since(start)


def compare(args: argparse.Namespace, chosen: Recipe, src: Path, scratch: Path) -> dict[str, Any]:
    options = Options(device=args.device, workers=args.workers)
    times: dict[str, list[Spent]] = {"synth": [], "ceiling": []}
    for turn in range(-1, args.repeat):  # turn -1 warms up caches, threads and the device
        for kind in ("synth", "ceiling") if turn % 2 else ("ceiling", "synth"):
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                out = Path(folder) / "out"
                if kind == "synth":
                    seconds = degraded(src, out, chosen, options)
                else:
                    seconds = copied(src, out, args.workers)
            if turn >= 0:
                times[kind].append(seconds)
                print(f"  {kind}: {args.pictures / seconds[0]:.1f} pictures/s", flush=True)
    rate, cpu = (
        {
            kind: args.pictures / statistics.median(spent[i] for spent in values)
            for kind, values in times.items()
        }
        for i in (0, 1)
    )
    ratio, cpu_ratio = (r["synth"] / r["ceiling"] for r in (rate, cpu))
    print(
        f"\nsynth {rate['synth']:.1f} pictures/s, decoding and encoding alone "
        f"{rate['ceiling']:.1f} pictures/s: {ratio:.0%} of the ceiling "
        f"(target {TARGET_RATIO:.0%}: {'met' if ratio >= TARGET_RATIO else 'missed'}). "
        f"By processor time {1e3 / cpu['synth']:.1f} and {1e3 / cpu['ceiling']:.1f} ms a picture: "
        f"{cpu_ratio:.0%}.\n"
    )
    return {**rate, "ratio": ratio, "cpu_ratio": cpu_ratio}


# ------------------------------------------------------------------------- where the time goes


class Clocks:
    """Time per step, each without the steps that run inside it."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[str, int] = defaultdict(int)
        self._device = device
        self._inside = threading.local()

    def now(self) -> float:
        """Processor time of this thread on a CPU, wall time of finished work on CUDA."""
        if self._device.type == "cpu":
            return time.thread_time()
        torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def around(self, function: Callable[..., Any], label: str | None) -> Callable[..., Any]:
        """The function with a clock; without a label it goes by the operator it is called on."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            stack: list[float] = self._inside.__dict__.setdefault("stack", [])
            stack.append(0.0)
            start = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                spent = self.now() - start
                step = label or f"operator {args[0].name}"
                self.seconds[step] += spent - stack.pop()
                self.calls[step] += 1
                if stack:
                    stack[-1] += spent

        return timed


STEPS: list[tuple[Any, str, str | None]] = [
    (Maker, "load", "read"),
    (images, "decode", "decode"),
    (Recipe, "draw", "draw records"),
    (Maker, "degrade", "layout and transfer"),
    (codecs, "from_pixels", "to float"),
    (pipeline, "run", "group by operator"),
    (Operator, "apply", None),
    (codecs, "to_pixels", "to 8 bit"),
    (images, "encode", "encode"),
    (runs, "write_atomic", "write"),
    (Maker, "store", "make rows"),
]
"""What a run goes through: owner, attribute, name of the step."""


@contextmanager
def watched(clocks: Clocks) -> Iterator[None]:
    """Put a clock around every step."""
    patches = [
        mock.patch.object(owner, name, clocks.around(getattr(owner, name), label))
        for owner, name, label in STEPS
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def clean_encoding(paths: list[Path]) -> float:
    """Seconds to encode an undamaged picture as PNG, of processor time."""
    spent = 0.0
    for path in paths:
        picture = images.decode(path.read_bytes(), MAX_PIXELS)
        start = time.thread_time()
        images.encode(picture.pixels, "png", picture.icc)
        spent += time.thread_time() - start
    return spent / len(paths)


def breakdown(args: argparse.Namespace, chosen: Recipe, src: Path, scratch: Path) -> dict[str, Any]:
    """Print the time of each step, per picture of the run."""
    options = Options(device=args.device, workers=1)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        run = Synth(src, Path(folder) / "out", chosen, 0, options)
        clocks = Clocks(run.work.task.device)
        on_cpu = run.work.task.device.type == "cpu"
        start = time.process_time() if on_cpu else time.perf_counter()
        with watched(clocks):
            run.run()
        whole = (time.process_time() if on_cpu else time.perf_counter()) - start
    steps = dict(clocks.seconds)
    if on_cpu:  # on CUDA, decoding, the device and encoding overlap: there is no remainder
        steps["everything else"] = whole - sum(steps.values())
    total = sum(steps.values())
    kind = "CPU" if on_cpu else "wall"
    print(f"{kind} time per picture, {1e3 * total / args.pictures:.1f} ms in all:\n")
    print("| step | ms per picture | share | calls | ms per call |\n|---|---|---|---|---|")
    for step, seconds in sorted(steps.items(), key=lambda item: -item[1]):
        calls = clocks.calls.get(step, 0)
        per_call = f"{1e3 * seconds / calls:.2f}" if calls else ""
        print(
            f"| {step} | {1e3 * seconds / args.pictures:.2f} | {seconds / total:.1%} "
            f"| {calls or ''} | {per_call} |"
        )
    clean = clean_encoding(sorted(src.iterdir()))
    encode = steps["encode"] / args.pictures
    print(
        f"\nPNG of a degraded picture takes {1e3 * encode:.1f} ms, of the undamaged one "
        f"{1e3 * clean:.1f} ms of CPU time: the ceiling writes the latter."
    )
    operators = sum(v for k, v in steps.items() if k.startswith("operator "))
    codecs = steps["decode"] + steps["encode"]
    print(
        f"Operators {operators / total:.0%}, decode and encode {codecs / total:.0%}, "
        f"the rest {1 - (operators + codecs) / total:.0%}.\n"
    )
    return {
        step: {"ms_per_picture": 1e3 * s / args.pictures, "calls": clocks.calls.get(step, 0)}
        for step, s in steps.items()
    }


# ---------------------------------------------------------------------------------- memory


def memory(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Peak resident memory of runs of different length, each in a process of its own."""
    peaks = {}
    for count in args.memory_pictures:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            src, out = Path(folder) / "src", Path(folder) / "out"
            make_sources(src, count, args.side)
            command = [sys.executable, __file__, "--child", str(src), str(out)]
            command += ["--recipe", args.recipe, "--device", args.device]
            command += ["--workers", str(args.workers)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            peaks[count] = int(done.stdout)
            print(f"{count} pictures: peak {peaks[count] / 2**20:.0f} MiB", flush=True)
    growth = max(peaks.values()) / min(peaks.values()) - 1
    verdict = "met" if growth <= TARGET_GROWTH else "missed"
    print(f"Difference {growth:.1%} (target within {TARGET_GROWTH:.0%}: {verdict}).")
    return {"peak_bytes": peaks, "growth": growth}


def child(args: argparse.Namespace) -> None:
    """One run, then the peak resident memory of this process in bytes."""
    src, out = args.child
    options = Options(device=args.device, workers=args.workers)
    degraded(src, out, recipe.load(args.recipe), options)
    print(peak_memory())


def peak_memory() -> int:
    """Bytes. Linux counts in ``ru_maxrss`` what the parent held before exec; VmHWM does not."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--shapes", type=int, default=1, help="different ones, of equal area")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--recipe", default="robust-r1", help="preset name or .yaml file")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    parser.add_argument("--memory-pictures", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--scratch", type=Path, help="where to put temporary folders")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    chosen = recipe.load(args.recipe)
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        scratch = Path(folder)
        result: dict[str, Any] = {"recipe": chosen.name, "operators": ops.names()}
        result |= {k: getattr(args, k) for k in ("device", "workers", "pictures", "side", "shapes")}
        if args.memory:
            result["memory"] = memory(args, scratch)
        else:
            make_sources(scratch / "src", args.pictures, args.side, args.shapes)
            print(
                f"{args.pictures} JPEG sources of {args.side}x{args.side} pixels in {args.shapes} "
                f"shapes, recipe {chosen.name}, "
                f"{args.workers} workers, device {args.device}, medians of {args.repeat}."
            )
            result["rates"] = compare(args, chosen, scratch / "src", scratch)
            result["steps"] = breakdown(args, chosen, scratch / "src", scratch)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
