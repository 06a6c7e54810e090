"""Browsing in the studio: what filters find, what is shown, and what is never opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from degrade import recipe
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.studio import browse_tab, cells, shelf, tables
from tests.conftest import PHOTOS
from tests.dataset_help import picture, small_dataset

MOST = 10**7


def synth(src: Path, out: Path, text: str, seed: int = 0, fmt: str = "folder") -> None:
    (file := out.parent / f"{out.name}.yaml").write_text(text)
    chosen = recipe.load(str(file))
    Synth(src, out, chosen, seed, Options(format=fmt, workers=1)).run()  # type: ignore[arg-type]


FOUR = """
name: four
summary: Four operators.
stages: {acquisition: [lens_blur, gaussian_noise], transmission: [jpeg_compression, block_loss]}
count: {1: 1, 2: 1}
clean: 0.1
intensity: {low: 0.1, high: 0.9}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("studio")
    (source := folder / "photos").mkdir()
    for number in range(40):
        Image.fromarray(picture(number)).save(source / f"p{number:02}.png")
    (source / "broken.png").write_bytes(b"no picture")
    text = FOUR.replace("gaussian_noise", "vignetting")
    synth(source, folder / "run", text)
    synth(source, folder / "parquet", text, fmt="parquet")
    small_dataset(folder / "data", rows=12)
    return {path.name: path for path in folder.iterdir() if path.is_dir()}


@pytest.mark.parametrize("kind", ["run", "parquet"])
def test_filters_find_the_rows_that_the_records_say(kind: str, runs: dict[str, Path]) -> None:
    table = tables.Table(runs[kind])
    rows = [json.loads(s) for s in (runs["run"] / "metadata.jsonl").read_text().splitlines()]
    assert len(table) == 41
    assert table.status.names == ["not_a_picture", "ok"]

    def ids(**wanted: object) -> list[str]:
        found = table.matching(tables.Filters(**wanted))  # type: ignore[arg-type]
        return [row["id"] for row in table.read(list(found))]

    assert ids() == [*(row["id"] for row in rows), "broken.png"]
    for name in ("lens_blur", "jpeg_compression"):
        has = [r["id"] for r in rows if name in {a["operator"] for a in r["applied"]}]
        assert ids(operator=name) == has
        assert has
    strong = [
        r["id"]
        for r in rows
        if any(a["stage"] == "transmission" and 0.5 <= a["intensity"] <= 0.7 for a in r["applied"])
    ]
    assert ids(stage="transmission", low=0.5, high=0.7) == strong
    assert strong
    bare = [r["id"] for r in rows if not r["applied"]]
    assert ids(operator=tables.CLEAN) == bare  # and nothing of the quarantine
    assert (tables.CLEAN in table.operators) == bool(bare)
    assert ids(status="not_a_picture") == ["broken.png"]
    assert table.splits == (["train"] if kind == "parquet" else [])


def test_a_data_set_is_found_by_split_and_use(runs: dict[str, Path]) -> None:
    table = tables.Table(runs["data"])
    assert "train" in table.splits
    assert "train sft" in table.splits
    whole, part = (len(table.matching(tables.Filters(split=s))) for s in ("train", "train sft"))
    assert whole == 12
    assert 0 < part < whole
    (row,) = table.read([int(table.matching(tables.Filters(split="validation"))[0])])
    shown = cells.row_cells(table, 1, row, (), MOST)
    assert shown.count("<img") == 2
    assert 'class="dg-chain"' in shown


def test_clean_pictures_come_only_from_folders_that_were_given(runs: dict[str, Path]) -> None:
    table = tables.Table(runs["run"])
    (row,) = table.read([0])
    assert cells.row_cells(table, 1, row, [runs["photos"]], MOST).count("<img") == 2
    alone = cells.row_cells(table, 1, row, [], MOST)
    assert alone.count("<img") == 1
    assert "give the run&#x27;s source beside it" in alone


@pytest.mark.parametrize("name", ["../secret.png", "images/../../secret.png", "link.png", "a\0b"])
def test_no_row_leads_out_of_its_folder(name: str, runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["run"], tmp_path / "run")
    Image.fromarray(picture(99)).save(tmp_path / "secret.png")
    (tmp_path / "run" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "run" / "images" / "in.png").symlink_to(next((tmp_path / "run/images").iterdir()))
    table = tables.Table(tmp_path / "run")
    (row,) = table.read([0])
    row |= {"file_name": name, "source_path": name}
    assert "<img" not in cells.row_cells(table, 1, row, [tmp_path / "run"], MOST)
    assert shelf.inside(tmp_path / "run", "images/in.png")
    shown = cells.row_cells(table, 1, {"id": "a", "applied": []}, [tmp_path / "run"], MOST)
    assert "not in the run any more" in shown


def test_damaged_files_are_told_and_the_rest_is_shown(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(runs["data"], tmp_path / "data")
    first, *_ = sorted((tmp_path / "data" / "data").glob("*.parquet"))
    table = tables.Table(tmp_path / "data")
    whole = len(table)
    data = first.read_bytes()
    first.write_bytes(data[: len(data) // 2])
    assert any("problem" in row for row in table.read(range(whole)))
    damaged = tables.Table(tmp_path / "data")
    assert 0 < len(damaged) < whole
    assert first.name in damaged.problems[0]
    tab = browse_tab.BrowseTab.__new__(browse_tab.BrowseTab)
    tab.shelf, tab.max_pixels = shelf.sorted_out([tmp_path / "data"]), MOST
    asked = (str(tmp_path / "data"), "any", "any", 0.0, 1.0, "any", "any", 6, 1)
    count, rows, _ = tab.show(*asked)
    assert first.name in count
    assert rows.count("<article") == 6
    shutil.rmtree(tmp_path / "data")
    count, rows, _ = tab.show(*asked)
    assert "not there any more" in count
    assert not rows


def test_an_index_follows_the_files(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["run"], tmp_path / "run")
    before = browse_tab.opened(tmp_path / "run")
    assert browse_tab.opened(tmp_path / "run") is before
    file = tmp_path / "run" / "metadata.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:5]))
    assert len(browse_tab.opened(tmp_path / "run")) == 6


def test_chains_are_shown_with_the_run_that_they_were_written_for(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    done = [sys.executable, "-m", "degrade.cli", "annotate", str(runs["run"]), str(tmp_path / "c")]
    subprocess.run(done, check=True, capture_output=True)
    table = tables.Table(runs["run"], [runs["data"], tmp_path / "c"])
    (row,) = table.read([0])
    assert 'class="dg-chain"' in cells.row_cells(table, 1, row, [], MOST)
    assert tables.Table(runs["parquet"], [tmp_path / "c"]).annotations is None


def test_paths_are_what_they_hold(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>")
    given = [*runs.values(), PHOTOS / "cat.jpg", tmp_path / "report.html", tmp_path]
    found = shelf.sorted_out(given)
    assert set(found.tables) == {str(runs[k]) for k in ("run", "parquet", "data")}
    assert len(found.pictures) == 42
    assert found.folders == (runs["photos"],)
    assert list(found.reports) == [str(tmp_path / "report.html"), str(tmp_path)]
    (tmp_path / "begun" / ".work").mkdir(parents=True)
    (tmp_path / "begun" / ".work" / "plan.json").write_text("{}")
    with pytest.raises(UserError, match="unfinished job"):
        shelf.sorted_out([tmp_path / "begun"])
    with pytest.raises(UserError, match="does not exist"):
        shelf.sorted_out([tmp_path / "nothing"])
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(UserError, match="no picture and no report"):
        shelf.sorted_out([tmp_path / "x.txt"])


def test_eleven_thousand_rows_are_paged_by_a_small_index(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs["run"], tmp_path / "run", ignore=lambda folder, names: ["images"])
    rows = [json.loads(s) for s in (runs["run"] / "metadata.jsonl").read_text().splitlines()]
    with (tmp_path / "run" / "metadata.jsonl").open("w") as file:
        for copy in range(275):
            file.writelines(json.dumps(r | {"id": f"{r['id']}~{copy}"}) + "\n" for r in rows)
    table = tables.Table(tmp_path / "run")
    assert len(table) == 11_001
    arrays = [table.file, table.place, table.chains, table.step_row, table.intensity]
    arrays += [c.codes for c in (table.split, table.status, table.operator, table.stage)]
    assert sum(a.nbytes for a in arrays) < 80 * len(table)
    read: list[int] = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda line: read.append(len(line)) or loads(line))
    found = table.matching(tables.Filters(operator="lens_blur"))
    page = table.read([int(row) for row in found[-6:]])
    assert len(read) == 6
    assert all("lens blur" in row["degradations"] for row in page)
