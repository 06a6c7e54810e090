"""How long lossless encoders take for degraded pictures, and how large their files are; and how
long decoders of JPEG take for the sources.

    python benchmarks/encoders.py
    pip install imagecodecs fpng-py simplejpeg      # compared too where they are there

512x512 crops of the photographs, for encoders through the `robust-r1` recipe; processor time of one
thread, the least of three rounds. Every encoder's files are decoded and compared with the pixels;
of a decoder the largest difference from Pillow's pixels is told.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
Decoder = Callable[[bytes], Pixels]
ROUNDS = 3


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


def with_pillow(data: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def with_opencv(data: bytes) -> Pixels:
    made = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.asarray(made, np.uint8)


def decoders() -> dict[str, Decoder]:
    found: dict[str, Decoder] = {
        "images.decode": lambda data: images.decode(data, 10**6).pixels,
        "Pillow alone": with_pillow,
        "OpenCV": with_opencv,
    }
    for name, function in (("imagecodecs", "jpeg8_decode"), ("simplejpeg", "decode_jpeg")):
        try:
            found[name] = getattr(importlib.import_module(name), function)
        except ImportError:
            print(f"{name} is not installed", file=sys.stderr)
    return found


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


def sources(count: int) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        make_sources(Path(folder) / "src", count, 512)
        return [path.read_bytes() for path in sorted((Path(folder) / "src").iterdir())]


def degraded(files: list[bytes]) -> list[Pixels]:
    chosen, device, made = recipe.load("robust-r1"), torch.device("cpu"), []
    with torch.inference_mode():
        for number, data in enumerate(files):
            clean = images.decode(data, 10**6).pixels
            (variant,) = chosen.draw(f"{number:05d}.jpg", 0, 512)
            batch = codecs.from_pixels([clean], device)
            made += codecs.to_pixels(pipeline.run(batch, [variant.applied]))
    return made


def timed(function: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """Milliseconds an item, and what came of them."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        made = [function(item) for item in items]
        rounds.append(time.thread_time() - start)
    return 1e3 * min(rounds) / len(items), made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    files = sources(args.pictures)
    pictures = degraded(files)
    print("| encoder | ms per picture | kB |\n|---|---|---|")
    for name, encode in encoders().items():
        ms, encoded = timed(encode, pictures)
        for pixels, data in zip(pictures, encoded, strict=True):
            if not np.array_equal(with_pillow(data), pixels):
                raise RuntimeError(f"{name} changed pixels")
        print(
            f"| {name} | {ms:.1f} | {sum(map(len, encoded)) / len(files) / 1024:.0f} |", flush=True
        )
    print("\n| decoder of JPEG | ms per picture | grey levels from Pillow at most |\n|---|---|---|")
    wanted = [with_pillow(data).astype(int) for data in files]
    for name, decode in decoders().items():
        ms, decoded = timed(decode, files)
        gap = max(np.abs(a - b).max() for a, b in zip(decoded, wanted, strict=True))
        print(f"| {name} | {ms:.2f} | {gap} |", flush=True)


if __name__ == "__main__":
    main()
