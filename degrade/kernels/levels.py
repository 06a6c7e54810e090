"""Histograms of pictures, and curves that are given by a table."""

from __future__ import annotations

import torch

LEVELS = 256


def to_levels(x: torch.Tensor) -> torch.Tensor:
    """Nearest of 256 levels, int64."""
    return (x * (LEVELS - 1.0)).round().clamp_(0, LEVELS - 1).long()


def histogram(levels: torch.Tensor, group: torch.Tensor, groups: int) -> torch.Tensor:
    """Pixels at each level, per group.

    Args:
        levels: int64, any shape.
        group: int64 that broadcasts to it: the number of the group each pixel counts for.
        groups: How many there are.

    Returns:
        (groups, 256) float64 counts.
    """
    index = (group * LEVELS + levels).flatten()
    counts = torch.bincount(index, minlength=groups * LEVELS)
    return counts.reshape(groups, LEVELS).double()


def equalised(counts: torch.Tensor) -> torch.Tensor:
    """(N, 256) counts -> (N, 256) curves in [0, 1] that make the histogram even.

    The lowest level in use becomes black, the highest white; a single level stays where it is.
    """
    below = counts.cumsum(-1)
    first = below.where(below > 0, below[..., -1:]).amin(-1, keepdim=True)
    span = below[..., -1:] - first
    same = torch.linspace(0.0, 1.0, LEVELS, dtype=counts.dtype, device=counts.device)
    curve = ((below - first) / span.clamp(min=1.0)).clamp(min=0.0)
    return torch.where(span > 0, curve, same).float()


def limited(counts: torch.Tensor, clip: torch.Tensor) -> torch.Tensor:
    """Curves of contrast-limited equalisation (Zuiderveld 1994).

    Args:
        counts: (N, 256).
        clip: (N,) most pixels at a level, in multiples of the mean; the rest is dealt out evenly.

    Returns:
        (N, 256) curves in [0, 1].
    """
    total = counts.sum(-1, keepdim=True).clamp(min=1.0)
    most = (clip[:, None].double() * total / LEVELS).clamp(min=1.0)
    excess = (counts - most).clamp(min=0.0).sum(-1, keepdim=True)
    return ((counts.minimum(most) + excess / LEVELS).cumsum(-1) / total).float()


def stretch_ends(counts: torch.Tensor, cutoff: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Values below and above which a share of the pixels lies.

    Args:
        counts: (N, 256).
        cutoff: (N,) share cut off at each end.

    Returns:
        Low and high, (N,) each in [0, 1].
    """
    share = counts.cumsum(-1) / counts.sum(-1, keepdim=True).clamp(min=1.0)
    cut = cutoff[:, None].double().clamp(0.0, 0.5 - 1e-9)
    low = (share <= cut).sum(-1)
    high = (share < 1.0 - cut).sum(-1)
    return low.float() / (LEVELS - 1), high.float() / (LEVELS - 1)
