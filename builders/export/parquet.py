"""Parquet that `datasets` reads with its pictures, in shards of each split."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from builders.export import writing
from builders.export.base import Found
from builders.export.reading import BROKEN, Seen, parted, unreadable
from builders.export.writing import Numbered, Writer
from builders.table import DATA
from degrade import shards

_METADATA = b"huggingface"
_IMAGE = {"_type": "Image"}


def schema(picture: str, many: bool, model: type[BaseModel]) -> pa.Schema:
    """Columns of a model behind one of pictures, with the metadata that makes them pictures.

    Args:
        picture: Name of that column.
        many: Whether it holds a list of pictures.
        model: The other columns.
    """
    described: dict[str, Any] = {picture: [_IMAGE] if many else _IMAGE}
    described |= {k: v for k, v in shards.features(model).items() if k not in shards.PICTURES}
    kind = shards.picture_schema(model).field(shards.PICTURES[0]).type
    columns = [pa.field(picture, pa.list_(kind) if many else kind), *shards.arrow_fields(model)]
    return pa.schema(columns, {_METADATA: json.dumps({"info": {"features": described}})})


class Table(Writer):
    """Writes the rows of one split, in small row groups and several files.

    Args:
        folder: Of the export.
        part: The split's name.
        columns: From :func:`schema`.
    """

    def __init__(self, folder: Path, part: str, columns: pa.Schema) -> None:
        self._files, self._schema = Numbered(folder, part, "parquet"), columns
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._group = self._file = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        """Append a row whose pictures have ``size`` bytes."""
        self._rows.append(row)
        self._group += size
        full = self._group >= shards.ROW_GROUP_BYTES
        if full or len(self._rows) >= shards.ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._files.next(), self._schema, compression="none", write_page_index=True
            )
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._file += self._group
        self._rows, self._group = [], 0
        if self._file >= writing.SHARD_BYTES:
            self._close()

    def _close(self) -> None:
        writer, self._writer, self._file = self._writer, None, 0
        if writer is not None:
            writer.close()

    def finish(self) -> None:
        """Write what is left and name the files."""
        self._flush()
        self._close()
        self._files.finish()

    def close(self) -> None:
        """Drop an unfinished file."""
        with suppress(OSError):  # on a full disk the footer fails, too
            self._close()


def holds(folder: Path, *columns: str) -> bool:
    """Whether a folder's first Parquet file has these columns."""
    for path in sorted((folder / DATA).glob("*.parquet")):
        try:
            return set(columns) <= set(pq.read_schema(path).names)
        except BROKEN:
            continue
    return False


def read(folder: Path, picture: str) -> Iterator[tuple[Seen, str] | Found]:
    """Rows with the names of their splits.

    Args:
        folder: Of the export.
        picture: Column that must be known as one of pictures.
    """
    for item in parted(folder, "parquet"):
        if isinstance(item, Found):
            yield item
            continue
        path, part = item
        number = 0
        try:
            if not _is_picture(pq.read_schema(path), picture):
                detail = f"nothing tells `datasets` that {picture!r} holds pictures"
                yield unreadable(path.name, detail, "features")
            for number, row in enumerate(shards.parquet_rows(path), 1):
                yield Seen(f"{path.name}:{number}", row), part
        except BROKEN as error:
            yield unreadable(f"{path.name} beyond row {number}", error)


def _is_picture(columns: pa.Schema, name: str) -> bool:
    try:
        told = json.loads((columns.metadata or {}).get(_METADATA, b"{}"))
        found = told["info"]["features"][name]
    except (ValueError, KeyError, TypeError):
        return False
    found = found[0] if isinstance(found, list) and found else found
    found = found.get("feature", found) if isinstance(found, dict) else found
    return isinstance(found, dict) and found.get("_type") == "Image"
