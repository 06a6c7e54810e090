"""Pictures through the released formulas, as a run sends them."""

from __future__ import annotations

import numpy as np
import torch

from degrade import codecs, pipeline, published
from degrade.schema import PUBLISHED, Applied

LEVELS = (0.23, 0.45, 0.9)
SEED = 7
Grid = np.ndarray


def record(name: str, intensity: float, side: int = 96, key: str = "k") -> Applied:
    return published.get(PUBLISHED + name).sample(intensity, key, side)


def made(name: str, rgb: Grid, intensity: float, seed: int = SEED) -> Grid:
    """What a record of the seed gives, by the same call as a run."""
    one = record(name, intensity, min(rgb.shape[:2]))
    seeds = tuple(s.model_copy(update={"value": seed}) for s in one.seeds)
    x = codecs.from_pixels([rgb], torch.device("cpu"))
    return codecs.to_pixels(pipeline.run(x, [[one.model_copy(update={"seeds": seeds})]]))[0]
