"""VLMEvalKit: one TSV of multiple-choice questions per split, for its ``LMUData`` folder.

``LMUData=OUT`` in the environment, ``--data`` the file's name without ``.tsv``. A benchmark is one
TSV of all its levels: its report has a row for each ``split`` and a column for each ``category``
and ``l2-category``, which is the table of robustness; undamaged rows have the categories that their
items have when damaged, so that every column begins with them. What is avoided:

- Pictures are the original bytes in base64; its own encoder writes JPEG of quality 75.
- It keeps decoded pictures under a data set's name and never looks again. File names therefore end
  with a digest of what they hold.
- A name that holds one of `SWITCHES` would switch to another protocol.
- A table above 1 GiB would be unpacked into pictures that are compressed anew, as JPEG: larger ones
  are parted, ``..._1of3.tsv``; their reports have to be put together by number of rows.
- An ``image`` of up to 64 characters is taken for the index of the row that has the picture.
- pandas reads the texts of `MISSING` as missing, and a column of nothing but numbers as numbers:
  rows and columns for which that changes a text are left out or refused.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import json
import math
import re
import string
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from builders.export.base import Format, Found
from builders.export.reading import BROKEN, Seen, unreadable
from builders.export.writing import PerPart, Writer
from builders.table import Entry, Example
from degrade.errors import UserError

SWITCHES = ("mmbench", "ccbench", "circular", "mmcr", "openended")
COLUMNS = ("index", "image", "question", "answer", "category", "l2-category", "split", "id")
_CATEGORY = COLUMNS.index("category")  # and the stage behind it
LETTERS = string.ascii_uppercase
CLEAN, SEVERAL = "clean", "several"
POINTER = 64
LARGEST = 2**30 - 1
"""Bytes of a table that VLMEvalKit reads as it is."""
MISSING = frozenset(
    "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|"
    "nan|null".split("|")
)
"""What ``pandas.read_csv`` takes for missing (``na_values`` in its documentation)."""


def safe_name(name: str) -> str:
    """A name without the words that VLMEvalKit acts upon: ``mmbench`` becomes ``m-mbench``."""
    return re.sub("|".join(SWITCHES), lambda m: f"{m[0][0]}-{m[0][1:]}", name, flags=re.IGNORECASE)


def category(row: Example) -> tuple[str, str]:
    """The operator and the stage of a row's damage; ``clean``, or ``several`` of them.

    Where a source says what its damage is, the group and the step that it says.
    """
    tags = dict(tag.split("=", 1) for tag in row.source_tags if "=" in tag)
    if not row.applied and {"group", "step"} <= set(tags):
        return tags["group"], tags["step"]
    operators = {t.label for t in row.types}
    stages: set[str] = {a.stage for a in row.applied}
    found = [next(iter(s)) if len(s) == 1 else SEVERAL if s else CLEAN for s in (operators, stages)]
    return found[0], found[1]


class AsRead:
    """What pandas makes of a column: whether numbers in it would change their look."""

    def __init__(self) -> None:
        self._seen = self._gaps = False
        self._numbers = self._whole = self._integers = self._floats = True

    def add(self, text: str) -> None:
        """Take a cell in."""
        if not text or text in MISSING:
            self._gaps = True
            return
        self._seen = True
        try:
            value = float(text) if self._numbers and "_" not in text else math.nan
        except ValueError:
            self._numbers = False
            return
        self._numbers &= "_" not in text
        self._whole &= bool(re.fullmatch(r"\s*[+-]?\d+\s*", text))
        self._integers &= math.isfinite(value) and str(int(value)) == text
        self._floats &= str(value) == text

    @property
    def changed(self) -> bool:
        """Whether some text comes back as another."""
        if not (self._seen and self._numbers):
            return False
        return not (self._integers if self._whole and not self._gaps else self._floats)


class _Tsv(Writer):
    """Writes one file: rows first, then the table, with as many options as there turned out to be
    and the categories of undamaged items, which the damaged rows behind them tell.

    Args:
        folder: Of the export.
        name: Of the data set and its split.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._rows = folder / f".{name}.rows"
        self._file = self._rows.open("w", encoding="utf-8")
        self._number = self._options = 0
        self._digest = hashlib.sha256()
        self._damage: dict[str, tuple[str, str]] = {}  # of the items of a benchmark

    def add(self, row: Example, image: bytes) -> None:
        found, options = category(row), row.choices
        if row.level:
            self._damage[row.item] = found
        known = {
            "index": str(self._number),
            "image": base64.b64encode(image).decode(),
            "question": row.question,
            "answer": LETTERS[row.answer_index],
            "category": found[0],
            "l2-category": found[1],
            "split": row.split,
            "id": row.id,
        }
        undamaged = row.item if row.level == 0 else ""
        data = json.dumps([undamaged, *(known[name] for name in COLUMNS), *options]) + "\n"
        self._file.write(data)
        self._digest.update(data.encode())
        self._number += 1
        self._options = max(self._options, len(options))

    def finish(self) -> None:
        self._file.close()
        heading = [*COLUMNS, *LETTERS[: self._options]]
        stem, changed = f"{self._name}_{self._digest.hexdigest()[:8]}", set[str]()
        made = list[Path]()
        rows = self._finished(len(heading))
        row = next(rows, None)
        while row is not None:
            made.append(self._folder / f".{stem}.{len(made)}")
            found, row = _table(made[-1], heading, row, rows)
            changed |= found
        for number, path in enumerate(made, 1):
            part = f"_{number}of{len(made)}" if len(made) > 1 else ""
            path.replace(self._folder / f"{stem}{part}.tsv")
        if changed:
            raise UserError(
                f"In {self._name}, the cells of column {', '.join(sorted(changed))} are numbers "
                "throughout, and pandas, with which VLMEvalKit reads them, would show them "
                "otherwise (4 as 4.0, 007 as 7). Export this split to lmms-eval instead."
            )

    def _finished(self, width: int) -> Iterator[list[str]]:
        """The rows as they are written."""
        with self._rows.open(encoding="utf-8") as rows:
            for data in rows:
                item, *row = json.loads(data)
                row += [""] * (width - len(row))
                if item in self._damage:
                    row[_CATEGORY : _CATEGORY + 2] = self._damage[item]
                yield row

    def close(self) -> None:
        self._file.close()
        self._rows.unlink(missing_ok=True)


def _table(
    path: Path, heading: list[str], row: list[str] | None, rows: Iterator[list[str]]
) -> tuple[set[str], list[str] | None]:
    """Write one table: a row, and as many behind it as there is room for.

    Returns:
        The columns that pandas would change, and the first row that is left over.
    """
    columns = [AsRead() for _ in heading]
    with path.open("w", encoding="utf-8", newline="") as file:
        size, begun = file.write(_quoted(heading)), False
        while row is not None:
            text = _quoted(row)
            size += len(text.encode())
            if size > LARGEST and begun:
                break
            for column, cell in zip(columns[2:], row[2:], strict=True):
                column.add(cell)
            file.write(text)
            begun, row = True, next(rows, None)
    return {name for name, c in zip(heading, columns, strict=True) if c.changed}, row


def _quoted(cells: Sequence[str]) -> str:
    """A row with every cell in quotes; `csv` goes through a picture letter by letter."""
    return "\t".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[list[str]]]:
    """The rows of a TSV; cells may be as long as a picture."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield csv.reader(file, delimiter="\t", strict=True)
    finally:
        csv.field_size_limit(limit)


class VlmEvalKit(Format):
    """See the module."""

    name: ClassVar[str] = "vlmevalkit"
    summary: ClassVar[str] = "Evaluation with VLMEvalKit: a TSV for each split or benchmark"
    chains_only: ClassVar[bool] = False

    def left_out(self, row: Example) -> str:
        """Rows that are no multiple-choice question, or that pandas would read otherwise."""
        if not row.choices:
            return "no_choices"
        if row.answer_index < 0:
            return "no_answer"
        if not 1 < len(row.choices) <= len(LETTERS):
            return "number_of_choices"
        if any(not text or text in MISSING for text in (row.question, *row.choices)):
            return "reads_as_missing"
        return ""

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """A TSV for each split, or one for all levels of a benchmark."""
        with PerPart(lambda file: _Tsv(folder, safe_name(file))) as tables:
            for entry in entries:
                row = entry.row
                file = f"{name}_{row.part}" if row.level is None else name
                tables[file].add(row, entry.image)

    def detect(self, folder: Path) -> bool:
        """By its tables."""
        return any(folder.glob("*.tsv"))

    def read(self, folder: Path) -> Iterator[Found]:
        """The rows of every table, as pandas and VLMEvalKit would take them."""
        for path in sorted(folder.glob("*.tsv")):
            number = 0
            try:
                with _opened(path) as rows:
                    heading = next(rows, [])
                    yield from _name_and_columns(path, heading)
                    taken, columns = set[int](), [AsRead() for _ in heading]
                    for number, cells in enumerate(rows, 1):
                        named = dict(zip(heading, cells, strict=False))
                        seen = Seen(f"{path.name}:{number}", named)
                        if len(cells) != len(heading):
                            seen.wrong("broken_row", f"{len(cells)} cells, not {len(heading)}")
                        for column, cell in zip(columns[2:], cells[2:], strict=False):
                            column.add(cell)
                        yield _row(seen, taken)
                    for name, column in zip(heading, columns, strict=True):
                        if column.changed:
                            detail = f"pandas changes the numbers of column {name!r}"
                            yield unreadable(path.name, detail, "numbers")
            except (*BROKEN, csv.Error) as error:
                yield unreadable(f"{path.name} beyond row {number}", error)


def _name_and_columns(path: Path, heading: list[str]) -> Iterator[Found]:
    if found := [word for word in SWITCHES if word in path.name.lower()]:
        yield unreadable(path.name, f"{found[0]!r} in the name switches the protocol", "file_name")
    if missing := [n for n in (*COLUMNS[:4], "A", "B") if n not in heading]:
        yield unreadable(path.name, f"no column {', '.join(missing)}", "columns")


def _row(seen: Seen, taken: set[int]) -> Found:
    item = seen.item
    index = item.get("index") or ""
    if not re.fullmatch(r"\d+", index) or int(index) in taken:
        seen.wrong("index", f"{index!r} is no whole number of its own")
    else:
        taken.add(int(index))
    choices = []
    for letter in LETTERS:
        if text := item.get(letter):
            choices.append(text)
            if text in MISSING:
                seen.wrong("reads_as_missing", f"pandas reads option {letter} {text!r} as none")
    answer = item.get("answer") or ""
    if answer not in LETTERS[: len(choices)] or not answer:
        seen.wrong("answer", f"{answer!r} is the letter of no option")
    return seen.found(
        item.get("id"),
        item.get("split"),
        image=_picture(seen),
        prompt=item.get("question"),
        choices=tuple(choices),
        answer=answer,
    )


def _picture(seen: Seen) -> bytes | None:
    text = seen.item.get("image") or ""
    if len(text) <= POINTER:
        seen.wrong("missing_picture", f"{text!r} is taken for the index of another row")
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        seen.wrong("missing_picture", f"no base64: {error}")
        return None
