"""The formulas that Robust-R1 released: seeded, replayed, and never taken for ours."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from annotate.offline import Unwritable, write
from benchmarks import published as table
from degrade import codecs, ops, pipeline, published, recipe
from degrade.cli import app
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.published.table import Published
from degrade.schema import PUBLISHED, Applied, Question, Row, describe
from degrade.verify import Verifier
from tests.published_help import LEVELS, Grid, made, record

DOCS = Path(__file__).parents[1] / "docs" / "published.md"
every_formula = pytest.mark.parametrize("name", published.names())


# --------------------------------------------------------------------------------- randomness


@every_formula
def test_pictures_depend_on_their_record_alone(name: str, photos: torch.Tensor) -> None:
    op = published.get(name)
    records = [op.sample(i, key, 96) for i, key in ((0.2, "a"), (0.6, "b"), (0.95, "c"))]
    before = photos.clone()
    random.seed(1)
    np.random.seed(1)
    states = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    together = pipeline.run(photos, [[r] for r in records])
    assert states == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[union-attr]
    assert torch.equal(photos, before)
    for i, one in enumerate(records):
        assert torch.equal(pipeline.run(photos[i : i + 1], [[one]])[0], together[i])
        stored = Applied.model_validate_json(one.model_dump_json())
        assert torch.equal(pipeline.run(photos[i : i + 1], [[stored]])[0], together[i])


DRAWN = [name for name in published.names() if published.get(name).arguments]


@pytest.mark.parametrize("name", DRAWN)
def test_another_key_draws_otherwise_and_another_level_draws_the_same(
    name: str, photos: torch.Tensor
) -> None:
    op = published.get(name)
    assert op.sample(0.95, "a", 96).seeds != op.sample(0.95, "b", 96).seeds
    assert op.sample(0.95, "a", 96).seeds == op.sample(0.23, "a", 96).seeds
    short = name.removeprefix(PUBLISHED)
    large: Grid = cv2.resize(codecs.to_pixels(photos[:1])[0] // 4, (480, 384))
    one, two = (made(short, large, 0.95, seed) for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_the_rest_draw_nothing_and_record_no_seed() -> None:
    assert {n.removeprefix(PUBLISHED) for n in DRAWN} == {
        "lens_flare", "motion_blur", "dirty_lens", "block_exchange", "gaussian_noise",
        "color_diffusion", "graffiti", "watermark_damage",
    }  # fmt: skip
    for name in set(published.names()) - set(DRAWN):
        assert published.get(name).sample(0.5, "k", 96).seeds == ()


# ------------------------------------------------------------------- apart from the operators


def test_they_are_apart_from_the_operators() -> None:
    r = recipe.load("robust-r1-published")
    assert sorted(r.operators) == published.names()
    assert not set(published.names()) & set(ops.names())
    for name in published.names():
        short = name.removeprefix(PUBLISHED)
        ours, theirs = ops.get(short), ops.get(name)
        assert not isinstance(ours, Published)
        assert isinstance(theirs, Published)
        assert (theirs.name, theirs.stage, theirs.family) == (name, ours.stage, ours.family)
        assert theirs.label == theirs.sample(0.5, "k", 96).label == ours.label
        assert not name.isidentifier()  # no file of degrade.ops can take it
    assert describe([record("lens_blur", 0.5)]) == "lens blur(0.50)"
    for near in ("lens_blur", "lens blur"):
        with pytest.raises(UserError, match="Did you mean 'published:lens_blur'"):
            r.narrowed([near])
    with pytest.raises(UserError, match=r"Unknown published formula.*'published:lens_blur'"):
        ops.get("published:lens_blurr")
    assert ops.exists("lens_blur")
    assert ops.exists("published:lens_blur")
    assert not ops.exists("published:vignette")


def test_a_record_is_replayed_by_the_one_that_it_names(photos: torch.Tensor) -> None:
    theirs, ours = record("lens_blur", 0.6), ops.get("lens_blur").sample(0.6, "k", 96)
    both = pipeline.run(photos[[0, 0]], [[theirs], [ours]])
    assert not torch.equal(both[0], both[1])
    with pytest.raises(UserError, match="the record is of published:lens_blur"):
        ops.get("lens_blur").apply(photos[:1], [theirs])
    with pytest.raises(UserError, match="the record is of lens_blur"):
        published.get("published:lens_blur").apply(photos[:1], [ours])
    newer = theirs.model_copy(update={"version": 2})
    with pytest.raises(UserError, match="published:lens_blur is at version 1"):
        pipeline.run(photos[:1], [[newer]])


def test_a_run_of_the_recipe_replays(photos: torch.Tensor, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for n, rgb in enumerate(codecs.to_pixels(photos) * 4):
        Image.fromarray(rgb).save(tmp_path / "src" / f"{n:02}.png")
    told = Synth(
        tmp_path / "src",
        tmp_path / "out",
        recipe.load("robust-r1-published"),
        3,
        Options(workers=2),
    ).run()
    assert told["counts"]["rows"] == 36
    rows = [json.loads(r) for r in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()]
    per_level: list[list[Any]] = [
        [(a["operator"], a["seeds"]) for a in r["applied"] if a["intensity"] == level]
        for level in LEVELS
        for r in rows[LEVELS.index(level) :: 3]
    ]
    assert all(len(found) == 1 for found in per_level)
    assert per_level[:12] == per_level[12:24] == per_level[24:]
    assert {found[0][0] for found in per_level} <= set(published.names())
    found = list(Verifier(tmp_path / "out", None, "cpu", 2).check())
    assert found == [None] * 36


def test_the_grammar_says_nothing_of_formulas_it_does_not_know() -> None:
    row = Row(
        file_name="a.png",
        id="a",
        source_path="a.png",
        width=96,
        height=96,
        encoding="png lossless",
        degradations="lens blur(0.50)",
        applied=(record("lens_blur", 0.5),),
    )
    with pytest.raises(Unwritable, match="published:lens_blur is a formula for comparison"):
        write(row, Question(question="What?", answer="A cat."), None)


def test_each_stage_is_drawn_as_often() -> None:
    r = recipe.load("robust-r1-published")
    stages = [r.draw(str(i), 0, 224)[0].applied[0].stage for i in range(4000)]
    for stage in set(stages):
        assert stages.count(stage) / 4000 == pytest.approx(0.25, abs=0.02)


def test_the_command_lists_them_apart() -> None:
    def shown(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["ops", *arguments])
        assert done.exit_code == code
        return done.output

    assert PUBLISHED not in shown("--json")
    theirs = json.loads(shown("--published", "--json"))
    assert sorted(op["name"] for op in theirs) == published.names()
    listing = "".join(shown("--published").split())
    assert all(op["summary"].split()[0] in listing for op in theirs)
    assert "Defects:" in shown("published:lens_blur")
    assert isinstance(CliRunner().invoke(app, ["ops", "x", "--published"]).exception, UserError)


# ------------------------------------------------------------------------- pictures refused


@pytest.mark.parametrize(("name", "side"), [("watermark_damage", 49), ("block_exchange", 31)])
def test_pictures_that_the_released_code_raises_on_go_to_quarantine(
    name: str, side: int, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    for size in (side, side + 1):
        Image.new("RGB", (80, size), (90, 120, 30)).save(tmp_path / "src" / f"{size}.png")
    chosen = recipe.load("robust-r1-published").narrowed([PUBLISHED + name])
    counts = Synth(tmp_path / "src", tmp_path / "out", chosen, 0, Options(workers=1)).run()[
        "counts"
    ]
    assert (counts["rows"], counts["failures"]) == (3, {"not_degradable": 1})
    (lost,) = map(json.loads, (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines())
    assert lost["id"] == f"{side}.png"
    assert f"{PUBLISHED}{name} needs {side + 1} pixels a side" in lost["detail"]
    assert f"80 x {side}" in lost["detail"]


def test_a_picture_that_opencv_refuses_is_refused_in_words() -> None:
    x = torch.zeros(1, 3, 1, 33_000)
    with pytest.raises(UserError, match=r"turbulence fails on 33000 x 1 pixels.*SHRT_MAX"):
        pipeline.run(x, [[record("atmospheric_turbulence", 0.5, 1)]])


# ------------------------------------------------------------------------------- the document


def test_the_document_lists_every_formula_with_the_figures_of_the_released_code() -> None:
    text = DOCS.read_text("utf-8")
    for name in published.names():
        (line,) = re.findall(rf"^\| `{re.escape(name)}` \|.*$", text, re.MULTILINE)
        assert table.figures(table.RELEASED[name.removeprefix(PUBLISHED)]) in line
        assert table.defects(name) in line


@pytest.mark.parametrize("name", ["dark_illumination", "gaussian_noise", "hsv_saturation"])
def test_damage_is_that_measured_on_the_released_code(name: str) -> None:
    found = table.damage(PUBLISHED + name, [table.natural(256, 256, seed) for seed in range(3)])
    assert found == pytest.approx(table.RELEASED[name], rel=0.35)
