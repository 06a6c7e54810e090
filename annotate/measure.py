"""What can be measured on a picture pair: numbers that a chain may state without inventing."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from degrade.schema import Record

CELLS = (
    "upper left", "upper middle", "upper right",
    "middle left", "center", "middle right",
    "lower left", "lower middle", "lower right",
)  # fmt: skip
"""Names of the 3x3 grid, row by row."""

COLORS = (
    "black", "gray", "white", "red", "orange", "brown", "yellow", "green", "teal", "blue",
    "purple", "pink", "beige",
)  # fmt: skip

SIDE = 256
_LEAST = 12  # cells of 4 pixels at least
_STABLE = (0.03 * 255) ** 2  # SSIM's C2: keeps flat cells from dividing by nothing
_FLAT = 2.0  # grey levels rms of high frequencies below which a cell has no detail to lose

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Nine = Annotated[tuple[Share, ...], Field(min_length=9, max_length=9)]


class Seen(Record):
    """Measurements on a clean picture and its degraded version, from copies of at most 256 px
    (means of k x k pixels).

    ``luma_*``: mean BT.601 luma, ``contrast_*``: its standard deviation, both of full scale.
    ``saturation_*``: mean of (max - min) of R, G, B. ``noise``: by how much Immerkaer's noise
    estimate of the degraded picture is above that of the clean one, of full scale, on a crop of the
    full resolution. ``clipped_*``: share of the degraded picture's pixels below 8 or above 247 of
    255. Per cell of :data:`CELLS`: ``kept``, the detail that survives (see :func:`measure`),
    ``luma`` and ``detail`` (rms of high frequencies, 1 for the busiest cell) of the clean picture,
    ``colors``, its most frequent color word. ``palette``: the clean picture's color words that
    cover 8 % or more, most frequent first.
    """

    luma_clean: Share
    luma_degraded: Share
    contrast_clean: Share
    contrast_degraded: Share
    saturation_clean: Share
    saturation_degraded: Share
    noise: Share
    clipped_dark: Share
    clipped_bright: Share
    kept: Nine
    luma: Nine
    detail: Nine
    colors: Annotated[tuple[str, ...], Field(min_length=9, max_length=9)]
    palette: tuple[str, ...]


def measure(clean: NDArray[np.uint8], degraded: NDArray[np.uint8]) -> Seen:
    """Measure a pair of pictures, (H, W, 3) uint8 sRGB each.

    Detail kept in a cell is (2 cov + C) / (var + var' + C) of the high-pass luma (pixel minus the
    mean of 3x3) of both, at 256 px: SSIM's contrast and structure terms (Wang et al., IEEE TIP
    2004), so that blur, noise and displacement all lower it. In [0, 1]; 1 where there was none.

    Raises:
        ValueError: Not two (H, W, 3) uint8 pictures of one size.
    """
    for x in (clean, degraded):
        if x.ndim != 3 or x.shape[2] != 3 or x.dtype != np.uint8 or not x.size:
            raise ValueError(f"needs (H, W, 3) uint8, got {x.shape} {x.dtype}")
    if clean.shape != degraded.shape:
        raise ValueError(f"clean is {clean.shape}, degraded {degraded.shape}")
    a, b = _reduced(clean), _reduced(degraded)
    luma_a, luma_b = _luma(a), _luma(b)
    fine_a, fine_b = _fine(luma_a), _fine(luma_b)
    rows, columns = (np.linspace(0, n, 4).astype(int) for n in luma_a.shape)
    cells = [
        np.s_[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        for i in range(3)
        for j in range(3)
    ]
    words = _color_table()[_bins(a)]
    counts = np.stack([np.bincount(words[c].ravel(), minlength=len(COLORS)) for c in cells])
    total = counts.sum(0) / words.size
    rms = np.array([np.sqrt(np.mean(np.square(fine_a[c]))) for c in cells])
    busiest = max(float(rms.max()), _FLAT)
    return Seen(
        luma_clean=_share(luma_a.mean() / 255),
        luma_degraded=_share(luma_b.mean() / 255),
        contrast_clean=_share(luma_a.std() / 255),
        contrast_degraded=_share(luma_b.std() / 255),
        saturation_clean=_share(_chroma(a) / 255),
        saturation_degraded=_share(_chroma(b) / 255),
        noise=_share((_noise(degraded) - _noise(clean)) / 255),
        clipped_dark=_share((luma_b < 8).mean()),
        clipped_bright=_share((luma_b > 247).mean()),
        kept=tuple(_kept(fine_a[c], fine_b[c]) for c in cells),
        luma=tuple(_share(luma_a[c].mean() / 255) for c in cells),
        detail=tuple(_share(v / busiest) for v in rms),
        colors=tuple(COLORS[int(c.argmax())] for c in counts),
        palette=tuple(
            COLORS[i] for i in np.argsort(-total, kind="stable") if float(total[i]) >= 0.08
        ),
    )


def _share(value: float) -> float:
    # Three digits: what is written down does not depend on the order of a sum.
    return round(min(1.0, max(0.0, float(value))), 3)


def _reduced(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = x.shape[:2]
    picture = Image.fromarray(x)
    if (factor := -(-max(height, width) // SIDE)) > 1:
        picture = picture.reduce(factor)
    if min(picture.size) < _LEAST:
        least = (max(_LEAST, picture.width), max(_LEAST, picture.height))
        picture = picture.resize(least, Image.Resampling.NEAREST)
    return np.asarray(picture)


def _luma(x: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(x).convert("L"), np.float32)


def _chroma(x: NDArray[np.uint8]) -> float:
    r, g, b = (x[..., i] for i in range(3))  # a reduction along an axis of three is slow
    high = np.maximum(np.maximum(r, g), b)
    return float((high - np.minimum(np.minimum(r, g), b)).mean())


def _fine(y: NDArray[np.float32]) -> NDArray[np.float32]:
    p = np.pad(y, 1, mode="edge")
    p = p[:-2] + p[1:-1] + p[2:]
    return y - (p[:, :-2] + p[:, 1:-1] + p[:, 2:]) / np.float32(9)


def _kept(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    if float(np.mean(np.square(a))) < _FLAT**2:
        return 1.0
    both = 2 * float(np.mean(a * b)) + _STABLE
    return _share(both / (float(np.mean(a * a)) + float(np.mean(b * b)) + _STABLE))


def _noise(x: NDArray[np.uint8]) -> float:
    """Immerkaer, CVIU 64(2), 1996: sqrt(pi/2) / 6 times the mean of |difference of Laplacians|."""
    top, left = (max(0, (n - SIDE) // 2) for n in x.shape[:2])
    y = _luma(x[top : top + SIDE, left : left + SIDE])
    if min(y.shape) < 3:
        return 0.0
    for axis in (0, 1):
        y = y if axis == 0 else y.T
        y = y[:-2] - 2 * y[1:-1] + y[2:]
    return float(np.abs(y).mean()) * 0.2089  # sqrt(pi / 2) / 6


def _bins(x: NDArray[np.uint8]) -> NDArray[np.int32]:
    q = (x >> 4).astype(np.int32)
    return (q[..., 0] << 8) | (q[..., 1] << 4) | q[..., 2]


@lru_cache(1)
def _color_table() -> NDArray[np.uint8]:
    """Index into COLORS for each of 16^3 colors, by hue, chroma and lightness."""
    grid = np.stack(np.meshgrid(*[np.arange(16) * 17.0] * 3, indexing="ij"), -1).reshape(-1, 3)
    table = np.empty(len(grid), np.uint8)
    for i, (r, g, b) in enumerate(grid.tolist()):
        table[i] = COLORS.index(_word(r, g, b))
    return table


def _word(r: float, g: float, b: float) -> str:
    high, low = max(r, g, b), min(r, g, b)
    chroma, middle = high - low, (high + low) / 2
    if high < 50:
        return "black"
    if chroma < 32 or chroma / high < 0.15:
        return "white" if middle > 205 else "gray" if middle > 45 else "black"
    if high == r:
        hue = (60 * (g - b) / chroma) % 360
    else:
        hue = 60 * (b - r) / chroma + 120 if high == g else 60 * (r - g) / chroma + 240
    if 14 <= hue < 70 and middle > 150 and chroma < 110:
        return "beige"
    if 14 <= hue < 48 and (high < 190 or chroma < 90):
        return "brown"
    if hue < 14 or hue >= 345:
        return "pink" if middle > 160 else "brown" if high < 110 else "red"
    bounds = ((46, "orange"), (70, "yellow"), (160, "green"), (192, "teal"), (256, "blue"))
    name = next((word for limit, word in bounds if hue < limit), "")
    return name or ("purple" if hue < 300 else "pink")
