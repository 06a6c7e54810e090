"""One scale of severity: the same intensity, the same visible damage. Measured and drawn.

    python benchmarks/calibration.py                       # all operators; the table
    python benchmarks/calibration.py --op fog --op rain    # some
    python benchmarks/calibration.py --docs docs           # and write docs/calibration.md, plots

On the example photographs and three pictures of scikit-image, at 384 pixels of short side and
intensities 0.1, 0.2 … 1: RMSE in grey levels, 1 - SSIM (7 px window, Wang et al., IEEE TIP 2004)
and 1 - MS-SSIM (Wang, Simoncelli & Bovik, Asilomar 2003), which looks at five sizes of detail.
Damage D is the mean of the last two.

For each operator with one strength it prints too what the target would ask for: the exponent on the
intensity and the end of the range for which D follows the target best (``--fit``).

The severity of ImageNet-C that an intensity equals is read from D: the mean damage of the fifteen
test corruptions of recipe ``imagenet-c`` on the same photographs at each of its five severities.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.severity import PHOTOS, load, resized, structural_similarity, to_uint8
from degrade import ops, pipeline, recipe
from degrade.families import families

STEPS = [round(0.1 * i, 1) for i in range(1, 11)]
SIDE = 384
OTHERS = ("motorcycle", "brick", "text")
TARGET = {0.25: 0.10, 0.5: 0.22, 1.0: 0.45}
"""Damage that is aimed at."""
TEST = (
    "gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow "
    "frost fog brightness contrast elastic_transform pixelate jpeg_compression"
).split()
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def multiscale(a: np.ndarray, b: np.ndarray) -> float:
    """MS-SSIM of 8-bit colour pictures, as torchmetrics 1.9 has it (0.7931 against 0.7930 on a
    photograph with noise), some thirty times as fast.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    total = 1.0
    for scale, weight in enumerate(_WEIGHTS):

        def mean(z: np.ndarray) -> np.ndarray:
            return cv2.GaussianBlur(z, (11, 11), 1.5)[5:-5, 5:-5]

        mx, my = mean(x), mean(y)
        vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        contrast = (2 * vxy + c2) / (vx + vy + c2)
        if scale == len(_WEIGHTS) - 1:
            contrast = contrast * (2 * mx * my + c1) / (mx**2 + my**2 + c1)
        total *= max(0.0, float(contrast.mean())) ** weight
        height, width = (n // 2 * 2 for n in x.shape[:2])
        x, y = (
            z[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
            for z in (x, y)
        )
    return total


@lru_cache(maxsize=16)
def photograph(name: str) -> torch.Tensor:
    """(1, 3, H, W) of an example by path, or of scikit-image by name."""
    if name.endswith(".jpg"):
        return load(Path(name), SIDE)
    from skimage import data

    pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    return resized(Image.fromarray(pixels), SIDE)


def photographs() -> list[str]:
    """The examples, and what scikit-image holds on disk without a download."""
    found = [str(path) for path in sorted(PHOTOS.glob("*.jpg"))]
    for name in OTHERS:
        try:
            photograph(name)
        except Exception as error:  # a picture that would be fetched, without a network
            print(f"left out: {name} ({type(error).__name__})")
        else:
            found.append(name)
    return found


def compared(clean: torch.Tensor, bad: torch.Tensor) -> tuple[float, float, float]:
    """RMSE, 1 - SSIM, 1 - MS-SSIM."""
    a, b = to_uint8(clean), to_uint8(bad)
    rmse = float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))
    return rmse, 1.0 - structural_similarity(a, b, 7), 1.0 - multiscale(a, b)


def curve(name: str, photo: str) -> np.ndarray:
    """(steps, 3) of an operator on a photograph."""
    torch.set_num_threads(1)
    x, op = photograph(photo), ops.get(name)
    return np.array([compared(x, op(x, [i], [Path(photo).stem])[0]) for i in STEPS])


def corrupted(name: str, photo: str) -> np.ndarray:
    """(severities, 3) of a type of ImageNet-C on a photograph."""
    torch.set_num_threads(1)
    x = photograph(photo)
    variants = recipe.load("imagenet-c").narrowed([name]).draw(photo, 0, min(x.shape[-2:]))
    return np.array([compared(x, pipeline.run(x, [v.applied])) for v in variants])


def damage(rows: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...): mean of 1 - SSIM and 1 - MS-SSIM."""
    return rows[..., 1:].mean(-1)


def at(values: np.ndarray, intensity: float) -> float:
    return float(np.interp(intensity, [0.0, *STEPS], [0.0, *values]))


def equivalent(d: float, ladder: np.ndarray) -> str:
    """The severity of ImageNet-C whose mean damage this is."""
    if d < ladder[0]:
        return f"{d / ladder[0]:.1f}"
    if d > ladder[-1]:
        return "5+"
    return f"{np.interp(d, ladder, np.arange(1, len(ladder) + 1)):.1f}"


def measured(pool: Executor, names: list[str], photos: list[str], of: Any) -> dict[str, np.ndarray]:
    jobs = [(name, photo) for name in names for photo in photos]
    flat = np.array(list(pool.map(of, *zip(*jobs, strict=True), chunksize=4)))
    means = flat.reshape(len(names), len(photos), *flat.shape[1:]).mean(1)
    return dict(zip(names, means, strict=True))


def fitted(name: str, d: np.ndarray) -> str:
    """The change of exponent and end with which the operator would follow the target."""
    wanted = np.interp(STEPS, [0.0, *TARGET], [0.0, *TARGET.values()])
    best = min(
        (
            float(np.square([at(d, min(1.0, end * s**power)) for s in STEPS] - wanted).sum()),
            power,
            end,
        )
        for power in np.arange(0.4, 3.01, 0.1)
        for end in np.arange(0.2, 1.01, 0.05)
    )
    return f"{name}: intensity -> {best[2]:.2f} intensity ** {best[1]:.1f}, error {best[0]:.4f}"


def table(curves: dict[str, np.ndarray], ladder: np.ndarray) -> str:
    rows = [
        "| operator | RMSE at .1 / .25 / .5 / 1 | 1-SSIM at .1 / .25 / .5 / 1 "
        "| 1-MS-SSIM at .1 / .25 / .5 / 1 | ImageNet-C severity of .25 / .5 / 1 |",
        "|---|---|---|---|---|",
    ]
    for name, rows_of in sorted(curves.items()):
        told = [
            " / ".join(f"{at(rows_of[:, k], i):.{digits}f}" for i in (0.1, 0.25, 0.5, 1.0))
            for k, digits in ((0, 1), (1, 3), (2, 3))
        ]
        d = damage(rows_of)
        equal = " / ".join(equivalent(at(d, i), ladder) for i in (0.25, 0.5, 1.0))
        mark = " *" if ops.get(name).off_scale else ""
        rows.append(f"| {name}{mark} | {' | '.join(told)} | {equal} |")
    return "\n".join(rows)


def spread(curves: dict[str, np.ndarray]) -> str:
    """How close the operators are at intensity 0.5, and why those are not that are not."""
    half = {name: at(rows[:, 1], 0.5) for name, rows in curves.items()}
    low, middle, high = np.percentile(list(half.values()), (25, 50, 75))
    lines = [
        f"1-SSIM at intensity 0.5: the middle half of {len(half)} operators lies in "
        f"{low:.3f} .. {high:.3f}, a factor of {high / low:.2f}; median {middle:.3f}.",
        "",
    ]
    far = {n: v for n, v in half.items() if not middle / 2 <= v <= middle * 2}
    silent = [n for n in far if not ops.get(n).off_scale]
    lines.append(
        f"{len(far)} operators are more than a factor of two from the median; "
        + (f"without a stated reason: {', '.join(silent)}." if silent else "each states why:")
    )
    lines.append("")
    for name in sorted(curves):
        if reason := ops.get(name).off_scale:
            lines.append(f"- `{name}` ({half[name]:.3f}): {reason}")
    return "\n".join(lines)


def plot(curves: dict[str, np.ndarray], path: Path) -> None:
    """Damage against intensity, a small plot per family, the target in grey."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    by = {
        family: names
        for kinds in families().values()
        for family in kinds
        if (names := [n for n in sorted(curves) if ops.get(n).family == family])
    }
    columns = 4
    rows = -(-len(by) // columns)
    with rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(13, 2.7 * rows), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        for axis, (family, names) in zip(axes, by.items(), strict=False):
            axis.plot([0, *TARGET], [0, *TARGET.values()], color="0.8", linewidth=6)
            for name in names:
                axis.plot([0, *STEPS], [0, *damage(curves[name])], label=name, linewidth=1.4)
            axis.set_title(family, loc="left", fontweight="bold")
            axis.set_ylim(0, 0.9)
            axis.legend(frameon=False, fontsize=6.5, loc="upper left")
        for axis in list(axes)[len(by) :]:
            axis.axis("off")
        figure.supxlabel("intensity")
        figure.supylabel("damage: mean of 1-SSIM and 1-MS-SSIM")
        figure.savefig(path, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--op", action="append", choices=ops.names(), help="default: all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fit", action="store_true", help="print what the target would ask for")
    parser.add_argument("--json", type=Path, help="write the curves here")
    parser.add_argument("--docs", type=Path, help="write calibration.md and its plot here")
    args = parser.parse_args()
    photos = photographs()
    with ProcessPoolExecutor(args.workers) as pool:
        ladders = measured(pool, TEST, photos, corrupted)
        curves = measured(pool, args.op or ops.names(), photos, curve)
    ladder = np.maximum.accumulate(damage(np.array(list(ladders.values()))).mean(0))
    text = (
        f"{table(curves, ladder)}\n\n* states why it is off the scale.\n\n{spread(curves)}\n\n"
        f"Mean damage of ImageNet-C at severities 1 to 5: "
        f"{', '.join(f'{v:.3f}' for v in ladder)}.\n"
    ).replace("\n* states", "\n\\* states")
    print(text)
    if args.fit:
        for name, rows in curves.items():
            print(fitted(name, damage(rows)))
    if args.json:
        args.json.write_text(json.dumps({n: c.tolist() for n, c in curves.items()}) + "\n")
    if args.docs:
        plot(curves, args.docs / "calibration.png")
        head, _, _ = (args.docs / "calibration.md").read_text("utf-8").partition("<!-- table -->")
        (args.docs / "calibration.md").write_text(f"{head}<!-- table -->\n\n{text}", "utf-8")


if __name__ == "__main__":
    main()
