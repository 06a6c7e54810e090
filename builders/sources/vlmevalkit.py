"""VLMEvalKit's benchmarks: a TSV with the pictures inside as base64."""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from builders.sources.base import Here, HereOrNone, Item, SourceSpec
from builders.sources.files import Folder, located, only, shown
from builders.sources.mapping import answered, asked, choices_of, item, unusable
from builders.sources.readers import Table
from builders.sources.values import RowError, listed, texts
from degrade.errors import UserError
from degrade.schema import Question

_POINTER = 64  # the field's rule: what is no longer than this names another row


class VlmEvalKit(SourceSpec):
    """Rows ``index, image, question, hint, A, B, C ..., answer``; ids are the ``index``.

    ``hint`` is put before the question, as the kit does. Without a column ``question`` the answer
    holds captions, of which the first is taken. A row's picture may be another row's.

    Attributes:
        path: The TSV.
        images: Folder that ``image_path`` starts from; by default the TSV's.
        absolute_paths: Read pictures outside of it too.
    """

    kind: Literal["vlmevalkit"] = "vlmevalkit"
    path: Here
    images: HereOrNone = None
    absolute_paths: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        return (found for _, found in self.read(base))

    def read(self, base: Path) -> Iterator[tuple[dict[str, str], Item]]:
        """Each row's cells, none where it is broken, with the item made of them."""
        path = located(base, self.path)
        table = Table(path, "\t")
        if "index" not in table.columns or not {"image", "image_path"} & set(table.columns):
            raise UserError(
                f"{path} is no TSV of VLMEvalKit: it needs 'index' and 'image' or 'image_path' "
                f"and has {', '.join(table.columns)}."
            )
        letters = [c for c in string.ascii_uppercase if c in table.columns]
        if letters != list(string.ascii_uppercase[: len(letters)]):
            raise UserError(f"{path}: the columns of options leave some out: {', '.join(letters)}.")
        pictures = _Pictures(
            table, Folder(located(base, self.images or self.path.parent), self.absolute_paths)
        )
        for number, line in enumerate(table.rows()):
            if isinstance(line.cells, RowError):
                yield {}, unusable(f"row-{number}", line.cells)
                continue
            identity = line.cells["index"] or f"row-{number}"
            question = partial(_question, line.cells, letters)
            name = line.cells.get("image_path", "")
            load = partial(pictures.load, line.cells, identity)
            captions = partial(_captions, line.cells)
            yield line.cells, item(identity, name, question, load, None, captions)


def _captions(cells: dict[str, str]) -> tuple[str, ...]:
    """All captions, where these are what is asked for."""
    return () if "question" in cells else texts(cells.get("answer", ""))


def _question(cells: dict[str, str], letters: list[str]) -> Question:
    if "question" not in cells:
        captions = _captions(cells)
        return asked(caption=captions[0] if captions else "")
    choices, _, _ = choices_of({"choices": [cells[c] for c in letters]}, "choices")
    known = [cells.get("hint", ""), cells["question"]]
    answer = cells.get("answer", "")
    letter = len(answer) == 1 and answer.upper() in letters
    question = asked(
        question="\n".join(t for t in known if t),
        choices=choices,
        answer_as="letter" if choices and letter else "",
    )
    return answered(question, answer)


class _Pictures:
    """The pictures of a table; those of other rows are found by where these begin."""

    def __init__(self, table: Table, folder: Folder) -> None:
        self._table, self._folder = table, folder
        self._offsets: dict[str, int] | None = None

    def load(self, cells: dict[str, str], identity: str) -> tuple[bytes, str]:
        """A row's picture and its name.

        Raises:
            RowError: There is none, or it cannot be read.
        """
        name, value = cells.get("image_path", ""), cells.get("image", "")
        if not value:
            found = listed(name)
            return self._folder.picture(name if found is None else found, identity)
        if listed(value) is None and len(value) <= _POINTER:
            cells = self._pointed(value)
            name, value = name or cells.get("image_path", ""), cells["image"]
        data = _decoded(str(only(value)))
        label = self._folder.label(name) if name and listed(name) is None else ""
        return data, shown(label or identity, data)

    def _pointed(self, index: str) -> dict[str, str]:
        if self._offsets is None:  # a second pass, only where pointers are used
            self._offsets = {}
            for line in self._table.rows():
                if not isinstance(line.cells, RowError) and len(line.cells["image"]) > _POINTER:
                    self._offsets.setdefault(line.cells["index"], line.offset)
        offset = self._offsets.get(index, self._offsets.get(index.removesuffix(".0")))
        if offset is None:
            raise RowError("dangling_pointer", f"there is no row {index!r} with a picture")
        cells = next(self._table.rows(offset)).cells
        if isinstance(cells, RowError):
            raise cells
        return cells


def _decoded(value: str) -> bytes:
    if value.startswith("data:"):
        value = value.partition("base64,")[2]
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RowError("bad_base64", str(error)) from None
