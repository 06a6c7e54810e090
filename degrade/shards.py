"""What a run writes, and how it commits: pictures, then a marker; the summary of all, last.

A run is cut into shards of consecutive sources. A shard's pictures are written first, its marker
(rows, failures, fingerprint) last, each by renaming a finished temporary file, so that what exists
is whole. Resuming skips shards whose marker exists; finishing turns markers into the run's tables.
"""

from __future__ import annotations

import json
import os
import shutil
import types
import typing
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from degrade.errors import UserError
from degrade.schema import Failure, Question, Record, Row

Format = Literal["folder", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

METADATA, QUARANTINE, RUN = "metadata.jsonl", "quarantine.jsonl", "run.json"
WORK, PLAN, LOCK = ".work", "plan.json", ".lock"
ROW_GROUP_ROWS = 32
ROW_GROUP_BYTES = 32 << 20  # small enough to stream and for a viewer to page through


class PictureRow(Record):
    """A row as published in Parquet: the record with the degraded and the clean picture."""

    row: Row
    image: bytes
    clean_image: bytes


class Shard(Record):
    """A committed shard: what its marker holds."""

    fingerprint: str
    index: int
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]


def write_atomic(path: Path, data: bytes, durable: bool = False) -> None:
    """Write a whole file or none: to a temporary name beside it, then rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def pretty(value: Any) -> bytes:
    """JSON for a file that people open."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def line(record: BaseModel) -> str:
    """One record as a line of JSON."""
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n"


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


def parquet_schema() -> pa.Schema:
    """Columns of the Parquet form, with the metadata by which `datasets` sees pictures."""
    rows = arrow_fields(Row)
    features = {
        "image": {"_type": "Image"},
        "clean_image": {"_type": "Image"},
        **{field.name: _feature(field.type) for field in rows},
    }
    fields = [pa.field("image", _IMAGE), pa.field("clean_image", _IMAGE), *rows]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


class ParquetShard:
    """One Parquet file, written in small row groups and named only when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._schema = parquet_schema()
        self._writer = pq.ParquetWriter(
            self._temporary, self._schema, compression="none", write_page_index=True
        )
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, item: PictureRow) -> None:
        """Append a row; flushes when the group is full."""
        self._rows.append(
            {
                "image": {"bytes": item.image, "path": item.row.file_name},
                "clean_image": {"bytes": item.clean_image, "path": item.row.source_path},
                **item.row.model_dump(mode="json"),
            }
        )
        self._bytes += len(item.image) + len(item.clean_image)
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
        self._temporary.replace(self._path)

    def discard(self) -> None:
        """Drop the unfinished file."""
        with suppress(OSError):  # on a full disk the footer fails; the file goes away all the same
            self._writer.close()
        self._temporary.unlink(missing_ok=True)


# -------------------------------------------------------------------------------------- a run


class Run:
    """A run's folder: its plan while it is under way, its tables when it is done.

    Args:
        out: The folder.
        settings: What decides the content; its hash is the fingerprint.
        fingerprint: That hash.
    """

    def __init__(self, out: Path, settings: dict[str, Any], fingerprint: str) -> None:
        self.out, self.settings, self.fingerprint = out, settings, fingerprint
        self.work = out / WORK

    def open(self, overwrite: bool, resume: bool) -> bool:
        """Prepare the folder; True where the same run is finished already.

        Raises:
            UserError: The folder holds something else, or a run with another fingerprint.
        """
        if overwrite and self._is_run():
            self._clear()
        if (self.out / RUN).exists():
            self._same(self.out / RUN, "a finished run")
            shutil.rmtree(self.work, ignore_errors=True)
            return True
        if (self.work / PLAN).exists():
            self._same(self.work / PLAN, "an unfinished run")
            return False
        if any(p.name not in {WORK, LOCK} for p in self.out.iterdir()):
            raise UserError(
                f"{self.out} is not empty and holds no run of degrade-cli. Give a new folder."
            )
        if resume:
            raise UserError(f"There is no unfinished run in {self.out} to resume.")
        self.work.mkdir(parents=True, exist_ok=True)
        plan = {"fingerprint": self.fingerprint, "settings": self.settings}
        write_atomic(self.work / PLAN, pretty(plan), durable=True)
        return False

    def _is_run(self) -> bool:
        return (self.out / RUN).exists() or (self.work / PLAN).exists()

    def _clear(self) -> None:
        # Only what a run writes: a folder with anything else in it keeps that.
        (self.out / RUN).unlink(missing_ok=True)
        for name in ("images", "data", WORK):
            shutil.rmtree(self.out / name, ignore_errors=True)
        for name in (METADATA, QUARANTINE):
            (self.out / name).unlink(missing_ok=True)

    def _same(self, path: Path, what: str) -> None:
        found = read_json(path)
        if found.get("fingerprint") == self.fingerprint:
            return
        other = found.get("settings", {})
        keys = [k for k in self.settings if other.get(k) != self.settings[k]]
        raise UserError(
            f"{self.out} holds {what} with fingerprint {found.get('fingerprint')}, this command "
            f"makes {self.fingerprint}; they differ in: {', '.join(keys) or 'unknown settings'}. "
            "Repeat the command as it was, give another folder, or replace it with --overwrite."
        )

    def marker(self, index: int) -> Path:
        """Where the marker of a shard stands."""
        return self.work / f"shard-{index:06d}.json"

    def commit(self, shard: Shard) -> None:
        """Write a shard's marker: from now on it is done."""
        write_atomic(self.marker(shard.index), shard.model_dump_json().encode(), durable=True)

    def committed(self, index: int) -> bool:
        """Whether a shard is done."""
        return self.marker(index).exists()

    def read(self, index: int) -> Shard:
        """A committed shard.

        Raises:
            UserError: The marker belongs to another run.
        """
        shard = Shard.model_validate_json(self.marker(index).read_bytes())
        if shard.fingerprint != self.fingerprint:
            raise UserError(
                f"{self.marker(index)} has fingerprint {shard.fingerprint}, the run is "
                f"{self.fingerprint}. Use --overwrite to start anew."
            )
        return shard

    def finish(self, count: int, extra: dict[str, Any]) -> None:
        """Merge the markers into the run's tables, write ``run.json``, drop the working files.

        Args:
            count: Number of shards, all committed.
            extra: Further keys for ``run.json``.
        """
        counts = Counts()
        tables = {QUARANTINE: "failures"}
        if self.settings["format"] == "folder":
            tables[METADATA] = "rows"
        with ExitStack() as stack:
            files = {
                part: stack.enter_context((self.work / name).open("w", encoding="utf-8"))
                for name, part in tables.items()
            }
            for index in range(count):
                shard = self.read(index)
                counts.add(shard)
                for part, file in files.items():
                    file.writelines(line(record) for record in getattr(shard, part))
        for name in tables:
            (self.work / name).replace(self.out / name)
        summary = {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            **extra,
            "counts": counts.as_dict(),
        }
        write_atomic(self.out / RUN, pretty(summary), durable=True)
        shutil.rmtree(self.work, ignore_errors=True)


class Counts:
    """What a run did, counted for its summary."""

    def __init__(self) -> None:
        self.rows = self.clean = self.failed = 0
        self.stages: Counter[str] = Counter()
        self.operators: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def add(self, shard: Shard) -> None:
        """Count a committed shard."""
        for row in shard.rows:
            self.rows += 1
            self.clean += not row.applied
            for applied in row.applied:
                self.stages[applied.stage] += 1
                self.operators[applied.operator] += 1
        for failure in shard.failures:
            self.failed += 1
            self.reasons[failure.reason] += 1

    def as_dict(self) -> dict[str, Any]:
        """Plain data, names in order."""
        return {
            "rows": self.rows,
            "clean": self.clean,
            "failed": self.failed,
            "stages": dict(sorted(self.stages.items())),
            "operators": dict(sorted(self.operators.items())),
            "failures": dict(sorted(self.reasons.items())),
        }


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: Missing or damaged.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"There is no {path.name} in {path.parent}: is it a finished run?"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path}: {error}") from None
    return data


class Stored(NamedTuple):
    """A row read back: with what is asked about it, and the pictures where the file holds them."""

    row: Row
    question: Question
    image: bytes | None
    clean: bytes | None


def read_rows(out: Path, fmt: Format) -> Iterator[Stored]:
    """Rows of a finished run, streamed.

    A folder run gives names to open under ``out`` and no bytes; Parquet gives both pictures.
    Columns of :class:`Question` may stand beside a run's own.
    """
    if fmt == "folder":
        with (out / METADATA).open(encoding="utf-8") as file:
            for text in file:
                yield _stored(json.loads(text))
        return
    for path in sorted((out / "data").glob("*.parquet")):
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=ROW_GROUP_ROWS):
                for item in batch.to_pylist():
                    yield _stored(item)


def _stored(item: dict[str, Any]) -> Stored:
    images = (item.pop("image", None) or {}), (item.pop("clean_image", None) or {})
    asked = {k: item.pop(k) for k in Question.model_fields if k in item}
    question = Question.model_validate({k: v for k, v in asked.items() if v is not None})
    return Stored(Row.model_validate(item), question, *(i.get("bytes") for i in images))


def split_counts(total: int, size: int) -> list[range]:
    """Cut 0..total into consecutive shards of ``size``."""
    return [range(i, min(i + size, total)) for i in range(0, total, size)]
