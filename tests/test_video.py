"""Clips: what is fixed, what is redrawn, what drifts; and records that replay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from degrade import ops, pipeline, recipe
from degrade.errors import UserError
from degrade.params import Choice, Draw, SeedMark, Severity
from degrade.schema import Applied
from degrade.video import clip_plans, degrade_clip
from tests.conftest import load_photo

every_operator = pytest.mark.parametrize("name", ops.names())


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """(5, 3, 48, 64): a camera that pans over a photograph."""
    x = load_photo("coffee", 64)
    return torch.stack([x[:, :48, 2 * t : 64 + 2 * t] for t in range(5)])


def values(plans: list[tuple[Applied, ...]], name: str, step: int = 0) -> list[float]:
    told = ({e.name: e.value for e in [*p[step].params, *p[step].seeds]} for p in plans)
    return [record[name] for record in told]


@every_operator
def test_a_clip_changes_what_its_operator_says(name: str, clip: torch.Tensor) -> None:
    y, plans = degrade_clip(clip, name, 0.6, key="one")
    assert y.shape == clip.shape
    told = ops.get(name).told(plans[0][0])
    for argument in (a for a in ops.get(name).arguments if a.name in told):
        seen = values(plans, argument.name)
        match argument.declaration:
            case Severity() | Choice():
                assert len(set(seen)) == 1, argument
            case SeedMark(per_frame=per_frame):
                assert len(set(seen)) == (len(clip) if per_frame else 1), argument
            case Draw(drifts=drifts, integer=integer):
                assert (len(set(seen)) > 1) == drifts, argument
                assert not (drifts and integer), "a whole number cannot drift"


@every_operator
@pytest.mark.parametrize("frames", ["natural", "frozen", "independent"])
def test_the_records_of_a_clip_replay(name: str, frames: str, clip: torch.Tensor) -> None:
    y, plans = degrade_clip(clip, name, 0.4, key=("run", 7), frames=frames)  # type: ignore[arg-type]
    read = [[Applied.model_validate_json(a.model_dump_json()) for a in plan] for plan in plans]
    again = pipeline.run(clip, read)
    assert float((again - y).abs().max()) <= 1.01 / 255
    still = ops.get(name).sample(0.4, ("run", 7), 48)
    assert plans[0] == (still,), "the first frame is the picture that the key names"
    twice, same = degrade_clip(clip, name, 0.4, key=("run", 7), frames=frames)  # type: ignore[arg-type]
    assert torch.equal(twice, y)
    assert same == plans


def test_frozen_frames_are_alike_and_independent_ones_are_not(clip: torch.Tensor) -> None:
    same = clip[:1].expand(6, -1, -1, -1).contiguous()
    frozen, _ = degrade_clip(same, "dirty_lens", 0.7, frames="frozen")
    assert float((frozen - frozen[:1]).abs().max()) < 1.01 / 255
    fixed, _ = degrade_clip(same, "dirty_lens", 0.7, frames="natural")
    assert float((fixed - frozen).abs().max()) < 1.01 / 255, "dirt stays on the lens"
    other, plans = degrade_clip(same, "dirty_lens", 0.7, frames="independent")
    assert float((other - other[:1]).abs()[1:].amax((1, 2, 3)).min()) > 10 / 255
    assert len(set(values(plans, "coverage"))) == 1, "strength is not drawn"


def test_noise_of_two_frames_is_uncorrelated(clip: torch.Tensor) -> None:
    grey = torch.full((3, 3, 64, 64), 0.5)
    y, _ = degrade_clip(grey, "gaussian_noise", 0.4)
    noise = (y - grey).flatten(1)
    assert float(torch.corrcoef(noise)[0, 1:].abs().max()) < 0.03


def test_a_drift_is_slow_goes_far_and_stays_between_its_ends() -> None:
    for name, argument, low, high in (
        ("lens_flare", "across", 0.05, 0.95),
        ("motion_blur", "angle", 0.0, 180.0),
    ):
        for key in ("a", "b", "c"):
            first = ops.get(name).sample(0.5, key, 64)
            seen = np.array(values(clip_plans([first], 480, key), argument))
            assert low <= seen.min() <= seen.max() <= high
            assert np.ptp(seen) > 0.3 * (high - low)
            step = np.abs(np.diff(seen)) / (high - low)
            if argument == "angle":  # 0 and 180 degrees are the same line
                step = np.minimum(step, 1.0 - step)
            assert step.max() < 0.04
            assert seen[0] == next(p.value for p in first.params if p.name == argument)


def test_a_frame_does_not_depend_on_how_many_follow() -> None:
    first = ops.get("motion_blur").sample(0.5, "k", 64)
    for frames in ("natural", "independent"):
        assert clip_plans([first], 30, "k", frames)[:7] == clip_plans([first], 7, "k", frames)


def test_what_somebody_gave_stays() -> None:
    op = ops.get("lens_flare")
    record = op.sample(0.5, "k", 64, given={"across": 1.4, "energy": 0.123})
    for frames in ("natural", "independent"):
        plans = clip_plans([record], 12, "k", frames)
        assert set(values(plans, "across")) == {1.4}
        assert set(values(plans, "energy")) == {0.123}
        assert len(set(values(plans, "down"))) > 1
    flip = ops.get("geometric_edit").sample(1.0, "k", 64, given={"kind": "flip_vertical"})
    assert len({p[0].params[0].unit for p in clip_plans([flip], 5, "k", "independent")}) == 1


def test_all_operators_of_a_recipe_follow_the_frames(clip: torch.Tensor) -> None:
    made = recipe.load("robust-r1").narrowed()
    clean, plan, key = True, (), 0
    while clean or len(plan) < 2:  # some pictures are left clean, by their id
        key += 1
        y, plans = degrade_clip(clip, made, key=f"clip {key}", seed=3)
        plan = plans[0]
        clean = not plan
    expected = made.draw(f"clip {key}", 3, 48)[0].applied
    assert plan == expected
    assert all([a.operator for a in p] == [a.operator for a in plan] for p in plans)
    assert float((pipeline.run(clip, plans) - y).abs().max()) <= 1.01 / 255
    again, same = degrade_clip(clip, expected, key=f"clip {key}")
    assert same == plans
    assert torch.equal(again, y)


def test_steps_of_one_operator_are_drawn_apart(clip: torch.Tensor) -> None:
    record = ops.get("gaussian_noise").sample(0.3, "k", 48)
    _, plans = degrade_clip(clip, [record, record])
    assert values(plans, "seed", 0)[1:] != values(plans, "seed", 1)[1:]


def test_one_version_of_a_recipe_is_made(clip: torch.Tensor) -> None:
    made = recipe.load("robust-r1-eval").narrowed()
    with pytest.raises(UserError, match="variant is None"):
        degrade_clip(clip, made)
    with pytest.raises(UserError, match="variant is '0\\.3'"):
        degrade_clip(clip, made, variant="0.3")
    _, plans = degrade_clip(clip, made, variant="0.45")
    assert {a.intensity for plan in plans for a in plan} == {0.45}
    _, plans = degrade_clip(clip, made, intensity=0.8)
    assert {a.intensity for plan in plans for a in plan} == {0.8}


def test_mistakes_are_named(clip: torch.Tensor) -> None:
    with pytest.raises(UserError, match="intensity"):
        degrade_clip(clip, "lens_blur")
    with pytest.raises(UserError, match="Did you mean"):
        degrade_clip(clip, "lens_blurr", 0.5)
    with pytest.raises(UserError, match="natural, frozen, independent"):
        degrade_clip(clip, "lens_blur", 0.5, frames="wild")  # type: ignore[arg-type]
    record = ops.get("lens_blur").sample(0.5, "k", 48)
    with pytest.raises(UserError, match="their own intensity"):
        degrade_clip(clip, [record], 0.5)
    with pytest.raises(UserError, match="shape"):
        degrade_clip(clip[0], "lens_blur", 0.5)
    empty, plans = degrade_clip(clip[:0], "lens_blur", 0.5)
    assert (len(empty), plans) == (0, [])
