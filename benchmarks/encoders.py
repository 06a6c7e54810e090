"""How long lossless encoders take for degraded pictures, and how large their files are.

    python benchmarks/encoders.py
    pip install imagecodecs fpng-py      # compared too where they are there

512x512 crops of the photographs through the `robust-r1` recipe; processor time of one thread, the
least of three rounds. Every encoder's files are decoded and compared with the pixels.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.synth import make_sources
from degrade import codecs, images, pipeline, recipe
from degrade.images import Pixels
from degrade.runtime import keep_freed_memory

Encoder = Callable[[Pixels], bytes]


def pillow(kind: str, **options: int | bool) -> Encoder:
    def encode(pixels: Pixels) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        return file.getvalue()

    return encode


def opencv(*options: int) -> Encoder:
    def encode(pixels: Pixels) -> bytes:
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        given = (cv2.IMWRITE_PNG_COMPRESSION, 1, *options)
        return bytes(cv2.imencode(".png", bgr, given)[1])

    return encode


def encoders() -> dict[str, Encoder]:
    runs = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
    found = {
        "images.encode, png": lambda p: images.encode(p, "png", None),
        "images.encode, webp": lambda p: images.encode(p, "webp", None),
        "Pillow PNG level 1": pillow("PNG", compress_level=1),
        "Pillow PNG level 6": pillow("PNG", compress_level=6),
        "OpenCV PNG level 1": opencv(),
        "OpenCV PNG level 1, runs, filter sub": opencv(
            *runs, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB
        ),
        "Pillow WebP lossless, quality 0, method 1": pillow(
            "WEBP", lossless=True, quality=0, method=1
        ),
    }
    try:
        module = importlib.import_module("imagecodecs")
        found["imagecodecs libpng level 1"] = lambda p: module.png_encode(p, level=1)
        found["imagecodecs libspng level 1"] = lambda p: module.spng_encode(p, level=1)
    except ImportError:
        print("imagecodecs is not installed", file=sys.stderr)
    try:
        fpng = importlib.import_module("fpng_py").fpng_encode_image_to_memory
        found["fpng_py"] = lambda p: fpng(p.tobytes(), p.shape[1], p.shape[0], 3)
    except ImportError:
        print("fpng-py is not installed", file=sys.stderr)
    return found


def pictures(count: int) -> list[Pixels]:
    chosen, device, made = recipe.load("robust-r1"), torch.device("cpu"), []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        make_sources(Path(folder) / "src", count, 512)
        for path in sorted((Path(folder) / "src").iterdir()):
            clean = images.decode(path.read_bytes(), 10**6).pixels
            (variant,) = chosen.draw(path.name, 0, 512)
            batch = codecs.from_pixels([clean], device)
            made += codecs.to_pixels(pipeline.run(batch, [variant.applied]))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    made = pictures(args.pictures)
    print("| encoder | ms per picture | kB |\n|---|---|---|")
    for name, encode in encoders().items():
        rounds = []
        for _ in range(3):
            start = time.thread_time()
            files = [encode(pixels) for pixels in made]
            rounds.append(time.thread_time() - start)
        for pixels, data in zip(made, files, strict=True):
            if not np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), pixels):
                raise RuntimeError(f"{name} changed pixels")
        size = sum(map(len, files)) / len(made) / 1024
        print(f"| {name} | {1e3 * min(rounds) / len(made):.1f} | {size:.0f} |", flush=True)


if __name__ == "__main__":
    main()
