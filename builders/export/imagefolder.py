"""ImageFolder of `datasets`: a folder per split with ``metadata.jsonl``, both pictures as files.

``file_name`` becomes the column ``image``, ``clean_file_name`` the column ``clean``. No other
column may end in ``file_name``, and none may have values whose type depends on the rows; see
:func:`builders.export.writing.flat`. Load the folder itself, ``load_dataset("OUT")``: its README
names the splits, which would otherwise be guessed, and run together, from the folders' names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import yaml

from builders.export.base import Format, Found
from builders.export.reading import json_rows
from builders.export.webdataset import flat_found
from builders.export.writing import PICTURES, Lines, PerPart, flat, save, stem
from builders.table import Entry
from degrade.shards import METADATA

CLEAN = "clean"
_TEXT = (
    "Degraded pictures (`image`) with the clean ones they were made from (`clean`). `choices`, "
    "`rationales`, `types` and `applied` are JSON text."
)


def _card(folder: Path, name: str, parts: Iterable[str]) -> None:
    """A README whose header names the files of each split, for `datasets`.

    Without it, ``test_seen`` and ``test_unseen`` would be loaded as one split ``test``.

    Args:
        folder: Of the export.
        name: Of the data set.
        parts: Names of the splits.
    """
    found = [{"split": part, "path": f"{part}/**"} for part in parts]
    header = {"configs": [{"config_name": "default", "data_files": found}]}
    made = yaml.safe_dump(header, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{made}---\n\n# {name}\n\n{_TEXT}\n", "utf-8")


class _Folder(Lines):
    """Writes one split."""

    def __init__(self, folder: Path) -> None:
        for name in (PICTURES, CLEAN):
            (folder / name).mkdir(parents=True)
        self._folder = folder
        super().__init__(folder / METADATA)

    def put(self, entry: Entry) -> None:
        row = entry.row
        image = save(self._folder / PICTURES, stem(row.id), entry.image)
        clean = save(self._folder / CLEAN, row.clean_sha256[:24], entry.clean)
        self.add({"file_name": image, "clean_file_name": clean, **flat(row)})


class ImageFolder(Format):
    """See the module."""

    name: ClassVar[str] = "imagefolder"
    summary: ClassVar[str] = "Files to look at: load_dataset(OUT), both pictures, all columns"
    chains_only: ClassVar[bool] = False

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """A folder for each split, and the README that names them."""
        with PerPart(lambda part: _Folder(folder / part)) as parts:
            for entry in entries:
                parts[entry.row.part].put(entry)
        _card(folder, name, parts)

    def detect(self, folder: Path) -> bool:
        """By the metadata of a split."""
        return any(folder.glob(f"*/{METADATA}"))

    def read(self, folder: Path) -> Iterator[Found]:
        """The rows of every split's metadata, with the files they name."""
        for path in sorted(folder.glob(f"*/{METADATA}")):
            for seen in json_rows(path, folder):
                if isinstance(seen, Found):
                    yield seen
                    continue
                image = seen.file(path.parent, seen.item.get("file_name"))
                clean = seen.file(path.parent, seen.item.get("clean_file_name"))
                yield flat_found(seen, path.parent.name, image, clean)
