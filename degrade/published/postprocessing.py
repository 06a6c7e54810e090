"""The three released formulas of the postprocessing stage."""

from __future__ import annotations

import cv2
import numpy as np

from degrade.codecs import Pixels
from degrade.published.draws import Draws
from degrade.published.table import published, too_small

_WORDS = ("X", "FAKE", "COPY", "VOID", "COPYRIGHT")


@published("postprocessing", "filtering")
def sharpness_change(rgb: Pixels, i: float) -> Pixels:
    """0.7 of the picture plus 0.3 of it filtered with 80i times (0 -1 0, -1 5 -1, 0 -1 0).

    At 0 the filter is a Gaussian of 3 px instead. Defects: the kernel adds up to 80i, so that from
    about 0.1 nearly every pixel is 255 and all levels are alike, 0.7 of the picture plus 76; just
    above 0 it darkens by up to 30 %; no identity at 0.
    """
    if i > 0:
        cross = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]) * (80 * i)
        filtered = cv2.filter2D(rgb, -1, cross)
    else:
        filtered = cv2.GaussianBlur(rgb, (3, 3), 0)
    mixed: Pixels = cv2.addWeighted(rgb, 0.7, filtered, 0.3, 0)
    return mixed


@published("postprocessing", "overlay")
def graffiti(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """int(10i) straight lines of any colour, 1 to int(5i) px wide; above 0.55 a word in red.

    The word is X, FAKE, COPY, VOID, COPYRIGHT or a number to 100, at font scale 5i. Defects:
    nothing below 0.1; a jump at 0.55; no word where it is higher than the picture, and it may run
    off the right edge; pixels whatever the size.
    """
    out = rgb.copy()
    height, width = rgb.shape[:2]
    lines, words = draws.of("lines"), draws.of("words")
    for _ in range(int(10 * i)):
        colour = [lines.whole(0, 255) for _ in range(3)]
        start, end = ((lines.whole(0, width - 1), lines.whole(0, height - 1)) for _ in range(2))
        cv2.line(out, start, end, colour, lines.whole(1, max(1, int(5 * i))))
    if i > 0.55:
        number = str(words.whole(1, 100))
        word = (*_WORDS, number)[words.whole(0, len(_WORDS))]
        font, scale, thick = cv2.FONT_HERSHEY_SIMPLEX, 5 * i, int(5 * i)
        (wide, high), _ = cv2.getTextSize(word, font, scale, thick)
        if height - 10 > high + 10:
            x = words.whole(0, max(1, width - wide - 10))
            y = words.whole(high + 10, height - 10)
            cv2.putText(out, word, (x, y), font, scale, (255, 0, 0), thick)
    return out


@published("postprocessing", "overlay")
def watermark_damage(rgb: Pixels, i: float, draws: Draws) -> Pixels:
    """Inpaints 1 + int(15i) rectangles of 50 to 200 by 20 to 80 px and mixes in i of the result.

    Telea's method with a radius of 3 px; above 0.5 the edges of the rectangles are darkened by
    20 %. Defects: there is no watermark, only what removing one might leave; a jump at 0.5; pixels
    whatever the size, so that large pictures are hardly touched.

    Raises:
        UserError: A side is shorter than 50 px.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < 50:
        raise too_small("watermark_damage", rgb, 50)
    mask = np.zeros((height, width), np.uint8)
    boxes = draws.of("boxes")
    for _ in range(int(1 + 15 * i)):
        x, y = boxes.whole(0, width - 50), boxes.whole(0, height - 50)
        corner = x + boxes.whole(50, 200), y + boxes.whole(20, 80)
        cv2.rectangle(mask, (x, y), corner, 255, -1)
    filled = cv2.inpaint(rgb, mask, 3, cv2.INPAINT_TELEA)
    out: Pixels = cv2.addWeighted(rgb, 1 - i, filled, i, 0)
    if i > 0.5:
        edges = cv2.Canny(mask, 50, 150) > 0
        out[edges] = out[edges] * 0.8
    return out
