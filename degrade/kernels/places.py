"""Where pixels are, and pictures sampled in other places."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

from degrade.kernels import host


def short_side(x: torch.Tensor) -> int:
    """min(H, W) in pixels."""
    return min(x.shape[-2:])


def grid(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixel centres in shares of the short side, origin in the middle: u (1, W), v (H, 1)."""
    height, width = x.shape[-2:]
    side = short_side(x)
    u = (torch.arange(width, device=x.device, dtype=torch.float32) + 0.5 - width / 2) / side
    v = (torch.arange(height, device=x.device, dtype=torch.float32) + 0.5 - height / 2) / side
    return u[None, :], v[:, None]


def centres(x: torch.Tensor) -> torch.Tensor:
    """(1, H * W, 2) pixel centres (column + 0.5, row + 0.5), row by row."""
    height, width = x.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, device=x.device, dtype=torch.float32) + 0.5,
        torch.arange(width, device=x.device, dtype=torch.float32) + 0.5,
        indexing="ij",
    )
    return torch.stack((columns, rows), -1).reshape(1, -1, 2)


def sample(
    x: torch.Tensor,
    where: torch.Tensor,
    mode: Literal["bilinear", "nearest", "bicubic"] = "bilinear",
    padding: Literal["border", "reflection", "zeros"] = "border",
) -> torch.Tensor:
    """Pictures sampled at points.

    Args:
        x: (B, C, H, W).
        where: (B, H', W', 2) points in pixels, x to the right and y down, pixel centres at .5.
        mode: Interpolation.
        padding: What is outside: the edge repeated, the picture mirrored, or zero.

    Returns:
        (B, C, H', W').
    """
    if mode == "bilinear" and host.can_sample(x, padding, where[..., 0], where[..., 1]):
        return host.sample(x, where[..., 0], where[..., 1], padding)
    height, width = x.shape[-2:]
    scale = torch.tensor((2.0 / width, 2.0 / height), device=x.device)
    # Channels last: half the time of grid_sample's planar path on a CPU.
    source = x.contiguous(memory_format=torch.channels_last)
    return F.grid_sample(
        source, where * scale - 1.0, mode=mode, padding_mode=padding, align_corners=False
    ).contiguous()


def at_points(field: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """A field at points: (B, C, H, W) and (B or 1, N, 2) in pixels -> (B, N, C), bilinear."""
    points = points.expand(len(field), -1, -1)
    return sample(field, points[:, :, None])[..., 0].transpose(1, 2)


def warp(x: torch.Tensor, dx: torch.Tensor, dy: torch.Tensor) -> torch.Tensor:
    """Sample ``x`` at (column + dx, row + dy), bilinear, edges repeated.

    Args:
        x: (B, C, H, W).
        dx: (B, H, W) displacement to the right in pixels.
        dy: (B, H, W) displacement downwards in pixels.
    """
    height, width = x.shape[-2:]
    columns = torch.arange(width, device=x.device, dtype=torch.float32) + 0.5
    rows = torch.arange(height, device=x.device, dtype=torch.float32)[:, None] + 0.5
    columns, rows = columns + dx, rows + dy
    if host.can_sample(x, "border", columns, rows):
        return host.sample(x, columns, rows, "border")
    return sample(x, torch.stack((columns, rows), -1))
