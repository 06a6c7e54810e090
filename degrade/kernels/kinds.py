"""Pictures of one batch that take different ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from degrade.params import Images, PerImage

Way = Callable[[Images, torch.Tensor], Images]
"""(pictures of one kind, their rows in the batch) -> (those pictures, changed)."""


def by_kind(x: Images, kind: PerImage, ways: Sequence[Way]) -> Images:
    """Each picture by the way of its kind; no work for kinds that no picture has.

    Args:
        x: (B, C, H, W).
        kind: (B,) numbers of kinds, as a kernel gets them for a :class:`~degrade.params.Choice`.
        ways: One function per kind, in the order of the kinds.
    """
    done, places = [], []
    for number, way in enumerate(ways):
        rows = (kind == number).nonzero()[:, 0]
        if len(rows) == len(x):
            return way(x, rows)
        if len(rows):
            done.append(way(x[rows], rows))
            places.append(rows)
    return torch.cat(done)[torch.cat(places).argsort()]
