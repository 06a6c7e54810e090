"""How `degrade-cli synth` scales: with workers, with the number of pictures and with their size.

    python benchmarks/scale.py                     # all, then what many pictures cost
    python benchmarks/scale.py --parts workers     # two workers against one, both engines
    python benchmarks/scale.py --parts size        # 1,000, 10,000 and 100,000 pictures
    python benchmarks/scale.py --parts pixels      # seconds a picture by its size, fitted
    python benchmarks/scale.py --quick             # smaller everything, for a look

Every run is a process of its own and sees the command's whole path: listing, decoding, degrading,
encoding, committing, finishing. Sources are crops of the example photographs; beyond 200 they are
links to those. The **rate** of a run counts from a tenth of its pictures to the last, so that
starting Python or a cluster is no part of it; **start** is what comes before the first picture, and
**tail** what comes after the last: merging markers into tables. Speeds of one and of two workers
are measured in turns, and their medians compared. **CPU** is processor time of the run's processes
over the same pictures as the rate, which other work on the machine disturbs less than wall time.

The cost model is the processor time of a picture, a + b x pixels. Prices are assumptions, given as
options, and no facts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.synth import make_sources, peak_memory
from degrade import recipe, workload
from degrade.executor import Options, Synth

TARGET_SPEEDUP, TARGET_GROWTH = 1.7, 0.10
PARTS = ("workers", "size", "pixels")
_SHARD = 16  # of the runs whose workers are compared: Ray counts shards, and a few are no rate
ONE = 512 * 512
"""Pixels of the picture that costs are told for."""


def child(args: argparse.Namespace) -> None:
    """One run; prints what it took."""
    src, out = args.child
    if args.shard:
        workload.SHARD_SOURCES["folder"] = args.shard
    moments: dict[str, tuple[int, float, float]] = {}
    begun = time.perf_counter()
    run = Synth(src, out, recipe.load(args.recipe), 0, Options(device="cpu", workers=args.workers))
    engine = None
    if args.engine == "ray":
        from degrade.ray_engine import RayEngine

        engine = RayEngine(workers=args.workers)
    total = len(run.work)

    def progress(done: int, total: int) -> None:
        for name, when in (("first", 1), ("tenth", total / 10), ("last", total)):
            if name not in moments and done >= when:
                moments[name] = done, time.perf_counter(), processor_time()

    result = run.run(progress=progress, engine=engine)
    ended = time.perf_counter()
    first, tenth, last = (moments[name] for name in ("first", "tenth", "last"))
    if result["counts"]["failed"]:
        raise RuntimeError(f"Some pictures failed: {result['counts']}")
    found = {
        "rate": (last[0] - tenth[0]) / (last[1] - tenth[1]),
        "start": first[1] - begun,
        "tail": ended - last[1],
        "seconds": ended - begun,
        "cpu": (last[2] - tenth[2]) / (last[0] - tenth[0]),
        "peak": peak_memory(),
        "bytes": sum(p.stat().st_size for p in out.rglob("*.png")) / total,
    }
    print(json.dumps(found))


def processor_time() -> float:
    """Seconds of this process and all below it: of a cluster of its own, too."""
    parents, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(fields[1])
            ticks[int(path.parent.name)] = int(fields[11]) + int(fields[12])

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return sum(t for pid, t in ticks.items() if ours(pid)) / os.sysconf("SC_CLK_TCK")


def measured(
    args: argparse.Namespace, src: Path, workers: int, engine: str, shard: int = 0
) -> dict[str, float]:
    """A run in a process of its own, its output thrown away."""
    out = src.parent / "out"
    command = [sys.executable, __file__, "--child", str(src), str(out)]
    command += ["--workers", str(workers), "--engine", engine, "--recipe", args.recipe]
    command += ["--shard", str(shard)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(out)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def by_workers(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    src = scratch / "src"
    make_sources(src, args.pictures, args.side)
    print(
        f"Workers: {args.pictures} pictures of {args.side}x{args.side}, recipe {args.recipe}, "
        f"medians of {args.repeat} runs in turns.\n\n"
        "| engine | workers | pictures/s | CPU ms/picture | start (s) |\n|---|---|---|---|---|"
    )
    result: dict[str, Any] = {}
    for engine in ("local", "ray"):
        runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for turn in range(args.repeat):
            for workers in (1, 2) if turn % 2 else (2, 1):
                runs[workers].append(measured(args, src, workers, engine, _SHARD))
        rates = {w: statistics.median(r["rate"] for r in found) for w, found in runs.items()}
        cpu = {w: statistics.median(r["cpu"] for r in found) for w, found in runs.items()}
        for workers, found in runs.items():
            start = statistics.median(r["start"] for r in found)
            print(
                f"| {engine} | {workers} | {rates[workers]:.1f} | {1e3 * cpu[workers]:.1f} "
                f"| {start:.1f} |",
                flush=True,
            )
        by_cpu = 2 * cpu[1] / cpu[2]
        result[engine] = {**rates, "speedup": rates[2] / rates[1], "by_cpu": by_cpu}
    print()
    for engine, found in result.items():
        verdict = "met" if found["speedup"] >= TARGET_SPEEDUP else "missed"
        print(
            f"{engine}: two workers are {found['speedup']:.2f} times one "
            f"(target {TARGET_SPEEDUP}: {verdict}); by processor time alone, as if nothing else "
            f"ran, {found['by_cpu']:.2f}."
        )
    return result


def by_size(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    print(
        f"\nSize: pictures of {args.small}x{args.small}, 2 workers, local engine.\n\n"
        "| pictures | pictures/s | start (s) | tail (s) | CPU ms/picture | peak (MiB) |"
        "\n|---|---|---|---|---|---|"
    )
    result: dict[str, Any] = {}
    for count in args.counts:
        src = scratch / f"size-{count}" / "src"
        make_sources(src, count, args.small)
        found = measured(args, src, 2, "local")
        shutil.rmtree(src)
        result[str(count)] = found
        print(
            f"| {count:,} | {found['rate']:.1f} | {found['start']:.1f} | {found['tail']:.2f} "
            f"| {1e3 * found['cpu']:.2f} | {found['peak'] / 2**20:.0f} |",
            flush=True,
        )
    growth = result[str(args.counts[-1])]["peak"] / result[str(args.counts[0])]["peak"] - 1
    verdict = "met" if growth <= TARGET_GROWTH else "missed"
    print(
        f"\nPeak memory at {args.counts[-1]:,} is {growth:+.1%} of that at {args.counts[0]:,} "
        f"(target within {TARGET_GROWTH:.0%}: {verdict})."
    )
    return {**result, "growth": growth}


def by_pixels(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Least squares of the relative error, as a millisecond matters more to a small picture."""
    seconds, sizes = {}, {}
    for side in args.sides:
        src = scratch / f"side-{side}" / "src"
        make_sources(src, args.pictures, side)
        runs = [measured(args, src, 1, "local") for _ in range(args.repeat)]
        seconds[side] = statistics.median(r["cpu"] for r in runs)
        sizes[side] = runs[0]["bytes"]
        shutil.rmtree(src)
    pixels = np.array([side * side for side in seconds], dtype=float)
    took = np.array(list(seconds.values()))
    design = np.stack([np.ones_like(pixels), pixels], axis=1) / took[:, None]
    (a, b), *_ = np.linalg.lstsq(design, np.ones_like(took), rcond=None)
    print(
        f"\nPixels: {args.pictures} pictures, recipe {args.recipe}, one worker, medians of "
        f"{args.repeat}.\n\n| side | CPU ms/picture | model | PNG KiB |\n|---|---|---|---|"
    )
    for side, value in seconds.items():
        model = a + b * side * side
        print(f"| {side} | {1e3 * value:.1f} | {1e3 * model:.1f} | {sizes[side] / 1024:.0f} |")
    print(f"\nCPU seconds of a picture = {1e3 * a:.2f} ms + {1e9 * b:.1f} ns x pixels.")
    stored = sizes.get(512) or sizes[max(sizes)] / max(sizes) ** 2 * ONE
    return {"a": a, "b": b, "seconds": seconds, "png_bytes_at_512": stored}


def cost(args: argparse.Namespace, model: dict[str, Any]) -> dict[str, Any]:
    """What many pictures of 512x512 cost by the model and the given prices."""
    each = model["a"] + model["b"] * ONE
    print(
        f"\nCosts of pictures of 512x512 at {1e3 * each:.1f} ms of a core and "
        f"{model['png_bytes_at_512'] / 1024:.0f} KiB of PNG each (degraded; the clean one "
        f"{args.clean_kib} KiB more in Parquet). Assumed: {args.core_price} a core-hour, "
        f"{args.store_price} a GB-month, {args.put_price} for 1,000 puts, {args.get_price} for "
        f"1,000 gets, machines of {args.cores} cores.\n\n"
        "| pictures | format | core-hours | machine-hours | compute | TB | stored a month "
        "| requests |\n|---|---|---|---|---|---|---|---|"
    )
    result = {}
    for count in (10**6, 10**9):
        for fmt, puts in (("folder", 1 + 1 / 64), ("parquet", 2 / 256)):
            hours = count * each / 3600
            stored = model["png_bytes_at_512"] + (args.clean_kib * 1024 if fmt == "parquet" else 0)
            held = count * stored / 1e9
            requests = count * (puts * args.put_price + args.get_price) / 1000
            print(
                f"| {count:,} | {fmt} | {hours:,.1f} | {hours / args.cores:,.2f} "
                f"| {hours * args.core_price:,.2f} | {held / 1000:,.2f} "
                f"| {held * args.store_price:,.2f} | {requests:,.2f} |"
            )
            result[f"{count} {fmt}"] = {"core_hours": hours, "gb": held, "requests": requests}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--recipe", default="robust-r1")
    parser.add_argument("--pictures", type=int, default=640, help="for workers and pixels")
    parser.add_argument("--side", type=int, default=512, help="of the pictures for workers")
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--small", type=int, default=64, help="side of the pictures for size")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--core-price", type=float, default=0.04)
    parser.add_argument("--store-price", type=float, default=0.023)
    parser.add_argument("--put-price", type=float, default=0.005)
    parser.add_argument("--get-price", type=float, default=0.0004)
    parser.add_argument("--clean-kib", type=float, default=60, help="size of a source")
    parser.add_argument("--cores", type=int, default=64, help="of a machine")
    parser.add_argument("--scratch", type=Path, help="where to put temporary folders")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="local", help=argparse.SUPPRESS)
    parser.add_argument("--shard", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    if args.quick:
        args.pictures, args.repeat, args.counts = 192, 1, [200, 1000]
        args.sides = [128, 256, 512]
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        for part, run in zip(PARTS, (by_workers, by_size, by_pixels), strict=True):
            if part in args.parts:
                place = Path(folder) / part
                place.mkdir()
                result[part] = run(args, place)
    if "pixels" in result:
        result["cost"] = cost(args, result["pixels"])
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
