"""A data set without its pictures gives them back from the source."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import pyarrow.parquet as pq
import pytest
from PIL import Image

from builders.recipe_file import TABLE, write_recipe
from builders.replay import SPOOL, replay
from builders.sources import Item, SourceSpec
from builders.sources.scenes import Scenes
from builders.table import DATA, INFO, Dataset, Entry, Example
from degrade import images, shards
from degrade.errors import UserError
from degrade.runs import WORK, pretty, read_json
from degrade.schema import Record
from degrade.shards import ParquetShard
from tests.dataset_help import picture, small_dataset


class Remembered(Record):
    """The clean pictures of a data set, as a source that a test can spoil.

    No subclass of SourceSpec, which would register it for all other tests.
    """

    name: str
    kind: str = "remembered"
    held: ClassVar[list[Item]] = []
    asked: ClassVar[list[str]] = []

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        for item in self.held:
            self.asked.append(item.id)
            yield item


def _from_pictures(folder: Path, rows: int, name: str = "small") -> Path:
    """A small data set whose recipe says what its pictures are: no scenes."""
    small_dataset(folder, rows, name)
    info = read_json(folder / INFO)
    info["settings"]["recipe"]["sources"] = [{"kind": "folder", "name": "drawn", "path": "here"}]
    (folder / INFO).write_bytes(pretty(info))
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _from_pictures(tmp_path_factory.mktemp("built") / "data", rows=8)


@pytest.fixture(scope="module")
def recipe(built: Path) -> Path:
    return write_recipe(built, built.parent / TABLE)


@pytest.fixture
def source(built: Path) -> SourceSpec:
    Remembered.held = [_item(e) for e in Dataset(built).entries()]
    Remembered.asked = []
    return cast(SourceSpec, Remembered(name="drawn"))


def _item(entry: Entry) -> Item:
    return Item(entry.row.id.partition("/")[2], entry.clean, entry.row.source_name)


def _repacked(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def _files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / DATA).iterdir()}


def test_the_recipe_has_every_column_but_the_pictures(built: Path, recipe: Path) -> None:
    table = pq.read_table(recipe)
    assert set(Example.model_fields) <= set(table.column_names)
    assert not {"image", "clean_image"} & set(table.column_names)
    assert table["id"].to_pylist() == [e.row.id for e in Dataset(built).entries(pictures=False)]


def test_a_replay_is_the_data_set_byte_for_byte(
    built: Path, recipe: Path, source: SourceSpec, tmp_path: Path
) -> None:
    result = replay(recipe, source, tmp_path / "out", device="cpu", workers=2)
    assert result["counts"]["replay"] == {"identical": 14}
    assert _files(tmp_path / "out") == _files(built)
    counts = json.loads((built / INFO).read_bytes())["counts"]
    assert {k: result["counts"][k] for k in ("rows", "ok", "licenses", "splits")} == {
        k: counts[k] for k in ("rows", "ok", "licenses", "splits")
    }
    assert not (tmp_path / "out" / SPOOL).exists()
    assert (tmp_path / "out" / "recipe.yaml").read_bytes() == (built / "recipe.yaml").read_bytes()
    assert [e.row for e in Dataset(tmp_path / "out").entries()] == [
        e.row for e in Dataset(built).entries()
    ]


def test_pictures_are_found_wherever_they_are_and_whatever_they_are_called(
    built: Path, recipe: Path, source: SourceSpec, tmp_path: Path
) -> None:
    strangers = [replace(i, id=f"new{i.id}", name="x.png") for i in reversed(Remembered.held)]
    other = Item("stranger", images.encode(picture(999), "png", None), "stranger.png")
    Remembered.held = [other, Item("gone", None, "", problem="missing_picture"), *strangers]
    replay(recipe, source, tmp_path / "out", device="cpu", workers=1)
    assert _files(tmp_path / "out") == _files(built)


def test_repacked_sources_are_told_by_their_pixels_and_named(
    built: Path, recipe: Path, source: SourceSpec, tmp_path: Path
) -> None:
    first, *rest = Remembered.held
    assert first.picture is not None
    Remembered.held = [replace(first, picture=_repacked(first.picture)), *rest]
    result = replay(recipe, source, tmp_path / "out", device="cpu", workers=2)
    assert result["counts"]["replay"] == {"bytes_differ": 1, "identical": 13}
    lines = (tmp_path / "out" / "differences.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"drawn/{first.id}"]
    again, before = (
        next(e for e in Dataset(f).entries() if e.row.id == f"drawn/{first.id}")
        for f in (tmp_path / "out", built)
    )
    assert again.image == before.image
    assert again.row.clean_sha256 == hashlib.sha256(again.clean).hexdigest()
    assert again.row.clean_sha256 != before.row.clean_sha256


def test_other_and_missing_pictures_are_quarantined_with_the_reason(
    recipe: Path, source: SourceSpec, tmp_path: Path
) -> None:
    first, second, third, *rest = Remembered.held
    other = replace(first, picture=images.encode(picture(999), "png", None))
    broken = replace(second, picture=b"\x89PNG broken")
    Remembered.held = [other, broken, *rest]
    result = replay(recipe, source, tmp_path / "out", device="cpu", workers=2)
    assert result["counts"]["failures"] == {"missing_picture": 1, "other_picture": 2}
    assert result["counts"]["rows"] == 11
    found = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    failed = {json.loads(line)["id"]: json.loads(line)["reason"] for line in found}
    assert failed == {
        f"drawn/{first.id}": "other_picture",
        f"drawn/{second.id}": "other_picture",
        f"drawn/{third.id}": "missing_picture",
    }


def test_a_picture_that_was_converted_is_converted_again(
    source: SourceSpec, tmp_path: Path
) -> None:
    """The build stores 16-bit, turned, transparent or reduced pictures as the PNG that it used."""
    folder = _from_pictures(tmp_path / "data", rows=2)
    entries = list(Dataset(folder).entries())
    originals = []
    for entry in entries:  # the clean picture is what decoding this gives
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(entry.clean)) as image:
            rgba = image.convert("RGBA")
            rgba.save(buffer, "TIFF")
        assert images.decode(buffer.getvalue(), 10**6).altered
        originals.append(replace(_item(entry), picture=buffer.getvalue(), name="x.tif"))
    Remembered.held = originals
    table = write_recipe(folder, tmp_path / TABLE)
    result = replay(table, source, tmp_path / "out", device="cpu", workers=1)
    assert result["counts"]["replay"] == {"identical": len(entries)}
    assert _files(tmp_path / "out") == _files(folder)


def test_a_replay_goes_on_where_it_was_interrupted(
    built: Path, recipe: Path, source: SourceSpec, tmp_path: Path
) -> None:
    class InterruptError(Exception):
        pass

    def stop_in_the_third_file(done: int, total: int) -> None:
        if done == 14 + 9:
            raise InterruptError

    out = tmp_path / "out"
    with pytest.raises(InterruptError):
        replay(recipe, source, out, device="cpu", workers=1, progress=stop_in_the_third_file)
    assert len(list((out / WORK).glob("shard-*.json"))) == 2
    kept = {p.name: p.stat().st_mtime_ns for p in (out / DATA).glob("*.parquet")}
    Remembered.asked = []
    replay(recipe, source, out, device="cpu", workers=1)
    assert Remembered.asked == [], "found pictures are not looked for again"
    assert _files(out) == _files(built)
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in (out / DATA).iterdir()}.items()
    assert replay(recipe, source, out, device="cpu")["already_finished"]


def test_a_replay_of_another_recipe_needs_overwrite(
    recipe: Path, source: SourceSpec, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    replay(recipe, source, out, device="cpu")
    other = write_recipe(_from_pictures(tmp_path / "other", rows=2, name="other"), tmp_path / TABLE)
    with pytest.raises(UserError, match="replay"):
        replay(other, source, out, device="cpu")
    result = replay(other, source, out, device="cpu", overwrite=True)
    assert result["counts"]["rows"] == 8
    recorded = Dataset(tmp_path / "other").info["fingerprint"]
    assert Dataset(out).info["settings"]["replay"]["of"] == recorded


def test_drawn_scenes_are_drawn_again_and_need_no_source(built: Path, tmp_path: Path) -> None:
    scenes = Scenes(name="scenes", size=(160, 160), rows="fill")
    folder = Path(shutil.copytree(built, tmp_path / "data"))
    info = read_json(folder / INFO)
    info["settings"]["recipe"]["sources"] = [json.loads(scenes.model_dump_json())]
    (folder / INFO).write_bytes(pretty(info))
    items = scenes.items(tmp_path, 14)
    for path in Dataset(folder).files:
        rows = list(shards.parquet_rows(path))
        shard = ParquetShard(path, shards.picture_schema(Example))
        for row in rows:
            shard.add(_clean(row, next(items)))
        shard.commit()
    table = write_recipe(folder, tmp_path / TABLE)
    result = replay(table, None, tmp_path / "out", device="cpu")
    assert result["counts"]["replay"] == {"identical": 14}
    assert _files(tmp_path / "out") == _files(folder)


def _clean(row: dict[str, Any], item: Item) -> dict[str, Any]:
    """A row that shows another picture, undamaged."""
    assert item.picture is not None
    pixels = images.decode(item.picture, 10**6).pixels
    encoded = images.encode(pixels, "png", None)
    return row | {
        "id": f"scenes/{item.id}",
        "item": f"scenes/{item.id}",
        "applied": [],
        "image": {"bytes": encoded, "path": row["file_name"]},
        "clean_image": {"bytes": item.picture, "path": row["source_name"]},
        "image_sha256": hashlib.sha256(encoded).hexdigest(),
        "clean_sha256": hashlib.sha256(item.picture).hexdigest(),
    }


def test_without_a_source_pictures_are_not_looked_for(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"drawn .*--source"):
        replay(recipe, None, tmp_path / "out")


def test_files_that_are_no_recipe_are_refused(
    built: Path, source: SourceSpec, tmp_path: Path
) -> None:
    shard = next((built / DATA).iterdir())
    with pytest.raises(UserError, match="recipe-only"):
        replay(shard, source, tmp_path / "out")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(UserError, match="Cannot read"):
        replay(tmp_path / "text.parquet", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
