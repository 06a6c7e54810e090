"""A data set that was built before, as a source: its clean pictures and questions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from builders.sources.base import Item, SourceSpec
from builders.sources.files import located
from builders.sources.mapping import item
from builders.sources.values import RowError
from builders.table import Dataset, Entry


class Built(SourceSpec):
    """The folder that ``degrade-cli build dataset`` wrote. Ids, questions and licenses are kept.

    Attributes:
        path: The folder.
        split: Only this split.
    """

    kind: Literal["dataset"] = "dataset"
    path: Path
    split: str | None = None

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        for entry in Dataset(located(base, self.path)).entries(self.split):
            row = entry.row
            asked, picture = partial(getattr, row, "asked"), partial(_picture, entry)
            yield item(row.id, row.source_name, asked, picture, row.license)


def _picture(entry: Entry) -> tuple[bytes, str]:
    if not entry.clean:
        raise RowError("missing_picture", "the row holds no clean picture")
    return entry.clean, entry.row.source_name
