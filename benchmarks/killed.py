"""`kill -9` at random moments of a build, and the same command again, until it is done.

    python benchmarks/killed.py [--recipe robust-r1-11k] [--scale 0.004] [--kills 20] [--seed 0]

One build is left alone, with one worker. Others are killed, each time with another number of
workers; every data set that gets finished must be the first one byte for byte. Printed are the
stages in which death came. Exits 1 at the first difference.
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
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw, stages, finished, kills = random.Random(args.seed), Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        begun = time.monotonic()
        subprocess.run(command(args.recipe, args.scale, folder / "whole", 1), check=True)
        lasted = time.monotonic() - begun
        whole = digests(folder / "whole")
        while kills < args.kills or finished == 0:
            out = folder / str(finished) / "whole"  # the card tells the folder's name
            workers = draw.choice(WORKERS)
            moment = draw.uniform(0, lasted) if kills < args.kills else 3600.0
            if killed(command(args.recipe, args.scale, out, workers), moment):
                kills += 1
                stages[stage_of(out)] += 1
                continue
            found = digests(out)
            if found != whole:
                differ = sorted(n for n in whole | found if whole.get(n) != found.get(n))
                sys.exit(f"After {kills} kills these files differ: {', '.join(differ)}")
            finished += 1
    told = ", ".join(f"{n} in {stage}" for stage, n in stages.most_common())
    print(f"{kills} kills ({told}); {finished} data sets finished, all {len(whole)} files the same")


if __name__ == "__main__":
    main()
