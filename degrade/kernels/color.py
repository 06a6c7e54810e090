"""Colors mixed by a matrix per picture."""

from __future__ import annotations

import torch


def recolor(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Every pixel's color times a matrix: (B, 3, H, W) and (B or 1, 3, 3) -> (B, 3, H, W)."""
    return (matrix.expand(len(x), 3, 3) @ x.flatten(2)).reshape(x.shape)
