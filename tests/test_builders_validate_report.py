"""What the validator reports: warnings, rows looked at, and never a traceback."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.table import DATA, INFO, QUARANTINE, RECIPE
from builders.validate import CODES, report_table, validate
from builders.validate.balance import Balance, Plan, distance
from degrade import images
from degrade.errors import UserError
from degrade.recipe import load
from degrade.runs import pretty
from degrade.schema import STAGES
from tests.dataset_faults import (
    RL,
    VALIDATION,
    Columns,
    chain_with,
    change,
    edit,
    errors,
    first,
    one_pixel,
    other_split,
    recipe,
    recorded,
    recount,
    remade,
    truncated,
    twin,
    with_picture,
)
from tests.dataset_help import small_dataset
from tests.test_builders_validate import FAULTS


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("validate") / "made")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("tiny") / "made", rows=4)


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


# --------------------------------------------------------------------------------------- warnings


def answered(index: int) -> Callable[[list[Columns]], None]:
    def make(rows: list[Columns]) -> None:
        for row in rows:
            row |= {"answer": str(index), "answer_index": index}
            row["answer_text"] = row["choices"][index]
            chain_with(answer=str(index))(row)

    return make


def again(rows: list[Columns]) -> None:
    """The same question about the same picture, degraded otherwise."""
    twin(rows)
    remade(rows[1], recorded("graffiti", 0.5))


def unasked(row: Columns) -> None:
    row |= {"answer": "", "answer_index": -1, "answer_text": ""}


def drawn(**values: Any) -> Callable[[Path], None]:
    """Says that training pictures were drawn by a recipe with these values."""
    base = load("robust-r1").model_dump(mode="json") | {"intensity": None} | values

    def plant(folder: Path) -> None:
        info = json.loads((folder / INFO).read_bytes())
        info["settings"]["degradations"] = {"train": base}
        (folder / INFO).write_bytes(pretty(info))

    return plant


WARNINGS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no license": ("no_license", change(license="")),
    "a license of unknown terms": ("unsure_license", change(license="other")),
    "a license against changes": ("no_derivatives", change(license="CC-BY-ND-4.0")),
    "a question without an answer": ("no_answer", first(unasked)),
    "a question about a clean picture twice": ("repeated_pair", edit(again)),
    "all answers in one place": ("answer_balance", edit(answered(2))),
    "mostly undamaged": (
        "clean_share",
        edit(lambda rows: [remade(row, applied=()) for row in rows]),
    ),
    "intensities that the recipe would not draw": (
        "intensity_balance",
        drawn(among=(0.99, 1.0)),
    ),
    "more undamaged rows than the recipe says": (
        "clean_share",
        lambda folder: (
            drawn(among=tuple(i / 100 for i in range(1, 101)), clean=0.01)(folder),
            edit(lambda rows: [remade(row, applied=()) for row in rows[:3]])(folder),
        ),
    ),
}


@pytest.mark.parametrize("flaw", WARNINGS)
def test_flaws_are_warnings_and_no_errors(data: Path, flaw: str) -> None:
    code, plant = WARNINGS[flaw]
    plant(data)
    recount(data)
    report = validate(data, sample=0, workers=1)
    assert report.ok
    assert set(report.counts) == {code}


def test_near_duplicates_that_the_recipe_ignores_are_no_leak(data: Path) -> None:
    other_split(nearly=True)(data)
    assert errors(validate(data)) >= {"near_duplicate_leak"}
    recipe(near_duplicates="ignore")(data)
    (data / RECIPE).write_text(
        yaml.safe_dump(json.loads((data / INFO).read_bytes())["settings"]["recipe"])
    )
    assert errors(validate(data)) <= {"counts"}


@given(
    choices=st.integers(2, 6),
    rows=st.integers(1, 400),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_drawn_evenly_is_not_called_uneven(choices: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    balance = Balance()
    for _ in range(rows):
        stage = STAGES[rng.integers(len(STAGES))]
        intensity = int(rng.integers(1, 101)) / 100
        clean = rng.random() < 0.05
        balance.add(
            "train", choices, int(rng.integers(choices)), [] if clean else [(stage, intensity)]
        )
    plan = Plan(clean=0.05, grid=tuple(range(1, 101)))
    found = [p.code for p in balance.problems({"train": plan})]
    assert len(found) <= 1, found  # each bound errs about once in hundreds of draws


@given(share=st.floats(0.4, 1.0), choices=st.sampled_from([4, 5]))
def test_places_that_carry_too_many_answers_are_named(share: float, choices: int) -> None:
    balance = Balance()
    for i in range(400):
        place = 1 if i < 400 * share else i % choices
        balance.add("train", choices, place, None)
    (problem,) = balance.problems({})
    assert (problem.code, problem.where) == ("answer_balance", "train")
    assert f"place 1 of {choices}" in problem.detail


def test_stages_of_unlike_number_and_skewed_intensities_are_named() -> None:
    balance = Balance()
    for i in range(300):
        stage = STAGES[0] if i % 6 else STAGES[1]
        balance.add("train", 0, None, [(stage, (i % 100 + 1) ** 2 // 100 / 100)])
    assert {p.code for p in balance.problems({})} == {"stage_balance", "intensity_balance"}


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60))
def test_the_distance_from_uniform_is_a_distance(values: list[int]) -> None:
    found = distance(Counter(values), range(1, 101))
    assert 0.0 <= found <= 1.0
    assert distance(Counter(range(1, 101)), range(1, 101)) == 0.0
    assert distance(Counter(values), set(values)) <= 1 - 1 / len(values)


# ------------------------------------------------------------------------------------- the report


def test_as_many_rows_are_replayed_as_asked_for(data: Path) -> None:
    edit(lambda rows: [one_pixel(row) for row in rows])(data)  # 9 rows of 21
    looked_at = {}
    for sample in (None, 0, 1, 7, 21, 1000):
        report = validate(data, sample=sample)
        looked_at[sample] = next(n for check, n, _ in report.table() if check == "replay")
        assert (report.counts.get("replay", 0) == 9) == (looked_at[sample] == 21)
    assert looked_at == {None: 21, 0: 21, 1: 1, 7: 7, 21: 21, 1000: 21}
    report = validate(data, sample=7)
    assert 2 <= report.counts["replay"] <= 4  # spread evenly: 3 of the 9


@pytest.mark.parametrize(("device", "told"), [(None, 0), ("cuda", 0), ("cpu", 1)])
def test_a_rounding_is_forgiven_between_devices_alone(
    data: Path, device: str | None, told: int
) -> None:
    def few_pixels(row: Columns) -> None:
        pixels = images.decode(row["image"]["bytes"], 10**8).pixels.copy()
        pixels[0, :5] ^= 2  # of 96 x 72: less than one in a thousand
        with_picture(row, "image", images.encode(pixels, "png", None))

    first(few_pixels)(data)
    info = json.loads((data / INFO).read_bytes())
    info["settings"]["device"] = device
    (data / INFO).write_bytes(pretty(info))
    report = validate(data, sample=0, device="cpu")
    assert report.counts.get("replay", 0) == told


def test_pictures_stored_with_loss_replay(data: Path) -> None:
    def lossy(row: Columns) -> None:
        pixels = images.decode(row["image"]["bytes"], 10**8).pixels
        row |= {"encoding": images.described("jpg"), "file_name": "lossy.jpg"}
        with_picture(row, "image", images.encode(pixels, "jpg", None))
        row["image"]["path"] = "lossy.jpg"

    first(lossy)(data)
    assert validate(data, sample=0).counts == {}
    edit(lambda rows: remade(rows[1], recorded("graffiti", 0.5)))(data)
    change(index=1, encoding=images.described("jpg"))(data)
    assert errors(validate(data, sample=0)) >= {"encoding"}


def test_texts_of_damaged_files_are_escaped_and_cut(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(id="a\x1b[31m\n" + "b" * 1000, types=[])(data)
    report = validate(data)
    report_table(report)
    (where,) = (p.where for p in report.examples["types"])
    assert "a\\x1b[31m\\nbbb" in where
    assert len(where) < 400
    assert "\x1b[31m\n" not in capsys.readouterr().out


def test_the_report_does_not_depend_on_the_number_of_workers(data: Path) -> None:
    for plant in (change(answer_text="x"), change(VALIDATION, 1, types=[]), truncated):
        plant(data)
    told: list[tuple[int, int]] = []
    reports = [validate(data, workers=n, progress=lambda *at: told.append(at)) for n in (1, 5)]
    assert reports[0].as_json() == reports[1].as_json()
    assert told[-1] == (12, 12)


def test_the_report_counts_all_and_quotes_a_few(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(lambda rows: [row.update(types=[]) for row in rows[:8]])(data)
    change(license="")(data)
    report = validate(data)
    made = json.loads(json.dumps(report.as_json()))
    assert not made["ok"]
    found = {p["code"]: p for p in made["problems"]}
    assert found["types"]["count"] == 8
    assert len(found["types"]["examples"]) == 5
    assert found["types"]["severity"] == "error"
    assert found["no_license"]["severity"] == "warning"
    assert made["warnings"] == 1
    assert found["types"]["examples"][0]["where"].startswith("data/train_rl-00000-of-00001.parquet")
    assert {c["check"]: c["problems"] for c in made["checks"]}["records"] == 8
    assert made["facts"]["splits"]["train"]["rows"] == 12
    report_table(report)
    printed = capsys.readouterr().out
    assert "error types (8)" in printed
    assert "warning no_license (1)" in printed
    assert "not valid" in printed


def test_every_code_says_what_it_means_and_belongs_to_a_check() -> None:
    assert all(code.check and code.meaning for code in CODES.values())
    planted = {code for code, _ in (*FAULTS.values(), *WARNINGS.values())}
    of_exports = {"placeholders", "unlisted_row", "lost_row", "unmarked"}
    of_benchmarks = {name for name, code in CODES.items() if code.check == "levels"}
    # Planted without a data set.
    assert set(CODES) - planted - of_exports - of_benchmarks == {"stage_balance"}


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        validate(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no data set"):
        validate(tmp_path)


@given(
    name=st.sampled_from([INFO, RECIPE, QUARANTINE, *(f"{DATA}/{p}" for p in (RL, VALIDATION))]),
    place=st.floats(0, 1),
    patch=st.binary(max_size=40),
    cut=st.booleans(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_to_a_file_ends_in_a_traceback(
    tiny: Path, name: str, place: float, patch: bytes, cut: bool
) -> None:
    path = tiny / (f"{name}-00000-of-00001.parquet" if "/" in name else name)
    whole = path.read_bytes()
    start = int(place * len(whole))
    try:
        path.write_bytes(whole[:start] + patch + (b"" if cut else whole[start + len(patch) :]))
        report = validate(tiny, sample=2, workers=1)
    finally:
        path.write_bytes(whole)
    json.dumps(report.as_json())
    if cut and start < len(whole) - 1:
        assert not report.ok


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)


@given(data=st.data(), value=JSON)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_a_summary_may_say_ends_in_a_traceback(
    tiny: Path, data: st.DataObject, value: Any
) -> None:
    path = tiny / INFO
    whole = path.read_bytes()
    info = here = json.loads(whole)
    key = data.draw(st.sampled_from(sorted(here)))
    while isinstance(here[key], dict) and here[key] and data.draw(st.booleans()):
        here = here[key]
        key = data.draw(st.sampled_from(sorted(here)))
    here[key] = value
    try:
        path.write_text(json.dumps(info))
        report = validate(tiny, sample=1, workers=1)
    finally:
        path.write_bytes(whole)
    json.dumps(report.as_json())
    if key == "counts" or here is info["counts"]:
        assert not report.ok or json.loads(whole)["counts"].get(key) == value
