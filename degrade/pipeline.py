"""A batch and its records -> the degraded batch: groups rows by operator, scatters back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import Tensor, tensor

from degrade import ops
from degrade.errors import UserError
from degrade.params import Images
from degrade.registry import check_images
from degrade.schema import Applied


def run(x: Images, plans: Sequence[Sequence[Applied]]) -> Images:
    """Apply to each picture its own list of records, in order; replaying is the same call.

    Args:
        x: (B, 3, H, W) float32, sRGB in [0, 1]; not modified.
        plans: B lists of records.

    Returns:
        (B, 3, H, W) float32 in [0, 1].

    Raises:
        UserError: Wrong shape or type, or a record that cannot be replayed here.
    """
    check_images(x, "The pipeline")
    if len(x) != len(plans):
        raise UserError(f"The pipeline got {len(x)} pictures but {len(plans)} lists of records.")
    done = [0] * len(plans)
    while True:
        # Next operator of every unfinished row; the one most rows wait for goes first, so that
        # rows with different lists still share launches.
        waiting = {i: plans[i][done[i]] for i in range(len(plans)) if done[i] < len(plans[i])}
        if not waiting:
            return x
        name = Counter(a.operator for a in waiting.values()).most_common(1)[0][0]
        rows = [i for i, a in waiting.items() if a.operator == name]
        records = [waiting[i] for i in rows]
        operator = ops.get(name)
        if len(rows) == len(plans):
            x = operator.apply(x, records)
        else:
            index = tensor(rows, device=x.device)
            x = x.index_copy(0, index, operator.apply(x[index], records))
        for i in rows:
            done[i] += 1


def to_float(x: Tensor) -> Images:
    """uint8 in 0..255 -> float32 in [0, 1]."""
    return x.float().div_(255.0)


def to_uint8(x: Images) -> Tensor:
    """float32 in [0, 1] -> uint8, rounded to the nearest grey level."""
    return x.mul(255.0).round_().clamp_(0.0, 255.0).byte()
