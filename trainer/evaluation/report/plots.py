"""The plots of a report as SVG: drawn with matplotlib, which is loaded when one is drawn.

Texts in them are ours or letters of models; names of models stand beside, in the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from degrade.plots import GRAY, TITLE, figure, svg

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#A07800", "#000000")
"""Of models: told apart with any color vision (Okabe and Ito; yellow and orange as one dark tone,
which stands out on white)."""

_MARKERS = "osD^vPX"
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
_DARK = 0.5  # share of the color map below which numbers are written in white

Estimate = Mapping[str, Any]
Point = tuple[float, Estimate]


class Line(NamedTuple):
    """One curve.

    Attributes:
        label: Written at its end.
        style: Number of its color, marker and dashes.
        points: Place on the horizontal axis, and the figure there; undefined ones are left out.
    """

    label: str
    style: int
    points: Sequence[Point]


def lines(
    curves: Sequence[Line],
    title: str,
    across: str,
    up: str,
    percent: bool = True,
    reference: tuple[float, str] | None = None,
    zero: bool = True,
) -> bytes:
    """Curves with bands of their intervals.

    Args:
        curves: What to draw.
        title: Above.
        across: What the horizontal axis shows.
        up: What the vertical one shows.
        percent: Times 100.
        reference: A level to compare with, in the unit of the figures, and its name.
        zero: Let the vertical axis begin at 0 and, for percentages, end at 100.
    """
    drawn, axis = figure(5.0, 3.5)
    scale = 100.0 if percent else 1.0
    apart = _apart(curves)
    for curve in curves:
        points = [
            (x + apart * (curve.style - (len(curves) - 1) / 2), e)
            for x, e in curve.points
            if e["value"] is not None
        ]
        xs = [x for x, _ in points]
        color, kind = COLORS[curve.style], _MARKERS[curve.style]
        values = [scale * e["value"] for _, e in points]
        axis.plot(
            xs, values, color=color, marker=kind, markersize=6, linewidth=1.8,
            linestyle=_LINES[curve.style],
        )  # fmt: skip
        ends = [(x, e) for x, e in points if e["low"] is not None]
        low, high = ([scale * e[k] for _, e in ends] for k in ("low", "high"))
        axis.fill_between([x for x, _ in ends], low, high, color=color, alpha=0.16, linewidth=0)
        axis.vlines([x for x, _ in ends], low, high, color=color, alpha=0.55, linewidth=1.1)
        if points and curve.label:
            axis.annotate(
                curve.label, (xs[-1], values[-1]), (7, 0), textcoords="offset points",
                color=color, fontweight="bold", va="center",
            )  # fmt: skip
    if reference:
        axis.axhline(scale * reference[0], color=GRAY, linewidth=1, linestyle=(0, (2, 2)))
        axis.annotate(
            reference[1], (0.01, scale * reference[0]), (0, -11), textcoords="offset points",
            xycoords=("axes fraction", "data"), color=GRAY, fontsize=9,
        )  # fmt: skip
    if zero:
        axis.set_ylim(0, 103 if percent else None)
    ticks = sorted({x for curve in curves for x, _ in curve.points})
    axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axis.set_title(title, **TITLE)
    axis.set(xlabel=across, ylabel=up)
    axis.grid(axis="y", alpha=0.25)
    axis.set_axisbelow(True)
    axis.margins(x=0.09)
    return svg(drawn)


def _apart(curves: Sequence[Line]) -> float:
    """How far curves are moved aside, so that their intervals do not hide each other."""
    places = [x for curve in curves for x, _ in curve.points]
    return 0.012 * (max(places) - min(places)) if len(curves) > 1 and places else 0.0


def heat(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Estimate | None]],
    title: str,
    across: str,
) -> bytes:
    """A map of accuracies in percent, each cell with its number and n; gray where there is none.

    Args:
        rows: Their names.
        columns: Their names.
        cells: By row.
        title: Above.
        across: What the columns are.
    """
    drawn, axis = figure(2.6 + 0.62 * len(columns), 1.2 + 0.4 * len(rows))
    values = [[math.nan if e is None else _percent(e) for e in line] for line in cells]
    axis.set_facecolor("#dddddd")
    image = axis.imshow(
        values, aspect="auto", cmap="cividis", vmin=0, vmax=100, interpolation="nearest"
    )
    for y, line in enumerate(cells):
        for x, estimate in enumerate(line):
            if estimate is None or estimate["value"] is None:
                continue
            value = _percent(estimate)
            color = "white" if value < 100 * _DARK else "black"
            axis.text(x, y - 0.13, f"{value:.0f}", ha="center", va="center", color=color)
            axis.text(
                x, y + 0.27, f"n={estimate['n']}", ha="center", va="center", color=color,
                fontsize=7.5,
            )  # fmt: skip
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_title(title, **TITLE)
    axis.set_xlabel(across)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    bar = drawn.colorbar(image, ax=axis, shrink=0.7, pad=0.03)
    bar.set_label("accuracy, %")
    bar.outline.set_visible(False)
    return svg(drawn)


def dots(
    rows: Sequence[str],
    found: Sequence[Estimate | None],
    colors: Sequence[str],
    title: str,
    across: str,
    span: tuple[float, float] | None = None,
) -> bytes:
    """Figures in percent, one line a row, with their intervals and a line at 0.

    Args:
        rows: Names, from top to bottom.
        found: A figure for each.
        colors: Of each row.
        title: Above.
        across: What is shown.
        span: Of the axis; by default as far as there is something.
    """
    drawn, axis = figure(5.0, 1.2 + 0.36 * len(rows))
    axis.axvline(0, color=GRAY, linewidth=1)
    for y, (estimate, color) in enumerate(zip(found, colors, strict=True)):
        if estimate is None or estimate["value"] is None:
            continue
        axis.plot(_percent(estimate), y, marker="o", color=color)
        if estimate["low"] is not None:
            axis.hlines(y, *(100 * estimate[k] for k in ("low", "high")), color=color)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(span)
    axis.set_title(title, **TITLE)
    axis.set_xlabel(across)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", alpha=0.25)
    axis.set_axisbelow(True)
    return svg(drawn)


def _percent(estimate: Estimate) -> float:
    return math.nan if estimate["value"] is None else 100.0 * float(estimate["value"])
