"""Counts of photons from uniform numbers."""

from __future__ import annotations

import math

import torch

_FEW = 12.0  # up to this mean the distribution is inverted exactly
_MOST = 38  # P(more | mean 12) < 1e-9, beyond the resolution of the uniform numbers
_SURE = 20.0  # from this mean on the Gaussian is never below what a mean of 12 gives
_ROUND = 12
_CPU_CHUNK = 1 << 18  # elements: few of them go through the long loop, which stays in the cache


@torch.no_grad()
def poisson(mean: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Poisson counts by inversion: the same ``u`` gives more for a larger mean, never fewer.

    Up to a mean of 12 the smallest k with P(X <= k) >= u, exactly. Above, the Gaussian with the
    first term for the skew, mean + sqrt(mean) z + (z^2 - 1) / 6 (Cornish & Fisher 1938), rounded.
    A count has no gradient, and none is offered.

    Args:
        mean: Any shape, float32, not negative.
        u: Uniform numbers in (0, 1) of that shape.

    Returns:
        Whole numbers, float32.
    """
    mean, u = mean.detach().contiguous(), u.contiguous()
    counts = torch.empty_like(mean)
    size = _CPU_CHUNK if mean.device.type == "cpu" else max(1, mean.numel())
    for m, v, out in zip(*(torch.split(t.view(-1), size) for t in (mean, u, counts)), strict=True):
        z = (2.0 * v - 1.0).erfinv_().mul_(math.sqrt(2.0))
        many = torch.addcmul(m - 1.0 / 6.0, m.sqrt(), z).addcmul_(z, z, value=1.0 / 6.0)
        out.copy_(many.round_())
        dim = (m < _SURE).nonzero()[:, 0]
        if len(dim):
            m, v = m[dim], v[dim]
            few = _inverted(m.clamp(max=_FEW), v)
            # Never below what the largest few would give: the two ways join without a step back.
            out[dim] = torch.where(m <= _FEW, few, torch.maximum(out[dim], few))
    return counts


def _inverted(mean: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """(N,) smallest k with P(X <= k) >= u, for means up to :data:`_FEW`."""
    result = torch.zeros_like(mean)
    place: torch.Tensor | None = None
    term = mean.neg().exp_()
    total, counts, above = term.clone(), torch.zeros_like(mean), torch.empty_like(mean)
    for k in range(1, _MOST + 1):
        counts += torch.gt(u, total, out=above)
        total += term.mul_(mean).mul_(1.0 / k)
        if k % _ROUND == 0:  # most are done soon: go on with the others
            still = torch.gt(u, total).nonzero()[:, 0]
            _put(result, place, counts)
            place = still if place is None else place[still]
            u, mean, term, total, counts = (t[still] for t in (u, mean, term, total, counts))
            above = torch.empty_like(mean)
    _put(result, place, counts)
    return result


def _put(result: torch.Tensor, place: torch.Tensor | None, counts: torch.Tensor) -> None:
    if place is None:
        result.copy_(counts)
    else:
        result[place] = counts
