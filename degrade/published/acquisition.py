"""The five released formulas of the acquisition stage, ``capture`` in the released code."""

from __future__ import annotations

import cv2
import numpy as np

from degrade.codecs import Pixels
from degrade.published.draws import Draws, Stream
from degrade.published.table import published


def _on(rgb: Pixels, stream: Stream) -> tuple[int, int]:
    """A place in the picture, or one pixel past its right or lower edge."""
    height, width = rgb.shape[:2]
    return stream.whole(0, width), stream.whole(0, height)


def _levels(values: np.ndarray) -> Pixels:
    """Clipped to 0 .. 255; fractions are cut off, not rounded."""
    cut: Pixels = np.clip(values, 0, 255).astype(np.uint8)
    return cut


@published("acquisition", "blur")
def lens_blur(rgb: Pixels, i: float) -> Pixels:
    """(1 - 0.7i) of the picture plus 0.9i of its Gaussian blur, sigma 20i px.

    Kernel of int(3 + 300i) | 1 px. Defects: a Gaussian where a lens has a disc; the weights add up
    to 1 + 0.2i, so that it brightens; part of the sharp picture always shows through; sigma in
    pixels whatever the size; fractions of the blur are cut off.
    """
    line = cv2.getGaussianKernel(int(3 + 300 * i) | 1, 20 * i)
    blurred = cv2.filter2D(rgb.astype(np.float32), -1, line @ line.T)
    mixed: Pixels = cv2.addWeighted(rgb, 1 - 0.7 * i, blurred.astype(np.uint8), 0.9 * i, 0)
    return mixed


@published("acquisition", "glare")
def lens_flare(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """Adds 0.9i of 3 + int(30i) discs of radius 10 to 50 px, each with a ray of 30 to 150 px.

    The discs are smoothed by 3 x 3 px of a Gaussian with sigma 20i. Defects: discs anywhere, with
    no source of light; edges stay hard, as 3 px hold no wider Gaussian; the colour, written for
    another order of channels, is RGB (235, 255, 255), cyan where a warm one was meant; pixels
    whatever the size; brightens.
    """
    colour = (235, 255, 255)
    flare = np.zeros(rgb.shape, np.float32)
    discs, rays = draws.of("discs"), draws.of("rays")
    for _ in range(3 + int(30 * i)):
        x, y = _on(rgb, discs)
        cv2.circle(flare, (x, y), discs.whole(10, 50), colour, -1)
        angle, length = rays.between(0, 2 * np.pi), rays.whole(30, 150)
        tip = int(x + length * np.cos(angle)), int(y + length * np.sin(angle))
        cv2.line(flare, (x, y), tip, colour, 2)
    flare = cv2.GaussianBlur(flare, (3, 3), 20 * i)
    return _levels(cv2.addWeighted(rgb.astype(np.float32), 1, flare, 0.9 * i, 0))


@published("acquisition", "motion")
def motion_blur(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """Filters with a diagonal of k = max(5, int(30i)) px, turned by any angle about (k/2, k/2).

    Defects: no identity at 0, and the same 5 px up to 0.19; the centre is half a pixel off, so that
    the picture also shifts; the diagonal is longer than its k x k frame is wide, which cuts it off,
    so that the length depends on the angle; pixels whatever the size.
    """
    k = max(5, int(30 * i))
    turn = cv2.getRotationMatrix2D((k / 2, k / 2), draws.of("angle").between(0, 360), 1)
    kernel = cv2.warpAffine(np.eye(k), turn, (k, k))
    blurred: Pixels = cv2.filter2D(rgb, -1, kernel / kernel.sum())
    return blurred


@published("acquisition", "glare")
def dirty_lens(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """(1 - 0.7i) of the picture plus 0.8i of grey spots, blurred with sigma 30 px.

    Above 0.1, int(10i) ellipses with half axes of 150 to 300 by 100 to 200 px, grey level 50; then
    int(300i) discs of radius 4 to 20 px, grey 50 to 100; above 0.5, int(5i) discs of 20 to 50 px,
    grey 80, each with a core of 10 to 30 px, grey 120. Defects: mostly it darkens everything; it
    jumps at 0.1 and at 0.5; pixels whatever the size.
    """
    dirt = np.zeros(rgb.shape, np.float32)
    smears, spots, drops = draws.of("smears"), draws.of("spots"), draws.of("drops")
    for _ in range(int(10 * i) if i > 0.1 else 0):
        place = _on(rgb, smears)
        axes = smears.whole(150, 300), smears.whole(100, 200)
        cv2.ellipse(dirt, place, axes, smears.whole(0, 180), 0, 360, (50, 50, 50), -1)
    for _ in range(int(300 * i)):
        place, radius = _on(rgb, spots), spots.whole(4, 20)
        cv2.circle(dirt, place, radius, (spots.whole(50, 100),) * 3, -1)
    for _ in range(int(5 * i) if i > 0.5 else 0):
        place = _on(rgb, drops)
        cv2.circle(dirt, place, drops.whole(20, 50), (80, 80, 80), -1)
        cv2.circle(dirt, place, drops.whole(10, 30), (120, 120, 120), -1)
    soft = cv2.GaussianBlur(dirt, (0, 0), 30).astype(np.uint8)
    mixed: Pixels = cv2.addWeighted(rgb, 1 - 0.7 * i, soft, 0.8 * i, 0)
    return mixed


@published("acquisition", "color")
def hsv_saturation(rgb: Pixels, i: float) -> Pixels:
    """Multiplies S of 8-bit HSV by 1 - i.

    Defects: hue is kept in steps of two degrees and fractions of S are cut off, so that pictures
    change even at 0; the grey it ends in is the largest channel, so that it brightens.
    """
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] *= 1 - i
    pale: Pixels = cv2.cvtColor(_levels(hsv), cv2.COLOR_HSV2RGB)
    return pale
