"""LLaVA's conversations: JSON or JSON lines beside a folder of pictures. VLM-R1 reads the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from builders.sources.base import Here, HereOrNone, Item, SourceSpec
from builders.sources.conversations import Tags, items_of
from builders.sources.files import Folder, located
from builders.sources.mapping import unusable
from builders.sources.readers import json_rows
from builders.sources.values import RowError, text


class Llava(SourceSpec):
    """Rows ``{"id": ..., "image": "0001.jpg", "conversations": [{"from": ..., "value": ...}]}``.

    Each question with its reply is an item, a later one of a row ``<id>#2`` and so on: it is taken
    without the turns before it. Options written as lines of the question become choices.

    Attributes:
        path: The JSON or JSON-lines file.
        images: Folder of the pictures; by default the file's.
        id: Key that identifies a row; empty, or where a row has none: ``row-<number from 0>``.
        absolute_paths: Read pictures outside of ``images`` too.
    """

    kind: Literal["llava"] = "llava"
    path: Here
    images: HereOrNone = None
    id: str = "id"
    absolute_paths: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        path = located(base, self.path)
        folder = Folder(located(base, self.images or self.path.parent), self.absolute_paths)
        for number, row in enumerate(json_rows(path)):
            identity = f"row-{number}"
            try:
                if isinstance(row, RowError):
                    raise row
                identity = (text(row.get(self.id)) if self.id else "") or identity
            except RowError as error:
                yield unusable(identity, error)
                continue
            yield from items_of(
                identity, row.get("conversations"), Tags(), row.get("image"), folder
            )
