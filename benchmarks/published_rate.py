"""Degradations a second: `degrade-cli synth` against the published script, on the same files.

    python benchmarks/published_rate.py

The published script reads a picture with OpenCV, applies one of the sixteen formulas and writes the
picture under the same extension, at each of three intensities, one after another. Here its formulas
(`degrade.published`) go through the same loop. `synth` does the `robust-r1` recipe, several
degradations a picture, with one worker. Both by processor time, in turns: other work on the machine
does not disturb that. The median round is compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import cv2

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.synth import make_sources
from degrade import published, recipe
from degrade.executor import Options, Synth
from degrade.published.draws import Draws
from degrade.published.table import Published

TARGET = 3.0


SLOW = "published:mean_shift"
"""Takes most of the script's time: the rest is compared as well."""


def scripted(src: Path, out: Path, without: str = "") -> int:
    """Degradations that the loop of the published script makes."""
    chosen, count = recipe.load("robust-r1-published"), 0
    out.mkdir()
    for path in sorted(src.iterdir()):
        for variant in chosen.draw(path.name, 0, min(cv2.imread(str(path)).shape[:2])):
            if any(record.operator == without for record in variant.applied):
                continue
            picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            for record in variant.applied:
                formula = cast(Published, published.get(record.operator)).formula
                drawn = [Draws(seed.value) for seed in record.seeds]
                picture = formula(picture, record.intensity, *drawn)
                count += 1
            folder = out / variant.name
            folder.mkdir(exist_ok=True)
            cv2.imwrite(str(folder / path.name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return count


def ours(src: Path, out: Path) -> int:
    """Degradations of a whole run."""
    options = Options(device="cpu", workers=1, encode="keep")
    result = Synth(src, out, recipe.load("robust-r1"), 0, options).run()
    return sum(result["counts"]["operators"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    works = {
        "published": scripted,
        "all but mean_shift": lambda src, out: scripted(src, out, SLOW),
        "synth": ours,
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    with tempfile.TemporaryDirectory() as folder:
        src = Path(folder) / "src"
        make_sources(src, args.pictures, args.side)
        for turn in range(args.repeat):
            for name, work in works.items():
                start = time.process_time()
                count = work(src, Path(folder) / f"{name}-{turn}")
                rates[name].append(count / (time.process_time() - start))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print(
        f"{args.pictures} JPEG files of {args.side}x{args.side}, written as JPEG; degradations a "
        "second of one core:\n"
    )
    for name, rate in middle.items():
        print(f"{name}: {rate:.1f}, synth does {middle['synth'] / rate:.1f} times as many")
    met = middle["synth"] >= TARGET * middle["published"]
    print(f"\nTarget of {TARGET:g} times: {'met' if met else 'missed'}.")


if __name__ == "__main__":
    main()
