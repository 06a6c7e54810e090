"""Reports of several evaluations: which may stand beside each other, and what is refused."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from degrade.errors import UserError
from degrade.runs import read_json
from degrade.schema import Chain
from degrade.studio.report_tab import ReportTab
from degrade.studio.shelf import sorted_out
from tests.evaluation_help import benchmark, chain_of
from tests.evaluation_report_help import (
    Page,
    evaluated,
    fails_when_strong,
    line_of,
    run,
    says,
    shown,
)
from trainer.evaluation.records import JUDGED, SCORES, SUMMARY
from trainer.evaluation.report import page
from trainer.evaluation.report.cli import page_of
from trainer.evaluation.report.read import Evaluated, benchmark_of, read
from trainer.evaluation.report.versus import versus


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return evaluated(tmp_path_factory.mktemp("report"))


def refused(*folders: Path, **given: Any) -> str:
    with pytest.raises(UserError) as error:
        read(folders, **given)
    return str(error.value)


def test_what_is_no_finished_evaluation_is_refused(made: dict[str, Path], tmp_path: Path) -> None:
    assert "There is no folder" in refused(tmp_path / "nowhere")
    assert "no finished run of `degrade-cli evaluate`" in refused(made["bench"])
    unfinished = tmp_path / "eval"
    (unfinished / ".work").mkdir(parents=True)
    (unfinished / ".work" / "plan.json").write_text("{}")
    assert "is not finished" in refused(unfinished)
    assert "goes on where it was" in refused(unfinished)
    done = run(unfinished)
    assert done.exit_code != 0
    assert isinstance(done.exception, UserError)
    assert "given twice" in refused(made["weak"], made["weak"])
    assert "give one for each" in refused(made["weak"], names=("a", "b"))


def test_evaluations_of_different_benchmarks_or_rows_are_refused_by_name(
    made: dict[str, Path], tmp_path: Path
) -> None:
    other = benchmark(tmp_path / "other", items=4)
    info = read_json(other / "dataset.json")
    info["settings"]["recipe"]["name"] = "another"
    (other / "dataset.json").write_text(json.dumps(info))
    out = says(other, tmp_path / "eval", fails_when_strong)
    told = refused(made["weak"], out)
    assert "'small'" in told
    assert "'another'" in told
    fewer = says(benchmark(tmp_path / "fewer", items=4), tmp_path / "few", fails_when_strong)
    assert "different rows of 'small' (48 and 16)" in refused(made["weak"], fewer)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("circular", True, "one has --circular"),
        ("rules", 0, "rules of different versions"),
        ("judge", {"model": "m"}, "different judges"),
    ],
)
def test_what_counts_as_right_must_be_the_same_where_models_are_compared(
    setting: str, value: Any, told: str, made: dict[str, Path], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(made["weak"], tmp_path / "other"))
    summary = read_json(other / SUMMARY)
    summary["settings"][setting] = value
    (other / SUMMARY).write_text(json.dumps(summary))
    with pytest.raises(UserError, match=told):
        read((made["weak"], other))


def test_an_evaluation_whose_files_are_damaged_is_refused_by_name(
    made: dict[str, Path], tmp_path: Path
) -> None:
    short = Path(shutil.copytree(made["weak"], tmp_path / "short"))
    lines = (short / JUDGED).read_text("utf-8").splitlines(keepends=True)
    (short / JUDGED).write_text("".join(lines[1:]), "utf-8")
    with pytest.raises(UserError, match=r"judged\.jsonl is damaged: it has 47 of 48 rows"):
        read([short])
    empty = Path(shutil.copytree(made["weak"], tmp_path / "empty"))
    (empty / SCORES).write_text('{"controls": {"none": {}}}')
    with pytest.raises(UserError, match=r"scores\.json is damaged: accuracy, cost"):
        read([empty])


def test_benchmark_that_moved_or_changed_is_named(made: dict[str, Path], tmp_path: Path) -> None:
    bench = benchmark(tmp_path / "bench", items=4)
    out = says(bench, tmp_path / "eval", fails_when_strong)
    moved = bench.rename(tmp_path / "elsewhere")
    models = read([out])
    with pytest.raises(UserError, match="--bench"):
        benchmark_of(models, None)
    others = benchmark(tmp_path / "others", items=4, task="vqa")
    with pytest.raises(UserError, match="its rows differ"):
        benchmark_of(models, others)
    assert benchmark_of(models, made["bench"]).folder == made["bench"]  # it holds the same and more
    assert run(out, "--bench", moved).exit_code == 0
    assert run(out, "--failures", 0).exit_code == 0


def test_two_models_of_one_name_are_told_apart(made: dict[str, Path]) -> None:
    found = read([made["weak"], made["sees"]], names=("m", "m"))
    assert [m.name for m in found] == ["m (weak)", "m (sees)"]


def test_rows_that_one_model_lacks_are_left_out_and_counted(made: dict[str, Path]) -> None:
    first, second = read([made["weak"], made["sees"]])
    fewer = Evaluated(**{**vars(second), "judged": second.judged[1:]})
    part = versus([first, fewer])
    assert "1 answers of A or B have no counterpart" in part.text[1]
    assert line_of(part.tables[0], "all")[2].n == "n = 47"


def test_pictures_of_plots_are_what_they_say(made: dict[str, Path]) -> None:
    found = Page(page.render(shown(made["weak"]), page.HTML))
    for attributes in found.of("img"):
        head, _, data = (attributes["src"] or "").partition(";base64,")
        raw = base64.b64decode(data, validate=True)
        assert head in ("data:image/svg+xml", "data:image/webp")
        assert raw.startswith(b"<?xml") if "svg" in head else raw[8:12] == b"WEBP"


def test_chains_of_the_help_are_chains() -> None:
    assert isinstance(Chain.parse(chain_of([], "0")), Chain)


def test_the_page_of_one_evaluation_is_made_for_the_studio_and_not_written(
    made: dict[str, Path],
) -> None:
    before = sorted(path.name for path in made["odd"].iterdir())
    text = page_of(made["odd"])
    assert text.startswith("<!doctype html>") or text.startswith("<!DOCTYPE html>")
    assert "Evaluation on" in text
    assert sorted(path.name for path in made["odd"].iterdir()) == before
    shown = ReportTab.__new__(ReportTab)
    shown.shelf, shown.make = sorted_out([made["odd"]]), page_of
    framed = shown.show(str(made["odd"]))
    assert 'sandbox="allow-scripts"' in framed
    assert "<script" not in framed  # the page is an attribute of its frame
