"""Randomness without state: a seed is a hash of where it is used, a field a function of its seed.

Nothing here reads or advances a global generator, so a picture's degradation depends on its id and
never on its batch, worker or device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TypeVar

import torch

K = TypeVar("K")

SEED_BITS = 32
_SEPARATOR = "\x1f"  # ASCII unit separator: keeps ("a", "bc") and ("ab", "c") apart


def derive(*path: str | int) -> int:
    """Hash a path such as ``(root seed, row id, operator, argument)`` to a 32-bit seed."""
    text = _SEPARATOR.join(f"{type(part).__name__}:{part}" for part in path)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=SEED_BITS // 8)
    return int.from_bytes(digest.digest(), "little")


def unit(*path: str | int) -> float:
    """A number in [0, 1) that depends on the path alone."""
    return float(derive(*path)) / 2.0**SEED_BITS


def pick(weights: Mapping[K, float], u: float) -> K:
    """The key that a uniform ``u`` in [0, 1) falls to, each as likely as its weight says."""
    rest = u * sum(weights.values())
    chosen = [key for key, weight in weights.items() if weight]
    for key in chosen:
        rest -= weights[key]
        if rest < 0.0:
            return key
    return chosen[-1]


def _signed(value: int) -> int:
    """A 32-bit constant as the int32 with the same bits (torch has no uint32 arithmetic)."""
    return value - (1 << 32) if value >= 1 << 31 else value


# "lowbias32" of C. Wellons' hash prospector: bias 0.17, the lowest known of two multiplications.
_MUL_A, _MUL_B = _signed(0x7FEB352D), _signed(0x846CA68B)
_XORSHIFT_MASKS = ((16, 0xFFFF), (15, 0x1FFFF), (16, 0xFFFF))
_CPU_CHUNK = 1 << 16  # elements: value and scratch stay in the cache through all the passes


def _mix(h: torch.Tensor) -> torch.Tensor:
    """Scramble a contiguous int32 tensor in place. Shifts are arithmetic in torch, hence masks."""
    flat = h.view(-1)
    size = _CPU_CHUNK if h.device.type == "cpu" else max(1, flat.numel())
    scratch = torch.empty(min(size, flat.numel()), dtype=h.dtype, device=h.device)
    for part in torch.split(flat, size):
        t = scratch[: part.numel()]
        for (shift, mask), factor in zip(_XORSHIFT_MASKS, (_MUL_A, _MUL_B, None), strict=True):
            torch.bitwise_right_shift(part, shift, out=t)
            part ^= t.bitwise_and_(mask)
            if factor is not None:
                part *= factor
    return h


def bits(
    seed: torch.Tensor,
    shape: torch.Size | tuple[int, ...],
    stream: int = 0,
    within: int | None = None,
) -> torch.Tensor:
    """Independent 32-bit hashes, one per element.

    Args:
        seed: (B,) int64 seeds below 2**32.
        shape: (B, ...) shape of the field.
        stream: Number of the field, for kernels that need several from one seed.
        within: The field is the upper left corner of one whose last two sides have this length.

    Returns:
        int32 tensor of ``shape``; every bit is usable.
    """
    count = 1
    for size in shape[1:]:
        count *= size
    start = ((seed + stream * 0x9E3779B9) & 0xFFFFFFFF).to(torch.int32).reshape(-1, 1)
    if within is None:
        index = torch.arange(count, dtype=torch.int32, device=seed.device)
    else:
        lines, row, column = (
            torch.arange(n, device=seed.device)
            for n in (count // shape[-1] // shape[-2], *shape[-2:])
        )
        index = (lines[:, None, None] * within + row[:, None]) * within + column
        index = index.flatten().to(torch.int32)  # hashes repeat after 2**32 of a field
    # Seeds that differ by one must not give shifted copies of one field: scramble before adding.
    return _mix(index + _mix(start.clone())).reshape(shape)


def uniform(
    seed: torch.Tensor, shape: torch.Size | tuple[int, ...], stream: int = 0
) -> torch.Tensor:
    """Uniform float32 in (0, 1), a pure function of ``(seed, shape, stream)``; see :func:`bits`."""
    field = bits(seed, shape, stream).to(torch.float32)
    return field.mul_(2.0**-32).add_(0.5).clamp_(1e-7, 1 - 1e-7)


def normal(
    seed: torch.Tensor,
    shape: torch.Size | tuple[int, ...],
    stream: int = 0,
    within: int | None = None,
) -> torch.Tensor:
    """Standard normal float32 by the inverse distribution function; see :func:`bits`."""
    field = bits(seed, shape, stream, within).to(torch.float32)
    return field.mul_(2.0**-31).clamp_(-1 + 2e-7, 1 - 2e-7).erfinv_().mul_(2.0**0.5)
