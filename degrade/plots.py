"""Plots of cards and reports: drawn with matplotlib, which is loaded when one is drawn.

A figure is drawn first and written afterwards, as :func:`png` or :func:`svg`, the same bytes
whenever it is drawn. Texts in it are ours, or names of operators and splits.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from degrade.schema import STAGES, Stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colors that people with any color vision tell apart (Okabe and Ito).
STAGE_COLORS: dict[Stage, str] = dict(
    zip(STAGES, ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), strict=True)
)
GRAY = "#555555"
TITLE: dict[str, Any] = {"loc": "left", "fontsize": 11, "fontweight": "bold"}
_STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRAY,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.parse_math": False,
    "svg.hashsalt": "degrade",
}
_DPI = 130

BINS = 10
"""Intensities are counted in tenths: (0, 0.1], (0.1, 0.2] ... (0.9, 1]."""

Operators = Sequence[tuple[str, Stage]]
"""Names with their stages, in the order to show them."""


def bin_of(intensity: float) -> int:
    """The tenth that an intensity of the grid of hundredths falls in, 0 to 9."""
    return min(BINS - 1, max(0, (round(intensity * 100) - 1) // BINS))


def figure(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure and its axes, without pyplot: no global state, no display, safe in threads.

    Args:
        width: In inches.
        height: In inches.
        grid: As ``Figure.subplots`` takes it.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Made

    with rc_context(_STYLE):
        made = Made(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
        FigureCanvasAgg(made)
        return made, made.subplots(**grid)


def png(drawn: Figure, path: Path) -> Path:
    """Write a figure as PNG."""
    drawn.savefig(path, metadata={"Software": None})
    return path


def svg(drawn: Figure) -> bytes:
    """A figure as SVG."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context(_STYLE):
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def operators(
    counts: Mapping[str, Mapping[str, int]], rows: Mapping[str, int], names: Operators
) -> Figure:
    """Bars: in what share of each split's rows an operator was applied.

    Args:
        counts: Split -> operator -> rows.
        rows: Split -> rows.
        names: The operators.
    """
    splits = [split for split in counts if rows[split]]
    drawn, axes = figure(
        2.2 + 2.0 * len(splits), 1.0 + 0.27 * len(names), ncols=len(splits), squeeze=False,
        sharey=True,
    )  # fmt: skip
    places = range(len(names))
    colors = [STAGE_COLORS[stage] for _, stage in names]
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
    _stage_legend(drawn, {stage for _, stage in names})
    return drawn


def _stage_legend(drawn: Figure, stages: set[Stage]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=STAGE_COLORS[stage], label=stage) for stage in STAGES if stage in stages]
    columns = min(len(handles), max(1, int(drawn.get_figwidth() / 2)))
    drawn.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def intensities(counts: Mapping[str, Mapping[str, Sequence[int]]], names: Operators) -> Figure:
    """Maps: how many rows have an operator at each tenth of the intensities, a map per split.

    Args:
        counts: Split -> operator -> ten counts.
        names: The operators.
    """
    splits = [split for split in counts if counts[split]]
    drawn, axes = figure(
        2.0 + 2.3 * len(splits), 1.0 + 0.25 * len(names), ncols=len(splits), squeeze=False,
        sharey=True,
    )  # fmt: skip
    from matplotlib.ticker import MaxNLocator

    for axis, split in zip(axes[0], splits, strict=True):
        found = counts[split]
        values = [list(found.get(name, [math.nan] * BINS)) for name, _ in names]
        axis.set_facecolor("#ececec")  # what is nowhere in a split is left out, not counted as 0
        image = axis.imshow(values, aspect="auto", cmap="cividis", vmin=0, interpolation="nearest")
        axis.set_title(split, fontsize=9)
        axis.set_xticks([-0.5, 4.5, 9.5], ["0", "0.5", "1"])
        axis.set_xlabel("intensity")
        axis.tick_params(axis="y", length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        bar = drawn.colorbar(image, ax=axis, shrink=0.8, pad=0.02)
        bar.ax.tick_params(labelsize=7)
        bar.locator = MaxNLocator(nbins=5, integer=True)
        bar.outline.set_visible(False)
    axes[0][0].set_yticks(range(len(names)), [name.replace("_", " ") for name, _ in names])
    return drawn


def stages(counts: Mapping[Stage, Sequence[int]]) -> Figure:
    """Bars: how often an operator of each stage was applied, at each tenth of the intensities.

    Args:
        counts: Stage -> ten counts.
    """
    from matplotlib.ticker import MaxNLocator

    shown = [stage for stage in STAGES if stage in counts]
    drawn, axis = figure(5.0, 3.2)
    below = [0] * BINS
    for stage in shown:
        axis.bar(
            range(BINS), counts[stage], bottom=below, width=0.86, color=STAGE_COLORS[stage]
        )  # fmt: skip
        below = [a + b for a, b in zip(below, counts[stage], strict=True)]
    axis.set_xticks([-0.5, 4.5, 9.5], ["0", "0.5", "1"])
    axis.set(xlabel="intensity", ylabel="operators applied")
    axis.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.grid(axis="y", alpha=0.25)
    axis.set_axisbelow(True)
    _stage_legend(drawn, set(shown))
    return drawn


def per_picture(counts: Mapping[int, int]) -> Figure:
    """Bars: pictures by the number of operators applied to them.

    Args:
        counts: Number of operators -> pictures.
    """
    from matplotlib.ticker import MaxNLocator

    drawn, axis = figure(5.0, 3.2)
    numbers = range(max(counts, default=0) + 1)
    bars = axis.bar(numbers, [counts.get(n, 0) for n in numbers], width=0.7, color=GRAY)
    axis.bar_label(bars, fmt="{:,.0f}", fontsize=9, padding=2)
    axis.set_xticks(numbers)
    axis.set(xlabel="operators on a picture", ylabel="pictures")
    axis.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.margins(y=0.12)
    axis.grid(axis="y", alpha=0.25)
    axis.set_axisbelow(True)
    return drawn
