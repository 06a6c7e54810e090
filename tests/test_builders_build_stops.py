"""Builds that are refused, that die or that find something else: nothing lost, nothing mixed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from builders.table import Dataset
from degrade import images
from degrade.errors import StoppedError, UserError
from tests.build_help import build, digests, dying_at, recipe, rows_of
from tests.dataset_help import picture


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


def test_another_recipe_is_refused_and_replaces_with_overwrite(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, recipe())
    with pytest.raises(UserError, match="differ in: recipe"):
        build(out, recipe(rows=20))
    build(out, recipe(rows=20), overwrite=True)
    assert len(rows_of(out)) == 28
    assert Dataset(out).info["counts"]["splits"]["train"]["rows"] == 20


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


@pytest.mark.parametrize("step", range(1, 60, 7))
def test_a_build_that_dies_anywhere_ends_as_one_that_does_not(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every commit of a file is by renaming: dying at the n-th of them covers all stages."""
    build(tmp_path / "whole", recipe(8))
    with dying_at(step, monkeypatch):
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
