"""Rows, pictures and the pre-flight: what is trained on is what the data set says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders.table import Dataset, Entry
from degrade import images
from degrade.errors import UserError
from degrade.schema import Chain
from tests.dataset_help import small_dataset
from tests.trainer_help import entries_of, rewritten, row_with, table, tiny
from trainer import data

pytestmark = pytest.mark.usefixtures("training_cache")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_dataset(tmp_path_factory.mktemp("small") / "data", rows=16)


# ------------------------------------------------------------------------------------- rows


def test_stages_get_their_own_rows(small: Path) -> None:
    known = {use: [e.row.id for e in Dataset(small).entries("train", use)] for use in ("sft", "rl")}
    assert table(small, "sft")["id"][:] == known["sft"]
    assert table(small, "rl")["id"][:] == known["rl"]
    assert sorted(table(small, "sft", sft__use="")["id"]) == known["sft"] + known["rl"]
    assert len(table(small, "rl", data__limit=3)) == 3
    assert len(table(small, "rl", data__split="test_seen", rl__use="")) == 4


def test_curriculum_goes_from_mild_to_strong(small: Path) -> None:
    plain = table(small, "rl")["intensity_sum"][:]
    ordered = table(small, "rl", rl__curriculum="intensity")["intensity_sum"][:]
    assert ordered == sorted(plain)
    assert ordered != plain


def test_rows_are_others_where_anything_that_is_read_of_them_differs(
    small: Path, tmp_path: Path
) -> None:
    same = rewritten(tmp_path / "same", small, row_with())
    changes: list[dict[str, Any]] = [
        {"question": "Why?"},
        {"depth_target": 7},
        {"types": ()},
        {"applied": ()},
    ]
    others = [
        rewritten(tmp_path / f"{i}", small, row_with(**change)) for i, change in enumerate(changes)
    ]
    known = data.identity(table(small))
    assert data.identity(table(same)) == known
    assert len({known, *(data.identity(table(other)) for other in others)}) == 5


def test_rows_say_what_the_data_set_says(small: Path) -> None:
    config = tiny(small)
    entries = list(Dataset(small).entries("train", "rl"))
    rows = table(small, "rl").with_transform(data.converter(config, "rl"))
    for entry, row in zip(entries, rows, strict=True):
        (message,) = row["prompt"]
        assert message["content"] == f"{entry.row.asked.prompt()}\n{Chain.instruction()}"
        assert row["degradations"] == [t.model_dump() for t in entry.row.types]
        assert row["depth_target"] == entry.row.depth_target
        assert row["answer"] == entry.row.answer
    learnt = table(small).with_transform(data.converter(config, "sft"))[0]
    assert learnt["completion"] == [
        {"role": "assistant", "content": entries_of(small)[0].row.chain}
    ]
    bare = tiny(small, data__target="answer")
    alone = table(small).with_transform(data.converter(bare, "sft"))[0]
    assert alone["completion"][0]["content"] == entries_of(small)[0].row.answer
    assert alone["prompt"][0]["content"] == entries_of(small)[0].row.asked.prompt()


def test_pictures_made_on_the_fly_are_the_stored_ones_and_the_same_each_time(small: Path) -> None:
    rows = [table(small, "rl").with_transform(converter(small, p)) for p in ("replayed", "stored")]
    for made, again, stored in zip(rows[0], rows[0], rows[1], strict=True):
        assert np.array_equal(made["image"], stored["image"])
        assert np.array_equal(made["image"], again["image"])
    about_the_scene = {"rl__consistency": 1.0, "rl__rewards": {"format": 1.0, "answer": 1.0}}
    clean = table(small, "rl").with_transform(converter(small, "stored", **about_the_scene))
    for row, stored, entry in zip(
        clean, rows[1], Dataset(small).entries("train", "rl"), strict=True
    ):
        assert np.array_equal(row["view"], stored["image"])
        assert np.array_equal(row["image"], images.decode(entry.clean, 10**6).pixels)
        assert row["degradations"] == []


def converter(folder: Path, which: str, **changes: Any) -> Any:
    return data.converter(tiny(folder, data__picture=which, **changes), "rl")


def test_lossy_pictures_made_on_the_fly_are_the_stored_ones(small: Path, tmp_path: Path) -> None:
    def as_jpg(entry: Entry) -> Entry:
        pixels = images.decode(entry.image, 10**6).pixels
        row = entry.row.model_copy(update={"encoding": images.described("jpg")})
        return Entry(row, images.encode(pixels, "jpg", None), entry.clean)

    row = table(rewritten(tmp_path / "d", small, as_jpg))[0]
    assert np.array_equal(data.picture(row, "replayed"), data.picture(row, "stored"))


def test_missing_data_is_refused_with_what_there_is(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--data"):
        data.read(tiny(Path()).data.model_copy(update={"path": ""}), "train")
    with pytest.raises(UserError, match="train_sft"):
        table(small, data__split="trian")
    with pytest.raises(UserError, match=r"'rl', 'sft'"):
        table(small, sft__use="stf")
    with pytest.raises(UserError, match="no Parquet"):
        table(tmp_path)
