"""Pictures, files and a writer per kind of source, for the tests of sources."""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from PIL import Image

from builders.sources import Item, read_spec


def jpeg(number: int) -> bytes:
    """A small JPEG with a comment, which no re-encoding would keep."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", comment=f"picture {number}".encode())
    return file.getvalue()


def items(base: Path, wanted: int | None = None, **keys: Any) -> list[Item]:
    return list(read_spec({"name": "source", **keys}).items(base, wanted))


def problems(found: list[Item]) -> list[str]:
    for item in found:
        assert bool(item.problem) == (item.picture is None) == bool(item.detail)
    return [item.problem for item in found]


def lines(path: Path, *rows: Any) -> Path:
    """JSON lines; a text is written as it is."""
    texts = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows]
    path.write_text("".join(t + "\n" for t in texts), "utf-8")
    return path


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


Asked = list[tuple[str, tuple[str, ...], int]]
"""Questions with their choices and the index of the answer."""


def write_pictures(root: Path, rows: Asked) -> list[str]:
    names = [f"p{i}.jpg" for i in range(len(rows))]
    root.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (root / name).write_bytes(jpeg(i))
    return names


def as_questions(root: Path, rows: Asked) -> dict[str, Any]:
    names = write_pictures(root / "in", rows)
    lines(
        root / "q.jsonl",
        *(
            {"source_path": n, "question": q, "choices": c, "answer": a}
            for n, (q, c, a) in zip(names, rows, strict=True)
        ),
    )
    return {"kind": "folder", "path": "in", "questions": "q.jsonl"}


def as_metadata(suffix: str) -> Callable[[Path, Asked], dict[str, Any]]:
    def write(root: Path, rows: Asked) -> dict[str, Any]:
        names = write_pictures(root / "in", rows)
        table = [
            {"file_name": n, "question": q, "choices": list(c), "answer": a}
            for n, (q, c, a) in zip(names, rows, strict=True)
        ]
        path = root / "in" / f"metadata.{suffix}"
        if suffix == "jsonl":
            lines(path, *table)
        elif suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(table), path)
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(table[0]))
                writer.writeheader()
                writer.writerows({**r, "choices": json.dumps(r["choices"])} for r in table)
        # In a CSV an index is a text like any other; among options such as "1" it must be told.
        told = {"columns": {"answer_as": "index"}} if suffix == "csv" else {}
        return {"kind": "folder", "path": "in", **told}

    return write


def as_parquet(root: Path, rows: Asked) -> dict[str, Any]:
    table = [
        {"image": {"bytes": jpeg(i), "path": f"p{i}.jpg"}, "question": q, "choices": c, "answer": a}
        for i, (q, c, a) in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(table), root / "rows.parquet", row_group_size=2)
    return {"kind": "parquet", "path": "rows.parquet"}


def as_hub(root: Path, rows: Asked) -> dict[str, Any]:
    return {**as_parquet(root, rows), "kind": "huggingface"}


def as_a_okvqa(root: Path, rows: Asked) -> dict[str, Any]:
    (root / "train2017").mkdir()
    for i in range(len(rows)):
        (root / "train2017" / f"{i:012d}.jpg").write_bytes(jpeg(i))
    table = [
        {
            "split": "train",
            "image_id": i,
            "question_id": f"q{i}",
            "question": q,
            "choices": c,
            "correct_choice_idx": a,
            "direct_answers": ["x"] * 10,
            "difficult_direct_answer": False,
            "rationales": ["One.", "Two."],
        }
        for i, (q, c, a) in enumerate(rows)
    ]
    (root / "aokvqa_v1p0_train.json").write_text(json.dumps(table))
    return {"kind": "a-okvqa", "path": "."}


def as_vlmevalkit(root: Path, rows: Asked) -> dict[str, Any]:
    table = [
        {
            "index": i,
            "image": base64.b64encode(jpeg(i)).decode(),
            "question": q,
            **{chr(65 + k): c[k] if k < len(c) else "" for k in range(4)},
            "answer": chr(65 + a),
        }
        for i, (q, c, a) in enumerate(rows)
    ]
    frame = pd.DataFrame(table)
    frame.to_csv(root / "bench.tsv", sep="\t", index=False, quoting=csv.QUOTE_ALL)
    return {"kind": "vlmevalkit", "path": "bench.tsv"}


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def as_webdataset(root: Path, rows: Asked) -> dict[str, Any]:
    with tarfile.open(root / "train-000000.tar", "w") as tar:
        for i, (q, c, a) in enumerate(rows):
            add(tar, f"{i:06d}.jpg", jpeg(i))
            fields = {"question": q, "choices": c, "answer": a}
            add(tar, f"{i:06d}.json", json.dumps(fields).encode())
    return {"kind": "webdataset", "path": "train-*.tar"}


WRITERS: dict[str, Callable[[Path, Asked], dict[str, Any]]] = {
    "questions": as_questions,
    "metadata.jsonl": as_metadata("jsonl"),
    "metadata.csv": as_metadata("csv"),
    "metadata.parquet": as_metadata("parquet"),
    "parquet": as_parquet,
    "huggingface": as_hub,
    "a-okvqa": as_a_okvqa,
    "vlmevalkit": as_vlmevalkit,
    "webdataset": as_webdataset,
}

hard = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\t\n\r\"',;\\[]{} ")))
