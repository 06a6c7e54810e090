"""A folder of pictures: bare, with a file of questions, or with `imagefolder`'s metadata."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from builders.sources.base import Anywhere, AnywhereOrNone, Item, Mapped, SourceSpec
from builders.sources.files import Folder, located, size
from builders.sources.mapping import answered, asked, item, mapped, unusable, value_of, watched
from builders.sources.readers import LARGEST, json_rows, tabular
from builders.sources.values import RowError, plain, text
from degrade.errors import UserError
from degrade.schema import Question
from degrade.sources import printable, scan
from degrade.storage import Place

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_NAMES = ("source_path", "file_name", "id")


class PictureFolder(SourceSpec):
    """Pictures below a folder, in the order of their names' bytes.

    With a file of questions, a picture has an item per line that names it, or one without a
    question. Without, and where ``metadata.jsonl``, ``.csv`` or ``.parquet`` lie beside or above
    the pictures, also one per split, their rows are the items: ``file_name`` is relative to the
    metadata, further columns are mapped, and pictures that no row names are none.

    Ids are paths below the folder; a second item of a picture is ``<path>#2`` and so on.

    Attributes:
        path: The folder, or one picture.
        questions: JSON lines: ``source_path`` (or ``file_name`` or ``id``) names the picture, the
            other keys are those of :class:`degrade.schema.Question`.
        columns: Of the metadata. ``image`` stands for ``file_name`` unless it is set, for example
            to ``clean_file_name``.
        absolute_paths: Read pictures that metadata name outside of the folder.
    """

    kind: Literal["folder"] = "folder"
    path: Anywhere
    questions: AnywhereOrNone = None
    columns: Mapped = Mapped()
    absolute_paths: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        root = located(base, self.path)
        tables = [] if self.questions else _metadata(root)
        if tables:
            yield from self._from_metadata(root, tables, wanted)
            return
        if self.columns.model_fields_set:
            raise UserError(
                f"'columns' speaks of metadata, and {root} has none of {', '.join(METADATA)}"
                + (" that is read: leave 'questions' out." if self.questions else ".")
            )
        lines = _questions(located(base, self.questions)) if self.questions else {}
        listing = scan(root)
        folder = Folder(root if root.is_dir() else root.parent)
        for source in listing.sources:
            own = lines.pop(source.id, None) or [(0, Question())]
            for number, (_, question) in enumerate(own, 1):
                identity = source.id if number == 1 else f"{source.id}#{number}"
                load = partial(folder.read, source.path)
                yield item(identity, source.id, partial(_given, question), load)
        for name, left in lines.items():
            for line, question in left:
                reason = RowError("missing_picture", f"{self.questions} names {name!r}")
                if isinstance(question, RowError):
                    reason = question
                yield unusable(f"line-{line}", reason)

    def _from_metadata(
        self, root: Place, tables: Sequence[str], wanted: int | None
    ) -> Iterator[Item]:
        set_ = self.columns.model_fields_set
        image = self.columns.image if "image" in set_ else "file_name"
        columns = Mapped(**{k: getattr(self.columns, k) for k in set_} | {"image": image})
        folder = Folder(root, self.absolute_paths)
        seen = Counter[str]()
        for table in tables:
            place = PurePosixPath(table).parent.as_posix()
            named = watched(_rows(root / table), columns, str(root / table), wanted)
            for number, row in enumerate(named):
                where = f"{place}/row-{number}".removeprefix("./")
                if isinstance(row.get(""), RowError):
                    yield unusable(where, row[""])
                    continue
                try:
                    name = text(plain(value_of(row, image)))
                except RowError as error:
                    yield unusable(where, error)
                    continue
                path = str(Path(place, name)) if name and "://" not in name else name
                short = (folder.below(path) if name else None) or where
                seen[short] += 1
                identity = f"{short}#{seen[short]}" if seen[short] > 1 else short
                yield mapped(row, columns, identity, partial(folder.read, path), name)


def _metadata(root: Place) -> list[str]:
    """All files of metadata below a folder by their names from there, in a stable order."""
    found: list[str] = []
    for folder, files in _folders(root):
        here = [name for name in METADATA if name in files]
        if len(here) > 1:
            place = root / folder if folder else root
            raise UserError(f"{place} has {' and '.join(here)}: remove all but one.")
        found.extend(f"{folder}/{name}" if folder else name for name in here)
    return found


def _folders(root: Place) -> Iterator[tuple[str, Collection[str]]]:
    """Folders by their names below a root, each before those in it, with names of files."""
    if isinstance(root, Path):
        for folder, folders, files in os.walk(root):
            folders.sort(key=os.fsencode)
            yield Path(folder).relative_to(root).as_posix().removeprefix("."), files
        return
    found: dict[str, list[str]] = {}
    for name in root.walk():
        folder, _, file = name.rpartition("/")
        found.setdefault(folder, []).append(file)
    yield from sorted(found.items(), key=lambda item: [os.fsencode(p) for p in item[0].split("/")])


def _rows(table: Place) -> Iterator[dict[str, Any]]:
    """Rows of metadata; what is none stands under the name that no column can have."""
    for row in tabular(table):
        yield {"": row} if isinstance(row, RowError) else row


def _questions(path: Place) -> dict[str, list[tuple[int, Question | RowError]]]:
    """Lines of a file of questions by the picture that they name, with their numbers.

    Pictures come in an order of their own, so all lines are held at once.

    Raises:
        UserError: The file cannot be read, or is larger than one may be that is held.
    """
    if path.is_file() and size(path) > LARGEST:
        raise UserError(
            f"{path} has {size(path) >> 20} MiB; a file of 'questions' is held in memory "
            f"and may have {LARGEST >> 20}. Name it metadata.jsonl beside the pictures, with "
            "'file_name' in each line: then it is streamed."
        )
    found: dict[str, list[tuple[int, Question | RowError]]] = {}
    for number, row in enumerate(json_rows(path), 1):
        if isinstance(row, RowError):
            found.setdefault("", []).append((number, row))
            continue
        names = [text(row.pop(k)) for k in _NAMES if isinstance(row.get(k), str)]
        name = printable(names[0]) if names else ""
        question: Question | RowError
        try:
            if not name:
                raise RowError("malformed_line", f"entry {number} has none of {', '.join(_NAMES)}")
            answer = row.pop("answer", None)
            asks = asked(**{k: v for k, v in row.items() if v is not None})
            question = answered(asks, answer)
        except RowError as error:
            question = RowError(error.reason, f"entry {number}: {error.detail}")
        found.setdefault(name, []).append((number, question))
    return found


def _given(question: Question | RowError) -> Question:
    if isinstance(question, RowError):
        raise question
    return question
