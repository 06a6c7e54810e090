"""A data set that was built before, as a source: its clean pictures and questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from builders.sources.base import Anywhere, Item, SourceSpec
from builders.sources.files import located
from builders.sources.mapping import item
from builders.sources.values import RowError
from builders.table import Dataset, Entry


class Built(SourceSpec):
    """The folder that ``degrade-cli build dataset`` wrote. Ids, questions and licenses are kept.

    Of a benchmark, each item once.

    Attributes:
        path: The folder.
        split: Only this split.
    """

    kind: Literal["dataset"] = "dataset"
    path: Anywhere
    split: str | None = None

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        for entry in Dataset(located(base, self.path)).entries(self.split):
            row = entry.row
            if row.level and self.split is None:
                continue
            asked, picture = partial(getattr, row, "asked"), partial(_picture, entry)
            found = item(row.item, row.source_name, asked, picture, row.license)
            yield replace(found, references=row.references, task=row.task)


def _picture(entry: Entry) -> tuple[bytes, str]:
    if not entry.clean:
        raise RowError("missing_picture", "the row holds no clean picture")
    return entry.clean, entry.row.source_name
