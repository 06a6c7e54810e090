"""Data sets with rows that formats trip over, made from a small one."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from builders import stats
from builders.export import get
from builders.exporting import export
from builders.table import DATA, INFO, Dataset, Entry, Example, columns
from degrade.runs import pretty
from degrade.schema import Question
from degrade.shards import ParquetShard, picture_schema

Change = Callable[[int, Entry], Entry]


def changed(
    entry: Entry, image: bytes | None = None, clean: bytes | None = None, **fields: Any
) -> Entry:
    """An entry with other fields or pictures, and what follows from them."""
    image, clean = image or entry.image, clean or entry.clean
    fields |= {
        "image_sha256": hashlib.sha256(image).hexdigest(),
        "clean_sha256": hashlib.sha256(clean).hexdigest(),
    }
    return Entry(Example.model_validate({**entry.row.model_dump(), **fields}), image, clean)


def asked(entry: Entry, question: Question) -> Entry:
    """An entry with another question, its answer wherever a row has it."""
    index = question.answer_index
    answered = question.model_dump() | {
        "answer_text": question.answer_text,
        "answer_index": -1 if index is None else index,
    }
    chain = entry.row.parsed
    if chain:
        answered["chain"] = chain.model_copy(update={"answer": question.answer}).render()
    return changed(entry, **answered)


def undamaged(entry: Entry) -> Entry:
    """A clean row: nothing was applied."""
    chain = entry.row.parsed
    assert chain
    rendered = chain.model_copy(update={"types": ()}).render()
    nothing = {"types": (), "applied": (), "degradations": "", "intensity_sum": 0.0}
    return changed(entry, image=entry.clean, chain=rendered, **nothing)


def refused(entry: Entry) -> Entry:
    """A row whose chain was refused."""
    parts = dict.fromkeys(("chain", "influence", "reasoning", "conclusion"), "")
    return changed(entry, status="length", detail="too short", **parts)


def reencoded(data: bytes, kind: str) -> bytes:
    """A picture in another format."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def remade(data: Path, folder: Path, change: Change, **info: Any) -> Dataset:
    """A copy of a data set with other rows; ``info`` goes into its ``dataset.json``."""
    entries = [change(i, entry) for i, entry in enumerate(Dataset(data).entries())]
    (folder / DATA).mkdir(parents=True)
    parts: dict[str, list[Entry]] = {}
    for entry in entries:
        row = entry.row
        parts.setdefault(f"{row.split}_{row.use}" if row.use else row.split, []).append(entry)
    for part, rows in parts.items():
        shard = ParquetShard(
            folder / DATA / f"{part}-00000-of-00001.parquet", picture_schema(Example)
        )
        for entry in rows:
            shard.add(columns(entry))
        shard.commit()
    told = json.loads((data / INFO).read_text())
    told["counts"] |= stats.count((e.row for e in entries), told["counts"]["splits"])
    told["fingerprint"] = hashlib.sha256(b"".join(e.image for e in entries)).hexdigest()[:16]
    (folder / INFO).write_bytes(pretty(told | info))
    return Dataset(folder)


def named(data: Dataset, name: str) -> Dataset:
    """The same data set under another name."""
    data.info["settings"]["recipe"]["name"] = name
    return data


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    found: Iterable[Path] = sorted(folder.rglob("*"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found if p.is_file()}


def exported(data: Dataset, name: str, out: Path, **options: Any) -> Path:
    """The folder of an export."""
    export(data, name, out, **options)
    return out


def problems(name: str, out: Path) -> set[str]:
    """Codes of all that a format's reader tells."""
    return {p.code for found in get(name).read(out) for p in found.problems}
