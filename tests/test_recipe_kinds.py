"""Chains of steps, types at severities, halves of the families: what recipes beyond stages do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from degrade import ops, pipeline, recipe
from degrade.adapters import Degrade
from degrade.errors import UserError
from degrade.families import HALVES, families, family_names, half_of
from degrade.params import Choice, Severity
from degrade.recipe import Recipe

TYPES = """
name: table
summary: Types at severities.
types:
  noise: {op: gaussian_noise, at: {sigma: [0.08, 0.12, 0.38]}}
  blur: {op: lens_blur, at: {radius: [3, 4, 10]}}
  both:
    - {op: motion_blur, at: {angle: 30, length: [1, 5, 9]}}
    - {op: jpeg_compression, at: {quality: [80, 50, 7]}}
severities: ["1", "2", "3"]
lengths_at: 224
"""
STEPS = """
name: chain
summary: Steps.
steps:
  - {name: optics, any: [lens_blur, motion_blur], intensity: {low: 0.1, high: 0.3}}
  - {name: sensor, any: {gaussian_noise: 1}, intensity: {low: 0.2, high: 0.2}, probability: 0.5}
  - {name: codec, any: {jpeg_compression: 3, scan_lines: 1}, intensity: {low: 0.1, high: 0.9}}
  - {name: again, any: [jpeg_compression], intensity: {low: 0.5, high: 0.5}}
"""


def made(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return recipe.load(str(path))


def values(r: Recipe, name: str, side: int, variant: int) -> dict[str, float]:
    (record,) = r.narrowed([name]).draw("x", 0, side)[variant].applied
    return {p.name: p.value for p in record.params}


def test_types_give_their_values_and_lengths_grow_with_the_picture(tmp_path: Path) -> None:
    r = made(tmp_path, TYPES)
    assert r.variants == ("1", "2", "3")
    for side in (224, 448):
        assert values(r, "noise", side, 2)["sigma"] == 0.38
        assert values(r, "blur", side, 1)["radius"] == pytest.approx(4 * side / 224)


def test_a_record_of_given_values_says_how_much_they_are_and_replays(tmp_path: Path) -> None:
    r = made(tmp_path, TYPES)
    noise = [v.applied[0] for v in r.narrowed(["noise"]).draw("x", 0, 64)]
    assert [a.intensity for a in noise] == sorted(a.intensity for a in noise)
    blur = r.narrowed(["blur"]).draw("x", 0, 64)[2].applied[0]
    assert blur.intensity == 1.0, "stronger than the operator's own range counts as its end"
    x = torch.rand(1, 3, 64, 64)
    sigma = float((pipeline.run(x * 0 + 0.5, [[noise[0]]]) - 0.5).std())
    assert sigma == pytest.approx(0.08, rel=0.05)


def test_one_type_is_drawn_per_picture_or_each_is_made(tmp_path: Path) -> None:
    r = made(tmp_path, TYPES)
    drawn = Counter(tuple(a.operator for a in r.draw(str(i), 0, 64)[0].applied) for i in range(600))
    kinds = [("gaussian_noise",), ("lens_blur",), ("motion_blur", "jpeg_compression")]
    assert set(drawn) == set(kinds)
    assert min(drawn.values()) > 150
    each = made(tmp_path, TYPES + "each: true\n")
    assert each.variants[:4] == ("noise-1", "noise-2", "noise-3", "blur-1")
    variants = each.draw("x", 0, 64)
    assert [v.name for v in variants] == list(each.variants)
    assert [tuple(a.operator for a in v.applied) for v in variants[::3]] == kinds
    first, last = variants[0].applied[0], variants[2].applied[0]
    assert first.seeds == last.seeds, "severities share every draw but strength"


def test_types_can_be_chosen_by_name_or_operator_and_have_no_intensity(tmp_path: Path) -> None:
    r = made(tmp_path, TYPES)
    assert list(r.narrowed(["both", "lens blur"]).types) == ["blur", "both"]
    assert list(r.narrowed(["motion_blur"]).types) == ["both"]
    with pytest.raises(UserError, match="Did you mean 'noise'"):
        r.narrowed(["nois"])
    with pytest.raises(UserError, match="severities of its own"):
        r.narrowed(intensity=0.5)


def test_an_adapter_makes_the_type_and_severity_it_is_told(tmp_path: Path) -> None:
    each = made(tmp_path, TYPES + "each: true\n")
    x = torch.rand(1, 3, 48, 48)
    _, plans = Degrade(each, level="blur-3")(x, ["a"])
    assert [a.operator for a in plans[0]] == ["lens_blur"]
    with pytest.raises(UserError, match="noise-1"):
        Degrade(each)


def test_steps_happen_in_order_as_often_and_as_strong_as_they_say(tmp_path: Path) -> None:
    r = made(tmp_path, STEPS)
    assert r.operators == (
        "lens_blur",
        "motion_blur",
        "gaussian_noise",
        "jpeg_compression",
        "scan_lines",
    )
    draws = [r.draw(str(i), 3, 128)[0].applied for i in range(800)]
    for applied in draws:
        assert [a.operator for a in applied][-1] == "jpeg_compression"
        assert applied[0].operator in ("lens_blur", "motion_blur")
        assert 0.1 <= applied[0].intensity <= 0.3
        assert applied[-1].intensity == 0.5
    assert sum(len(a) == 4 for a in draws) / 800 == pytest.approx(0.5, abs=0.06)
    codec = Counter(a[-2].operator for a in draws)
    assert codec["jpeg_compression"] / 800 == pytest.approx(0.75, abs=0.06)
    # Two steps of one operator draw for themselves.
    assert made(tmp_path, STEPS).narrowed(["jpeg_compression"]).draw("a", 0, 99)[0].applied


def test_a_chain_at_levels_shares_its_draws(tmp_path: Path) -> None:
    r = made(tmp_path, STEPS + "levels: [0.25, 1.0]\n")
    low, high = r.draw("x", 0, 128)
    assert [a.operator for a in low.applied] == [a.operator for a in high.applied]
    assert {a.intensity for a in high.applied} == {1.0}
    assert {a.intensity for a in r.narrowed(intensity=0.4).draw("x", 0, 9)[0].applied} == {0.4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TYPES.replace("sigma:", "sigm:"), "Did you mean 'sigma'"),
        (TYPES.replace("[0.08, 0.12, 0.38]", "[0.08, 0.12]"), "2 values for 3"),
        (TYPES.replace("op: lens_blur", "op: lens_blurr"), "Did you mean 'lens_blur'"),
        (TYPES + "intensity: {low: 0, high: 1}\n", "has severities"),
        (TYPES + "stages: {acquisition: [lens_blur]}\n", "does not go with"),
        (TYPES.replace("severities:", "severity:"), "severities"),
        (TYPES.replace("at: {radius: [3, 4, 10]}", "at: {}"), "give an intensity, or a value of"),
        (TYPES.replace("at: {radius: [3, 4, 10]}", "intensity: []"), "at least 1 item"),
        (TYPES.replace("[3, 4, 10]}", "[3, 4, 10]}, intensity: 0.5"), "radius amounts to"),
        (TYPES.replace("[3, 4, 10]", "[3, 4, -10]"), "give a value from 0 to"),
        (TYPES.replace("[80, 50, 7]", "[80, 50, 300]"), "from 1 to 100"),
        (TYPES + "count: {2: 1}\n", "'count' goes with 'stages'"),
        (
            STEPS.replace("any: {gaussian_noise: 1}", "any: [gaussian_noise], at: {sigma: 0.1}"),
            "follows the intensity",
        ),
        (STEPS.replace("lens_blur", "lens_blurr"), "Did you mean 'lens_blur'"),
        (STEPS + "intensity: {low: 0, high: 1}\n", "its own intensity"),
        (STEPS + "each: true\n", "go with 'types'"),
        (STEPS.replace("probability: 0.5", "probability: 1.5"), "probability"),
        (STEPS.replace("[jpeg_compression]", "[]"), "at least one operator"),
    ],
)
def test_a_wrong_recipe_says_what_and_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(tmp_path, text)


def test_all_stages_hold_every_operator_in_causal_order() -> None:
    r = Recipe.model_validate(
        {
            "name": "all",
            "summary": "All.",
            "stages": "all",
            "intensity": {"low": 0.1, "high": 1.0},
        }
    )
    assert sorted(r.operators) == ops.names()
    stages = list(dict.fromkeys(ops.get(n).stage for n in r.operators))
    assert stages == ["environment", "acquisition", "transmission", "postprocessing"]


# ------------------------------------------------------------------------------------ families


def test_every_family_is_in_one_half_and_every_operator_in_a_family() -> None:
    names = family_names()
    assert len(names) == len(set(names))
    assert list(families()) == list(HALVES)
    for name in ops.names():
        assert ops.get(name).family in families()[half_of(ops.get(name).family)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("chromatic_aberration", "channel_error"),  # colors beside their place
        ("banding_noise", "scan_lines"),  # rows
        ("lens_distortion", "elastic_warp"),
        ("vignetting", "uneven_illumination"),
        ("block_loss", "block_exchange"),
        ("lens_blur", "glass_blur"),
    ],
)
def test_what_looks_alike_is_in_one_half(one: str, other: str) -> None:
    assert half_of(ops.get(one).family) == half_of(ops.get(other).family)


def test_the_halves_part_every_recipe() -> None:
    r = recipe.load("robust-r1")
    common, uncommon = (r.narrowed(half=half) for half in HALVES)
    assert sorted(common.operators + uncommon.operators) == sorted(r.operators)
    assert {half_of(ops.get(n).family) for n in uncommon.operators} == {"uncommon"}
    alone = r.narrowed(["lens_blur"])
    with pytest.raises(UserError, match="'robust-r1' has no operator of the uncommon families"):
        alone.narrowed(half="uncommon")
    with pytest.raises(UserError, match="narrowed to lens_blur, has no operator of the uncommon"):
        r.narrowed(["lens_blur"], half="uncommon")


def test_a_type_of_both_halves_is_in_neither(tmp_path: Path) -> None:
    r = made(
        tmp_path,
        TYPES.replace(
            "op: jpeg_compression, at: {quality: [80, 50, 7]}", "op: fog, intensity: 0.5"
        ),
    )
    assert list(r.narrowed(half="common").types) == ["noise", "blur"]
    for half in HALVES:
        with pytest.raises(UserError, match=f"no type of the {half} families"):
            r.narrowed(["both"], half=half)


def test_the_intensity_of_a_shifted_channel_grows_with_the_shift() -> None:
    made = recipe.load("kadid").narrowed(["color_shift"]).draw("x", 0, 384)
    strengths = [v.applied[0].intensity for v in made]
    assert strengths[0] < strengths[1] < strengths[2] < strengths[3] == 1.0


@given(st.floats(0.02, 1.0), st.sampled_from([64, 224, 512, 1000]))
def test_a_severity_knows_its_intensity_from_its_value(intensity: float, side: int) -> None:
    for name in ops.names():
        op = ops.get(name)
        record = op.sample(intensity, "k", side)
        strengths = {
            p.name: p.unit if isinstance(a.declaration, Choice) else p.value
            for p in record.params
            for a in op.arguments
            if a.name == p.name and isinstance(a.declaration, Severity | Choice)
        }
        if any(getattr(a.declaration, "integer", False) for a in op.arguments):
            continue  # whole numbers stand for a range of intensities
        again = op.sample(None, "k", side, strengths)
        assert again.intensity == pytest.approx(intensity, rel=0.01, abs=1e-3)
