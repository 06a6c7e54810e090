"""Coordinates that follow the pixels: points, boxes and masks through a list of records.

Operators that move pixels declare where a point of the output comes from; where it goes to is the
inverse, by the operator's own formula or by Newton's method. All others declare that nothing moves.
Points are in pixels, x to the right and y down, pixel centres at .5.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from degrade import ops
from degrade.errors import UserError
from degrade.kernels import centres
from degrade.params import Images
from degrade.registry import Operator
from degrade.schema import PUBLISHED, Applied

_STEPS = 30
_STEP = 0.5  # pixels: differences over less are noise where a field is sampled bilinearly
_NEAR = 0.05  # pixels


def apply_to_points(
    points: torch.Tensor, applied: Sequence[Applied], height: int, width: int
) -> torch.Tensor:
    """Where points of the clean picture are in the degraded one.

    Args:
        points: (N, 2) x and y in pixels.
        applied: Records in the order of application, as for :func:`degrade.pipeline.run`.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.

    Returns:
        (N, 2) float32; NaN where a point is no longer in the picture.

    Raises:
        UserError: Points of another shape, or a record that cannot be replayed here.
    """
    if points.ndim != 2 or points.shape[-1] != 2:
        raise UserError(f"Points are (N, 2) x and y in pixels, got shape {tuple(points.shape)}.")
    x = torch.zeros((1, 3, height, width))
    size = torch.tensor((width, height))

    def kept(p: torch.Tensor) -> torch.Tensor:
        # What has left the picture does not come back: its pixels are gone.
        return torch.where(((p >= 0.0) & (p <= size)).all(-1, keepdim=True), p, torch.nan)

    here = kept(points.float()[None])
    for record in applied:
        operator = _mover(record)
        ops.get(record.operator).check(x, [record])
        if operator is not None:
            lost = here.isnan()
            moved = _forward(operator, x, here.nan_to_num(), operator.values([record]))
            here = kept(moved.masked_fill(lost, torch.nan))
    return here[0]


def apply_to_boxes(
    boxes: torch.Tensor, applied: Sequence[Applied], height: int, width: int, per_side: int = 16
) -> torch.Tensor:
    """The boxes around what is left in the picture of the clean picture's boxes.

    Args:
        boxes: (N, 4) left, top, right, bottom in pixels.
        applied: As for :func:`apply_to_points`.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        per_side: Points followed along each side and across the inside.

    Returns:
        (N, 4) float32, axis-aligned, within the picture; NaN where nothing of a box is left in it.
    """
    if boxes.ndim != 2 or boxes.shape[-1] != 4:
        raise UserError(f"Boxes are (N, 4) left, top, right, bottom, got {tuple(boxes.shape)}.")
    share = torch.linspace(0.0, 1.0, per_side)
    down, across = torch.meshgrid(share, share, indexing="ij")
    low, high = boxes[:, None, :2].float(), boxes[:, None, 2:].float()
    net = low + (high - low) * torch.stack((across, down), -1).reshape(1, -1, 2)
    moved = apply_to_points(net.reshape(-1, 2), applied, height, width).view_as(net)
    gone = moved.isnan()
    least = moved.masked_fill(gone, torch.inf).amin(1)
    most = moved.masked_fill(gone, -torch.inf).amax(1)
    found = torch.cat((least, most), -1)
    return torch.where(gone.all(1).all(-1, keepdim=True), torch.nan, found)


def apply_to_mask(mask: torch.Tensor, applied: Sequence[Applied], fill: int = 0) -> torch.Tensor:
    """A map of labels moved as the picture is: each pixel takes the label of where it comes from.

    Args:
        mask: (H, W) labels of any integer or boolean type.
        applied: As for :func:`apply_to_points`.
        fill: Label of what comes from outside the clean picture.

    Returns:
        (H, W) of the same type.
    """
    if mask.ndim != 2:
        raise UserError(f"A mask is (H, W) labels, got shape {tuple(mask.shape)}.")
    height, width = mask.shape
    x = torch.zeros((1, 3, height, width))
    out = mask
    for record in applied:
        operator = _mover(record)
        ops.get(record.operator).check(x, [record])
        if operator is None:
            continue
        assert operator.comes_from is not None  # it moves pixels
        source = operator.comes_from(x, centres(x), **operator.values([record]))
        column, row = source[0].floor().long().unbind(-1)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        taken = out.reshape(-1)[index]
        out = torch.where(inside, taken, torch.full_like(taken, fill)).view(height, width)
    return out


def moves(applied: Sequence[Applied]) -> bool:
    """Whether any of the records moves pixels; where not, coordinates stay as they are."""
    return any(_mover(a) is not None for a in applied)


def _mover(record: Applied) -> Operator | None:
    """The operator, if it moves pixels.

    Raises:
        UserError: It is a released formula that moves pixels, and has no map.
    """
    operator = ops.get(record.operator)
    if record.operator.startswith(PUBLISHED):
        corrected = record.operator.removeprefix(PUBLISHED)
        if ops.get(corrected).comes_from is not None:
            raise UserError(
                f"{record.operator} moves pixels and has no map to move coordinates with. Leave it "
                f"out where there are points, boxes or masks, or take {corrected}."
            )
    return operator if operator.comes_from is not None and record.intensity > 0.0 else None


def _forward(
    operator: Operator, x: Images, points: torch.Tensor, values: dict[str, torch.Tensor]
) -> torch.Tensor:
    if operator.goes_to is not None:
        return operator.goes_to(x, points, **values)
    assert operator.comes_from is not None  # callers ask before
    # Newton's method on comes_from(p) = point, from the point itself, with differences for slopes.
    p = points
    eye = torch.eye(2) * _STEP
    for _ in range(_STEPS):
        gap = operator.comes_from(x, p, **values) - points
        if float(gap.abs().max()) < _NEAR / 10:
            break
        columns = [
            (
                operator.comes_from(x, p + eye[i], **values)
                - operator.comes_from(x, p - eye[i], **values)
            )
            / (2 * _STEP)
            for i in (0, 1)
        ]
        slope = torch.stack(columns, -1)
        # A fold has no slope to follow; a step is never longer than a quarter of the picture.
        determinant = slope[..., 0, 0] * slope[..., 1, 1] - slope[..., 0, 1] * slope[..., 1, 0]
        safe = torch.where(determinant.abs() < 0.05, 0.05, determinant)[..., None]
        a, b, c, d = (slope[..., i, j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
        gx, gy = gap.unbind(-1)
        step = torch.stack((d * gx - b * gy, a * gy - c * gx), -1) / safe
        p = p - step.clamp(-min(x.shape[-2:]) / 4, min(x.shape[-2:]) / 4)
    gap = (operator.comes_from(x, p, **values) - points).abs().amax(-1, keepdim=True)
    # What no point of the output shows has no place in it.
    return torch.where(gap < max(_NEAR, 1.0), p, torch.nan)


__all__ = ["apply_to_boxes", "apply_to_mask", "apply_to_points", "moves"]
