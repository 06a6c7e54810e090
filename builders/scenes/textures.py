"""Periodic gray tiles of materials: the fine detail that a blur takes away."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from builders.scenes.dice import Dice

SIDE = 768
"""Pixels of a tile. Two crops at different places look different."""

Tile = NDArray[np.uint8]
Field = NDArray[np.float32]


def _noise(name: str, rows: int = SIDE, columns: int = SIDE) -> Field:
    """Smooth periodic noise of unit deviation with the given number of knots."""
    small: Field = Dice("texture", name, rows, columns).units(rows, columns) - 0.5
    pad = 4
    wrapped = np.pad(small, pad, mode="wrap")
    fy, fx = SIDE // rows, SIDE // columns
    size = (wrapped.shape[1] * fx, wrapped.shape[0] * fy)
    big = cv2.resize(wrapped, size, interpolation=cv2.INTER_CUBIC)
    big = big[pad * fy : pad * fy + SIDE, pad * fx : pad * fx + SIDE]
    return _unit(big)


def _unit(field: Field) -> Field:
    return _f32(field / field.std())


def _f32(field: Any) -> Field:
    out: Field = np.asarray(field, np.float32)
    return out


def _soft(field: Field, sigma: float) -> Field:
    return _unit(cv2.GaussianBlur(np.pad(field, 16, mode="wrap"), (0, 0), sigma)[16:-16, 16:-16])


def _grid() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    return y, x


def _plaster() -> Field:
    fine = _soft(_noise("plaster"), 0.9)
    return _f32(0.6 * fine + 0.2 * _noise("plaster", 128, 128) + 0.5 * _noise("plaster", 16, 16))


def _wood() -> Field:
    broad, line = _noise("wood", 64, 4), _noise("wood", 384, 16)
    rings: Field = np.sin(5 * _noise("rings", 32, 4) + 3 * broad).astype(np.float32)
    return _f32(0.7 * line + 0.8 * rings + 0.35 * _noise("wood", SIDE, 64) + 0.4 * broad)


def _planks() -> Field:
    y, x = _grid()
    row = y // 64
    tone = Dice("texture", "planks").units(SIDE // 64) - 0.5
    seam = (y % 64 < 2) | ((x + 311 * row) % (SIDE // 2) < 2)
    return _f32(0.8 * _wood() + 1.6 * tone[row] - 2.8 * seam.astype(np.float32))


def _cloth() -> Field:
    y, x = _grid()
    weave = np.where((x // 2 + y // 2) % 2 == 0, np.cos(np.pi * (x % 4) / 2), np.sin(y * np.pi / 2))
    out: Field = 0.7 * weave.astype(np.float32) + 0.5 * _soft(_noise("cloth"), 0.7)
    return _f32(out + 0.5 * _noise("cloth", 32, 32))


def _brick() -> Field:
    y, x = _grid()
    row = y // 16
    column = (x + 16 * (row % 2)) % SIDE // 32
    tone = Dice("texture", "brick").units(SIDE // 16, SIDE // 32) - 0.5
    mortar = (y % 16 < 2) | ((x + 16 * (row % 2)) % 32 < 2)
    face = 2.2 * tone[row, column] + 0.5 * _soft(_noise("brick"), 0.8)
    out: Field = np.where(mortar, np.float32(1.9), face).astype(np.float32)
    return out


def _tiles() -> Field:
    y, x = _grid()
    tone = Dice("texture", "tiles").units(SIDE // 32, SIDE // 32) - 0.5
    joint = (y % 32 < 2) | (x % 32 < 2)
    glaze = ((x % 32) + (y % 32) - 32) / 40.0
    face = tone[y // 32, x // 32] - glaze + 0.2 * _soft(_noise("tiles"), 1)
    out: Field = np.where(joint, np.float32(-1.6), face).astype(np.float32)
    return out


def _grass() -> Field:
    return _f32(
        0.9 * _noise("grass", 384, SIDE) + 0.6 * _noise("grass", 32, 64) + 0.4 * _noise("lawn")
    )


def _asphalt() -> Field:
    return _f32(_soft(_noise("asphalt"), 0.6) + 0.4 * _noise("asphalt", 64, 64))


def _paper() -> Field:
    return _f32(0.6 * _soft(_noise("paper"), 0.8) + 0.5 * _noise("paper", 256, 128))


def _foliage() -> Field:
    return _f32(_noise("leaves", 256, 256) + 0.7 * _noise("leaves", 64, 64) + 0.3 * _noise("twigs"))


def _stripes() -> Field:
    _, x = _grid()
    fine = ((x % 32 < 2) | (x % 32 == 10)).astype(np.float32)
    return _f32(1.2 * (x % 64 < 32) + 1.2 * fine - 0.9 + 0.5 * _soft(_noise("stripes"), 0.9))


def _dots() -> Field:
    y, x = _grid()
    near = ((x % 32) - 16) ** 2 + ((y + 16 * ((x // 32) % 2)) % 32 - 16) ** 2
    petals = np.exp(-near / 14.0) - 0.8 * np.exp(-near / 3.0)
    return _f32(2.2 * petals.astype(np.float32) + 0.5 * _soft(_noise("dots"), 0.9) - 0.3)


def _metal() -> Field:
    return _f32(0.9 * _noise("metal", SIDE, 8) + 0.3 * _noise("metal"))


_MAKERS = {
    "plaster": _plaster, "wood": _wood, "planks": _planks, "cloth": _cloth, "brick": _brick,
    "tiles": _tiles, "grass": _grass, "asphalt": _asphalt, "paper": _paper, "foliage": _foliage,
    "stripes": _stripes, "dots": _dots, "metal": _metal,
}  # fmt: skip


@lru_cache(maxsize=len(_MAKERS))
def tile(name: str) -> Tile:
    """(SIDE, SIDE, 3) uint8 around 128; 40 levels are one unit of the material's relief."""
    field = np.clip(_MAKERS[name]() * 40 + 128, 0, 255)
    gray: Tile = np.round(field).astype(np.uint8)
    out: Tile = cv2.merge([gray, gray, gray])
    return out


def crop(name: str, top: int, left: int, height: int, width: int) -> Tile:
    """A piece of a tile; beyond its border it repeats."""
    whole = tile(name)
    top, left = top % SIDE, left % SIDE
    if top + height <= SIDE and left + width <= SIDE:
        return whole[top : top + height, left : left + width]
    rows = np.arange(top, top + height) % SIDE
    return np.ascontiguousarray(whole[rows][:, np.arange(left, left + width) % SIDE])
