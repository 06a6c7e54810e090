"""The four released formulas of the transmission stage."""

from __future__ import annotations

import cv2

from degrade.codecs import Pixels, jpeg_decode, jpeg_encode
from degrade.published.draws import Draws
from degrade.published.table import published, too_small


@published("transmission", "compression")
def jpeg_compression(rgb: Pixels, i: float) -> Pixels:
    """JPEG of quality int(100 - 95i), chroma 4:2:0, by libjpeg.

    Defect: a round trip at quality 100 changes the picture even at 0. Otherwise sound.
    """
    return jpeg_decode(jpeg_encode(rgb, max(5, min(100, int(100 - 95 * i)))))


@published("transmission", "transport")
def block_exchange(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """int(35i) times, two blocks of a grid of min(32, int(5 + 30i)) px change places.

    Defects: the number of swaps is the same for any size, so that large pictures are hardly
    touched; nothing happens below 0.03; blocks may be swapped back, or with themselves.

    Raises:
        UserError: A side is shorter than a block.
    """
    out = rgb.copy()
    b, swaps = min(32, int(5 + 30 * i)), int(35 * i)
    rows, columns = rgb.shape[0] // b, rgb.shape[1] // b
    if swaps and not rows * columns:
        raise too_small("block_exchange", rgb, b)
    places = draws.of("blocks")
    for _ in range(swaps):
        here, there = (
            (slice(b * r, b * r + b), slice(b * c, b * c + b))
            for r, c in (
                (places.whole(0, rows - 1), places.whole(0, columns - 1)) for _ in range(2)
            )
        )
        kept = out[here].copy()
        out[here] = out[there]
        out[there] = kept
    return out


@published("transmission", "filtering")
def mean_shift(rgb: Pixels, i: float) -> Pixels:
    """OpenCV's pyrMeanShiftFiltering with both radii int(40i): pixels, and grey levels.

    Defects: the name most likely means the shift of the mean brightness of image quality
    databases, where this is a smoothing for segmentation; no identity at 0; tens of seconds on a
    large picture at high intensity; pixels whatever the size.
    """
    flat: Pixels = cv2.pyrMeanShiftFiltering(rgb, int(40 * i), int(40 * i))
    return flat


@published("transmission", "scanning")
def scan_lines(rgb: Pixels, i: float) -> Pixels:
    """Every max(3, int(20 / (i + 0.1))) rows, max(5, int(7i)) rows times 0.01.

    Defects: 2.5 % of the rows are black at 0 already; the first band is always at the top; pixels
    whatever the size.
    """
    out = rgb.copy()
    every, thick = max(3, int(20 / (i + 0.1))), max(5, int(7 * i))
    for row in range(0, len(out), every):
        out[row : row + thick] = out[row : row + thick] * 0.01
    return out
