"""The report of a run or data set: what it says is what is there, and one page holds it all."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from degrade import recipe, timing
from degrade.cli import app
from degrade.report import asked, page, rows
from degrade.runs import read_json
from tests.evaluation_report_help import Page
from tests.report_help import EVIL, reportable, run_of, text_of, words
from tests.run_help import ROBUST, pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return reportable(tmp_path_factory.mktemp("report"))


# ------------------------------------------------------------------------------- one page of it


@pytest.mark.parametrize("kind", ["folder", "parquet", "data", "bench"])
def test_the_page_is_whole_and_asks_for_nothing(kind: str, made: dict[str, Path]) -> None:
    text = text_of(made[kind])
    found = Page(text)
    assert not found.open
    assert not found.of("link") + found.of("iframe")
    for attributes in (a for _, a in found.tags):
        for name in ("src", "href", "action", "data", "srcset"):
            target = attributes.get(name) or "#"
            assert target.startswith(("data:image/", "#")), target
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import", text)
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    assert {a["href"] for a in found.of("a")} <= {f"#{i}" for i in ids}
    for image in found.of("img"):
        assert image["alt"]
    assert all(field["aria-label"] for field in found.of("input"))
    assert len(found.of("input")) >= 3


def test_the_map_explains_pale_rows_only_where_it_can_have_some(made: dict[str, Path]) -> None:
    assert "pale row" not in words(text_of(made["folder"], 0))
    assert "pale row: none in the split" in words(text_of(made["data"], 0))


def test_counts_are_those_of_the_rows(made: dict[str, Path]) -> None:
    lines = (made["folder"] / "metadata.jsonl").read_text().splitlines()
    applied = [json.loads(line)["applied"] for line in lines]
    tally, _ = rows.looked_at(rows.Given(made["folder"]), 0)
    assert tally.rows == len(lines) == 21
    assert tally.operators == Counter(a["operator"] for one in applied for a in one)
    assert tally.per_picture == Counter(map(len, applied))
    for name, count in tally.operators.items():
        assert sum(tally.intensities(name)) == count
    assert sum(map(sum, tally.by_stage.values())) == tally.stages.total()
    counts = read_json(made["folder"] / "run.json")["counts"]
    assert dict(tally.stages) == counts["stages"]
    told = words(text_of(made["folder"]))
    for stage, number in counts["stages"].items():
        assert f"{stage} {number} " in told
    assert "pictures 21" in told
    assert "in quarantine 1" in told


def test_a_folder_and_a_parquet_run_of_the_same_are_told_alike(made: dict[str, Path]) -> None:
    folder, parquet = (rows.looked_at(rows.Given(made[k]), 5) for k in ("folder", "parquet"))
    assert folder[0] == parquet[0]
    assert [row.id for row in folder[1]] == [row.id for row in parquet[1]]


def test_failures_come_with_their_reasons(made: dict[str, Path]) -> None:
    told = words(text_of(made["folder"]))
    assert "1 \u00d7 not a picture" in told
    assert "broken.jpg : no known picture format" in told
    data = words(text_of(made["data"]))
    assert "1 \u00d7 broken" in data
    assert "x.png : no picture" in data


def test_reasons_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    for i in range(9):
        (src / f"bad{i}.jpg").write_text("no picture")
    told = words(text_of(run_of(src, tmp_path / "out")))
    assert "9 \u00d7 not a picture" in told
    assert "bad4.jpg" in told
    assert "bad5.jpg" not in told
    assert "and 4 more" in told


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_pairs_are_the_pictures_of_the_rows_they_name(kind: str, made: dict[str, Path]) -> None:
    given = rows.Given(made[kind])
    _, chosen = rows.looked_at(given, 4)
    found = list(page.seen(given, chosen, None, 10**7))
    for row, one in zip(chosen, found, strict=True):
        assert not one.problem
        with Image.open(made["src"] / row.id) as image:
            clean = np.asarray(image.convert("RGB")).astype(int)
        with Image.open(made["folder"] / row.fields["file_name"]) as image:
            degraded = np.asarray(image.convert("RGB")).astype(int)
        assert one.whole is not None
        for data, wanted in ((one.whole.clean, clean), (one.whole.degraded, degraded)):
            shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
            assert np.abs(shown - wanted).mean() < 12, row.id


def test_pairs_show_as_many_operators_as_fit_whatever_the_order(made: dict[str, Path]) -> None:
    given = rows.Given(made["folder"])
    _, chosen = rows.looked_at(given, 4)
    assert chosen == rows.looked_at(given, 4)[1]
    seen = {a.operator for row in chosen for a in row.applied}
    first = [row for row in given.rows() if row.applied][:4]
    assert len(seen) >= len({a.operator for row in first for a in row.applied})
    assert all(row.applied for row in chosen)
    assert len(rows.looked_at(given, 24)[1]) == sum(bool(r.applied) for r in given.rows())


def test_a_data_sets_row_shows_question_and_chain(made: dict[str, Path]) -> None:
    told = words(text_of(made["data"]))
    assert "What color is the door of house" in told
    assert "<TYPE>" in told
    assert "test_unseen" in told


def test_names_cannot_break_the_page(made: dict[str, Path]) -> None:
    text = text_of(made["folder"], 24)
    assert html.escape(EVIL) in text
    assert EVIL not in text


# --------------------------------------------------------------------------------- what was asked


@pytest.mark.parametrize(
    "options",
    [
        ["--recipe", "robust-r1"],
        ["--recipe", "robust-r1", "--limit", "1"],
        ["--recipe", "single", "--op", "motion_blur", "--intensity", "0.4"],
        ["--recipe", "catalogue", "--families", "common", "--seed", "5"],
        ["--recipe", "imagenet-c", "--op", "fog", "--encode", "jpg", "--max-side", "40"],
    ],
)
def test_the_command_asks_for_the_same_again(options: list[str], tmp_path: Path) -> None:
    src = pictures(tmp_path / "src", 2)
    command = ["synth", str(src), str(tmp_path / "out"), *options]
    assert CliRunner().invoke(app, command).exit_code == 0
    told, needs_file = asked.command(rows.Given(tmp_path / "out"))
    assert not needs_file
    again = [str(tmp_path / "again") if word == "OUT" else word for word in told.split()[1:]]
    assert CliRunner().invoke(app, again).exit_code == 0
    prints = [read_json(tmp_path / name / "run.json")["fingerprint"] for name in ("out", "again")]
    assert prints[0] == prints[1], told


def test_a_recipe_of_ones_own_is_shown_and_loads(tmp_path: Path) -> None:
    mine = recipe.Recipe.model_validate(
        {**ROBUST.model_dump(), "name": "mine", "count": {2: 1.0}, "summary": "Two each."}
    )
    out = run_of(pictures(tmp_path / "src", 1), tmp_path / "out", mine)
    given = rows.Given(out)
    told, needs_file = asked.command(given)
    assert needs_file
    assert "--recipe recipe.yaml" in told
    (tmp_path / "recipe.yaml").write_text(asked.recipe_text(given))
    assert recipe.load(str(tmp_path / "recipe.yaml")).narrowed() == mine.narrowed()


# ----------------------------------------------------------------------------------- size and speed


def test_speed_is_told_where_it_was_measured_and_unknown_elsewhere(
    made: dict[str, Path], tmp_path: Path
) -> None:
    assert "How long it took is not known" in words(text_of(made["folder"]))
    out = tmp_path / "out"
    command = ["synth", str(pictures(tmp_path / "src", 5)), str(out), "--workers", "1"]
    assert CliRunner().invoke(app, command).exit_code == 0
    (session,) = timing.read(out)
    assert (session.sources, session.workers, session.device) == (5, 1, "cpu")
    told = words(text_of(out))
    assert "source pictures a second" in told
    assert "cpu, 1 threads" in told
    timing.note(out, session.model_copy(update={"seconds": 0.5, "sources": 7}))
    assert "2 times" in words(text_of(out))


def test_the_time_of_part_of_a_run_says_so(made: dict[str, Path], tmp_path: Path) -> None:
    out = Path(shutil.copytree(made["folder"], tmp_path / "out"))
    timing.note(out, timing.Session(seconds=2.0, sources=10, workers=1, device="cpu"))
    told = words(text_of(out))
    assert "5.0 source pictures a second" in told
    assert "10 of 22 sources" in told
    (out / timing.TIMING).write_text("no json")
    assert "not known" in words(text_of(out))


def test_the_page_stays_below_10_mb_with_the_worst_of_pictures(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    rng = np.random.default_rng(0)
    for i in range(page.MOST):
        noise = rng.integers(0, 256, (900, 1200, 3), dtype=np.uint8)
        Image.fromarray(noise).save(src / f"{i}.jpg", quality=95)
    out = run_of(src, tmp_path / "out", recipe.load("catalogue"), format="parquet", encode="jpg")
    text, counts = page.made(out, page.MOST)
    assert counts["samples"] == page.MOST
    assert 1e6 < len(text.encode()) < 10e6
    found = Page(text)
    details = [i for i in found.of("img") if (i["alt"] or "").startswith("detail")]
    assert len(details) == page.MOST
    assert "reduced here" in text
