"""What a run of degraded pictures holds: rows and failures per shard, Parquet, reading it back."""

from __future__ import annotations

import json
import types
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from degrade.errors import UserError
from degrade.runs import Marker, Run
from degrade.schema import Failure, Question, Record, Row
from degrade.storage import Place, place, publish, scratch
from degrade.timing import TIMING

Format = Literal["folder", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

METADATA, QUARANTINE, RUN = "metadata.jsonl", "quarantine.jsonl", "run.json"
DATASET = "dataset.json"
"""Summary of a data set that was built of runs; its Parquet has a run's columns among others."""
RUNS = {RUN: "synth"}
DATASETS = {DATASET: "build"}
"""Summaries and the command that writes each; see :func:`degrade.summary.read_summary`."""
ROW_GROUP_ROWS = 32
ROW_GROUP_BYTES = 32 << 20  # small enough to stream and for a viewer to page through


class PictureRow(Record):
    """A row as published in Parquet: the record with the degraded and the clean picture."""

    row: Row
    image: bytes
    clean_image: bytes

    def columns(self) -> dict[str, Any]:
        """The row of :func:`picture_schema` of ``Row``."""
        return {
            "image": {"bytes": self.image, "path": self.row.file_name},
            "clean_image": {"bytes": self.clean_image, "path": self.row.source_path},
            **self.row.model_dump(mode="json"),
        }


class Shard(Marker):
    """A committed shard of pictures."""

    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]


# ------------------------------------------------------------------------------ Arrow from pydantic


def arrow_type(annotation: Any) -> pa.DataType:
    """The Arrow type of a schema annotation: models are structs, tuples are lists.

    Raises:
        TypeError: The annotation has no uniform column type.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    simple = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if annotation in simple:
        return simple[annotation]
    if origin is typing.Annotated:
        return arrow_type(args[0])
    if origin is Literal:
        return pa.string()
    if origin in (tuple, list):
        return pa.list_(arrow_type(args[0]))
    if origin in (typing.Union, types.UnionType):
        (inner,) = (a for a in args if a is not type(None))
        return arrow_type(inner)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(arrow_fields(annotation))
    raise TypeError(f"no column type for {annotation!r}")


def arrow_fields(model: type[BaseModel]) -> list[pa.Field]:
    """The columns of a model."""
    hints = typing.get_type_hints(model, include_extras=True)
    return [pa.field(name, arrow_type(hints[name])) for name in model.model_fields]


def _feature(kind: pa.DataType) -> Any:
    """The Hugging Face feature of an Arrow type, in the form that all releases read."""
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


_IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


PICTURES = ("image", "clean_image")


def features(model: type[BaseModel]) -> dict[str, Any]:
    """The Hugging Face features of a table of pictures: ``PICTURES``, then the model's columns."""
    rows = {field.name: _feature(field.type) for field in arrow_fields(model)}
    return {**{name: {"_type": "Image"} for name in PICTURES}, **rows}


def picture_schema(model: type[BaseModel]) -> pa.Schema:
    """Columns ``PICTURES`` and the model's, with the metadata by which `datasets` sees pictures."""
    fields = [*(pa.field(name, _IMAGE) for name in PICTURES), *arrow_fields(model)]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features(model)}})})


class ParquetShard:
    """One Parquet file, written in small row groups and named only when it is whole.

    Args:
        path: Its name.
        schema: Of :func:`picture_schema`.
    """

    def __init__(self, path: Place, schema: pa.Schema) -> None:
        self._path = path
        self._temporary = scratch(path)
        self._schema = schema
        self._writer = pq.ParquetWriter(
            self._temporary, self._schema, compression="none", write_page_index=True
        )
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, columns: dict[str, Any]) -> None:
        """Append a row; flushes when the group is full."""
        self._rows.append(columns)
        for name in PICTURES:
            self._bytes += len((columns[name] or {}).get("bytes") or b"")
        if len(self._rows) >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0

    def commit(self) -> None:
        """Finish the file and give it its name."""
        self._flush()
        self._writer.close()
        publish(self._temporary, self._path)

    def discard(self) -> None:
        """Drop the unfinished file."""
        with suppress(OSError):  # on a full disk the footer fails; the file goes away all the same
            self._writer.close()
        self._temporary.unlink(missing_ok=True)


def open_run(out: Place, settings: dict[str, Any]) -> Run[Shard]:
    """The folder of a run of degraded pictures; see :class:`degrade.runs.Run`."""
    tables = {QUARANTINE: "failures"}
    if settings["format"] == "folder":
        tables[METADATA] = "rows"
    return Run(out, settings, Shard, RUN, tables, folders=("images", "data", METADATA, TIMING))


def counts(shards: Iterable[Shard]) -> dict[str, Any]:
    """What a run did, for its summary; names in order."""
    rows = clean = 0
    stages, operators, reasons = Counter[str](), Counter[str](), Counter[str]()
    for shard in shards:
        for row in shard.rows:
            rows += 1
            clean += not row.applied
            stages.update(a.stage for a in row.applied)
            operators.update(a.operator for a in row.applied)
        reasons.update(f.reason for f in shard.failures)
    return {
        "rows": rows,
        "clean": clean,
        "failed": reasons.total(),
        "stages": dict(sorted(stages.items())),
        "operators": dict(sorted(operators.items())),
        "failures": dict(sorted(reasons.items())),
    }


def clean_folder(settings: dict[str, Any], given: Place | None) -> Place:
    """Where the clean pictures of a run are: as given, else where the run found them.

    Raises:
        UserError: Not there, and the run holds none itself.
    """
    source = given or place(settings["source"])
    if source.is_file():
        source = source.parent
    if settings["format"] == "folder" and not source.is_dir():
        raise UserError(
            f"The clean pictures are not at {source} any more. Say where: --source FOLDER."
        )
    return source


class Stored(NamedTuple):
    """A row read back: with what is asked about it, and the pictures where the file holds them."""

    row: Row
    question: Question
    image: bytes | None
    clean: bytes | None


def parquet_files(out: Place) -> list[Place]:
    """The Parquet files of a run or data set, in order."""
    data = out / "data"
    found = (p for p in data.iterdir() if p.name.endswith(".parquet")) if data.exists() else ()
    return sorted(found, key=lambda path: path.name)


@contextmanager
def parquet_table(path: Place) -> Iterator[pq.ParquetFile]:
    """A Parquet file to read parts of."""
    with ExitStack() as stack:
        source = path if isinstance(path, Path) else stack.enter_context(path.open("rb"))
        # With pre_buffer it would hold the whole file.
        yield stack.enter_context(pq.ParquetFile(source, pre_buffer=False))


def read_rows(out: Place, fmt: Format) -> Iterator[Stored]:
    """Rows of a finished run, streamed.

    A folder run gives names to open under ``out`` and no bytes; Parquet gives both pictures.
    Columns of :class:`Question` may stand beside a run's own.
    """
    for path in [out / METADATA] if fmt == "folder" else parquet_files(out):
        number = 0
        try:
            for item in json_lines(path) if fmt == "folder" else parquet_rows(path):
                number += 1
                yield _stored(item)
        except (OSError, ValueError) as error:  # ValueError: JSON, Arrow and pydantic alike
            raise UserError(f"Cannot read {path} beyond row {number}: {error}") from None


def json_lines(path: Place) -> Iterator[Any]:
    """The values of a file of JSON lines, streamed."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def parquet_rows(path: Place, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, a row group at a time; some columns or all."""
    with parquet_table(path) as table:
        for batch in table.iter_batches(batch_size=ROW_GROUP_ROWS, columns=columns):
            yield from batch.to_pylist()


def rows_at(
    path: Place, places: Iterable[int], columns: Sequence[str] | None = None
) -> dict[int, dict[str, Any]]:
    """Some rows of a Parquet file by their numbers, 0-based; no more than their groups is read.

    Numbers beyond the last row are left out. ``columns``: some, or all.
    """
    found: dict[int, dict[str, Any]] = {}
    wanted, start = sorted(places), 0
    with parquet_table(path) as table:
        for group in range(table.num_row_groups):
            end = start + table.metadata.row_group(group).num_rows
            here = [place for place in wanted if start <= place < end]
            if here:
                read = table.read_row_group(group, columns=columns)
                found |= {place: read.slice(place - start, 1).to_pylist()[0] for place in here}
            start = end
    return found


def _stored(item: dict[str, Any]) -> Stored:
    images = (item.pop("image", None) or {}), (item.pop("clean_image", None) or {})
    asked = {k: item.pop(k) for k in Question.model_fields if k in item}
    question = Question.model_validate({k: v for k, v in asked.items() if v is not None})
    return Stored(Row.model_validate(item), question, *(i.get("bytes") for i in images))
