"""Everyday things, painted on the point where they stand, in any color."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from builders.scenes.canvas import Canvas, Paint, ellipse, rect, shaded
from builders.scenes.colors import PAPER, RGB, darker, lighter, luma, mix

Draw = Callable[[Canvas, float, float, float, RGB], None]


class Kind(NamedTuple):
    """A kind of thing: how to paint it, and its width as a share of its height."""

    paint: Draw
    width: float
    plural: str


def ground(c: Canvas, x: float, y: float, w: float) -> None:
    """The shadow on which a thing stands."""
    c.shadow(ellipse(x + 0.16 * w, y - 0.01 * w, 0.58 * w, 0.13 * w), (0, 0), 0.1 * w, 0.55)


def _lathe(c: Canvas, x: float, y: float, h: float, outline: tuple[tuple[float, float], ...],
           color: RGB, texture: str = "") -> None:  # fmt: skip
    """A turned body: (height, radius) pairs from the foot up, in shares of ``h``."""
    right = [(x + r * h, y - t * h) for t, r in outline]
    left = [(2 * x - px, py) for px, py in reversed(right)]
    r = outline[0][1] * h
    foot = [(x + r * np.cos(a), y + 0.22 * r * np.sin(a)) for a in np.linspace(np.pi, 0, 9)]
    c.poly([*right, *left, *foot], shaded(color, 0.42, 0, texture))
    wide = max(r for _, r in outline) * h
    tall = [(t, r) for t, r in outline if r * h > 0.55 * wide]
    streak = [(x - 0.62 * r * h, y - t * h) for t, r in tall]
    if len(streak) > 1:
        c.line(streak, lighter(color, 0.55), 0.09 * wide)


def _mug(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.8 * h)
    c.line(
        ellipse(x + 0.38 * h, y - 0.5 * h, 0.2 * h, 0.24 * h), darker(color, 0.25), 0.09 * h, True
    )
    _lathe(c, x, y, h, ((0.0, 0.33), (0.06, 0.37), (0.95, 0.39)), color)
    c.poly(ellipse(x, y - 0.95 * h, 0.39 * h, 0.11 * h), lighter(color, 0.25))
    c.poly(ellipse(x, y - 0.94 * h, 0.33 * h, 0.085 * h), (58, 36, 24))


def _bottle(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.36 * h)
    body = ((0.0, 0.16), (0.04, 0.17), (0.52, 0.17), (0.62, 0.14), (0.72, 0.06), (0.96, 0.055))
    _lathe(c, x, y, h, body, color)
    c.poly(rect(x - 0.065 * h, y - h, 0.13 * h, 0.09 * h, 2), darker(color, 0.55))
    c.poly(rect(x - 0.165 * h, y - 0.44 * h, 0.33 * h, 0.26 * h), shaded(PAPER, 0.25, 0, "paper"))
    for n in range(3):
        at = y - 0.38 * h + n * 0.065 * h
        c.line([(x - 0.11 * h, at), (x + (0.1 - 0.03 * n) * h, at)], (96, 84, 74), 0.012 * h)


def _vase(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.5 * h)
    body = (
        (0.0, 0.14), (0.1, 0.2), (0.25, 0.27), (0.42, 0.29), (0.58, 0.24), (0.74, 0.13),
        (0.88, 0.1), (1.0, 0.17),
    )  # fmt: skip
    _lathe(c, x, y, h, body, color)
    for t in (0.3, 0.52):
        band = 0.275 * h
        edge = [(x + band * u, y - t * h + 0.05 * h * (1 - u * u)) for u in np.linspace(-1, 1, 9)]
        c.line(edge, lighter(color, 0.5) if luma(color) < 150 else darker(color, 0.4), 0.022 * h)
    c.poly(ellipse(x, y - h, 0.17 * h, 0.05 * h), darker(color, 0.6))


def _ball(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.9 * h)
    c.poly(
        ellipse(x, y - h / 2, h / 2, h / 2), Paint(color, ball=True, texture="cloth", strength=0.08)
    )


def _book(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    w = 0.3 * h
    c.shadow(rect(x - w / 2, y - h, w, h), (0.07 * h, 0.01 * h), 0.06 * h)
    c.poly(
        rect(x - w / 2, y - h, w, h, 0.02 * h),
        Paint(lighter(color, 0.12), darker(color, 0.3), 0, "cloth", 0.25),
    )
    gilt = (214, 180, 96) if luma(color) < 170 else (112, 84, 40)
    for t in (0.12, 0.17, 0.83, 0.88):
        c.line(
            [(x - w / 2 + 0.01 * h, y - t * h), (x + w / 2 - 0.01 * h, y - t * h)], gilt, 0.015 * h
        )
    for t, r in ((0.45, 0.3), (0.55, 0.38), (0.65, 0.25)):
        c.line([(x - r * w, y - t * h), (x + r * w, y - t * h)], gilt, 0.025 * h)


def _jar(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.6 * h)
    _lathe(c, x, y, h, ((0.0, 0.28), (0.05, 0.31), (0.66, 0.31), (0.76, 0.24), (0.8, 0.24)), color)
    c.poly(
        rect(x - 0.28 * h, y - h, 0.56 * h, 0.2 * h, 0.03 * h),
        shaded(mix(color, (196, 160, 112), 0.85), 0.4, 0, "wood"),
    )
    for n in range(-4, 5):
        c.line(
            [(x + n * 0.06 * h, y - 0.97 * h), (x + n * 0.06 * h, y - 0.84 * h)],
            (120, 92, 60),
            0.01 * h,
        )


def _box(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    w, d = 0.78 * h, 0.2 * h
    left, top = x - w / 2 - d / 2, y - 0.82 * h
    ground(c, x, y, 1.0 * h)
    c.poly(rect(left, top, w, y - top), Paint(color, darker(color, 0.2), 90, "paper", 0.35))
    side = [
        (left + w, y),
        (left + w + d, y - 0.8 * d),
        (left + w + d, top - 0.8 * d),
        (left + w, top),
    ]
    c.poly(side, Paint(darker(color, 0.4), darker(color, 0.5), 90, "paper", 0.3))
    lid = [(left, top), (left + d, top - 0.8 * d), (left + w + d, top - 0.8 * d), (left + w, top)]
    c.poly(lid, Paint(lighter(color, 0.3), lighter(color, 0.12), 0, "paper", 0.3))
    tape = lighter(color, 0.6) if luma(color) < 150 else darker(color, 0.35)
    c.line(
        [(left + w / 2, y), (left + w / 2, top), (left + w / 2 + d, top - 0.8 * d)], tape, 0.07 * h
    )


def _candle(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.4 * h)
    c.poly(ellipse(x, y - 0.02 * h, 0.24 * h, 0.07 * h), shaded((190, 158, 92), 0.4, 0))
    _lathe(c, x, y - 0.03 * h, h, ((0.0, 0.12), (0.72, 0.115)), color)
    c.poly(ellipse(x, y - 0.75 * h, 0.115 * h, 0.03 * h), lighter(color, 0.4))
    c.line([(x, y - 0.75 * h), (x, y - 0.82 * h)], (40, 34, 30), 0.025 * h)
    c.glow((x, y - 0.88 * h), 0.34 * h, (255, 220, 140), 0.5)
    flame = [
        (x, y - h),
        (x + 0.05 * h, y - 0.87 * h),
        (x + 0.02 * h, y - 0.8 * h),
        (x - 0.03 * h, y - 0.8 * h),
        (x - 0.045 * h, y - 0.87 * h),
    ]
    c.poly(flame, Paint((255, 250, 214), (255, 170, 60), 90))


def _bowl(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 1.2 * h)
    body = ((0.0, 0.3), (0.08, 0.32), (0.2, 0.5), (0.5, 0.7), (0.9, 0.78))
    _lathe(c, x, y, h, body, color)
    c.poly(ellipse(x, y - 0.9 * h, 0.78 * h, 0.2 * h), lighter(color, 0.3))
    c.poly(
        ellipse(x, y - 0.87 * h, 0.71 * h, 0.16 * h),
        Paint(darker(color, 0.5), darker(color, 0.2), 90),
    )


def _lamp(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.5 * h)
    c.poly(ellipse(x, y - 0.03 * h, 0.22 * h, 0.06 * h), shaded((122, 112, 98), 0.4, 0))
    c.poly(rect(x - 0.025 * h, y - 0.55 * h, 0.05 * h, 0.52 * h), shaded((150, 138, 120), 0.4, 0))
    c.glow((x, y - 0.62 * h), 0.6 * h, (255, 232, 178), 0.35)
    shade = [
        (x - 0.34 * h, y - 0.48 * h),
        (x + 0.34 * h, y - 0.48 * h),
        (x + 0.2 * h, y - h),
        (x - 0.2 * h, y - h),
    ]
    c.poly(shade, Paint(darker(color, 0.12), lighter(color, 0.16), 90, "cloth", 0.25))
    for t in np.linspace(-0.8, 0.8, 7):
        c.line(
            [(x + 0.2 * h * t, y - h), (x + 0.34 * h * t, y - 0.48 * h)],
            darker(color, 0.22),
            0.01 * h,
        )


def _bucket(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.9 * h)
    _lathe(c, x, y, h, ((0.0, 0.3), (0.72, 0.42)), color)
    c.poly(ellipse(x, y - 0.72 * h, 0.42 * h, 0.11 * h), lighter(color, 0.3))
    c.poly(ellipse(x, y - 0.71 * h, 0.37 * h, 0.085 * h), darker(color, 0.55))
    arc = [
        (x + 0.4 * h * np.cos(a), y - 0.72 * h - 0.28 * h * np.sin(a))
        for a in np.linspace(0, np.pi, 15)
    ]
    c.line(arc, (92, 94, 98), 0.035 * h)


def _plant(c: Canvas, x: float, y: float, h: float, color: RGB) -> None:
    ground(c, x, y, 0.5 * h)
    for n, turn in enumerate((-64, 58, -38, 36, -14, 16, 2)):
        a = np.radians(turn)
        tip = np.array([np.sin(a), -np.cos(a)]) * h * (0.62 if n < 6 else 0.66)
        root = np.array([x, y - 0.36 * h])
        across = np.array([np.cos(a), np.sin(a)]) * 0.085 * h
        leaf = root + np.array([0 * tip, 0.55 * tip + across, tip, 0.55 * tip - across])
        green = (58 + 7 * n, 112 + 6 * n, 52 + 3 * n)
        c.poly(leaf, Paint(lighter(green, 0.2), darker(green, 0.25), 90, "foliage", 0.25))
        c.line(leaf[::2], lighter(green, 0.35), 0.012 * h)
    _lathe(c, x, y, h, ((0.0, 0.16), (0.34, 0.23)), color)
    c.poly(
        rect(x - 0.25 * h, y - 0.42 * h, 0.5 * h, 0.1 * h, 0.02 * h),
        shaded(lighter(color, 0.12), 0.42, 0),
    )


KINDS: dict[str, Kind] = {
    "mug": Kind(_mug, 1.0, "mugs"),
    "bottle": Kind(_bottle, 0.36, "bottles"),
    "vase": Kind(_vase, 0.6, "vases"),
    "ball": Kind(_ball, 1.0, "balls"),
    "book": Kind(_book, 0.32, "books"),
    "jar": Kind(_jar, 0.64, "jars"),
    "box": Kind(_box, 1.05, "boxes"),
    "candle": Kind(_candle, 0.5, "candles"),
    "bowl": Kind(_bowl, 1.58, "bowls"),
    "lamp": Kind(_lamp, 0.7, "lamps"),
    "bucket": Kind(_bucket, 0.86, "buckets"),
    "plant pot": Kind(_plant, 0.7, "plant pots"),
}
"""Kinds of things by name."""
