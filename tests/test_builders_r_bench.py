"""R-Bench's release as a source: its tables as published, its distortions by name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.sources import Item, read_spec
from builders.table import Dataset
from degrade.errors import UserError
from tests.benchmark_help import b64, built, table
from tests.sources_help import jpeg

CAPTIONS = ["A row of parked cars.", "Cars at 'parking' meters.", "A street.", "A car.", "Meters"]
PROMPT = "Please describe this image in general."
RELEASE: list[dict[str, Any]] = [
    {"name": "MMBench_35.jpg", "question": "What is its function?", "answer": "C", "type": "MCQ",
     "choice": "A.running; B.Play football; C.Play tennis; D.Play basketball",
     "distortion": 1, "strength": 2},
    {"name": "WildMCQ_69.jpg", "question": "What color?", "answer": "E", "type": "MCQ",
     "choice": "A.red;B.white;C.black;D.orange\u00a3\u00bbE.yellow", "distortion": 2,
     "strength": 3},
    {"name": "OKVQA_2.jpg", "question": "What type of bike is it?", "answer": "bmx", "type": "VQA",
     "choice": "N", "distortion": 16, "strength": 1},
    {"name": "COCO_6.jpg", "question": PROMPT, "answer": repr(CAPTIONS), "type": "CAP",
     "choice": "N", "distortion": 33, "strength": 3},
]  # fmt: skip


def release(path: Path, rows: list[dict[str, Any]] = RELEASE, flat: bool = False) -> Path:
    """R-Bench's Parquet: a reference and a degraded picture in every row."""

    def pictures(i: int) -> dict[str, Any]:
        ref, dis = jpeg(i), jpeg(100 + i)
        if flat:
            return {"ref_image.bytes": ref, "dis_image.bytes": dis}
        return {"ref_image": {"bytes": ref, "path": None}, "dis_image": {"bytes": dis}}

    pq.write_table(pa.Table.from_pylist([{**r, **pictures(i)} for i, r in enumerate(rows)]), path)
    return path


@pytest.mark.parametrize("flat", [False, True])
def test_r_bench_is_read_as_published(tmp_path: Path, flat: bool) -> None:
    clean = built("r-bench", release(tmp_path / "test.parquet", flat=flat), tmp_path / "out")
    assert [row.item for row in clean] == [
        "r-bench/MMBench_35-01",
        "r-bench/WildMCQ_69-02",
        "r-bench/OKVQA_2-16",
        "r-bench/COCO_6-33",
    ]
    assert [row.task for row in clean] == ["mcq", "mcq", "vqa", "caption"]
    assert clean[0].choices == ("running", "Play football", "Play tennis", "Play basketball")
    assert clean[1].choices == ("red", "white", "black", "orange", "yellow")
    assert [(r.answer, r.answer_as) for r in clean[:3]] == [
        ("C", "letter"),
        ("E", "letter"),
        ("bmx", "text"),
    ]
    assert clean[3].references == tuple(CAPTIONS)
    assert clean[3].answer == CAPTIONS[0]
    data = Dataset(tmp_path / "out")
    assert data.info["settings"]["recipe"]["published"]
    assert list(data.splits) == ["clean", "level_033", "level_067", "level_100"]
    damaged = {e.row.item: e for split in data.splits[1:] for e in data.entries(split)}
    levels = [damaged[row.item].row.level for row in clean]
    assert levels == [0.67, 1.0, 0.33, 1.0]
    for i, row in enumerate(clean):
        entry = damaged[row.item]
        assert (entry.image, entry.clean) == (jpeg(100 + i), jpeg(i))
        assert entry.row.id == f"{row.item}@{levels[i]:.2f}"
        assert not entry.row.applied
        assert entry.row.came_degraded
    assert damaged[clean[0].item].row.source_tags == (
        "distortion=1",
        "step=Environment",
        "group=Blur",
        "strength=2",
        "task=MCQ",
    )
    tags = data.info["counts"]["splits"]["level_100"]["tags"]
    assert (tags["group=Wild"], tags["step=Enhance"], tags["task=CAP"]) == (1, 1, 1)


def pair(folder: Path, labelled: bool) -> Path:
    """R-Bench's two tables for VLMEvalKit, with the release's list of labels beside them or not."""
    folder.mkdir()
    questions = RELEASE[:2]
    for name, start in (("R-bench-ref.tsv", 0), ("R-bench-dis.tsv", 100)):
        rows = []
        for i, row in enumerate(questions):
            options = [o.partition(".")[2] for o in row["choice"].replace("\u00a3\u00bb", ";")
                       .split(";")]  # fmt: skip
            cells = dict(zip("ABCDE", options, strict=False))
            told = {} if labelled else {k: row[k] for k in ("distortion", "strength")}
            rows.append(
                {"index": i, "image": b64(start + i), "question": row["question"], **cells,
                 "answer": row["answer"], **told}
            )  # fmt: skip
        table(folder / name, rows)
    if labelled:
        with (folder / "Ref_Release.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [*RELEASE[0], "score"])
            writer.writeheader()
            writer.writerows({**row, "score": 3.5} for row in RELEASE)
    return folder


@pytest.mark.parametrize("labelled", [True, False])
def test_r_bench_s_two_tables_are_one_benchmark(tmp_path: Path, labelled: bool) -> None:
    clean = built("r-bench", pair(tmp_path / "rb", labelled), tmp_path / "out")
    assert [(r.item, r.answer, len(r.choices)) for r in clean] == [
        ("r-bench/0", "C", 4),
        ("r-bench/1", "E", 5),
    ]
    damaged = {e.row.level: e for e in Dataset(tmp_path / "out").entries() if e.row.level}
    assert {level: e.image for level, e in damaged.items()} == {0.67: jpeg(100), 1.0: jpeg(101)}
    assert damaged[1.0].row.source_tags[:2] == ("distortion=2", "step=Environment")


def rb_items(path: Path) -> list[Item]:
    return list(read_spec({"kind": "r-bench", "name": "r", "path": str(path)}).items(path, None))


def test_r_bench_s_rows_that_cannot_be_read_have_a_reason(tmp_path: Path) -> None:
    odd = [
        {**RELEASE[0], "type": "MCX"},
        {**RELEASE[0], "strength": 4},
        {**RELEASE[0], "choice": "running or football"},
        {**RELEASE[0], "answer": "F"},
    ]
    found = rb_items(release(tmp_path / "test.parquet", odd))
    assert [item.problem for item in found] == ["malformed_row"] * 2 + ["malformed_choices", ""]
    with pytest.raises(UserError, match="'F' is none of"):
        built("r-bench", release(tmp_path / "one.parquet", odd[3:]), tmp_path / "out")


def test_r_bench_s_files_that_are_not_its_own_are_refused(tmp_path: Path) -> None:
    lost = [{k: v for k, v in row.items() if k != "strength"} for row in RELEASE]
    with pytest.raises(UserError, match="has no column 'strength'; it has name, question"):
        rb_items(release(tmp_path / "test.parquet", lost))
    folder = pair(tmp_path / "rb", labelled=True)
    (folder / "Ref_Release.csv").rename(tmp_path / "elsewhere.csv")
    with pytest.raises(UserError, match=r"put the release's Ref_Release\.csv there"):
        rb_items(folder)
    given_ = {"kind": "r-bench", "name": "r", "path": str(folder)}
    spec = read_spec({**given_, "labels": str(tmp_path / "elsewhere.csv")})
    assert [item.level for item in spec.items(tmp_path, None)] == [0.67, 1.0]
    text = (folder / "R-bench-ref.tsv").read_text()
    (folder / "R-bench-ref.tsv").write_text(text.replace("What color?", "What colour?"))
    with pytest.raises(UserError, match="not of the same questions: row '1' meets row '1'"):
        list(spec.items(tmp_path, None))
    (folder / "R-bench-ref.tsv").unlink()
    with pytest.raises(UserError, match=r"no R-bench-ref\.tsv"):
        rb_items(folder)
