"""The build: splits as asked, rows once each, the same bytes again, nothing lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from builders import recipe as recipes
from builders.sources import Item
from builders.table import Dataset, Example
from degrade import images
from degrade.schema import Question
from degrade.verify import replay
from tests.build_help import Houses, build, digests, recipe, rows_of
from tests.dataset_help import WORDS, picture


def test_every_split_has_its_rows_and_a_chain_for_each(tmp_path: Path) -> None:
    result = build(tmp_path / "out", recipe())
    assert result.info is not None
    assert not result.already_finished
    rows = rows_of(tmp_path / "out")
    assert Counter((r.split, r.use) for r in rows) == {
        ("train", "sft"): 6,
        ("train", "rl"): 18,
        ("validation", ""): 4,
        ("test_unseen", ""): 4,
    }
    assert {r.status for r in rows} == {"ok"}
    assert len({r.id for r in rows}) == 32
    for row in rows:
        chain = row.parsed
        assert chain is not None
        assert (chain.types, chain.answer) == (row.types, row.answer)
        assert row.answer == str(row.answer_index)
        assert row.choices[row.answer_index] == row.answer_text == WORDS[int(row.id[-4:]) % 4]
    assert not (tmp_path / "out.build").exists()
    counts = result.info["counts"]
    assert counts["rows"] == counts["ok"] == 32
    assert set(result.info["chains"]) == set(counts["splits"])


def test_what_is_held_out_occurs_only_where_it_may(tmp_path: Path) -> None:
    build(tmp_path / "out", recipe())
    held = {"motion_blur", "scan_lines"}
    for row in rows_of(tmp_path / "out"):
        for a in row.applied:
            assert (a.operator in held) == (row.split == "test_unseen")
            assert (a.intensity in (0.1, 0.5)) == (row.split == "test_unseen")


def test_near_duplicates_share_a_split(tmp_path: Path) -> None:
    source = {"kind": "houses", "name": "houses", "count": 16, "copies": 16}
    build(tmp_path / "out", recipe(sources=[source]))
    places: dict[str, set[str]] = {}
    for row in rows_of(tmp_path / "out"):
        places.setdefault(row.id[-2:].lstrip("y").zfill(2), set()).add(row.split)
        places.setdefault(row.group, set()).add(row.split)
    assert all(len(splits) == 1 for splits in places.values())
    assert len({row.group for row in rows_of(tmp_path / "out")}) == 16


def test_a_build_does_not_depend_on_workers_and_a_finished_one_is_left_alone(
    tmp_path: Path,
) -> None:
    build(tmp_path / "one", recipe(), workers=1)
    build(tmp_path / "two", recipe(), workers=3)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "one").rglob("*")}
    assert build(tmp_path / "one", recipe()).already_finished
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "one").rglob("*")} == before


def test_bad_rows_are_kept_with_a_reason_and_replaced(tmp_path: Path) -> None:
    source = {"kind": "houses", "name": "houses", "broken": [2, 5], "missing": [7], "copies": 0}
    result = build(tmp_path / "out", recipe(sources=[source]))
    assert result.info is not None
    counts = result.info["counts"]
    assert counts["failures"] == {"missing_picture": 1, "not_a_picture": 2}
    lines = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == {
        "houses/0002",
        "houses/0005",
        "houses/0007",
    }
    assert counts["rows"] == 32


def test_presets_are_valid_and_the_paper_one_has_its_numbers() -> None:
    for name in recipes.preset_names():
        chosen, _ = recipes.load(name)
        assert chosen.name == name
    paper, _ = recipes.load("robust-r1-11k")
    assert paper.splits["train"].parts() == {"sft": 2500, "rl": 7500}
    assert paper.splits["validation"].rows == 1000
    for split in paper.splits:
        assert paper.degradation(split, Path()).clean == 0.05


def test_degraded_pictures_that_fit_are_used_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, recipe(), keep_stages=True)
    folder = tmp_path / "out.build" / "train-degraded"
    kept = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    build(out, recipe(chains={"writer": "offline", "seed": 5}), overwrite=True, keep_stages=True)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == kept


def test_overwriting_reads_the_sources_anew_and_changes_the_fingerprint(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "photos").mkdir()
    for i in range(6):
        (tmp_path / "photos" / f"{i}.png").write_bytes(images.encode(picture(i), "png", None))
    asked = tmp_path / "questions.jsonl"
    source = {
        "kind": "folder",
        "name": "photos",
        "path": str(tmp_path / "photos"),
        "questions": str(asked),
    }
    chosen = recipe(sources=[source], splits={"train": {"rows": 6}}, held_out={})

    def ask(color: str) -> None:
        lines = (
            {"id": f"{i}.png", "question": "What color?", "choices": WORDS, "answer": color}
            for i in range(6)
        )
        asked.write_text("".join(json.dumps(line) + "\n" for line in lines))

    ask("red")
    build(out, chosen, keep_stages=True)
    before = Dataset(out).fingerprint
    ask("blue")
    assert build(out, chosen).already_finished
    build(out, chosen, overwrite=True)
    assert {row.answer_text for row in rows_of(out)} == {"blue"}
    assert Dataset(out).fingerprint != before
    assert str(tmp_path) not in "".join(
        (out / name).read_text() for name in ("dataset.json", "recipe.yaml", "quarantine.jsonl")
    )


@pytest.mark.parametrize(
    ("choices", "answer", "reason"),
    [(("a", "a", "b"), "b", "repeated_choice"), (("a", "b"), "", "no_answer")],
)
def test_questions_that_cannot_be_trained_on_go_to_quarantine(
    tmp_path: Path, choices: tuple[str, ...], answer: str, reason: str, monkeypatch: Any
) -> None:
    normal = Houses._question

    def odd(self: Houses, i: int) -> Question:
        return Question(question="?", choices=choices, answer=answer) if i == 1 else normal(self, i)

    monkeypatch.setattr(Houses, "_question", odd)
    result = build(tmp_path / "out", recipe())
    assert result.info is not None
    assert result.info["counts"]["failures"] == {reason: 1}


def test_rows_without_a_question_get_one_and_the_answer_of_their_chain(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(Houses, "_question", lambda self, i: Question(caption=f"A house, {i}."))
    build(tmp_path / "out", recipe())
    for row in rows_of(tmp_path / "out"):
        assert row.question == "What does this picture show?"
        assert row.parsed is not None
        assert row.answer == row.answer_text == row.parsed.answer


def test_more_questions_about_a_picture_than_a_split_holds_are_counted(tmp_path: Path) -> None:
    source = {"kind": "houses", "name": "houses", "count": 44, "copies": 0}
    chosen = recipe(sources=[source], splits={"train": {"rows": 3}, "validation": {"rows": 3}})

    def same(self: Houses, i: int) -> Item:
        data = images.encode(picture(i // 11), "png", None)
        return Item(f"{i:04d}", data, "", self._question(i), "CC0-1.0")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Houses, "_item", same)
        result = build(tmp_path / "out", chosen)
    assert result.info is not None
    assert result.info["counts"]["failures"] == {"group_too_large": 16}
    assert len({row.group for row in rows_of(tmp_path / "out") if row.split == "train"}) == 1


def test_row_groups_are_small_and_have_an_index_of_pages(tmp_path: Path) -> None:
    """A viewer reads one row group to show a page; without the index it reads all of a column."""
    source = {"kind": "houses", "name": "houses", "count": 80}
    build(tmp_path / "out", recipe(72, sources=[source]))
    (path,) = (tmp_path / "out" / "data").glob("train_rl-*")
    written = pq.ParquetFile(path).metadata
    groups = [written.row_group(i) for i in range(written.num_row_groups)]
    assert [g.num_rows for g in groups] == [32, 22]
    assert all(g.column(i).has_offset_index for g in groups for i in range(g.num_columns))


def test_a_photograph_that_is_stored_turned_is_shown_as_it_was_degraded(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to show it
    (tmp_path / "photos").mkdir()
    for i in range(2):
        Image.fromarray(picture(i)).save(tmp_path / "photos" / f"{i}.jpg", exif=exif)
    photos = {"kind": "folder", "name": "photos", "path": str(tmp_path / "photos")}
    build(tmp_path / "out", recipe(sources=[photos], splits={"train": {"rows": 2}}, held_out={}))
    height, width = picture(0).shape[:2]
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    for row, entry in zip(found["train"], Dataset(tmp_path / "out").entries(), strict=True):
        assert row["image"].size == row["clean_image"].size == (height, width)
        clean = np.asarray(row["clean_image"].convert("RGB"))
        made = replay(clean, entry.row.applied, torch.device("cpu"))
        assert np.array_equal(made, np.asarray(row["image"].convert("RGB")))


def test_the_library_everybody_uses_reads_every_split_with_its_columns(tmp_path: Path) -> None:
    build(tmp_path / "out", recipe())
    (tmp_path / "out" / "README.md").unlink()
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train_sft", "train_rl", "validation", "test_unseen"}
    row = found["train_sft"][0]
    assert row["image"].size == row["clean_image"].size == (row["width"], row["height"])
    assert set(row) == {"image", "clean_image", *Example.model_fields}
