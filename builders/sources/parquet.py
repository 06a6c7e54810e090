"""Parquet files with pictures in them, read with pyarrow alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa

from builders.sources.base import Anywhere, AnywhereOrNone, Item, Mapped, SourceSpec
from builders.sources.files import Folder, called, located, matching, stem
from builders.sources.mapping import fields, mapped, missing, require, value_of
from builders.sources.readers import parquet_rows
from degrade import shards
from degrade.errors import UserError
from degrade.storage import Place


class Parquet(SourceSpec):
    """Rows of Parquet files: pictures as bytes, as ``{bytes, path}``, or as paths.

    Attributes:
        path: A file, a folder or a pattern such as ``data/train-*.parquet``.
        columns: Which column holds what. Ids are by default ``<file>-<row number from 0>``.
        images: Folder that paths to pictures start from; by default that of the files.
        absolute_paths: Read pictures outside of it too.
    """

    kind: Literal["parquet"] = "parquet"
    path: Anywhere
    columns: Mapped = Mapped()
    images: AnywhereOrNone = None
    absolute_paths: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        root, files = matching(base, self.path, [".parquet"])
        folder = Folder(located(base, self.images) if self.images else root, self.absolute_paths)
        for file in files:
            chosen = self._chosen(file)
            for number, row in enumerate(parquet_rows(file, chosen)):
                identity = f"{stem(root, file)}-{number}"
                image = value_of(row, self.columns.image)
                load = partial(folder.picture, image, identity)
                yield mapped(row, self.columns, identity, load, called(image))

    def _chosen(self, file: Place) -> set[str] | None:
        """The columns to read; None for all.

        Raises:
            UserError: The file is damaged, or a column is missing.
        """
        try:
            with shards.parquet_table(file) as table:
                schema: pa.Schema = table.schema_arrow
        except (OSError, ValueError) as error:
            raise UserError(f"Cannot read {file}: {error}") from None

        def has(name: str) -> bool:
            if name in schema.names:
                return True
            first, *rest = name.split(".")
            if first not in schema.names:
                return False
            kind = schema.field(first).type
            for part in rest:
                if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
                    return False
                kind = kind.field(part).type
            return True

        require(self.columns, has, schema.names, str(file))
        if not has(self.columns.image):
            raise missing(self.columns.image, "image", schema.names, str(file))
        if any("." in name for name in schema.names):  # Arrow would take them for nested ones
            return None
        names = {part for parts in fields(self.columns).values() for part in parts}
        return {name.split(".")[0] for name in names} & set(schema.names)
