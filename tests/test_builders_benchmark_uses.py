"""What is done with a benchmark: validate, export, card, publish, replay."""

from __future__ import annotations

import base64
import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from builders import hub
from builders.benchmark import BenchmarkBuild, load
from builders.card import as_html, write_card
from builders.export import lmms_utils
from builders.exporting import export
from builders.recipe_file import TABLE, write_recipe
from builders.replay import replay
from builders.sources import read_spec
from builders.staged import Machine
from builders.table import CARD, DATA, Dataset
from builders.validate import Report, validate
from degrade.errors import UserError
from degrade.runs import pretty, read_json
from tests.build_help import card, silent
from tests.dataset_faults import Columns, change, edit, errors, recorded
from tests.test_builders_benchmark import LEVELS, build, recipe
from tests.test_builders_r_bench import RELEASE, release

SCENES = {"kind": "scenes", "name": "scenes", "rows": 18, "size": [192, 160], "seed": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen scenes at the default levels."""
    out = tmp_path_factory.mktemp("made") / "scenes"
    build(out, recipe(sources=[SCENES], name="scenes"))
    return out


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """R-Bench, whose pictures come degraded."""
    folder = tmp_path_factory.mktemp("published")
    chosen, base = load("r-bench")
    source = str(release(folder / "test.parquet"))
    BenchmarkBuild(chosen.reading(source), base, folder / "out", card, Machine()).run(silent)
    return folder / "out"


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


# ------------------------------------------------------------------------------------- validate


def checked(folder: Path) -> Report:
    return validate(folder, sample=0, device="cpu", workers=2)


def test_a_benchmark_is_valid(made: Path, published: Path) -> None:
    for folder, rows in ((made, 72), (published, 8)):
        report = checked(folder)
        assert errors(report) == set()
        assert report.checks["levels"] == rows
    assert not validate(made).codes("warning")


LAST = "level_100"


def _gone(rows: list[Columns]) -> None:
    del rows[4]


def _swapped(rows: list[Columns]) -> None:
    rows[0]["item"], rows[1]["item"] = rows[1]["item"], rows[0]["item"]


def _record(row: Columns, name: str, intensity: float) -> None:
    (applied,) = recorded(name, intensity)
    side = int(min(row["width"], row["height"]))
    row["applied"] = [{**applied.model_dump(mode="json"), "short_side": side}]


def _reseeded(rows: list[Columns]) -> None:
    row = next(r for r in rows if r["applied"][0]["seeds"])
    row["applied"][0]["seeds"][0]["value"] += 1


FAULTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "an item that a level lacks": ("level_items", edit(_gone, LAST)),
    "a question put otherwise at a level": ("level_question", change(LAST, 2, question="Which?")),
    "options in another order at a level": (
        "level_question",
        edit(lambda rows: rows[3].update(choices=rows[3]["choices"][::-1]), LAST),
    ),
    "another answer at a level": (
        "level_question",
        edit(lambda rows: rows[3].update(answer=rows[3]["choices"][0] + "?"), LAST),
    ),
    "another operator at a level": (
        "level_draws",
        edit(lambda rows: _record(rows[5], "graffiti", 1.0), LAST),
    ),
    "another seed at a level": ("level_draws", edit(_reseeded, LAST)),
    "an intensity that is not the level's": (
        "level_intensity",
        edit(lambda rows: _record(rows[0], rows[0]["applied"][0]["operator"], 0.7), LAST),
    ),
    "a row of another level": ("level_split", change(LAST, 0, level=0.5)),
    "an id of another level": ("level_split", change(LAST, 0, id="scenes/000000@0.99")),
    "items that were swapped": ("level_split", edit(_swapped, LAST)),
    "another clean picture at a level": (
        "level_picture",
        edit(lambda rows: rows[0].update(clean_sha256="0" * 64), LAST),
    ),
    "another group at a level": ("level_picture", change(LAST, 0, group="elsewhere")),
    "a damaged picture among the undamaged": (
        "level_clean",
        edit(lambda rows: _record(rows[0], "graffiti", 0.0), "clean"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_difference_between_levels_is_told(fault: str, data: Path) -> None:
    code, plant = FAULTS[fault]
    plant(data)
    assert code in errors(checked(data))


def test_a_picture_of_r_bench_may_be_of_another_size_than_its_reference(published: Path) -> None:
    assert errors(checked(published)) == set()
    assert {e.row.encoding for e in Dataset(published).entries()} == {"jpg original"}


# --------------------------------------------------------------------------------------- export


def test_vlmevalkit_gets_one_table_that_reports_robustness_by_itself(
    made: Path, tmp_path: Path
) -> None:
    export(Dataset(made), "vlmevalkit", tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*.tsv")
    csv.field_size_limit(sys.maxsize)
    wanted = {e.row.id: e for e in Dataset(made).entries()}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", strict=True))
    assert [row["id"] for row in rows] == list(wanted)
    assert [int(row["index"]) for row in rows] == list(range(72))
    operators = {e.row.item: e.row.types[0].label for e in wanted.values() if e.row.types}
    for row in rows:
        entry = wanted[row["id"]]
        assert base64.b64decode(row["image"]) == entry.image
        assert row["split"] == entry.row.split
        assert row["category"] == operators[entry.row.item]  # also of the undamaged
        assert row["l2-category"] in {"acquisition", "transmission", "environment",
                                      "postprocessing"}  # fmt: skip
    # As its report groups: no cell of the table is empty.
    table = pd.read_csv(path, sep="\t")
    for column in ("category", "l2-category"):
        cells = table.groupby(["split", column]).size().unstack()
        assert list(cells.index) == LEVELS
        assert not cells.isna().any().any()
    assert not validate(tmp_path / "out").counts


def test_lmms_eval_gets_a_task_with_the_accuracy_of_each_level(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(Dataset(made), "lmms-eval", out)
    assert {p.name for p in out.glob("*.yaml")} == {
        "common.yaml",
        "scenes.yaml",
        "scenes_chain.yaml",
    }
    task = yaml.safe_load((out / "scenes.yaml").read_text())
    files = task["dataset_kwargs"]["data_files"][task["test_split"]]
    assert [name.split("-")[0] for name in files] == [f"data/{level}" for level in LEVELS]
    lines = (out / "common.yaml").read_text().splitlines()
    metrics = {line.partition("metric: ")[2] for line in lines if "metric: " in line}
    found: dict[str, list[float]] = {}
    for entry in Dataset(made).entries(pictures=False):
        row = entry.row
        doc = row.model_dump() | {"stages": [a.stage for a in row.applied]}
        reply = row.answer if not row.level or row.level < 0.6 else "none of them"
        for name, value in lmms_utils.process_results(doc, [reply]).items():
            found.setdefault(name, []).append(value)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    assert set(means) <= metrics
    assert means["acc"] == 0.75
    assert [means[f"acc_{level}"] for level in LEVELS] == [1.0, 1.0, 1.0, 0.0]
    assert means["acc_degraded"] == pytest.approx(2 / 3)
    assert not validate(out).counts


def test_r_bench_goes_to_evaluators_by_its_own_groups(published: Path, tmp_path: Path) -> None:
    told = export(Dataset(published), "vlmevalkit", tmp_path / "out")
    assert told["left_out"] == {"no_choices": 4}
    (path,) = (tmp_path / "out").glob("*.tsv")
    table = pd.read_csv(path, sep="\t").set_index("id")
    for level in ("0.00", "0.67"):
        row = table.loc[f"r-bench/MMBench_35-01@{level}"]
        assert (row["category"], row["l2-category"]) == ("Blur", "Environment")
    assert export(Dataset(published), "lmms-eval", tmp_path / "l")["left_out"] == {"caption": 2}
    doc = {"choices": [], "answer_text": "bmx", "answer_as": "text", "stages": [], "level": 0.33}
    scored = lmms_utils.process_results({**doc, "split": "level_033"}, ["BMX"])
    assert scored == {"acc": 1.0, "acc_degraded": 1.0, "acc_level_033": 1.0}


def test_one_level_alone_and_files_to_look_at(made: Path, tmp_path: Path) -> None:
    told = export(Dataset(made), "vlmevalkit", tmp_path / "one", splits=["level_050"])
    assert told["counts"] == {"level_050": 18}
    export(Dataset(made), "imagefolder", tmp_path / "files")
    assert not validate(tmp_path / "files").counts
    text = (tmp_path / "files" / "level_025" / "metadata.jsonl").read_text()
    assert json.loads(text.splitlines()[0])["level"] == 0.25
    with pytest.raises(UserError, match="72 no_chain"):
        export(Dataset(made), "llamafactory", tmp_path / "train")


# ------------------------------------------------------------------------------ card, push, replay


def test_the_card_says_levels_operators_and_protocol(data: Path) -> None:
    text = write_card(data, "degrade-cli build benchmark scenes OUT").read_text()
    assert "**18 questions**" in text
    assert "levels 0.25, 0.5, 1" in text
    assert "| `level_100` | 1 | 18 |" in text
    for name in Dataset(data).info["counts"]["splits"]["level_100"]["operators"]:
        assert f"| {name.replace('_', ' ')} |" in text
    assert "the operators of `degrade`, at these intensities" in text
    assert "chain" not in text.replace("chains", "").split("## Columns")[0].split("## Splits")[1]
    assert (data / "assets" / "examples.png").stat().st_size > 20_000
    assert "<img" in as_html(data).read_text()


def test_the_card_of_a_set_that_came_degraded_says_by_what(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "rb"))
    text = write_card(folder, "degrade-cli build benchmark r-bench OUT").read_text()
    assert "the pictures as the source publishes them" in text
    assert "| group=Wild |" in text
    assert text.index("distortion=2 ") < text.index("distortion=16 ")


def licensed(folder: Path, name: str) -> None:
    for path in (folder / DATA).glob("*.parquet"):
        part = path.name.partition("-")[0]
        edit(lambda rows: [row.update(license=name) for row in rows], part)(folder)


def test_a_license_without_derivatives_lets_only_the_records_out(
    data: Path, tmp_path: Path
) -> None:
    licensed(data, "CC-BY-ND-4.0")
    with pytest.raises(UserError, match=r"must not be passed on changed.*--recipe-only"):
        hub.push(data, "me/bench", dry_run=True)
    told = hub.push(data, "me/bench", dry_run=True, recipe_only=True)
    assert TABLE in {file["path"] for file in told["files"]}
    assert not any(file["path"].startswith(f"{DATA}/") for file in told["files"])


def test_a_published_benchmark_has_its_command_on_the_card(data: Path) -> None:
    (data / CARD).unlink()
    hub.push(data, "me/bench", dry_run=True)
    assert "degrade-cli build benchmark recipe.yaml" in (data / CARD).read_text()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_benchmark_is_replayed_byte_for_byte(made: Path, tmp_path: Path, workers: int) -> None:
    table = write_recipe(made, tmp_path / TABLE)
    told = replay(table, None, tmp_path / "out", device="cpu", workers=workers)
    assert told["counts"]["replay"] == {"identical": 72}
    for path in (made / DATA).glob("*"):
        assert (tmp_path / "out" / DATA / path.name).read_bytes() == path.read_bytes()
    assert errors(checked(tmp_path / "out")) == set()


def test_undamaged_jpegs_and_pictures_that_came_degraded_are_found_in_the_source(
    published: Path, tmp_path: Path
) -> None:
    table = write_recipe(published, tmp_path / TABLE)
    given: dict[str, Any] = {"kind": "r-bench", "name": "r-bench"}
    source = read_spec({**given, "path": str(published.parent / "test.parquet")})
    told = replay(table, source, tmp_path / "out", device="cpu")
    assert told["counts"]["replay"] == {"identical": 8}
    other = release(tmp_path / "less.parquet", RELEASE[:3])
    less = read_spec({**given, "path": str(other)})
    told = replay(table, less, tmp_path / "less", device="cpu")
    assert told["counts"]["failures"] == {"missing_picture": 2}
    assert told["counts"]["replay"] == {"identical": 6}


def test_counts_tell_tasks(published: Path) -> None:
    counts = read_json(published / "dataset.json")["counts"]["splits"]
    assert counts["clean"]["tasks"] == {"caption": 1, "mcq": 2, "vqa": 1}
    assert pretty(counts)
