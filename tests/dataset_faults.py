"""Ways to damage a small data set, each told by its name."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from PIL import Image

from builders import stats
from builders.table import DATA, INFO, Example
from builders.validate import Report
from degrade import images, ops
from degrade.runs import pretty
from degrade.schema import Applied, Chain, describe
from degrade.shards import ParquetShard, parquet_rows, picture_schema
from degrade.verify import replay

RL, VALIDATION = "train_rl", "validation"
Columns = dict[str, Any]


def part_file(folder: Path, part: str) -> Path:
    return folder / DATA / f"{part}-00000-of-00001.parquet"


def read(folder: Path, part: str) -> list[Columns]:
    return list(parquet_rows(part_file(folder, part)))


def write(folder: Path, part: str, rows: list[Columns]) -> None:
    shard = ParquetShard(part_file(folder, part), picture_schema(Example))
    for row in rows:
        shard.add(row)
    shard.commit()


def change(part: str = RL, index: int = 0, **values: Any) -> Callable[[Path], None]:
    """Plants values into one row."""

    def plant(folder: Path) -> None:
        rows = read(folder, part)
        rows[index] |= values
        write(folder, part, rows)

    return plant


def edit(make: Callable[[list[Columns]], object], part: str = RL) -> Callable[[Path], None]:
    """Plants whatever a function does to the rows of a part."""

    def plant(folder: Path) -> None:
        rows = read(folder, part)
        make(rows)
        write(folder, part, rows)

    return plant


def example(row: Columns) -> Example:
    return Example.model_validate({k: row[k] for k in Example.model_fields})


def with_picture(row: Columns, which: str, data: bytes) -> None:
    """Replaces a picture, and its digest with it."""
    column = {"image": "image", "clean": "clean_image"}[which]
    row[column] = {**row[column], "bytes": data}
    row[f"{which}_sha256"] = hashlib.sha256(data).hexdigest()


def remade(
    row: Columns, applied: tuple[Applied, ...] | None = None, clean: images.Pixels | None = None
) -> None:
    """Makes a row anew, right in itself, with another record or clean picture."""
    old = example(row)
    applied = old.applied if applied is None else applied
    if clean is None:
        clean = images.decode(row["clean_image"]["bytes"], 10**8).pixels
    else:
        with_picture(row, "clean", images.encode(clean, "png", None))
    made = replay(clean, applied, torch.device("cpu"))
    with_picture(row, "image", images.encode(made, "png", None))
    types = Chain.types_of(applied)
    chain = old.parsed
    assert chain
    new = old.model_copy(
        update={
            "applied": applied,
            "types": types,
            "degradations": describe(applied),
            "intensity_sum": sum(a.intensity for a in applied),
            "chain": chain.model_copy(update={"types": types}).render(),
            "image_sha256": row["image_sha256"],
            "clean_sha256": row["clean_sha256"],
        }
    )
    row.update(new.model_dump(mode="json"))


def recorded(name: str, intensity: float) -> tuple[Applied, ...]:
    return (ops.get(name).sample(intensity, ("test", name), 72),)


def recount(folder: Path) -> None:
    """Puts the counts right again after rows were changed."""
    info = json.loads((folder / INFO).read_bytes())
    rows = [example(r) for p in sorted((folder / DATA).glob("*")) for r in parquet_rows(p)]
    info["counts"] |= stats.count(rows, info["counts"]["splits"])
    (folder / INFO).write_bytes(pretty(info))


def summary(**values: Any) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        info = json.loads((folder / INFO).read_bytes())
        (folder / INFO).write_bytes(pretty(info | values))

    return plant


def recipe(**values: Any) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        info = json.loads((folder / INFO).read_bytes())
        info["settings"]["recipe"] |= values
        (folder / INFO).write_bytes(pretty(info))

    return plant


def errors(report: Report) -> set[str]:
    return set(report.codes("error"))


def truncated(folder: Path) -> None:
    path = part_file(folder, RL)
    path.write_bytes(path.read_bytes()[:-100])


def hole_in_a_file(folder: Path) -> None:
    path = part_file(folder, RL)
    content = bytearray(path.read_bytes())
    with pq.ParquetFile(path) as file:
        start = file.metadata.row_group(0).column(2).data_page_offset
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)


def plain_schema(folder: Path) -> None:
    table = pq.read_table(part_file(folder, RL))
    pq.write_table(table.replace_schema_metadata(None), part_file(folder, RL))


def lost_column(folder: Path) -> None:
    table = pq.read_table(part_file(folder, VALIDATION))
    pq.write_table(table.drop_columns(["caption"]), part_file(folder, VALIDATION))


def bytes_alone(folder: Path) -> None:
    table = pq.read_table(part_file(folder, VALIDATION))
    data = pc.struct_field(table["image"], "bytes")
    index = table.column_names.index("image")
    pq.write_table(table.set_column(index, "image", data), part_file(folder, VALIDATION))


def own_column(folder: Path) -> None:
    table = pq.read_table(part_file(folder, RL))
    more = pa.array(["x"] * len(table))
    pq.write_table(table.append_column("mine", more), part_file(folder, RL))


def jpeg(row: Columns) -> None:
    pixels = images.decode(row["image"]["bytes"], 10**8).pixels
    with_picture(row, "image", images.encode(pixels, "jpg", None))


def packed_otherwise(which: str) -> Callable[[Columns], None]:
    def make(row: Columns) -> None:
        buffer = io.BytesIO()
        column = {"image": "image", "clean": "clean_image"}[which]
        Image.open(io.BytesIO(row[column]["bytes"])).save(buffer, "PNG", compress_level=9)
        row[column] = {**row[column], "bytes": buffer.getvalue()}

    return make


def one_pixel(row: Columns) -> None:
    pixels = images.decode(row["image"]["bytes"], 10**8).pixels.copy()
    pixels[:8, :8] ^= 64
    with_picture(row, "image", images.encode(pixels, "png", None))


def chain_with(**parts: Any) -> Callable[[Columns], None]:
    def make(row: Columns) -> None:
        chain = example(row).parsed
        assert chain
        row["chain"] = chain.model_copy(update=parts).render()

    return make


def record_with(index: int = 0, **values: Any) -> Callable[[list[Columns]], None]:
    def make(rows: list[Columns]) -> None:
        rows[index]["applied"][0] |= values

    return make


def noisy(rows: list[Columns]) -> dict[str, Any]:
    """The record of a picture with noise, whatever the draws."""
    remade(rows[0], recorded("gaussian_noise", 0.5))
    return rows[0]["applied"][0]  # type: ignore[no-any-return]


def parameter(**values: Any) -> Callable[[list[Columns]], None]:
    def make(rows: list[Columns]) -> None:
        remade(rows[0], recorded("motion_blur", 0.25))
        angle = next(p for p in rows[0]["applied"][0]["params"] if p["name"] == "angle")
        angle |= values

    return make


def twin(rows: list[Columns]) -> None:
    """The same question about the same picture, under another id and name."""
    second = dict(rows[0], id="drawn/twin", file_name="twin.png")
    second["image"] = {**second["image"], "path": "twin.png"}
    rows[1] = second


def other_split(**shared: bool) -> Callable[[Path], None]:
    """Puts a training picture, or what is nearly one, into validation."""

    def plant(folder: Path) -> None:
        (source, *_), rows = read(folder, RL), read(folder, VALIDATION)
        clean = images.decode(source["clean_image"]["bytes"], 10**8).pixels
        if shared.get("nearly"):
            clean = np.clip(clean.astype(np.int16) + 1, 0, 255).astype(np.uint8)
        remade(rows[0], clean=clean)
        if shared.get("same"):
            with_picture(rows[0], "clean", source["clean_image"]["bytes"])
        write(folder, VALIDATION, rows)

    return plant


def same_group(folder: Path) -> None:
    change(VALIDATION, group=read(folder, RL)[0]["group"])(folder)


def redone(part: str, name: str, intensity: float) -> Callable[[Path], None]:
    return edit(lambda rows: remade(rows[0], recorded(name, intensity)), part)


def first(make: Callable[[Columns], object]) -> Callable[[Path], None]:
    return edit(lambda rows: make(rows[0]))
