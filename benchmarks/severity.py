"""Is intensity damage? Per operator: monotone on photographs, and the same at every resolution.

    python benchmarks/severity.py                      # the whole table, several minutes
    python benchmarks/severity.py --op lens_blur --sheet /tmp/lens_blur.png

Prints, over the example photographs at three sizes, the lowest Spearman correlation between
intensity (0, 0.1 ... 1) and RMSE and 1-SSIM on any single photograph and size, the mean 1-SSIM and
RMSE at 0.1, 0.5 and 1, and the widest gap in SSIM between the sizes at equal intensity (of the mean
over photographs). SSIM is at full size, on 8-bit colour pictures. The gap is shown
twice: with the usual window of 7 px at every size, and with one of 1/32 of the short side (7 px at
224). The second compares like with like, as its window covers the same content at every size.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.stats import spearmanr

from degrade import ops

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
STEPS = [round(0.1 * i, 1) for i in range(11)]


def load(path: Path, side: int) -> torch.Tensor:
    with Image.open(path) as image:
        return resized(image, side)


def resized(image: Image.Image, side: int) -> torch.Tensor:
    k = side / min(image.size)
    size = (round(image.width * k), round(image.height * k))
    pixels = np.array(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255.0


def to_uint8(x: torch.Tensor) -> np.ndarray:
    return (x[0] * 255.0).round().byte().permute(1, 2, 0).numpy()


def structural_similarity(a: np.ndarray, b: np.ndarray, window: int) -> float:
    """Mean SSIM with a uniform window: scikit-image's to the digit (tested), ten times as fast."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    half = window // 2

    def mean(z: np.ndarray) -> np.ndarray:
        return cv2.blur(z, (window, window))[half:-half, half:-half]

    mx, my = mean(x), mean(y)
    unbiased = window**2 / (window**2 - 1)
    vx, vy = (mean(x * x) - mx * mx) * unbiased, (mean(y * y) - my * my) * unbiased
    vxy = (mean(x * y) - mx * my) * unbiased
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(ratio.mean())


def damage(name: str, side: int, path: Path) -> np.ndarray:
    """(3, steps): RMSE in grey levels, SSIM with a 7 px window, with one of side / 32."""
    torch.set_num_threads(1)
    x = load(path, side)
    clean, rows = to_uint8(x), []
    window = round(side / 32) | 1
    for intensity in STEPS:
        bad = to_uint8(ops.get(name)(x, [intensity], [path.stem])[0])
        rmse = float(np.sqrt(np.mean((bad.astype(float) - clean) ** 2)))
        ssim = structural_similarity(clean, bad, 7)
        wide = structural_similarity(clean, bad, window)
        rows.append((rmse, ssim, wide))
    return np.array(rows).T


def measure(pool: Executor, name: str, sides: list[int], photos: list[Path]) -> dict[str, float]:
    jobs = [(name, side, path) for side in sides for path in photos]
    flat = np.array(list(pool.map(damage, *zip(*jobs, strict=True))))
    curves = flat.reshape(len(sides), len(photos), 3, len(STEPS))
    rank = {
        "rmse": min(float(spearmanr(STEPS, c).statistic) for c in flat[:, 0]),
        "ssim": min(float(-spearmanr(STEPS, c).statistic) for c in flat[:, 1]),
    }
    mean = curves.mean(axis=(0, 1))
    gap = np.ptp(curves.mean(axis=1), axis=0)  # (3, steps), between sizes
    at = {s: STEPS.index(s) for s in (0.1, 0.5, 1.0)}
    return {
        "spearman_rmse": rank["rmse"],
        "spearman_ssim": rank["ssim"],
        **{f"dssim@{s}": 1.0 - float(mean[1, i]) for s, i in at.items()},
        **{f"rmse@{s}": float(mean[0, i]) for s, i in at.items()},
        "gap_7px": float(gap[1].max()),
        "gap_relative": float(gap[2].max()),
    }


def sheet(name: str, out: Path, photos: list[Path], side: int) -> None:
    """A contact sheet: photographs down, intensities across."""
    rows = []
    for path in photos:
        x = load(path, side)
        steps = (0.0, 0.1, 0.25, 0.5, 1.0)
        cells = [to_uint8(ops.get(name)(x, [i], [path.stem])[0]) for i in steps]
        rows.append(np.concatenate(cells, axis=1))
    width = max(r.shape[1] for r in rows)
    rows = [np.pad(r, ((0, 4), (0, width - r.shape[1]), (0, 0))) for r in rows]
    Image.fromarray(np.concatenate(rows)).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--op", action="append", choices=ops.names(), help="default: all")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 512, 1024])
    parser.add_argument("--photos", type=Path, nargs="+", default=sorted(PHOTOS.glob("*.jpg")))
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of the (one) operator")
    parser.add_argument("--sheet-side", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the table here as well")
    args = parser.parse_args()
    names = args.op or ops.names()
    if args.sheet:
        sheet(names[0], args.sheet, args.photos, args.sheet_side)
        return
    table = {}
    print(
        "| operator | Spearman RMSE | Spearman 1-SSIM | 1-SSIM at .1 / .5 / 1 "
        "| RMSE at .1 / .5 / 1 | gap, 7 px | gap, side/32 |\n|---|---|---|---|---|---|---|"
    )
    with ProcessPoolExecutor(args.workers) as pool:
        for name in names:
            m = table[name] = measure(pool, name, args.sizes, args.photos)
            print(
                f"| {name} | {m['spearman_rmse']:.3f} | {m['spearman_ssim']:.3f} "
                f"| {m['dssim@0.1']:.3f} / {m['dssim@0.5']:.3f} / {m['dssim@1.0']:.3f} "
                f"| {m['rmse@0.1']:.1f} / {m['rmse@0.5']:.1f} / {m['rmse@1.0']:.1f} "
                f"| {m['gap_7px']:.3f} | {m['gap_relative']:.3f} |",
                flush=True,
            )
    bad = [
        n
        for n, m in table.items()
        if min(m["spearman_rmse"], m["spearman_ssim"]) < 0.98
        or max(m["gap_7px"], m["gap_relative"]) > 0.10
    ]
    print(f"\n{len(table) - len(bad)} of {len(table)} operators within bounds. Outside: {bad}")
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
