"""Clips: what is fixed on a lens stays, what is new in each frame is redrawn, what drifts drifts.

A clip is degraded frame by frame with ordinary records, one list per frame, which
:func:`degrade.pipeline.run` replays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch

from degrade import ops, pipeline
from degrade.errors import UserError
from degrade.params import Choice, Draw, Images, SeedMark, Severity
from degrade.recipe import Recipe
from degrade.registry import Key, Operator, check_images
from degrade.rng import derive, unit
from degrade.schema import Applied

Frames = Literal["natural", "frozen", "independent"]
"""How frames differ: as a camera's would, not at all, or each drawn for itself."""

_TOUR = 480.0  # frames: the slowest of the waves that a drift is made of, 20 seconds of film
_WAVES = 3
_AT_ONCE = 8  # frames


def degrade_clip(
    x: Images,
    what: str | Operator | Recipe | Sequence[Applied],
    intensity: float | None = None,
    key: Key = "clip",
    frames: Frames = "natural",
    seed: int = 0,
    variant: str | None = None,
) -> tuple[Images, list[tuple[Applied, ...]]]:
    """Degrade a clip.

    Args:
        x: (T, 3, H, W) float32, sRGB in [0, 1]: the frames in order.
        what: An operator or its name, a recipe, or records in the order of application.
        intensity: Damage in [0, 1]. An operator needs it; a recipe takes its own if it is None;
            records have theirs.
        key: Names the draw: the same key gives the same degradation.
        frames: What changes from frame to frame; see :func:`clip_plans`.
        seed: Root seed of a recipe.
        variant: For a recipe that makes several versions of a picture, the name of one.

    Returns:
        The degraded clip, and for each frame the records that were applied to it.

    Raises:
        UserError: Wrong shape or type, an intensity that is missing or not wanted, or a record
            that cannot be applied to this clip.
    """
    check_images(x, "A clip")
    side = min(x.shape[-2:])
    if isinstance(what, Recipe):
        plan = _recipe_plan(what.narrowed(intensity=intensity), variant, key, side, seed)
    else:
        plan = _plan(what, intensity, key, side)
    plans = clip_plans(plan, len(x), key, frames)
    parts = [
        pipeline.run(x[i : i + _AT_ONCE], plans[i : i + _AT_ONCE])
        for i in range(0, len(x), _AT_ONCE)
    ]
    return (torch.cat(parts) if parts else x), plans


def clip_plans(
    plan: Sequence[Applied], count: int, key: Key = "clip", frames: Frames = "natural"
) -> list[tuple[Applied, ...]]:
    """The records of each frame of a clip; those of the first are the ones given.

    Strength is the same in all frames. What a frame gets depends on its number, not on how many
    there are.

    Args:
        plan: Records for one picture, in the order of application.
        count: Number of frames.
        key: Names the draws of later frames.
        frames: ``natural``: seeds of what is new in every frame (``FrameSeed``) are redrawn, drawn
            values that drift go slowly to and fro between their ends, or round and round where
            these are the same; the rest is fixed. A value beyond its ends, which somebody gave,
            stays. ``frozen``: nothing changes. ``independent``: all that is drawn is drawn anew,
            but for the kind of damage.

    Raises:
        UserError: No such way to treat frames.
    """
    if frames not in get_args(Frames):
        raise UserError(f"frames is {frames!r}; allowed are {', '.join(get_args(Frames))}.")
    path = key if isinstance(key, tuple) else (key,)
    plans = []
    for frame in range(count):
        if frame == 0 or frames == "frozen":
            plans.append(tuple(plan))
        elif frames == "natural":
            plans.append(tuple(_later(a, frame, (*path, i)) for i, a in enumerate(plan)))
        else:
            plans.append(tuple(_anew(a, (*path, i, frame)) for i, a in enumerate(plan)))
    return plans


def _recipe_plan(
    made: Recipe, variant: str | None, key: Key, short_side: int, seed: int
) -> tuple[Applied, ...]:
    names = made.variants
    if variant is None and len(names) == 1:
        variant = names[0]
    if variant not in names:
        raise UserError(
            f"Recipe {made.name!r} makes {', '.join(names) or 'one version'} of a picture: "
            f"variant is {variant!r}, give the one that the clip is to be."
        )
    name = "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
    return made.draw(name, seed, short_side)[names.index(variant)].applied


def _plan(
    what: str | Operator | Sequence[Applied], intensity: float | None, key: Key, short_side: int
) -> tuple[Applied, ...]:
    if isinstance(what, str | Operator):
        operator = ops.get(what) if isinstance(what, str) else what
        if intensity is None:
            raise UserError(f"{operator.name}: give the clip an intensity from 0 to 1.")
        return (operator.sample(intensity, key, short_side),)
    if intensity is not None:
        raise UserError("Records have their own intensity: leave that of the clip out.")
    return tuple(what)


def _later(first: Applied, frame: int, path: tuple[str | int, ...]) -> Applied:
    """The record of a frame, by that of the first."""
    operator = ops.get(first.operator)
    declared = {a.name: a.declaration for a in operator.arguments}
    seeds = []
    for s in first.seeds:
        mark = declared.get(s.name)
        if isinstance(mark, SeedMark) and mark.per_frame:
            value = derive(*path, first.operator, s.name, s.value, frame)
            s = s.model_copy(update={"value": value})
        seeds.append(s)
    params = []
    for p in first.params:
        draw = declared.get(p.name)
        if isinstance(draw, Draw) and draw.drifts and _drawn(draw, p.value, first.short_side):
            way = _way(frame, (*path, first.operator, p.name))
            p = p.model_copy(update={"value": _drifted(draw, p.value, first.short_side, way)})
        params.append(p)
    return first.model_copy(update={"params": tuple(params), "seeds": tuple(seeds)})


def _ends(draw: Draw, short_side: int) -> tuple[float, float]:
    scale = short_side if draw.relative else 1.0
    return draw.low * scale, draw.high * scale


def _drawn(draw: Draw, value: float, short_side: int) -> bool:
    """Whether the value is between the ends: what is beyond them was given."""
    low, high = _ends(draw, short_side)
    slack = 1e-5 * (high - low)  # a record has six digits
    return low - slack <= value <= high + slack


def _way(frame: int, path: tuple[str | int, ...]) -> float:
    """How far a drift has gone since the first frame, 1 being from end to end and back."""
    # Slow waves, the quicker the smaller, of phases drawn once: a walk without steps.
    way = 0.0
    for k in range(1, _WAVES + 1):
        phase = 2.0 * math.pi * unit(*path, "phase", k)
        wave = math.sin(2.0 * math.pi * k * frame / _TOUR + phase) - math.sin(phase)
        way += wave / (2.0 * k**2)
    return way


def _drifted(draw: Draw, start: float, short_side: int, way: float) -> float:
    low, high = _ends(draw, short_side)
    u = min(1.0, max(0.0, (start - low) / (high - low)))
    if draw.circular:
        u = (u + way) % 1.0
    else:
        # As the shadow of a point on a circle, it turns round gently at the ends.
        u = 0.5 - 0.5 * math.cos(math.acos(1.0 - 2.0 * u) + 2.0 * math.pi * way)
    return float(f"{low + u * (high - low):.6g}")


def _anew(first: Applied, path: tuple[str | int, ...]) -> Applied:
    """Another draw of the same kind and strength; values beyond what is drawn stay."""
    operator = ops.get(first.operator)
    values = {p.name: p.value for p in first.params}
    given: dict[str, float | str] = {}
    for argument in operator.arguments:
        name, d = argument.name, argument.declaration
        if name not in values:
            continue
        if isinstance(d, Choice):
            given[name] = d.kinds[int(values[name])]
        elif isinstance(d, Severity) or (
            isinstance(d, Draw) and not _drawn(d, values[name], first.short_side)
        ):
            given[name] = values[name]
    return operator.sample(first.intensity, path, first.short_side, given=given)


__all__ = ["Frames", "clip_plans", "degrade_clip"]
