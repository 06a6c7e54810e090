"""One contact sheet of a picture: operators down, intensities across."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from degrade import codecs, ops
from degrade.images import Pixels

INTENSITIES = (0.1, 0.25, 0.5, 0.75, 1.0)
_MARGIN, _LABEL = 6, 150
_BACKGROUND, _INK = (250, 250, 250), (30, 30, 30)


def contact_sheet(
    pixels: Pixels,
    names: Sequence[str],
    intensities: Sequence[float] = INTENSITIES,
    seed: int = 0,
    cell: int = 224,
) -> Image.Image:
    """Draw the sheet; the first column is the clean picture.

    Args:
        pixels: (H, W, 3) uint8.
        names: Operators, one row each.
        intensities: Columns, each in [0, 1].
        seed: Root seed; all columns of a row share every draw but strength.
        cell: Longer side of a cell in pixels. Operators run at full size, cells are reduced.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, cell / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    columns = [0.0, *intensities]
    font = ImageFont.load_default(size=15)
    top = 28
    sheet = Image.new(
        "RGB",
        (
            _LABEL + len(columns) * (size[0] + _MARGIN),
            top + len(names) * (size[1] + _MARGIN),
        ),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    for column, intensity in enumerate(columns):
        x = _LABEL + column * (size[0] + _MARGIN)
        draw.text((x, 5), "clean" if not intensity else f"{intensity:g}", _INK, font)
    clean = codecs.from_pixels([pixels], torch.device("cpu"))
    with torch.inference_mode():
        for line, name in enumerate(names):
            op = ops.get(name)
            y = top + line * (size[1] + _MARGIN)
            shown = op.name.replace(":", ":\n").replace("_", "\n")
            draw.multiline_text((_MARGIN, y + 4), shown, _INK, font)
            for column, intensity in enumerate(columns):
                made, _ = op(clean, [intensity], [(seed, "preview")])
                image = Image.fromarray(codecs.to_pixels(made)[0])
                x = _LABEL + column * (size[0] + _MARGIN)
                sheet.paste(image.resize(size, Image.Resampling.LANCZOS), (x, y))
    return sheet
