"""A whole build: wall time by stage, CPU time by kind of work, peak memory as rows grow.

    python benchmarks/build.py [--recipe robust-r1-11k] [--scale 0.02]    # time and CPU
    python benchmarks/build.py --memory [--scale 0.02]                    # peak at 1 and 10 times

CPU time is that of the calling thread inside each function, in one process; what is left is the
rest of the process: drawing of scenes' descriptions, JSON, hashing, threads.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import annotate.measure
import annotate.offline
from annotate.cli import Chains
from builders import neardup, recipe
from builders.card import write_card
from builders.dataset import Build
from degrade import images, pipeline, shards

KINDS = {
    "decode": (images, "decode"),
    "encode": (images, "encode"),
    "degrade": (pipeline, "run"),
    "draw scenes": ("builders.scenes", "draw"),
    "measure pictures": (annotate.measure, "measure"),
    "write chains": (annotate.offline, "write"),
    "thumbnails": (neardup, "fingerprint"),
    "Parquet": (shards.ParquetShard, "_flush"),
}


class Clock:
    """CPU seconds by kind of work, each second counted once: an inner kind's is not the outer's."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._inside = threading.local()

    def wrapped(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its CPU time counted under a kind."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            outer = getattr(self._inside, "inner", 0.0)
            self._inside.inner, start = 0.0, time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                total = time.thread_time() - start
                with self._lock:
                    self.spent[kind] += total - self._inside.inner
                self._inside.inner = outer + total

        return timed


def patched(clock: Clock) -> None:
    for kind, (where, name) in KINDS.items():
        owner = import_module(where) if isinstance(where, str) else where
        original = getattr(owner, name)
        timed = clock.wrapped(kind, original)
        setattr(owner, name, timed)
        for module in list(sys.modules.values()):  # and where it was imported by name
            if getattr(module, "__name__", "").startswith(("annotate", "builders", "degrade")):
                for key, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, key, timed)


@contextmanager
def silent(_: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda done, total: None


def timed_build(name: str, scale: float) -> None:
    clock = Clock()
    chosen, base = recipe.load(name)
    chosen = chosen.scaled(scale)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        made = Build(chosen, base, out, Chains(), lambda f: write_card(f, "build"))
        list(made.degradations)  # operators are loaded before they are timed
        patched(clock)
        before, start = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), time.perf_counter()
        result = made.run(silent)
        wall = time.perf_counter() - start
        cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - before
        size = sum(p.stat().st_size for p in (out / "data").iterdir())
    print(
        f"{chosen.rows} rows in {wall:.1f} s, {chosen.rows / wall:.1f} rows/s, {size / 1e6:.0f} MB"
    )
    for stage, seconds in result.seconds.items():
        print(f"  {stage:18} {seconds:7.1f} s  {seconds / wall:4.0%} of the time")
    print(f"CPU {cpu:.1f} s")
    for kind, seconds in clock.spent.most_common():
        print(f"  {kind:18} {seconds:7.1f} s  {seconds / cpu:4.0%} of the CPU time")
    left = cpu - clock.spent.total()
    print(f"  {'other':18} {left:7.1f} s  {left / cpu:4.0%} of the CPU time")


def peak(name: str, scale: float) -> tuple[int, float]:
    """Rows and peak memory in MiB of a build in a process of its own."""
    script = (
        "import resource, sys; sys.argv[0] = 'degrade-cli'; from degrade.cli import main; "
        "import atexit; atexit.register(lambda: print('PEAK', "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)); main()"
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["build", "dataset", name, f"{folder}/out", "--scale", str(scale), "--json"]
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = re.search(r"PEAK ([\d.]+)", done.stderr)
        assert found
        return json.loads(done.stdout)["counts"]["rows"], float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="robust-r1-11k")
    parser.add_argument("--scale", type=float, default=0.02)
    parser.add_argument("--memory", action="store_true")
    args = parser.parse_args()
    if not args.memory:
        timed_build(args.recipe, args.scale)
        return
    (few, small), (many, large) = (peak(args.recipe, args.scale * k) for k in (1, 10))
    print(f"{few} rows: {small:.0f} MiB; {many} rows: {large:.0f} MiB ({large / small - 1:+.1%})")


if __name__ == "__main__":
    main()
