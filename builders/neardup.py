"""Which pictures are nearly the same: re-encoded, resized or slightly retouched copies.

A picture is told by a thumbnail of 16x16 pixels in 8-bit RGB. Two pictures are near-duplicates
where their thumbnails differ by at most ``RMSE`` grey levels on average and by at most ``PEAK`` at
any place, and their aspect by at most 5 %. Compression and scaling move a thumbnail by one or two
levels; another object in a drawn scene changes single places by dozens. Crops and mirror images
are not found.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from degrade.images import Pixels

SIDE = 16
RMSE, PEAK, ASPECT = 3.0, 12.0, 0.05
SIZE = 3 * SIDE * SIDE + 2
"""Bytes of a fingerprint: the thumbnail, then the aspect as a 16-bit logarithm."""

_BLOCK = 2048
_ASPECT_SCALE = 4096.0

Fingerprint = NDArray[np.uint8]


def fingerprint(pixels: Pixels) -> Fingerprint:
    """The fingerprint of a picture (H, W, 3) uint8: an array of ``SIZE`` bytes."""
    thumbnail = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    height, width = pixels.shape[:2]
    aspect = np.int16(np.clip(np.log(width / height) * _ASPECT_SCALE, -32768, 32767))
    return np.concatenate([thumbnail.reshape(-1), np.array([aspect]).view(np.uint8)])


def similar_pairs(fingerprints: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """All pairs (i, j), i < j, of near-duplicates among fingerprints (N, SIZE).

    Exact: every pair is compared. Thumbnails are first compared by their means, sorted, so that
    only neighbours within ``RMSE`` of one another meet; memory is a block of rows at a time.
    """
    thumbs = fingerprints[:, :-2]
    aspects = np.ascontiguousarray(fingerprints[:, -2:]).view(np.int16)[:, 0] / _ASPECT_SCALE
    values = thumbs.astype(np.float32)
    # |mean(a) - mean(b)| <= RMSE(a, b): what differs more in its mean need not be looked at.
    means = values.mean(axis=1)
    order = np.argsort(means, kind="stable")
    sorted_means = means[order]
    squares = np.einsum("ij,ij->i", values, values)
    limit = RMSE * RMSE * values.shape[1]
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        end = int(
            np.searchsorted(sorted_means, sorted_means[start + len(rows) - 1] + RMSE, "right")
        )
        for other in range(start, end, _BLOCK):
            columns = order[other : min(other + _BLOCK, end)]
            products = values[rows] @ values[columns].T
            distances = squares[rows, None] + squares[None, columns] - 2 * products
            # A float32 product of 768 terms is off by less than one part in a thousand of a square.
            for r, c in zip(*np.nonzero(distances <= 1.05 * limit + 64), strict=True):
                i, j = sorted((int(rows[r]), int(columns[c])))
                if i == j or (start == other and r > c):
                    continue
                gap = np.abs(thumbs[i].astype(np.int16) - thumbs[j])
                same = (gap.astype(np.int64) ** 2).sum() <= limit and gap.max() <= PEAK
                if same and abs(aspects[i] - aspects[j]) <= ASPECT:
                    yield i, j


def groups(fingerprints: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The group of each picture: near-duplicates of near-duplicates are together.

    A group's number is the index of its first picture.
    """
    parent = np.arange(len(fingerprints))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for i, j in similar_pairs(fingerprints):
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    return np.array([root(i) for i in range(len(parent))], dtype=np.int64)
