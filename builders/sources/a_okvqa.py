"""A-OKVQA: as its authors publish it beside COCO's pictures, or as the Hub has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from builders.sources.base import HereOrNone, Item, Mapped, SourceSpec
from builders.sources.files import Folder, located
from builders.sources.huggingface import HuggingFace
from builders.sources.mapping import mapped, unusable
from builders.sources.parquet import Parquet
from builders.sources.readers import json_rows
from builders.sources.values import RowError
from degrade.errors import UserError
from degrade.urls import local

COLUMNS = Mapped(id="question_id", answer="correct_choice_idx", references="direct_answers")
_FOLDERS = ("train", "val", "test")


class AOkvqa(SourceSpec):
    """Questions with four choices, the index of the correct one and three human rationales.

    The answer is the correct choice; the direct answers are ``references``. Test rows have neither.
    COCO's pictures come from Flickr and keep their authors' licenses, so ``license`` is ``other``
    unless set.

    Attributes:
        path: ``aokvqa_v1p0_train.json`` or its folder; or Parquet files; or the name on the Hub.
        images: COCO's folder, with or without ``train2017`` and its like; by default the file's.
        split: ``train``, ``val`` or ``test`` (``validation`` on the Hub).
        revision: On the Hub.
    """

    kind: Literal["a-okvqa"] = "a-okvqa"
    path: str = "HuggingFaceM4/A-OKVQA"
    images: HereOrNone = None
    split: str = "train"
    revision: str | None = None
    license: str = "other"

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        path = located(base, local(self.path))
        short = self.split.replace("validation", "val")
        if path.is_dir() and (path / f"aokvqa_v1p0_{short}.json").exists():
            path /= f"aokvqa_v1p0_{short}.json"
        if path.is_file() and path.suffix == ".json":
            yield from self._published(path, located(base, self.images or path.parent), short)
        elif path.exists():
            files = path / f"**/{self.split}*.parquet" if path.is_dir() else path
            if path.is_dir() and not any(path.glob(f"**/{self.split}*.parquet")):
                raise UserError(
                    f"{path} holds neither aokvqa_v1p0_{short}.json nor {self.split}*.parquet. "
                    "Name the file or its folder, and which 'split'."
                )
            yield from Parquet(name=self.name, path=files, columns=COLUMNS).items(base, wanted)
        else:
            yield from HuggingFace(
                name=self.name,
                path=self.path,
                split=self.split,
                revision=self.revision,
                columns=COLUMNS,
            ).items(base, wanted)

    def _published(self, path: Path, images: Path, split: str) -> Iterator[Item]:
        if not images.is_dir():
            raise UserError(f"There is no folder {images} of pictures: name COCO's as 'images'.")
        folder = Folder(images)
        for number, row in enumerate(json_rows(path)):
            identity = f"row-{number}"
            if isinstance(row, RowError):
                yield unusable(identity, row)
                continue
            load = partial(_picture, folder, row.get("image_id"), row.get("split") or split)
            yield mapped(row, COLUMNS, identity, load)


def _picture(folder: Folder, image: Any, split: Any) -> tuple[bytes, str]:
    if not str(image).isascii() or not str(image).isdigit():
        raise RowError("malformed_row", f"'image_id' is {image!r}, not a number of COCO's")
    name = f"{int(image):012d}.jpg"
    first = [split] if split in _FOLDERS else []
    places = [f"{s}2017/{name}" for s in [*first, *_FOLDERS]] + [name]
    for place in places:
        if (folder.root / place).is_file():
            return folder.read(place)
    raise RowError("missing_picture", f"there is no {places[0]} nor {name} in {folder.root}")
