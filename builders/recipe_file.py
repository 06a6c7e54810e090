"""``recipe.parquet``: a data set without its pictures.

It holds every row and, in the file's metadata, what the build was told. Whoever has the source
makes the same data set of it (:mod:`builders.replay`). Digests of the files tell whether the bytes
are the same; digests of the pixels tell whether the pictures are, where another zlib packed them.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from builders.spool import pixels_sha256
from builders.table import RECIPE, Dataset, Entry, Example
from degrade import images, shards
from degrade.errors import UserError
from degrade.runs import Progress
from degrade.runtime import tuned
from degrade.threads import bounded_map, host_threads

TABLE = "recipe.parquet"
NO_LIMIT = 2**62
"""Pixels: what is in a data set has passed the limit of its build."""

_KEY = b"degrade"
_GROUP_ROWS = 1024


class RecipeRow(Example):
    """A row without its pictures, and digests of them that do not depend on how they are packed.

    Attributes:
        image_pixels_sha256, clean_pixels_sha256: Hex digests of the decoded pixels.
    """

    image_pixels_sha256: str
    clean_pixels_sha256: str

    @property
    def example(self) -> Example:
        """The row as a data set has it."""
        extra = set(RecipeRow.model_fields) - set(Example.model_fields)
        return Example.model_construct(**{k: v for k, v in self if k not in extra})


def write_recipe(
    folder: Path, path: Path, workers: int | None = None, progress: Progress | None = None
) -> Path:
    """Write a data set's rows without their pictures.

    Args:
        folder: A finished data set.
        path: The Parquet file to write, whole or not at all.
        workers: Host threads; all cores by default.
        progress: Called with (rows done, rows in all).

    Raises:
        UserError: Not a finished data set, or a picture of it is damaged.
    """
    data = Dataset(folder)
    recipe = folder / RECIPE
    files = {p.name: pq.ParquetFile(p).metadata.num_rows for p in data.files}
    info = {
        **published(data.info),
        "files": files,
        RECIPE: recipe.read_text("utf-8") if recipe.exists() else "",
    }
    schema = pa.schema(shards.arrow_fields(RecipeRow), {_KEY: json.dumps(info).encode()})
    threads = host_threads(workers)
    temporary = path.with_name(f".{path.name}.tmp")
    rows: list[dict[str, Any]] = []
    try:
        with (
            tuned(one_thread_per_picture=False),
            ThreadPoolExecutor(threads) as pool,
            pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
        ):
            made = bounded_map(pool, _without_pictures, data.entries(), window=2 * threads)
            for done, row in enumerate(made, 1):
                rows.append(row.model_dump(mode="json"))
                if len(rows) == _GROUP_ROWS:
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    rows = []
                if progress:
                    progress(done, sum(files.values()))
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def published(info: dict[str, Any]) -> dict[str, Any]:
    """A ``dataset.json`` without what only its author's machine knows: where the source was."""
    settings = {key: value for key, value in info["settings"].items() if key != "source"}
    return {**info, "settings": settings}


def _without_pictures(entry: Entry) -> RecipeRow:
    try:
        digests = [
            pixels_sha256(images.decode(data, NO_LIMIT).pixels)
            for data in (entry.image, entry.clean)
        ]
    except images.UnreadableError as error:
        raise UserError(f"A picture of row {entry.row.id} cannot be read: {error}.") from None
    values = {name: getattr(entry.row, name) for name in Example.model_fields}
    return RecipeRow(**values, image_pixels_sha256=digests[0], clean_pixels_sha256=digests[1])


def read_info(recipe: Path) -> dict[str, Any]:
    """What the build of a ``recipe.parquet`` was told and counted: its ``dataset.json``.

    Raises:
        UserError: Not such a file.
    """
    try:
        schema = pq.read_schema(recipe)
        return dict(json.loads((schema.metadata or {})[_KEY]))
    except KeyError:
        raise UserError(
            f"{recipe} is a Parquet file, but none that `degrade-cli push --recipe-only` wrote."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {recipe}: {error}") from None
