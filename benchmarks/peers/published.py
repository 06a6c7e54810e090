"""The sixteen published formulas of Robust-R1 (Tang et al., 2025) in OpenCV and NumPy, for timing.

Written anew from their description: same operations, same constants, same libraries, and with them
the same defects (absolute pixels, gains above one, effects that start with a jump, global random
numbers). They are what our operators are measured against, not something to degrade pictures with.

Each takes (H, W, 3) uint8 and an intensity in [0, 1] and returns a new picture of the same kind.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import cv2
import numpy as np

Picture = np.ndarray
Formula = Callable[[Picture, float], Picture]


def _saturate(values: np.ndarray) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


def _point(image: Picture) -> tuple[int, int]:
    return random.randrange(image.shape[1]), random.randrange(image.shape[0])


def motion_blur(image: Picture, i: float) -> Picture:
    k = max(5, int(30 * i))
    turn = cv2.getRotationMatrix2D((k / 2, k / 2), random.uniform(0, 360), 1)
    kernel = cv2.warpAffine(np.diag(np.ones(k)), turn, (k, k))
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def lens_blur(image: Picture, i: float) -> Picture:
    k = int(3 + 300 * i) | 1
    blurred = cv2.GaussianBlur(image, (k, k), 20 * i)
    return cv2.addWeighted(image, 1 - 0.7 * i, blurred, 0.9 * i, 0)


def lens_flare(image: Picture, i: float) -> Picture:
    # The description leaves the number of rays open: one from each disc.
    flare = np.zeros_like(image)
    colour = (255, 255, 235)
    for _ in range(3 + int(30 * i)):
        x, y = _point(image)
        cv2.circle(flare, (x, y), random.randint(10, 50), colour, -1)
        angle, length = random.uniform(0, 2 * np.pi), random.randint(30, 150)
        tip = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        cv2.line(flare, (x, y), tip, colour, 2)
    flare = cv2.GaussianBlur(flare, (3, 3), 20 * i)
    return cv2.addWeighted(image, 1.0, flare, 0.9 * i, 0)


def dirty_lens(image: Picture, i: float) -> Picture:
    dirt = np.zeros_like(image)
    if i > 0.1:
        for _ in range(int(10 * i)):
            axes = (random.randint(150, 300), random.randint(100, 200))
            grey = (random.randint(50, 150),) * 3
            cv2.ellipse(dirt, _point(image), axes, random.uniform(0, 360), 0, 360, grey, -1)
    for _ in range(int(300 * i)):
        cv2.circle(dirt, _point(image), random.randint(4, 20), (random.randint(30, 120),) * 3, -1)
    if i > 0.5:
        for _ in range(int(5 * i)):
            cv2.circle(dirt, _point(image), random.randint(30, 80), (150, 150, 150), 5)
    dirt = cv2.GaussianBlur(dirt, (0, 0), 30)
    return cv2.addWeighted(image, 1 - 0.7 * i, dirt, 0.8 * i, 0)


def hsv_saturation(image: Picture, i: float) -> Picture:
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[..., 1] = _saturate(hsv[..., 1] * (1 - i))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)


def jpeg_compression(image: Picture, i: float) -> Picture:
    quality = int(np.clip(int(100 - 95 * i), 5, 100))
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def block_exchange(image: Picture, i: float) -> Picture:
    out = image.copy()
    b = min(32, int(5 + 30 * i))
    rows, columns = out.shape[0] // b, out.shape[1] // b
    for _ in range(int(35 * i)):
        (r, c), (s, d) = (
            (b * random.randrange(rows), b * random.randrange(columns)) for _ in range(2)
        )
        block = out[r : r + b, c : c + b].copy()
        out[r : r + b, c : c + b] = out[s : s + b, d : d + b]
        out[s : s + b, d : d + b] = block
    return out


def mean_shift(image: Picture, i: float) -> Picture:
    return cv2.pyrMeanShiftFiltering(image, int(40 * i), int(40 * i))


def scan_lines(image: Picture, i: float) -> Picture:
    out = image.copy()
    every, thick = max(3, int(20 / (i + 0.1))), max(5, int(7 * i))
    for row in range(0, out.shape[0], every):
        out[row : row + thick] = (out[row : row + thick] * 0.01).astype(np.uint8)
    return out


def dark_illumination(image: Picture, i: float) -> Picture:
    return _saturate(image * (1 - i**2))


def atmospheric_turbulence(image: Picture, i: float) -> Picture:
    x, y = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    shift = 40 * i * np.sin(y / 30 + 5 * i)
    return cv2.remap(
        image,
        (x + shift).astype(np.float32),
        (y + 0.7 * shift).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )


def gaussian_noise(image: Picture, i: float) -> Picture:
    return _saturate(image + np.random.normal(0, 75 * i, image.shape))


def color_diffusion(image: Picture, i: float) -> Picture:
    line = cv2.getGaussianKernel(3 + 2 * int(20 * i), 50 * i)
    diffused = cv2.filter2D(image, -1, line @ line.T * i**2)
    out = cv2.addWeighted(image, max(0.1, 1 - 0.9 * i), diffused, min(0.9, 0.9 * i), 0)
    if i > 0.9:
        for _ in range(int(100 * i)):
            cv2.circle(out, _point(out), random.randint(2, 10), (random.randint(0, 255),) * 3, -1)
    return out


def sharpness_change(image: Picture, i: float) -> Picture:
    kernel = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]) * (80 * i)
    return cv2.addWeighted(image, 0.7, cv2.filter2D(image, -1, kernel), 0.3, 0)


def graffiti(image: Picture, i: float) -> Picture:
    out = image.copy()
    for _ in range(int(10 * i)):
        width = random.randint(1, max(1, int(5 * i)))
        colour = [random.randint(0, 255) for _ in range(3)]
        cv2.line(out, _point(out), _point(out), colour, width)
    if i > 0.55:
        number = str(random.randint(1, 100))
        word = random.choice(["X", "FAKE", "COPY", "VOID", "COPYRIGHT", number])
        cv2.putText(out, word, _point(out), cv2.FONT_HERSHEY_SIMPLEX, 5 * i, (0, 0, 255), 5)
    return out


def watermark_damage(image: Picture, i: float) -> Picture:
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for _ in range(1 + int(15 * i)):
        w, h = random.randint(50, min(200, width)), random.randint(20, min(80, height))
        x, y = random.randint(0, width - w), random.randint(0, height - h)
        mask[y : y + h, x : x + w] = 255
    filled = cv2.inpaint(image, mask, 3, cv2.INPAINT_TELEA)
    out = cv2.addWeighted(image, 1 - i, filled, i, 0)
    if i > 0.5:
        edges = cv2.Canny(mask, 50, 150) > 0
        out[edges] = _saturate(out[edges] * 0.8)
    return out


FORMULAS: dict[str, Formula] = {
    f.__name__: f
    for f in (
        motion_blur,
        lens_blur,
        lens_flare,
        dirty_lens,
        hsv_saturation,
        jpeg_compression,
        block_exchange,
        mean_shift,
        scan_lines,
        dark_illumination,
        atmospheric_turbulence,
        gaussian_noise,
        color_diffusion,
        sharpness_change,
        graffiti,
        watermark_damage,
    )
}
