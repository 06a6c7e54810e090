"""`kill -9` at random moments of a build, and the same command again, until it is done.

    python benchmarks/killed.py [--recipe robust-r1-11k] [--scale 0.004] [--builds 8] [--seed 0]

One build is left alone, with one worker. Each of the others is killed one to three times, started
with another number of workers each time, and then left to finish: its data set must be that of the
first byte for byte. Printed are the stages in which death came. Exits 1 at the first difference.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

WORKERS = (1, 2, 3, 5)


def command(recipe: str, scale: float, out: Path, workers: int) -> list[str]:
    build = ["build", "dataset", recipe, str(out), "--scale", str(scale), "--quiet"]
    return [sys.executable, "-m", "degrade.cli", *build, "--workers", str(workers)]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stage_of(out: Path) -> str:
    """Where a build that died had come to."""
    stages, names = out.with_name(out.name + ".build"), []
    if (out / "dataset.json").exists():
        return "clean up"
    if stages.exists():
        names = [path.name for path in stages.iterdir()]
    if (out / "data").exists():
        return "assemble"
    for ending, stage in {"-chains": "annotate", "-degraded": "degrade", "pool": "collect"}.items():
        if any(name.endswith(ending) for name in names):
            return stage
    return "start"


def killed(arguments: list[str], moment: float) -> bool:
    """Run a command and kill it; whether it died before its end."""
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
        try:
            _, said = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    if process.returncode:
        sys.exit(f"{' '.join(arguments)}\n{said.decode(errors='replace')}")
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="robust-r1-11k")
    parser.add_argument("--scale", type=float, default=0.004)
    parser.add_argument("--builds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw, stages = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        begun = time.monotonic()
        subprocess.run(command(args.recipe, args.scale, folder / "whole", 1), check=True)
        lasted = time.monotonic() - begun
        whole = digests(folder / "whole")
        for build in range(args.builds):
            out = folder / str(build) / "whole"  # the card tells the folder's name
            moments = [draw.uniform(0.1, 1) * lasted for _ in range(draw.randint(1, 3))]
            for moment in moments:
                if killed(command(args.recipe, args.scale, out, draw.choice(WORKERS)), moment):
                    stages[stage_of(out)] += 1
            killed(command(args.recipe, args.scale, out, draw.choice(WORKERS)), 3600)
            found = digests(out)
            if found != whole:
                differ = sorted(n for n in whole | found if whole.get(n) != found.get(n))
                sys.exit(f"Build {build}, {stages}: these files differ: {', '.join(differ)}")
    told = ", ".join(f"{n} in {stage}" for stage, n in stages.most_common())
    print(
        f"{stages.total()} kills ({told}); {args.builds} data sets, all {len(whole)} files the same"
    )


if __name__ == "__main__":
    main()
