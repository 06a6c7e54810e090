"""The damage of the released formulas of Robust-R1, beside what was measured on the released code.

    python benchmarks/published.py                 # the table of docs/published.md, a minute or two
    python benchmarks/published.py --op lens_blur

Prints, at the three published intensities, the RMSE in grey levels on drawn pictures of 256 x 256
(coloured 1/f noise with rectangles, three seeds) and the PSNR in dB on the example photographs at
512 x 384. The figures of the released code were measured on other pictures of these two kinds: they
are to be near, not equal.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from degrade import codecs, published
from degrade.schema import PUBLISHED, STAGES

LEVELS = (0.23, 0.45, 0.9)
PHOTOS = Path(__file__).parents[1] / "examples" / "photos"

RELEASED: dict[str, tuple[float, float, float]] = {
    "motion_blur": (20.1, 28.6, 33.5),
    "lens_blur": (7.5, 15.7, 34.0),
    "lens_flare": (28.7, 68.1, 118.9),
    "dirty_lens": (12.7, 23.1, 39.5),
    "hsv_saturation": (11.6, 22.8, 45.8),
    "jpeg_compression": (15.9, 18.4, 23.8),
    "block_exchange": (11.5, 25.4, 53.5),
    "mean_shift": (3.8, 6.9, 21.3),
    "scan_lines": (41.0, 52.5, 72.9),
    "dark_illumination": (7.6, 27.7, 109.3),
    "atmospheric_turbulence": (47.4, 52.7, 62.2),
    "gaussian_noise": (17.1, 32.8, 60.6),
    "color_diffusion": (26.5, 44.5, 38.2),
    "sharpness_change": (36.8, 37.3, 37.6),
    "graffiti": (5.3, 11.9, 55.8),
    "watermark_damage": (5.6, 14.9, 42.2),
}
"""RMSE of the released code on drawn pictures of 256 x 256, three seeds."""

RELEASED_PSNR: dict[str, tuple[float, float, float]] = {
    "lens_blur": (32.3, 26.1, 19.5),
    "lens_flare": (23.9, 15.9, 8.9),
    "motion_blur": (25.7, 22.6, 20.7),
    "dirty_lens": (24.8, 20.5, 15.4),
    "hsv_saturation": (30.9, 25.0, 19.0),
    "jpeg_compression": (34.7, 32.3, 27.4),
    "block_exchange": (31.1, 23.8, 16.2),
    "mean_shift": (35.8, 30.4, 25.6),
    "scan_lines": (16.7, 14.7, 11.5),
    "dark_illumination": (31.3, 20.0, 8.1),
    "atmospheric_turbulence": (17.9, 16.2, 14.9),
    "gaussian_noise": (23.6, 17.9, 12.7),
    "color_diffusion": (20.4, 16.0, 18.7),
    "sharpness_change": (15.4, 15.3, 15.3),
    "graffiti": (35.5, 31.3, 17.2),
    "watermark_damage": (40.4, 31.5, 23.2),
}
"""PSNR of the released code on five photographs of 512 x 384."""


def natural(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) uint8: coloured noise whose amplitude falls as 1/f, and rectangles."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    falling = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width))
    planes = []
    for _ in range(3):
        noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((height, width))) * falling).real
        planes.append(noise / noise.std())
    grey, *colours = planes
    rgb = np.stack([grey, grey, grey], axis=2) * 40 + 125
    rgb += 25 * np.stack([colours[0], colours[1], -colours[0]], axis=2)
    for _ in range(12):
        y, x = rng.integers(0, height), rng.integers(0, width)
        h, w = rng.integers(height // 16, height // 4), rng.integers(width // 16, width // 4)
        rgb[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def photographs() -> list[np.ndarray]:
    """The example photographs, cut to 512 x 384."""
    found = []
    for path in sorted(PHOTOS.glob("*.jpg")):
        with Image.open(path) as image:
            found.append(np.asarray(ImageOps.fit(image.convert("RGB"), (512, 384))))
    return found


def damage(
    name: str, pictures: Sequence[np.ndarray], *, psnr: bool = False
) -> tuple[float, float, float]:
    """Mean RMSE in grey levels, or PSNR in dB, of a formula at the three published intensities."""
    op, found = published.get(name), []
    for intensity in LEVELS:
        values = []
        for number, rgb in enumerate(pictures):
            x = codecs.from_pixels([rgb], torch.device("cpu"))
            y, _ = op(x, [intensity], [number])
            rmse = float(np.sqrt(np.mean((codecs.to_pixels(y)[0].astype(float) - rgb) ** 2)))
            values.append(20 * np.log10(255 / rmse) if psnr else rmse)
        found.append(float(np.mean(values)))
    weak, middle, strong = found
    return weak, middle, strong


def figures(values: Sequence[float]) -> str:
    """Three figures as a cell of the table."""
    return " / ".join(f"{v:.1f}" for v in values)


def defects(name: str) -> str:
    """What a formula's docstring says is wrong with it."""
    found = re.search(r"Defects?:\s+(.*?)(\n\n|$)", published.get(name).doc, re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [n.removeprefix(PUBLISHED) for n in published.names()]
    parser.add_argument("--op", action="append", choices=names, help="default: all")
    chosen = [published.get(PUBLISHED + n) for n in parser.parse_args().op or names]
    drawn, photos = [natural(256, 256, seed) for seed in range(3)], photographs()
    print("| formula | RMSE, released | RMSE, here | PSNR, released | PSNR, here | defects kept |")
    print("|---|---|---|---|---|---|")
    for op in sorted(chosen, key=lambda op: (STAGES.index(op.stage), op.name)):
        short = op.name.removeprefix(PUBLISHED)
        cells = (
            figures(RELEASED[short]),
            figures(damage(op.name, drawn)),
            figures(RELEASED_PSNR[short]),
            figures(damage(op.name, photos, psnr=True)),
            defects(op.name),
        )
        print(f"| `{op.name}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
