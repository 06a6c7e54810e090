"""Smear of a camera that a hand holds while the shutter is open."""

import math
from functools import lru_cache
from typing import Annotated

import torch

from degrade.kernels import convolve, normalised, to_linear, to_srgb
from degrade.params import Draw, FrameSeed, Images, PerImage, Severity
from degrade.registry import operator
from degrade.rng import normal, uniform

_STEPS = 128  # of the walk
_DENSE = 2048  # points along it: closer than a pixel in the largest pictures
_JOLTS = 3
_SPRING, _DAMPING = 0.0016, 0.03  # per step: how the hand pulls back, and how motion dies down
_TREMOR = 0.35  # weight of tremor, white in speed, against drift, white in acceleration


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _responses(device: torch.device) -> torch.Tensor:
    """(2, steps, steps): places after a push, and after a nudge, of unit size at each step."""
    place, speed, push = 0.0, 1.0, []
    for _ in range(_STEPS):
        place += speed
        speed = speed * (1.0 - _DAMPING) - _SPRING * place
        push.append(place)
    after_push = torch.tensor(push)
    after_nudge = torch.exp(-torch.arange(_STEPS, dtype=torch.float32) / 20.0)
    lag = torch.arange(_STEPS)[:, None] - torch.arange(_STEPS)
    both = [torch.where(lag >= 0, r[lag.clamp(min=0)], 0.0) for r in (after_push, after_nudge)]
    # Both walks spread equally in the end, so that roughness is a ratio of lengths.
    return torch.stack([r / r.square().sum(1).mean().sqrt() for r in both]).to(device)


def _walk(seed: torch.Tensor, roughness: PerImage, jolt: PerImage) -> torch.Tensor:
    """(B, 2, dense): the path of a point of light, mean 0, at most 1 from it."""
    count = len(seed)
    noise = normal(seed, (count, 2, 2, _STEPS))
    # A few sudden jolts among the pushes, each as hard as all the rest together.
    when = (uniform(seed, (count, 1, _JOLTS), stream=1) * _STEPS).long().expand(-1, 2, -1)
    how = normal(seed, (count, 2, _JOLTS), stream=2) * (_STEPS**0.5 * jolt[:, None, None])
    pushes = noise[:, 0].scatter_add(2, when, how)
    drift, tremor = _responses(seed.device)
    path = pushes @ drift.mT + roughness[:, None, None] * _TREMOR * (noise[:, 1] @ tremor.mT)
    path = torch.nn.functional.interpolate(path, _DENSE, mode="linear", align_corners=True)
    path = path - path.mean(-1, keepdim=True)
    furthest = path.square().sum(1).amax(-1).sqrt().clamp(min=1e-9)
    return path / furthest[:, None, None]


def _splat(path: torch.Tensor) -> torch.Tensor:
    """(B, 2, N) points in pixels -> (B, K, K): their light, spread over the four nearest pixels."""
    half = math.ceil(float(path.abs().max())) + 1
    size = 2 * half + 1
    corner = path.floor()
    part = path - corner
    column, row = (corner.long() + half).unbind(1)
    psf = path.new_zeros(len(path), size * size)
    for down in (0, 1):
        for across in (0, 1):
            weight = (part[:, 0] if across else 1.0 - part[:, 0]) * (
                part[:, 1] if down else 1.0 - part[:, 1]
            )
            psf.scatter_add_(1, (row + down) * size + column + across, weight)
    return psf.view(-1, size, size)


@operator(
    stage="acquisition",
    family="motion",
    refs=(
        "Boracchi & Foi, IEEE TIP 21(8), 2012, Modeling the Performance of Image Restoration from "
        "Motion Blur: random trajectories of a camera's shake",
        "Kupyn et al., CVPR 2018, DeblurGAN: Markov walk with inertia, pull back and jolts",
    ),
)
def camera_shake(
    x: Images,
    extent: Annotated[PerImage, Severity(0.0, 0.10, unit="px", relative=True, power=1.6)],
    roughness: Annotated[PerImage, Draw(0.2, 1.0, unit="x tremor")],
    jolt: Annotated[PerImage, Draw(0.0, 0.6, unit="x push")],
    seed: FrameSeed,
) -> Images:
    """Shake of a hand-held camera: each point of light draws the same crooked path.

    The path is a random walk: random pushes accelerate the camera, the hand pulls it back like a
    damped spring, tremor of a relative size of ``roughness`` and a few jolts disturb it. It is
    scaled so that its furthest point is ``extent`` / 2 from its centroid, centred there (objects do
    not move) and splatted bilinearly; the time spent at a place is its weight. In linear light.
    """
    if not len(x):
        return x
    path = _walk(seed, roughness, jolt) * (extent / 2.0)[:, None, None]
    return to_srgb(convolve(to_linear(x), normalised(_splat(path))))
