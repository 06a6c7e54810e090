"""The validator on exports: silent on what each format writes, exact about what is planted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.export import formats
from builders.exporting import EXPORT, LISTED, export
from builders.table import Dataset
from builders.validate import validate
from degrade import images
from degrade.schema import Chain
from tests.dataset_help import picture, small_dataset

Plant = Callable[[Path], object]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export in each format."""
    folder = tmp_path_factory.mktemp("exports")
    data = Dataset(small_dataset(folder / "data", rows=8))
    for name in formats():
        export(data, name, folder / name)
    return folder


def lines(change: Callable[[list[Any]], object], name: str = LISTED) -> Plant:
    """Plants a change of the values of a file of JSON lines."""

    def plant(folder: Path) -> None:
        values = [json.loads(text) for text in (folder / name).read_text("utf-8").splitlines()]
        change(values)
        text = "".join(json.dumps(value) + "\n" for value in values)
        (folder / name).write_text(text, "utf-8")

    return plant


def document(change: Callable[[Any], object], name: str = EXPORT) -> Plant:
    """Plants a change of a JSON file."""

    def plant(folder: Path) -> None:
        value = json.loads((folder / name).read_bytes())
        change(value)
        (folder / name).write_text(json.dumps(value), "utf-8")

    return plant


def found(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def cut(pattern: str) -> Plant:
    """Plants a file that ends in its middle."""

    def plant(folder: Path) -> None:
        path = found(folder, pattern)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 9])

    return plant


def chain_of(row: Any, **parts: Any) -> str:
    chain = Chain.parse(row["chain"])
    assert isinstance(chain, Chain)
    return chain.model_copy(update=parts).render()


SFT, RL, SHOWN = "small_train_sft.json", "train_rl.jsonl", "train_rl/metadata.jsonl"


def other_split(folder: Path) -> None:
    """Puts a training picture into validation, under another id."""
    row = json.loads((folder / SHOWN).read_text("utf-8").splitlines()[0])
    lines(
        lambda rows: rows.append(row | {"id": "new", "split": "validation"}),
        ("validation/metadata.jsonl"),
    )(folder)
    for key in ("file_name", "clean_file_name"):
        shutil.copy(folder / "train_rl" / row[key], folder / "validation" / row[key])
    listed = {"id": "new"}

    def add(rows: list[Any]) -> None:
        (of,) = (r for r in rows if r["id"] == row["id"])
        rows.append(of | listed)

    lines(add)(folder)
    document(lambda info: info["counts"].update(validation=3))(folder)


def nearly(folder: Path) -> None:
    """Makes a clean picture of validation nearly one of training."""
    source = images.decode(found(folder, "train_rl/clean/*").read_bytes(), 10**8).pixels
    target = found(folder, "validation/clean/*")
    target.write_bytes(images.encode(source ^ 1, "png", None))


FAULTS: dict[str, tuple[str, str, Plant, set[str]]] = {
    # What is planted -> format, code, how, what follows from it.
    "no summary": ("vlm-r1", "unmarked", lambda f: (f / EXPORT).unlink(), set()),
    "a broken summary": ("vlm-r1", "unreadable_file", cut(EXPORT), set()),
    "a summary of another format": (
        "vlm-r1",
        "unreadable_file",
        document(lambda info: info.update(format="trl-old")),
        set(),
    ),
    "a summary without a fingerprint": (
        "trl-sft",
        "fingerprint",
        document(lambda info: info.pop("fingerprint")),
        set(),
    ),
    "other counts": (
        "trl-grpo",
        "counts",
        document(lambda info: info["counts"].update(train=7)),
        set(),
    ),
    "no list of pictures": ("vlm-r1", "missing_file", lambda f: (f / LISTED).unlink(), set()),
    "a broken list of pictures": ("vlm-r1", "unreadable_file", cut(LISTED), set()),
    "a list of something else": (
        "vlm-r1",
        "unreadable_file",
        lines(lambda rows: rows.insert(0, ["id"])),
        set(),
    ),
    "a row more than listed": ("vlmevalkit", "unlisted_row", lines(lambda r: r.pop()), set()),
    "a row less than listed": (
        "webdataset",
        "lost_row",
        lines(lambda rows: rows.append(rows[0] | {"id": "lost"})),
        set(),
    ),
    "other bytes than exported": (
        "vlmevalkit",
        "image_bytes",
        lines(lambda rows: rows[0].update(image="0" * 64)),
        set(),
    ),
    "other clean bytes than exported": (
        "webdataset",
        "clean_bytes",
        lines(lambda rows: rows[0].update(clean="0" * 64)),
        set(),
    ),
    "a picture's file gone": (
        "llamafactory",
        "missing_picture",
        lambda f: found(f, "images/*").unlink(),
        set(),
    ),
    "a picture cut short": ("llamafactory", "undecodable", cut("images/*"), {"image_bytes"}),
    "pictures of two sizes": (
        "imagefolder",
        "size",
        lambda f: found(f, "train_rl/images/*").write_bytes(
            images.encode(picture(1, 48, 36), "png", None)
        ),
        {"image_bytes"},
    ),
    "a placeholder too many": (
        "llamafactory",
        "placeholders",
        document(lambda rows: rows[0]["conversations"][0].update(value="<image><image>Why?"), SFT),
        set(),
    ),
    "no placeholder": (
        "vlm-r1",
        "placeholders",
        lines(lambda rows: rows[0]["conversations"][0].update(value="Why?"), RL),
        set(),
    ),
    "speakers that do not alternate": (
        "llamafactory",
        "conversation",
        document(lambda rows: rows[0]["conversations"].reverse(), SFT),
        set(),
    ),
    "a chain cut short": (
        "vlm-r1",
        "malformed_chain",
        lines(lambda rows: rows[0]["conversations"][1].update(value="<TYPE>fog"), RL),
        set(),
    ),
    "an operator nobody knows in a chain": (
        "vlm-r1",
        "unknown_operator",
        lines(
            lambda rows: rows[0]["conversations"][1].update(
                value=rows[0]["conversations"][1]["value"].replace("<TYPE>", "<TYPE>smoke(0.50), ")
            ),
            RL,
        ),
        set(),
    ),
    "other types in the chain": (
        "imagefolder",
        "chain_types",
        lines(lambda rows: rows[0].update(chain=chain_of(rows[0], types=())), SHOWN),
        set(),
    ),
    "another answer in the chain": (
        "imagefolder",
        "chain_answer",
        lines(lambda rows: rows[0].update(chain=chain_of(rows[0], answer="7")), SHOWN),
        set(),
    ),
    "an answer beyond the choices": (
        "imagefolder",
        "not_a_choice",
        lines(lambda rows: rows[0].update(answer="7", chain=chain_of(rows[0], answer="7")), SHOWN),
        set(),
    ),
    "a choice twice": (
        "imagefolder",
        "repeated_choice",
        lines(lambda rows: rows[0].update(choices='["a", "a", "b", "c"]'), SHOWN),
        set(),
    ),
    "a row twice": (
        "vlm-r1",
        "duplicate_id",
        lines(lambda rows: rows.append(rows[0]), RL),
        {"duplicate_pair", "counts"},
    ),
    "a picture in two splits": ("imagefolder", "picture_leak", other_split, {"duplicate_pair"}),
    "nearly a picture in two splits": (
        "imagefolder",
        "near_duplicate_leak",
        nearly,
        {"clean_bytes"},
    ),
    "a line that is no JSON": (
        "vlm-r1",
        "broken_row",
        lambda f: (f / RL).write_bytes((f / RL).read_bytes().replace(b"{", b"", 1)),
        {"missing_picture", "unlisted_row", "lost_row", "counts"},
    ),
    "a Parquet file cut short": (
        "trl-sft",
        "unreadable_file",
        cut("data/train_rl-*.parquet"),
        {"features", "lost_row", "counts"},
    ),
    "a Parquet file gone": (
        "trl-grpo",
        "lost_row",
        lambda f: found(f, "data/validation-*.parquet").unlink(),
        {"counts", "missing_file"},
    ),
    "a tar cut short": (
        "webdataset",
        "unreadable_file",
        cut("data/train_rl-*.tar"),
        {"lost_row", "counts", "members", "missing_picture", "undecodable", "image_bytes"}
        | {"clean_bytes", "size", "broken_row", "unlisted_row"},
    ),
}


@pytest.mark.parametrize("name", formats())
def test_an_export_as_it_was_written_has_no_problem(made: Path, name: str) -> None:
    report = validate(made / name)
    assert (report.format, report.counts, report.ok) == (name, {}, True)
    assert report.rows == json.loads((made / name / EXPORT).read_bytes())["rows"] == 14
    assert report.facts["splits"]["train"]["rows"] == 8


@pytest.mark.parametrize("name", formats())
def test_an_export_of_others_is_told_by_its_files(made: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(made / name, tmp_path / name))
    (folder / EXPORT).unlink()
    (folder / LISTED).unlink()
    report = validate(folder)
    assert (report.format, report.counts, report.ok) == (name, {"unmarked": 1}, True)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_is_told_under_its_own_code(
    made: Path, tmp_path: Path, fault: str
) -> None:
    name, code, plant, follows = FAULTS[fault]
    folder = Path(shutil.copytree(made / name, tmp_path / name))
    plant(folder)
    report = validate(folder)
    assert report.format == name
    assert {code} <= set(report.counts) <= {code} | follows
    assert report.ok == (code == "unmarked")
    assert all(problem.where and problem.detail for problem in report.examples[code])


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".md", ".py", ".yaml"} and path.is_file():
            yield str(path.relative_to(folder))


@given(data=st.data(), name=st.sampled_from(sorted(formats())), place=st.floats(0, 0.85))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_anywhere_is_told_and_no_traceback(
    made: Path, data: st.DataObject, name: str, place: float
) -> None:
    folder = made / name
    path = folder / data.draw(st.sampled_from(list(_files(folder))))
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: int(place * len(whole))])
        report = validate(folder)
    finally:
        path.write_bytes(whole)
    json.dumps(report.as_json())
    assert report.counts
