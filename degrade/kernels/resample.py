"""Resampling of whole pictures to another number of pixels."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

Filter = Literal["area", "bilinear", "bicubic"]


def resize(x: torch.Tensor, height: int, width: int, filter_: Filter) -> torch.Tensor:
    """Pictures at another size, antialiased where it is smaller.

    Args:
        x: (B, C, H, W).
        height: In pixels, at least 1.
        width: In pixels, at least 1.
        filter_: ``area`` is the mean over the footprint of each new pixel: blocks, where the
            picture grows. ``bilinear`` and ``bicubic`` are as wide as the new pixel, where it
            shrinks; bicubic is Keys' with a = -0.5, which overshoots.

    Returns:
        (B, C, height, width).
    """
    if x.shape[-2:] == (height, width):
        return x
    if filter_ == "area":
        # Whole rows are copied fast, single columns slowly: turned, columns are rows. What makes
        # the picture smaller comes first.
        if height <= x.shape[-2]:
            return _area(_area(x, height).mT.contiguous(), width).mT.contiguous()
        return _area(_area(x.mT.contiguous(), width).mT.contiguous(), height)
    return F.interpolate(x, (height, width), mode=filter_, align_corners=False, antialias=True)


def _area(x: torch.Tensor, length: int) -> torch.Tensor:
    """The mean of what each of ``length`` equal parts of the height covers."""
    size = x.shape[-2]
    if size == length:
        return x
    # In double precision: at 4000 pixels an edge in single precision is off by a thousandth.
    edge = torch.arange(length + 1, dtype=torch.float64, device=x.device) * (size / length)
    low, high = edge[:-1], edge[1:]
    first = low.floor()
    out = None
    for tap in range(-(-size // length) + 1):
        place = first + tap
        covered = torch.minimum(high, place + 1.0) - torch.maximum(low, place)
        weight = (covered.clamp(min=0.0) * (length / size)).to(x.dtype)
        part = x.index_select(-2, place.long().clamp(max=size - 1)) * weight[:, None]
        out = part if out is None else out + part
    assert out is not None
    return out
