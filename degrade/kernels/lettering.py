"""Text as masks, in the font that ships with Pillow (Aileron, CC0)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Mask = npt.NDArray[np.float32]
"""(H, W) coverage in [0, 1]."""

_LARGEST = 512  # pixels of an em: larger letters are these, scaled up


@lru_cache(maxsize=256)
def lettering(text: str, em: float, outline: float = 0.0) -> Mask:
    """Lines of text, centred, cut to their ink; antialiased.

    Args:
        text: One or more lines.
        em: Height of the font in pixels; from 1 to 512, others are taken to the nearest.
        outline: Widens all strokes by this share of the height, on each side.

    Returns:
        The mask, not to be written to; with the outline as wide a margin more on each side.
    """
    em = min(float(_LARGEST), max(1.0, em))
    font = ImageFont.load_default(em)
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    wide, gap = outline * em, 0.25 * em
    left, top, right, bottom = pen.multiline_textbbox(
        (0, 0), text, font, spacing=gap, align="center", stroke_width=wide
    )
    size = (max(1, round(right - left)), max(1, round(bottom - top)))
    image = Image.new("L", size)
    ImageDraw.Draw(image).multiline_text(
        (-left, -top), text, 255, font, spacing=gap, align="center", stroke_width=wide
    )
    mask = np.asarray(image, np.float32) / np.float32(255.0)
    mask.setflags(write=False)
    return mask


def lines(text: str, count: int) -> str:
    """The words of a text in at most ``count`` lines, as even as words allow."""
    words = text.split()
    count = min(count, len(words))
    best = [text]
    for width in range(max(map(len, words)), len(text) + 1):
        rows = [words[0]]
        for word in words[1:]:
            if len(rows[-1]) + 1 + len(word) <= width:
                rows[-1] += " " + word
            else:
                rows.append(word)
        if len(rows) <= count:
            best = rows
            break
    return "\n".join(best)
