"""Recipes: validated by name, drawn from the id alone, spread as declared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from degrade import ops, recipe
from degrade.errors import UserError
from degrade.recipe import Recipe
from degrade.schema import STAGES

every_preset = pytest.mark.parametrize("name", recipe.preset_names())


def ready(name: str) -> Recipe:
    loaded = recipe.load(name)
    return loaded.narrowed(["lens_blur"], 0.5) if loaded.needs else loaded


@every_preset
def test_presets_load_under_their_own_name(name: str) -> None:
    assert recipe.load(name).name == name
    assert recipe.load(name).summary.endswith((".", ")"))


@every_preset
def test_draws_depend_on_id_and_seed_alone(name: str) -> None:
    r = ready(name)
    assert r.draw("a.jpg", 0, 512) == r.draw("a.jpg", 0, 512)
    many = {str(r.draw(f"{i}.jpg", s, 512)) for i in range(40) for s in (0, 1)}
    assert len(many) > 1 or name == "single"


def test_robust_r1_is_spread_as_it_says() -> None:
    r = recipe.load("robust-r1")
    assert sorted(r.operators) == sorted(n for n in ops.names() if n in set(r.operators))
    assert len(r.operators) == 16
    drawn = [r.draw(f"{i}.jpg", 7, 512)[0].applied for i in range(6000)]
    assert sum(not d for d in drawn) / 6000 == pytest.approx(0.05, abs=0.01)
    numbers = Counter(len(d) for d in drawn if d)
    for number, weight in r.count.items():
        assert numbers[number] / numbers.total() == pytest.approx(weight, abs=0.02)
    stages = Counter(a.stage for d in drawn for a in d)
    for stage in STAGES:
        assert stages[stage] / stages.total() == pytest.approx(0.25, abs=0.03)
    strengths = [a.intensity for d in drawn for a in d]
    assert min(strengths) == 0.01
    assert max(strengths) == 1.0
    assert sum(strengths) / len(strengths) == pytest.approx(0.505, abs=0.01)
    assert all(round(s, 2) == s for s in strengths)


def test_operators_follow_the_order_of_the_recipe() -> None:
    r = recipe.load("robust-r1")
    place = {name: i for i, name in enumerate(r.operators)}
    for i in range(300):
        order = [place[a.operator] for a in r.draw(str(i), 0, 224)[0].applied]
        assert order == sorted(order)
        assert len(set(order)) == len(order)


def test_levels_share_every_draw_but_strength() -> None:
    r = recipe.load("robust-r1-eval")
    for i in range(60):
        variants = r.draw(str(i), 0, 512)
        assert [v.name for v in variants] == ["0.23", "0.45", "0.9"]
        (first,), *others = [v.applied for v in variants]
        for (other,) in others:
            assert other.operator == first.operator
            assert other.seeds == first.seeds


def test_single_needs_an_operator_and_an_intensity() -> None:
    single = recipe.load("single")
    with pytest.raises(UserError, match="--op and --intensity"):
        single.narrowed()
    (variant,) = single.narrowed(["motion_blur"], 0.4).draw("x", 0, 512)
    assert [(a.operator, a.intensity) for a in variant.applied] == [("motion_blur", 0.4)]


def test_any_recipe_can_be_narrowed() -> None:
    r = recipe.load("robust-r1").narrowed(["graffiti", "lens_blur"], 0.3)
    assert r.operators == ("lens_blur", "graffiti")
    assert {a.intensity for a in r.draw("x", 0, 512)[0].applied} <= {0.3}
    with pytest.raises(UserError, match="Did you mean 'lens_blur'"):
        recipe.load("robust-r1").narrowed(["lens_blurr"])


GOOD = (
    "name: mine\nsummary: Mine.\nstages: {acquisition: [lens_blur]}\nintensity: {low: 0, high: 1}\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "counts: {1: 1}\n", "Did you mean 'count'"),
        (GOOD.replace("lens_blur", "lens_blurr"), "Did you mean 'lens_blur'"),
        (GOOD.replace("acquisition", "environment"), "belongs to stage acquisition"),
        (GOOD + "levels: [0.5]\n", "exactly one"),
        (GOOD.replace("low: 0,", "low: 0.123,"), "two decimals"),
        (GOOD.replace("high: 1", "high: 2"), "less than or equal to 1"),
        (GOOD + "clean: 1.5\n", "clean"),
        (GOOD.replace("[lens_blur]", "[lens_blur, lens_blur]"), "twice"),
        ("- a list\n", "mapping"),
        ("a: [", "YAML"),
    ],
)
def test_a_wrong_recipe_says_what_and_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        recipe.load(str(path))


def test_unknown_recipes_suggest_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean 'robust-r1'"):
        recipe.load("robust-r2")
    with pytest.raises(UserError, match="No such file"):
        recipe.load(str(tmp_path / "none.yaml"))


def test_an_operator_given_twice_is_given_once() -> None:
    single = recipe.load("single")
    assert single.narrowed(["graffiti", "graffiti"], 0.4) == single.narrowed(["graffiti"], 0.4)


def test_among_draws_each_of_its_intensities_alike_and_no_other() -> None:
    values = (0.05, 0.5, 0.95)
    r = Recipe(
        name="held",
        summary="Held-out intensities.",
        stages={"acquisition": ("lens_blur",)},
        among=values,
    )
    drawn = Counter(r.draw(str(i), 0, 100)[0].applied[0].intensity for i in range(3000))
    assert set(drawn) == set(values)
    assert all(900 < n < 1100 for n in drawn.values())
    with pytest.raises(ValueError, match="exactly one of"):
        Recipe.model_validate(r.model_dump() | {"levels": (0.1,)})
