"""Drawn scenes: one answer, true of the picture, not to be had without looking."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from annotate.checks import check
from annotate.depth import target
from annotate.grammar.scene import statements
from annotate.measure import measure
from annotate.offline import write
from benchmarks.scenes import figures, guessed
from builders.scenes import FAMILIES, Scene, describe, draw
from builders.scenes.base import Frame, window
from builders.scenes.canvas import Canvas
from builders.scenes.dice import Dice
from builders.scenes.families.clocks import Clocks
from builders.scenes.families.gauges import Panel
from builders.scenes.families.shapes import Blocks
from builders.scenes.families.street import Street
from builders.scenes.families.table import Table
from builders.sources import read_spec
from degrade import pipeline, recipe
from degrade.errors import UserError
from degrade.images import decode
from degrade.schema import Question, Row
from degrade.schema import describe as described
from tests.scenes_help import apart, of

ROWS = 2500
HALF = (224, 168)


@lru_cache(maxsize=1)
def scenes() -> list[Scene]:
    return [describe(0, i) for i in range(ROWS)]


# ------------------------------------------------------------------------------------ the source


def test_items_are_numbered_licensed_pictures_of_the_wanted_sizes():
    spec = read_spec({"kind": "scenes", "name": "scenes", "size": HALF})
    items = list(spec.items(Path(), 12))
    assert [i.id for i in items] == [f"{n:06d}" for n in range(12)]
    assert [i.name for i in items] == [f"{n:06d}.png" for n in range(12)]
    assert {i.license for i in items} == {"CC0-1.0"}
    assert all(not i.problem for i in items)
    sides = {decode(i.picture or b"", 10**7).pixels.shape[:2] for i in items}
    assert sides == {(168, 224), (224, 168), (192, 192)}


def test_the_first_rows_of_many_are_the_rows_of_few():
    spec = read_spec({"kind": "scenes", "name": "scenes", "size": HALF, "rows": 3})
    few, many = list(spec.items(Path(), None)), spec.items(Path(), 3)
    assert few == list(many)
    longer = read_spec({"kind": "scenes", "name": "scenes", "size": HALF, "rows": 5000})
    items = longer.items(Path(), None)
    assert [next(items) for _ in range(3)] == few


def test_another_seed_draws_other_scenes():
    one, two = (
        next(read_spec({"kind": "scenes", "name": "s", "seed": seed}).items(Path(), 1))
        for seed in (0, 1)
    )
    assert one.picture != two.picture


def test_a_source_without_an_end_asks_for_rows():
    for rows in (None, "fill"):
        spec = read_spec({"kind": "scenes", "name": "s", "rows": rows})
        with pytest.raises(UserError, match="rows: 1000"):
            spec.items(Path(), None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"families": ["clock"]}, "Did you mean 'clocks'"),
        ({"families": {"clocks": 0}}, "greater than 0"),
        ({"sise": [448, 336]}, "Did you mean 'size'"),
        ({"size": [32, 32]}, "greater than or equal to 160"),
    ],
)
def test_what_it_does_not_know_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        read_spec({"kind": "scenes", "name": "s"} | given)


def test_families_may_be_chosen_and_weighted():
    spec = read_spec({"kind": "scenes", "name": "s", "families": {"clocks": 3, "signs": 1}})
    drawn = [describe(0, i, weights=spec.families).family for i in range(400)]
    assert set(drawn) == {"clocks", "signs"}
    assert 0.68 < drawn.count("clocks") / 400 < 0.82
    listed = read_spec({"kind": "scenes", "name": "s", "families": ["clocks", "signs"]})
    assert set(listed.families.values()) == {1.0}


# ---------------------------------------------------------------------------------- the questions


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_scene_depends_on_seed_and_number_alone(seed, index):
    scene = describe(seed, index)
    describe(seed + 1, index)
    assert describe(seed, index) == scene


@given(st.integers(0, 10**9), st.sampled_from(sorted(FAMILIES)))
def test_every_question_has_four_choices_and_one_answer(seed, family):
    q = describe(seed, 0, weights={family: 1.0}).question
    assert len(q.choices) == len(set(q.choices)) == 4
    assert q.answer_as == "text"
    assert q.answer_index is not None
    assert q.question.endswith("?")
    assert q.question[0].isupper()
    assert "{" not in q.question
    assert 2 <= len(q.rationales) <= 3
    assert q.caption.endswith(".")


def test_rows_are_varied_and_balanced():
    f = figures(scenes())
    assert f.distinct_rows == ROWS
    assert f.distinct_questions > 0.85
    assert max(f.positions) < 0.29
    assert set(f.families) == set(FAMILIES)
    assert min(f.families.values()) > 0.07
    assert f.answers[0][1] < 0.06


def test_questions_cannot_be_answered_without_the_picture():
    for name, (share, count) in figures(scenes()).guessed.items():
        # Four guessers, the best of which is told: five deviations above chance.
        assert share < 0.25 + 5 * math.sqrt(0.1875 / count), name


def test_a_guesser_finds_answers_that_lie_in_the_middle():
    def question(dice: Dice) -> Question:
        answer = dice.whole(3, 40)
        near = [answer - 1, answer, answer + 1, answer + 2]
        choices = tuple(str(n) for n in dice.shuffled(near))
        return Question(question="?", choices=choices, answer=str(answer), answer_as="text")

    assert guessed([question(Dice("test", i)) for i in range(200)]) > 0.9


@given(st.integers(0, 10**6), st.integers(0, 30), st.integers(3, 20), st.integers(1, 5))
def test_windows_hold_four_numbers_of_their_range(seed, low, steps, step):
    high = low + steps * step
    four = window(Dice(seed), low, high, step)
    assert len(set(four)) == 4
    assert all(low <= n <= high and (n - low) % step == 0 for n in four)


# ----------------------------------------------------------------------------------- the pictures


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_pictures_are_a_function_of_the_scene_and_full_of_detail(family):
    for scene in of(family)[:3]:
        first = draw(scene)
        assert np.array_equal(first, draw(scene))
        assert first.shape == (scene.size[1], scene.size[0], 3)
        blurred = cv2.GaussianBlur(first, (0, 0), 3)
        assert np.abs(first.astype(float) - blurred).mean() > 2.0


def test_no_picture_comes_twice():
    drawn = {draw(s, HALF).tobytes() for s in scenes()[:250]}
    assert len(drawn) == 250


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_lettering_is_inside_the_picture_and_large_enough(family, monkeypatch):
    seen: list[tuple[str, tuple[float, float, float, float], float, Canvas]] = []
    plain = Canvas.text

    def text(self, at, text, size, color, anchor="m", weight=0.0, widest=0.0):
        width, height = self.text_size(text, size, weight)
        if widest and width > widest:
            size, width = size * widest / width, widest
        left = at[0] - {"l": 0, "m": width / 2, "r": width}[anchor]
        box = (left, at[1] - height / 2, left + width, at[1] + height / 2)
        seen.append((text, box, size, self))
        plain(self, at, text, size, color, anchor, weight, widest)

    monkeypatch.setattr(Canvas, "text", text)
    for scene in of(family)[:25]:
        draw(scene, HALF)
    for words, (left, top, right, bottom), size, canvas in seen:
        assert left >= 0, words
        assert top >= 0, words
        assert right <= canvas.width, words
        assert bottom <= canvas.height, words
        assert size >= 8, words


def _discs(layout: Clocks | Panel) -> list[tuple[float, float, float, float]]:
    things = layout.clocks if isinstance(layout, Clocks) else layout.dials
    return [(d.x - d.radius, d.y - d.radius, d.x + d.radius, d.y + 1.5 * d.radius) for d in things]


def _cores(layout: Table | Blocks) -> list[tuple[float, float, float, float]]:
    """The middle of each thing: of what is counted, most must be in view."""
    if isinstance(layout, Table):
        return [
            (t.x - 0.15 * t.height, t.y - 0.8 * t.height, t.x + 0.15 * t.height, t.y)
            for t in layout.things
        ]
    corners = [b.outline() for b in layout.blocks]
    return [(*c.min(0), *c.max(0)) for c in corners]


@pytest.mark.parametrize(
    ("family", "boxes"),
    [("clocks", _discs), ("gauges", _discs), ("table", _cores), ("shapes", _cores)],
)
def test_nothing_hides_what_is_asked_for(family: str, boxes: Callable):
    for scene in of(family, 400):
        found = boxes(scene.layout)
        assert apart(found), scene.index
        for left, top, right, bottom in found:
            assert left > -2, scene.index
            assert top > -2, scene.index
            assert right < scene.frame.width + 2, scene.index
            assert bottom < scene.frame.height + 2, scene.index


def test_trees_hide_no_door_and_no_number():
    for scene in of("street", 300):
        layout = scene.layout
        assert isinstance(layout, Street)
        for x, size in layout.trees:
            for house in layout.houses:
                reach = 0.36 * size
                assert x + reach < house.door_x or x - reach > house.door_x + 52


# ------------------------------------------------------------------------------------- the chains


def test_offline_chains_of_scenes_pass_all_checks():
    drawn = recipe.load("robust-r1")
    for i in range(110):
        scene = describe(2, i)
        clean = draw(scene, (scene.size[0] // 3, scene.size[1] // 3))
        key = f"scenes/{i:06d}"
        applied = drawn.draw(key, 0, min(clean.shape[:2]))[0].applied
        x = torch.from_numpy(clean.copy()).permute(2, 0, 1)[None]
        y = pipeline.to_uint8(pipeline.run(pipeline.to_float(x), [applied]))
        row = Row(
            file_name=f"images/{i}.png", id=key, source_path=key, width=clean.shape[1],
            height=clean.shape[0], encoding="png", degradations=described(applied),
            applied=applied,
        )  # fmt: skip
        seen = measure(clean, y[0].permute(1, 2, 0).numpy())
        chain = write(row, scene.question, seen)
        assert check(chain, row, scene.question, target(applied)) == (), chain.render()


def test_captions_and_rationales_are_fit_to_be_quoted():
    for scene in scenes():
        for text in (scene.question.caption, *scene.question.rationales):
            assert statements(text), text


def test_the_frame_keeps_the_area_of_a_standard_picture():
    sizes = {describe(0, i, (640, 480)).frame for i in range(40)}
    assert len(sizes) == 3
    assert all(isinstance(f, Frame) for f in sizes)
    assert all(abs(f.width * f.height / (448 * 336) - 1) < 1e-9 for f in sizes)
