"""The validator: silent on what is right, and every planted fault is told under its own code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.table import DATA, INFO, QUARANTINE, RECIPE
from builders.validate import validate
from degrade import images
from tests.dataset_faults import (
    RL,
    VALIDATION,
    bytes_alone,
    chain_with,
    change,
    edit,
    errors,
    first,
    hole_in_a_file,
    jpeg,
    lost_column,
    noisy,
    one_pixel,
    other_split,
    own_column,
    packed_otherwise,
    parameter,
    part_file,
    plain_schema,
    record_with,
    redone,
    same_group,
    summary,
    truncated,
    twin,
    with_picture,
)
from tests.dataset_help import picture, small_dataset


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("validate") / "made")


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


FAULTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a data file cut short": ("unreadable_file", truncated),
    "a hole in a data file": ("unreadable_file", hole_in_a_file),
    "a data file of something else": (
        "unreadable_file",
        lambda folder: part_file(folder, RL).write_bytes(b"PAR1 or not"),
    ),
    "a summary that is no JSON": (
        "unreadable_file",
        lambda folder: (folder / INFO).write_text('{"fingerprint": '),
    ),
    "a summary without counts": ("unreadable_file", summary(counts=None)),
    "a quarantine line that is none": (
        "unreadable_file",
        lambda folder: (folder / QUARANTINE).write_bytes(b'{"id": "x"}\n'),
    ),
    "no summary": ("missing_file", lambda folder: (folder / INFO).unlink()),
    "no quarantine": ("missing_file", lambda folder: (folder / QUARANTINE).unlink()),
    "a split's file gone": ("missing_file", lambda folder: part_file(folder, "test_seen").unlink()),
    "a shard gone": (
        "missing_file",
        lambda folder: part_file(folder, RL).rename(folder / DATA / f"{RL}-00000-of-00002.parquet"),
    ),
    "a stray file": (
        "foreign_file",
        lambda folder: shutil.copy(part_file(folder, RL), folder / DATA / "copy.parquet"),
    ),
    "no description of the columns": ("features", plain_schema),
    "a column gone": ("features", lost_column),
    "pictures that are bytes alone": ("features", bytes_alone),
    "a column of one's own": ("features", own_column),
    "rows gone": ("counts", edit(lambda rows: rows.pop())),
    "a failure more": (
        "counts",
        lambda folder: (folder / QUARANTINE).write_bytes(2 * (folder / QUARANTINE).read_bytes()),
    ),
    "another recipe beside the data": (
        "recipe",
        lambda folder: (folder / RECIPE).write_text("name: other\n"),
    ),
    "a recipe that is no YAML": (
        "unreadable_file",
        lambda folder: (folder / RECIPE).write_text("name: ["),
    ),
    "no recipe": ("missing_file", lambda folder: (folder / RECIPE).unlink()),
    "a summary nested without end": (
        "unreadable_file",
        lambda folder: (folder / INFO).write_text("[" * 100_000),
    ),
    "no fingerprint": ("fingerprint", summary(fingerprint="soon")),
    "an impossible value": ("invalid_row", change(answer_as="roman")),
    "no id": ("invalid_row", change(id=None)),
    "an impossible intensity": ("invalid_row", edit(record_with(intensity=1.5))),
    "a row of another split": ("misplaced_row", change(split="validation", use="")),
    "a row of another use": ("misplaced_row", change(use="sft")),
    "a split that is not there": ("misplaced_row", change(VALIDATION, split="val")),
    "no picture": ("missing_picture", change(image=None)),
    "no clean picture": ("missing_picture", change(clean_image={"bytes": b"", "path": "x"})),
    "a broken picture": (
        "undecodable",
        first(lambda row: with_picture(row, "image", row["image"]["bytes"][:500])),
    ),
    "no picture at all": ("undecodable", first(lambda r: with_picture(r, "clean", b"GIF?"))),
    "a picture too large": (
        "size",
        first(lambda r: with_picture(r, "image", images.encode(picture(1, 128, 96), "png", None))),
    ),
    "a picture turned": (
        "size",
        first(lambda r: with_picture(r, "image", images.encode(picture(1, 72, 96), "png", None))),
    ),
    "a clean picture too small": (
        "size",
        first(lambda r: with_picture(r, "clean", images.encode(picture(1, 48, 36), "png", None))),
    ),
    "a size that is not": ("size", change(width=97)),
    "a JPEG said to be lossless": ("encoding", first(jpeg)),
    "another name in the picture": (
        "picture_name",
        first(lambda row: row["image"].update(path="other.png")),
    ),
    "degraded bytes changed": ("image_bytes", first(packed_otherwise("image"))),
    "clean bytes changed": ("clean_bytes", first(packed_otherwise("clean"))),
    "a digest changed": ("image_bytes", change(image_sha256="0" * 64)),
    "accepted without a chain": ("chain_status", change(chain="")),
    "refused with a chain": ("chain_status", change(status="invented")),
    "a chain cut short": ("malformed_chain", first(lambda r: r.update(chain=r["chain"][:-9]))),
    "a chain with text behind": (
        "malformed_chain",
        first(lambda r: r.update(chain=r["chain"] + ".")),
    ),
    "a chain spaced otherwise": (
        "malformed_chain",
        first(lambda r: r.update(chain=r["chain"].replace("\n", "\n\n"))),
    ),
    "another influence": ("chain_parts", change(influence="Nothing is hidden.")),
    "another conclusion": ("chain_parts", first(chain_with(conclusion="So it is."))),
    "no types in the chain": ("chain_types", first(chain_with(types=()))),
    "another answer in the chain": ("chain_answer", first(chain_with(answer="7"))),
    "other types": ("types", change(types=[])),
    "other words for the types": ("degradations", change(degradations="fog(0.50)")),
    "another sum": ("intensity_sum", change(intensity_sum=7.5)),
    "an operator nobody knows": ("unknown_operator", edit(record_with(operator="smoke"))),
    "an operator of another version": ("operator_version", edit(record_with(version=99))),
    "an operator of another stage": (
        "operator_stage",
        edit(lambda rows: noisy(rows).update(stage="acquisition")),
    ),
    "a record for another size": ("short_side", edit(record_with(short_side=73))),
    "a parameter stronger than its intensity": (
        "parameters",
        edit(lambda rows: noisy(rows)["params"][0].update(value=0.29)),
    ),
    "a parameter out of range": ("parameters", edit(parameter(value=4000.0), "test_unseen")),
    "a parameter in another unit": ("parameters", edit(parameter(unit="radians"), "test_unseen")),
    "a parameter gone": ("parameters", edit(lambda rows: noisy(rows).update(params=[]))),
    "pixels changed": ("replay", first(one_pixel)),
    "another seed": (
        "replay",
        edit(lambda rows: noisy(rows)["seeds"][0].update(value=12345)),
    ),
    "an answer beyond the choices": ("not_a_choice", change(answer="9")),
    "a choice twice": ("repeated_choice", change(choices=["red", "red", "blue", "yellow"])),
    "another answer in words": ("answer_columns", change(answer_text="purple")),
    "another answer's index": ("answer_columns", change(answer_index=-1)),
    "an id twice": ("duplicate_id", edit(lambda rows: rows[1].update(id=rows[0]["id"]))),
    "a name twice": (
        "duplicate_name",
        edit(
            lambda rows: rows[1].update(
                file_name=rows[0]["file_name"],
                image={**rows[1]["image"], "path": rows[0]["file_name"]},
            )
        ),
    ),
    "a question about a picture twice": ("duplicate_pair", edit(twin)),
    "a group in two splits": ("group_leak", same_group),
    "a picture in two splits": ("picture_leak", other_split(same=True)),
    "nearly a picture in two splits": ("near_duplicate_leak", other_split(nearly=True)),
    "a held-out operator in training": ("held_out_operator", redone(RL, "motion_blur", 0.5)),
    "a seen operator in the unseen": ("held_out_operator", redone("test_unseen", "graffiti", 0.25)),
    "a held-out intensity in training": ("held_out_intensity", redone(RL, "graffiti", 0.25)),
    "a seen intensity in the unseen": ("held_out_intensity", redone("test_seen", "graffiti", 0.5)),
}

FOLLOWS = {
    "a column gone": {"invalid_row"},
    "pictures that are bytes alone": {"missing_picture"},
    "an operator nobody knows": {"types", "degradations", "chain_types"},
    "an answer beyond the choices": {"chain_answer"},
}
"""What a fault entails besides, and that other numbers are found than were counted."""


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_is_told_under_its_own_code(data: Path, fault: str) -> None:
    code, plant = FAULTS[fault]
    plant(data)
    report = validate(data, sample=0, workers=1)
    assert code in errors(report)
    assert not report.ok
    assert errors(report) - {code} <= FOLLOWS.get(fault, set()) | {"counts"}
    assert all(p.where and p.detail for p in report.examples[code])


def test_a_data_set_as_it_was_built_has_no_problem(made: Path) -> None:
    report = validate(made, sample=0)
    assert report.ok
    assert report.counts == {}
    assert report.format == "dataset"
    assert report.rows == 21
    looked_at = {check: rows for check, rows, _ in report.table()}
    assert looked_at.pop("files") == 7
    assert set(looked_at.values()) == {21}
    assert {"replay", "leakage", "held out", "chains"} <= set(looked_at)
