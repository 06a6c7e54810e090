"""The command that reports on a run: where the page goes, what is refused, what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from degrade.cli import app
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.report import page
from degrade.runs import read_json
from tests.evaluation_report_help import Page
from tests.report_help import reportable, run_of, text_of, words
from tests.run_help import ROBUST, pictures, tree
from tests.s3_help import store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return reportable(tmp_path_factory.mktemp("report"))


def report(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_the_command_tells_by_what_it_is_given(made: dict[str, Path], tmp_path: Path) -> None:
    done = report(made["folder"], "--to", tmp_path / "a" / "b.html", "--samples", 2, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["kind"] == "run"
    assert told["samples"] == 2
    assert Path(told["html"]) == tmp_path / "a" / "b.html"
    assert Path(told["html"]).stat().st_size == told["bytes"]
    done = report(made["data"], "--to", tmp_path / "page")
    assert "Open" in done.output
    assert (tmp_path / "page" / "report.html").exists()
    done = report(made["folder"], "--quiet")
    assert done.output == ""
    beside = made["folder"].with_name("run-report.html")
    assert beside.exists()
    assert not (made["folder"] / "report.html").exists()


def test_the_page_is_beside_the_run_also_where_one_stands_in_it(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = made["folder"].with_name("run-report.html")
    for here, given in ((".", "."), ("images", "..")):
        beside.unlink(missing_ok=True)
        monkeypatch.chdir(made["folder"] / here)
        assert report(Path(given), "--quiet").exit_code == 0
        assert beside.exists()
        assert not list(made["folder"].rglob("*-report.html"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--name", "x"], "--name is not for a run or data set"),
        (["--failures", "3"], "--failures is not for"),
        (["SRC"], "of one run or data set"),
        (["--source", "nowhere"], "no folder nowhere"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], message: str, made: dict[str, Path]
) -> None:
    given = [str(made["folder"]) if word == "SRC" else word for word in options]
    done = report(made["folder"], *given)
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)


def test_what_is_nothing_or_not_finished_is_refused(made: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no finished run of `degrade-cli synth` or"):
        page.made(tmp_path, 3)
    unfinished = Synth(made["src"], tmp_path / "out", ROBUST, 0, Options())
    with unfinished.run_folder.opened(False, False):
        pass
    with pytest.raises(UserError, match="not finished"):
        page.made(tmp_path / "out", 3)


@pytest.mark.parametrize("more", [(), ("--failures", 3), ("another",)])
def test_a_folder_that_is_not_there_is_said_before_all_else(more: Any, tmp_path: Path) -> None:
    done = report(tmp_path / "none", *more)
    assert isinstance(done.exception, UserError)
    assert "There is no folder" in str(done.exception)
    assert "`evaluate`" in str(done.exception)


def test_damage_is_named(made: dict[str, Path], tmp_path: Path) -> None:
    out = Path(shutil.copytree(made["folder"], tmp_path / "out"))
    (out / "metadata.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(UserError, match="rows without applied, file_name"):
        page.made(out, 3)
    (out / "metadata.jsonl").write_text('{"id": ')
    with pytest.raises(UserError, match="beyond row 0"):
        page.made(out, 3)
    (out / "run.json").write_text("{}")
    with pytest.raises(UserError, match="damaged"):
        page.made(out, 3)


@pytest.mark.parametrize("column", ["id", "width", "file_name", "source_path"])
def test_a_row_that_lacks_something_is_named(
    column: str, made: dict[str, Path], tmp_path: Path
) -> None:
    out = Path(shutil.copytree(made["folder"], tmp_path / "out"))
    first, *others = (out / "metadata.jsonl").read_text("utf-8").splitlines()
    kept = {k: v for k, v in json.loads(first).items() if k != column}
    (out / "metadata.jsonl").write_text("\n".join([json.dumps(kept), *others]), "utf-8")
    with pytest.raises(UserError, match=f"without {column}"):
        page.made(out, 3)


def test_missing_and_changed_pictures_are_said_and_the_rest_is_shown(
    made: dict[str, Path], tmp_path: Path
) -> None:
    out = Path(shutil.copytree(made["folder"], tmp_path / "out"))
    elsewhere = Path(shutil.copytree(made["src"], tmp_path / "elsewhere"))
    settings = read_json(out / "run.json")
    settings["settings"]["source"] = str(tmp_path / "gone")
    (out / "run.json").write_text(json.dumps(settings))
    told = words(text_of(out))
    assert "--source says where it is" in told
    assert Page(text_of(out)).of("input") == []
    assert "Not shown" not in words(text_of(out, source=elsewhere))
    for path in elsewhere.glob("*.png"):
        Image.new("RGB", (9, 9)).save(path)
    assert "it was changed since" in words(text_of(out, source=elsewhere))
    shutil.rmtree(out / "images")
    assert "cannot be read" in words(text_of(out, source=elsewhere))


def test_a_run_without_damage_has_a_page(tmp_path: Path) -> None:
    clean = ROBUST.model_copy(update={"clean": 1.0})
    out = run_of(pictures(tmp_path / "src", 2), tmp_path / "out", clean)
    told = words(text_of(out))
    assert "No operator was applied" in told
    assert "no degraded picture to show" in told


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_a_run_in_a_store_has_the_same_page(
    kind: str, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with store() as s3:
        for name, data in tree(made[kind]).items():
            s3.put(f"{kind}/run/{name}", data)
        done = report(f"s3://bucket/{kind}/run", "--samples", 3, "--patience", 20)
        assert done.exit_code == 0, done.output
    there, here = (p.read_text("utf-8") for p in _pages(tmp_path, made[kind]))
    assert words(there).replace("Run “run”", "") == words(here).replace(
        f"Run “{made[kind].name}”", ""
    )
    assert Page(there).of("img") == Page(here).of("img")


def _pages(folder: Path, run: Path) -> tuple[Path, Path]:
    assert report(run, "--samples", 3, "--to", folder / "here.html").exit_code == 0
    return folder / "run-report.html", folder / "here.html"
