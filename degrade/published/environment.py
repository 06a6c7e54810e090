"""The four released formulas of the environment stage."""

from __future__ import annotations

import cv2
import numpy as np

from degrade.codecs import Pixels
from degrade.published.draws import Draws
from degrade.published.table import published


@published("environment", "light")
def dark_illumination(rgb: Pixels, i: float) -> Pixels:
    """Multiplies sRGB values by 1 - i^2.

    Defects: black at 1; in sRGB, where light is not linear; darkness brings no noise; fractions
    are cut off.
    """
    dark: Pixels = (rgb * (1 - i**2)).astype(np.uint8)
    return dark


@published("environment", "weather")
def atmospheric_turbulence(rgb: Pixels, i: float) -> Pixels:
    """Moves pixels by d = 40i sin(y/30 + 5i) px across and 0.7d down, edges repeated.

    Defects: one fixed wave, the same for every picture, where turbulence is random; no blur;
    pixels whatever the size; the phase runs with the intensity, so that levels do not line up.
    """
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width]
    shift = 40 * i * np.sin(y / 30 + 5 * i)
    across = np.clip(x + shift, 0, width - 1).astype(np.float32)
    down = np.clip(y + 0.7 * shift, 0, height - 1).astype(np.float32)
    moved: Pixels = cv2.remap(rgb, across, down, cv2.INTER_LINEAR)
    return moved


@published("environment", "noise")
def gaussian_noise(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """Adds normal noise of standard deviation 75i grey levels to sRGB values.

    Defects: noise of a sensor, yet in sRGB and filed under environment; fractions are cut off,
    which darkens by half a level.
    """
    noisy = rgb + 75 * i * draws.of("noise").normal(rgb.shape)
    cut: Pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return cut


@published("environment", "color")
def color_diffusion(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """max(0.1, 1 - 0.9i) of the picture plus 0.9i of its Gaussian blur times i^2, sigma 50i px.

    Kernel of 3 + 2 int(20i) px; above 0.9, int(100i) grey discs of radius 5 to 19 px lie on the
    blur. Defects: the weights add up to 1 - 0.9i + 0.9i^3, lowest at 0.58, so that 0.9 does less
    damage than 0.45; brightness is blurred as much as colour; the discs never show at 0.9, the
    strongest published level; fractions of the blur are cut off.
    """
    line = cv2.getGaussianKernel(3 + 2 * int(20 * i), 50 * i)
    diffused = cv2.filter2D(rgb.astype(np.float32), -1, line @ line.T * i**2)
    if i > 0.9:
        discs = draws.of("discs")
        height, width = rgb.shape[:2]
        for _ in range(int(100 * i)):
            place = discs.whole(0, width - 1), discs.whole(0, height - 1)
            radius = discs.whole(5, 19)
            cv2.circle(diffused, place, radius, (discs.whole(0, 254),) * 3, -1)
    kept, spread = max(0.1, 1 - 0.9 * i), min(0.9, 0.9 * i)
    mixed: Pixels = cv2.addWeighted(rgb, kept, diffused.astype(np.uint8), spread, 0)
    return mixed
