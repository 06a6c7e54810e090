"""A picture being painted: shaded, textured, antialiased polygons and lettering, in scene units.

A scene is laid out in units in which a standard picture is 448 x 336. All coordinates are (x, y)
from the upper left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from builders.scenes.colors import RGB, darker, lighter
from builders.scenes.dice import Dice
from builders.scenes.textures import SIDE, crop
from degrade.images import Pixels

Point = tuple[float, float]
Points = Sequence[Point] | NDArray[np.float64]
_PATCHES = (3, 4)  # of light: rows and columns
_SHIFT = 4  # fractional bits of a coordinate in OpenCV's drawing calls


class Paint(NamedTuple):
    """What a surface looks like.

    Attributes:
        color: RGB; that of the lit side of a ball.
        to: RGB at the far end of a gradient; none: even.
        angle: Direction of the gradient in degrees, clockwise from rightward.
        texture: A material of :mod:`builders.scenes.textures`.
        strength: Of the texture, 0 to 1.
        ball: Shade as a ball that is lit from the upper left.
    """

    color: RGB
    to: RGB | None = None
    angle: float = 90.0
    texture: str = ""
    strength: float = 0.3
    ball: bool = False


def shaded(color: RGB, amount: float = 0.3, angle: float = 20.0, texture: str = "") -> Paint:
    """A surface lit from the left: lighter there, darker on the other side."""
    return Paint(lighter(color, amount * 0.5), darker(color, amount), angle, texture, 0.2)


@lru_cache(maxsize=1)
def _ball() -> NDArray[np.uint8]:
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    light = 1 - np.hypot(x + 0.35, y + 0.4) / 1.75
    spot = np.exp(-((x + 0.38) ** 2 + (y + 0.42) ** 2) / 0.03)
    rim = np.clip(np.hypot(x, y) - 0.72, 0, 1)
    out: NDArray[np.uint8] = np.clip(255 * (0.8 * light + 0.3 * spot - 0.5 * rim), 0, 255).astype(
        np.uint8
    )
    return out


@lru_cache(maxsize=64)
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def _letters(text: str, size: int, weight: float) -> NDArray[np.uint8]:
    """Coverage of a line of text, cut to its ink."""
    font = _font(size)
    right = font.getlength(text)
    image = Image.new("L", (math.ceil(right) + 2 * size, 3 * size))
    ImageDraw.Draw(image).text(
        (size, size), text, fill=255, font=font, stroke_width=weight, stroke_fill=255
    )
    cut = image.getbbox() or (0, 0, 1, 1)
    return np.asarray(image.crop(cut))


@lru_cache(maxsize=8)
def _circle(steps: int) -> NDArray[np.float64]:
    t = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], axis=1)


def ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> NDArray[np.float64]:
    """An ellipse as a polygon; ``turn`` in degrees."""
    points = _circle(40 if max(rx, ry) < 40 else 80) * (rx, ry)
    if turn:
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        points = points @ np.array([(c, s), (-s, c)])
    out: NDArray[np.float64] = points + np.array((cx, cy))
    return out


def rect(x: float, y: float, w: float, h: float, radius: float = 0.0) -> NDArray[np.float64]:
    """A rectangle, with round corners if wanted."""
    if radius <= 0:
        return np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    r = min(radius, w / 2, h / 2)
    corners = [(x + w - r, y + h - r), (x + r, y + h - r), (x + r, y + r), (x + w - r, y + r)]
    around = _circle(32) * r
    out: NDArray[np.float64] = around.reshape(4, 8, 2) + np.array(corners)[:, None]
    return out.reshape(-1, 2)


class Canvas:
    """Pixels to paint on.

    Args:
        width: Of the scene, in units.
        height: Of the scene, in units.
        size: Of the picture, (width, height) in pixels.
        dice: Where textures and decoration draw from.
    """

    def __init__(self, width: float, height: float, size: tuple[int, int], dice: Dice) -> None:
        self.width, self.height, self.dice = width, height, dice
        self._scale = np.array([size[0] / width, size[1] / height])
        self.unit = float(self._scale.min())
        self.pixels: Pixels = np.zeros((size[1], size[0], 3), np.uint8)

    # --------------------------------------------------------------------------------- surfaces

    def fill(self, paint: Paint) -> None:
        """Cover everything."""
        self.pixels[:] = self._surface(paint, *self.pixels.shape[:2])

    def poly(self, points: Points, paint: Paint | RGB) -> None:
        """A filled polygon."""
        at = np.asarray(points, float) * self._scale - 0.5
        if not isinstance(paint, Paint):
            cv2.fillPoly(self.pixels, [_fixed(at)], paint, cv2.LINE_AA, _SHIFT)
            return
        box = self._box(at, 1)
        if box is None:
            return
        top, left, bottom, right = box
        # The surface spans the polygon, also where the border of the picture cuts it off.
        full = np.floor(at.min(0)).astype(int) - 1, np.ceil(at.max(0)).astype(int) + 2
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, [_fixed(at - (left, top))], 255, cv2.LINE_AA, _SHIFT)
        (x0, y0), (x1, y1) = full
        surface = self._surface(paint, int(y1 - y0), int(x1 - x0))
        surface = surface[top - y0 : bottom - y0, left - x0 : right - x0]
        self._lay(surface, mask, top, left)

    def shadow(
        self, points: Points, shift: Point = (3, 4), soft: float = 4, strength: float = 0.45
    ) -> None:
        """The soft shadow that a polygon casts on what lies behind; ``soft`` in units."""
        at = (np.asarray(points, float) + shift) * self._scale - 0.5
        blur = max(1, round(soft * self.unit))
        box = self._box(at, 2 * blur + 1)
        if box is None:
            return
        top, left, bottom, right = box
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, [_fixed(at - (left, top))], round(255 * strength), shift=_SHIFT)
        side = 2 * (blur // 2) + 1
        mask = cv2.blur(cv2.blur(mask, (side, side)), (side, side))
        keep = cv2.merge([255 - mask] * 3)
        part = self.pixels[top:bottom, left:right]
        cv2.multiply(part, keep, dst=part, scale=1 / 255)

    def glow(self, center: Point, radius: float, color: RGB, strength: float) -> None:
        """Light around a point."""
        at = ellipse(*center, radius, radius) * self._scale
        box = self._box(at, 1)
        if box is None:
            return
        top, left, bottom, right = box
        (cx, cy), r = np.asarray(center) * self._scale, radius * self.unit
        x = ((np.arange(left, right, dtype=np.float32) - cx) / r) ** 2
        y = ((np.arange(top, bottom, dtype=np.float32) - cy) / r) ** 2
        near = np.maximum(1 - np.add.outer(y, x), 0)
        mask = (255 * strength * near * near).astype(np.uint8)
        self._lay(np.full((*mask.shape, 3), color, np.uint8), mask, top, left)

    def line(self, points: Points, color: RGB, width: float, closed: bool = False) -> None:
        """A line of some width in units, with antialiasing also where it is thin."""
        at = _fixed(np.asarray(points, float) * self._scale - 0.5)
        thick = max(1, round(width * self.unit))
        cv2.polylines(self.pixels, [at], closed, color, thick, cv2.LINE_AA, _SHIFT)

    # --------------------------------------------------------------------------------- lettering

    def text_size(self, text: str, size: float, weight: float = 0.0) -> tuple[float, float]:
        """Width and height of the ink of a text in units."""
        mask = self._text(text, size, weight)
        return mask.shape[1] / self.unit, mask.shape[0] / self.unit

    def text(
        self,
        at: Point,
        text: str,
        size: float,
        color: RGB,
        anchor: str = "m",
        weight: float = 0.0,
        widest: float = 0.0,
    ) -> None:
        """A line of text.

        Args:
            at: Left end, middle or right end of the text, at half its capitals' height.
            text: What it says.
            size: Of the font, in units.
            color: Of the letters.
            anchor: ``l``, ``m`` or ``r``.
            weight: Added stroke in units.
            widest: The size is reduced until the text is no wider; 0: no limit.
        """
        if widest:
            wide = self.text_size(text, size, weight)[0]
            size *= min(1.0, widest / wide)
        mask = self._text(text, size, weight)
        h, w = mask.shape
        x, y = np.asarray(at) * self._scale
        # Placed by the capitals, so that a line with a "g" does not sit higher than its neighbor.
        drop = self._drop(text, size, weight, h)
        left = round(x - {"l": 0, "m": w / 2, "r": w}[anchor])
        top = round(y - (h - drop) / 2)
        y0, x0 = max(0, -top), max(0, -left)
        mask = mask[y0 : self.pixels.shape[0] - top, x0 : self.pixels.shape[1] - left]
        if mask.size:
            flat = np.full((*mask.shape, 3), color, np.uint8)
            self._lay(flat, mask, top + y0, left + x0)

    def _drop(self, text: str, size: float, weight: float, height: int) -> int:
        if not any(c in "gjpqy,;()Q" for c in text):
            return 0
        return max(0, height - int(self._text("H", size, weight).shape[0]))

    def _text(self, text: str, size: float, weight: float) -> NDArray[np.uint8]:
        return _letters(text, max(6, round(size * self.unit)), round(weight * self.unit, 1))

    # ----------------------------------------------------------------------------------- finish

    def finish(self) -> Pixels:
        """The picture under uneven light, which falls off toward its corners.

        The light is drawn with the decoration: soft patches of at most a quarter less.
        """
        h, w = self.pixels.shape[:2]
        patches = 1 - 0.2 * self.dice.units(*_PATCHES)
        light = cv2.resize(patches, (w, h), interpolation=cv2.INTER_CUBIC) * _falloff(h, w)
        keep = np.minimum(light, 255).astype(np.uint8)
        out: Pixels = cv2.multiply(self.pixels, cv2.merge([keep] * 3), scale=1 / 255)
        return out

    # ------------------------------------------------------------------------------------- parts

    def _box(self, at: NDArray[np.float64], pad: int) -> tuple[int, int, int, int] | None:
        """Rows and columns that a shape touches; None if it is outside of the picture."""
        h, w = self.pixels.shape[:2]
        left, top = np.maximum(np.floor(at.min(0)).astype(int) - pad, 0)
        right, bottom = np.minimum(np.ceil(at.max(0)).astype(int) + pad + 1, (w, h))
        return (
            (int(top), int(left), int(bottom), int(right))
            if right > left < w and (bottom > top)
            else None
        )

    def _lay(self, surface: Pixels, mask: NDArray[np.uint8], top: int, left: int) -> None:
        h, w = mask.shape
        part = self.pixels[top : top + h, left : left + w]
        share = mask.astype(np.float32) / 255
        part[:] = cv2.blendLinear(np.ascontiguousarray(surface), part, share, 1 - share)

    def _surface(self, paint: Paint, h: int, w: int) -> Pixels:
        if paint.ball:
            out = _ball_surface(paint.color, h, w)
        elif paint.to is None:
            out = np.full((h, w, 3), paint.color, np.uint8)
        else:
            out = cv2.applyColorMap(_ramp(paint.angle, h, w), _table(paint.color, paint.to))
        if paint.texture:
            top = self.dice.whole(0, max(0, SIDE - h))
            left = self.dice.whole(0, max(0, SIDE - w))
            relief = crop(paint.texture, top, left, h, w)
            cv2.addWeighted(out, 1.0, relief, paint.strength, -128 * paint.strength, dst=out)
        return out


def _fixed(at: NDArray[np.float64]) -> NDArray[np.int32]:
    out: NDArray[np.int32] = np.round(at * (1 << _SHIFT)).astype(np.int32)
    return out


def _ramp(angle: float, h: int, w: int) -> NDArray[np.uint8]:
    """0 to 255 along a direction."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    total = abs(c) + abs(s)
    x = (np.arange(w) * (255 * abs(c) / total / max(1, w - 1))).astype(np.uint8)
    y = (np.arange(h) * (255 * abs(s) / total / max(1, h - 1))).astype(np.uint8)
    out: NDArray[np.uint8] = np.add.outer(y if s >= 0 else y[::-1], x if c >= 0 else x[::-1])
    return out


@lru_cache(maxsize=1024)
def _table(*stops: RGB) -> Pixels:
    """256 colors that pass through the stops at even distances."""
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, range(len(stops)), [stop[k] for stop in stops]) for k in range(3)]
    out: Pixels = np.stack(channels, axis=1).astype(np.uint8)[:, None]
    return out


def _ball_surface(color: RGB, h: int, w: int) -> Pixels:
    table = _table(darker(color, 0.62), color, lighter(color, 0.75))
    out: Pixels = cv2.applyColorMap(cv2.resize(_ball(), (w, h)), table)
    return out


@lru_cache(maxsize=8)
def _falloff(h: int, w: int) -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    out: NDArray[np.float32] = (262 * (1 - 0.06 * (x * x + y * y))).astype(np.float32)
    return out
