"""The build: splits as asked, rows once each, the same bytes again, nothing lost."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from annotate.cli import Chains
from builders import recipe as recipes
from builders.dataset import Build, Machine, Result
from builders.recipe import DatasetRecipe
from builders.sources import Item, SourceSpec
from builders.table import Dataset, Example
from degrade import images
from degrade.errors import StoppedError, UserError
from degrade.schema import Question
from degrade.verify import replay
from tests.dataset_help import WORDS, picture


class Houses(SourceSpec):
    """Numbered pictures, each with one question; some defects on request."""

    kind: Literal["houses"] = "houses"
    count: int = 40
    broken: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    twice: bool = False
    copies: int = 0
    wrong: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        for i in range(self.count if wanted is None else wanted):
            yield self._item(i)
        if self.twice:
            yield self._item(0)
        for i in range(self.copies):  # the same picture at another size and compression
            pixels = picture(i, 192, 144)[::2, ::2] if i % 2 else picture(i)
            data = images.encode(pixels, "jpg", None)
            yield Item(f"copy{i}", data, f"copy{i}.jpg", self._question(i + 1000), "CC0-1.0")

    def _question(self, i: int) -> Question:
        answer = "purple" if self.wrong and i == 3 else WORDS[i % 4]
        return Question(
            question=f"What color is the door of house {i}?",
            choices=WORDS,
            answer=answer,
            caption=f"A house with a {WORDS[i % 4]} door beside a garden wall.",
        )

    def _item(self, i: int) -> Item:
        data: bytes | None = images.encode(picture(i), "png", None)
        if i in self.broken:
            data = b"rubbish"
        if i in self.missing:
            return Item(f"{i:04d}", None, "", self._question(i), problem="missing_picture")
        return Item(f"{i:04d}", data, f"{i:04d}.png", self._question(i), "CC0-1.0")


def recipe(rows: int = 24, **changes: Any) -> DatasetRecipe:
    data = {
        "name": "houses",
        "summary": "Doors of houses.",
        "sources": [{"kind": "houses", "name": "houses"}],
        "held_out": {"operators": ["motion_blur", "scan_lines"], "intensities": [0.1, 0.5]},
        "splits": {
            "train": {
                "rows": rows,
                "operators": "seen",
                "intensities": "seen",
                "use": {"sft": 0.25, "rl": 0.75},
            },
            "validation": {"rows": 4, "operators": "seen", "intensities": "seen"},
            "test_unseen": {"rows": 4, "operators": "unseen", "intensities": "unseen"},
        },
    }
    return DatasetRecipe.model_validate(data | changes)


@contextmanager
def silent(_: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda done, total: None


def card(folder: Path) -> None:
    (folder / "README.md").write_text("A card.")


def build(out: Path, chosen: DatasetRecipe, workers: int = 2, **options: Any) -> Result:
    made = Build(chosen, Path(), out, Chains(), card, Machine(workers=workers))
    return made.run(silent, **options)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def rows_of(folder: Path) -> list[Example]:
    return [entry.row for entry in Dataset(folder).entries(pictures=False)]


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


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"twice": True}, "row '0000': the id occurs twice"),
        ({"wrong": True}, "row '0003': the answer 'purple' is none of"),
        ({"count": 20}, "hold 20 usable rows of 20 different pictures"),
        ({"colour": 1}, "Unknown key 'colour'"),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_row(
    tmp_path: Path, source: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(tmp_path / "out", recipe(sources=[{"kind": "houses", "name": "houses"} | source]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "colour"),
        ({"sources": []}, "at least 1"),
        ({"sources": [{"kind": "hauses", "name": "a"}]}, "Did you mean 'houses'"),
        ({"held_out": {"operators": ["blur"]}}, "Unknown operator 'blur'"),
        ({"held_out": {}}, "leaves no unseen operators"),
        ({"splits": {"train": {"rows": 4, "use": {"sft": 0.5}}}}, "sum to 0.5"),
        ({"splits": {"all": {"rows": 4}}}, "name the split otherwise"),
        ({"splits": {"train": {"rows": 4, "use": {"default": 1}}}}, "name the use otherwise"),
        ({"splits": {"train": {"rows": 4, "degrade": "single"}}}, "needs op and intensity"),
        ({"splits": {"train": {"rows": 4, "degrade": "robust-r1-eval"}}}, "several levels"),
        ({"splits": {"train": {"rows": 4, "degrade": "robust"}}}, "Did you mean 'robust-r1'"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


def test_presets_are_valid_and_the_paper_one_has_its_numbers() -> None:
    for name in recipes.preset_names():
        chosen, _ = recipes.load(name)
        assert chosen.name == name
    paper, _ = recipes.load("robust-r1-11k")
    assert paper.splits["train"].parts() == {"sft": 2500, "rl": 7500}
    assert paper.splits["validation"].rows == 1000
    for split in paper.splits:
        assert paper.degradation(split, Path()).clean == 0.05


def test_another_recipe_is_refused_and_replaces_with_overwrite(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, recipe())
    with pytest.raises(UserError, match="differ in: recipe"):
        build(out, recipe(rows=20))
    build(out, recipe(rows=20), overwrite=True)
    assert len(rows_of(out)) == 28
    assert Dataset(out).info["counts"]["splits"]["train"]["rows"] == 20


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


def test_what_cannot_be_built_leaves_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, recipe())
    before = digests(out)
    source = {"kind": "houses", "name": "houses", "wrong": True}
    with pytest.raises(UserError, match="purple"):
        build(out, recipe(sources=[source]), overwrite=True)
    assert digests(out) == before
    (out / "mine.txt").write_text("Not of a build.")
    with pytest.raises(UserError, match=r"mine\.txt"):
        build(out, recipe(rows=20), overwrite=True)
    assert digests(out) == before | {"mine.txt": hashlib.sha256(b"Not of a build.").hexdigest()}


def test_a_mended_recipe_is_not_taken_for_another_job(tmp_path: Path) -> None:
    source = {"kind": "houses", "name": "houses", "count": 20}
    with pytest.raises(UserError, match="hold 20 usable rows"):
        build(tmp_path / "out", recipe(sources=[source]))
    build(tmp_path / "out", recipe(8, sources=[source]))
    assert len(rows_of(tmp_path / "out")) == 16


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


@pytest.mark.parametrize("chains", [{"writer": "lmm"}, {"writr": "offline"}])
def test_wrong_options_of_chains_are_refused_before_anything_is_done(
    tmp_path: Path, chains: dict[str, str]
) -> None:
    with pytest.raises(UserError, match=r"lmm|writ"):
        build(tmp_path / "out", recipe(chains=chains))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.build").exists()


def test_a_data_set_inside_its_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(images.encode(picture(0), "png", None))
    source = {"kind": "folder", "name": "photos", "path": str(tmp_path)}
    with pytest.raises(UserError, match="lies inside the source"):
        build(tmp_path / "out", recipe(sources=[source]))


class Killed(BaseException):
    """Stands for a death between any two writes."""


@pytest.mark.parametrize("step", range(1, 60, 7))
def test_a_build_that_dies_anywhere_ends_as_one_that_does_not(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every commit of a file is by renaming: dying at the n-th of them covers all stages."""
    build(tmp_path / "whole", recipe(8))
    left = [step]
    rename = Path.replace

    def mortal(self: Path, target: Any) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", mortal)
        with pytest.raises(Killed):
            build(tmp_path / "out", recipe(8), workers=1)
    build(tmp_path / "out", recipe(8))
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_a_full_disk_stops_with_a_message_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "whole", recipe(8))

    def full(self: Any, columns: Mapping[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("degrade.shards.ParquetShard.add", full)
        with pytest.raises(StoppedError, match="No space left"):
            build(tmp_path / "out", recipe(8))
    build(tmp_path / "out", recipe(8))
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


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
