"""The pictures of a data card: drawn with matplotlib, which is loaded when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degrade.errors import UserError
from degrade.images import Pixels
from degrade.schema import STAGES, Stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colors that people with any color vision tell apart (Okabe and Ito).
_STAGE_COLORS: dict[Stage, str] = dict(
    zip(STAGES, ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), strict=True)
)
_STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.hashsalt": "degrade",
}
_DPI = 130

Operators = Sequence[tuple[str, Stage]]
"""Names with their stages, in the order to show them."""


def _figure(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure and its axes, without pyplot: no global state, no display, safe in threads.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Made
    except ImportError:
        raise UserError(
            "The plots of a data card need matplotlib. Install it: pip install 'degrade[hub]'"
        ) from None
    with rc_context(_STYLE):
        figure = Made(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(**grid)


def _save(figure: Figure, path: Path) -> Path:
    """Write a PNG that is the same whenever it is drawn."""
    figure.savefig(path, metadata={"Software": None})
    return path


def operators(
    counts: Mapping[str, Mapping[str, int]], rows: Mapping[str, int], names: Operators, path: Path
) -> Path:
    """Bars: in what share of each split's rows an operator was applied.

    Args:
        counts: Split -> operator -> rows.
        rows: Split -> rows.
        names: The operators.
        path: PNG to write.
    """
    splits = [split for split in counts if rows[split]]
    figure, axes = _figure(
        2.2 + 2.0 * len(splits), 1.0 + 0.27 * len(names), ncols=len(splits), squeeze=False,
        sharey=True,
    )  # fmt: skip
    places = range(len(names))
    colors = [_STAGE_COLORS[stage] for _, stage in names]
    widest = 1.0
    for axis, split in zip(axes[0], splits, strict=True):
        shares = [100 * counts[split].get(name, 0) / rows[split] for name, _ in names]
        widest = max(widest, *shares)
        axis.barh(places, shares, color=colors, height=0.72)
        axis.set_title(f"{split}\n{rows[split]:,} rows", fontsize=9)
        axis.set_xlabel("% of rows")
        axis.grid(axis="x", alpha=0.25)
        axis.set_axisbelow(True)
        axis.tick_params(axis="y", length=0)
    for axis in axes[0]:
        axis.set_xlim(0, widest * 1.06)
    axes[0][0].set_yticks(places, [name.replace("_", " ") for name, _ in names])
    axes[0][0].invert_yaxis()
    _stage_legend(figure, {stage for _, stage in names})
    return _save(figure, path)


def _stage_legend(figure: Figure, stages: set[Stage]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(color=_STAGE_COLORS[stage], label=stage) for stage in STAGES if stage in stages
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def intensities(
    counts: Mapping[str, Mapping[str, Sequence[int]]], names: Operators, path: Path
) -> Path:
    """Maps: how many rows have an operator at each tenth of the intensities, a map per split.

    Args:
        counts: Split -> operator -> ten counts.
        names: The operators.
        path: PNG to write.
    """
    splits = [split for split in counts if counts[split]]
    figure, axes = _figure(
        2.0 + 2.3 * len(splits), 1.0 + 0.25 * len(names), ncols=len(splits), squeeze=False,
        sharey=True,
    )  # fmt: skip
    from matplotlib.ticker import MaxNLocator  # after the figure, which says if it is missing

    for axis, split in zip(axes[0], splits, strict=True):
        found = counts[split]
        values = [list(found.get(name, [math.nan] * 10)) for name, _ in names]
        axis.set_facecolor("#ececec")  # what is nowhere in a split is left out, not counted as 0
        image = axis.imshow(values, aspect="auto", cmap="cividis", vmin=0, interpolation="nearest")
        axis.set_title(split, fontsize=9)
        axis.set_xticks([-0.5, 4.5, 9.5], ["0", "0.5", "1"])
        axis.set_xlabel("intensity")
        axis.tick_params(axis="y", length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        bar = figure.colorbar(image, ax=axis, shrink=0.8, pad=0.02)
        bar.ax.tick_params(labelsize=7)
        bar.locator = MaxNLocator(nbins=5, integer=True)
        bar.outline.set_visible(False)
    axes[0][0].set_yticks(range(len(names)), [name.replace("_", " ") for name, _ in names])
    return _save(figure, path)


def ladders(items: Sequence[Sequence[tuple[Pixels, str]]], path: Path) -> Path:
    """Items from left to right, what they look like at each level from top to bottom.

    Args:
        items: Of each, a picture (H, W, 3) uint8 and what to write below it, per level.
        path: PNG to write.
    """
    deepest = max(map(len, items))
    height, width = items[0][0][0].shape[:2]
    figure, axes = _figure(
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
    return _save(figure, path)


def pairs(examples: Sequence[tuple[Pixels, Pixels, str]], path: Path) -> Path:
    """Clean pictures above, what became of them below.

    Args:
        examples: Clean and degraded picture (H, W, 3) uint8, and the degradations in words.
        path: PNG to write.
    """
    number = len(examples)
    height, width = examples[0][0].shape[:2]
    figure, axes = _figure(
        2.3 * number, 2 * 2.3 * min(1.2, height / width) + 0.5, nrows=2, ncols=number,
        squeeze=False,
    )  # fmt: skip
    for column, (clean, degraded, text) in enumerate(examples):
        for row, pixels in enumerate((clean, degraded)):
            axes[row][column].imshow(pixels, aspect="equal")
            axes[row][column].set(xticks=[], yticks=[])
            axes[row][column].spines[:].set_visible(False)
        axes[1][column].set_xlabel(text.replace(", ", "\n") or "undamaged", fontsize=10)
    return _save(figure, path)
