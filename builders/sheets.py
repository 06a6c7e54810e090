"""The pictures of a data card that show pictures; its distributions are `degrade.plots`'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from degrade.images import Pixels
from degrade.plots import figure, png


def ladders(items: Sequence[Sequence[tuple[Pixels, str]]], path: Path) -> Path:
    """Items from left to right, what they look like at each level from top to bottom.

    Args:
        items: Of each, a picture (H, W, 3) uint8 and what to write below it, per level.
        path: PNG to write.
    """
    deepest = max(map(len, items))
    height, width = items[0][0][0].shape[:2]
    drawn, axes = figure(
        2.3 * len(items), deepest * (2.3 * min(1.2, height / width) + 0.25), nrows=deepest,
        ncols=len(items), squeeze=False,
    )  # fmt: skip
    for column, levels in enumerate(items):
        for row in range(deepest):
            axis = axes[row][column]
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if row < len(levels):
                axis.imshow(levels[row][0], aspect="equal")
                axis.set_xlabel(levels[row][1].replace(", ", "\n"), fontsize=9)
    return png(drawn, path)


def pairs(examples: Sequence[tuple[Pixels, Pixels, str]], path: Path) -> Path:
    """Clean pictures above, what became of them below.

    Args:
        examples: Clean and degraded picture (H, W, 3) uint8, and the degradations in words.
        path: PNG to write.
    """
    number = len(examples)
    height, width = examples[0][0].shape[:2]
    drawn, axes = figure(
        2.3 * number, 2 * 2.3 * min(1.2, height / width) + 0.5, nrows=2, ncols=number,
        squeeze=False,
    )  # fmt: skip
    for column, (clean, degraded, text) in enumerate(examples):
        for row, pixels in enumerate((clean, degraded)):
            axes[row][column].imshow(pixels, aspect="equal")
            axes[row][column].set(xticks=[], yticks=[])
            axes[row][column].spines[:].set_visible(False)
        axes[1][column].set_xlabel(text.replace(", ", "\n") or "undamaged", fontsize=10)
    return png(drawn, path)
