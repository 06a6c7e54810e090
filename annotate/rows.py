"""The rows of a finished run, with what is asked about them and their pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from degrade import images, shards
from degrade.errors import UserError
from degrade.schema import Question, Row
from degrade.shards import Stored
from degrade.sources import find
from degrade.summary import read_summary


@dataclass(frozen=True)
class Pair:
    """A row's pictures, (H, W, 3) uint8 each."""

    clean: images.Pixels
    degraded: images.Pixels


class Rows:
    """A finished run as a source of rows.

    Args:
        run: The run's folder.
        questions: JSON lines with ``id`` or ``source_path`` and the keys of
            :class:`degrade.schema.Question`; they replace what the rows carry. With both, the id
            decides and the path serves rows whose id is on no line.
        source: Where the clean pictures are, if they moved since the run. Parquet holds them.

    Raises:
        UserError: Not a finished run, or a questions file that does not fit it.
    """

    def __init__(self, run: Path, questions: Path | None, source: Path | None) -> None:
        self.run = run
        _, self.summary = read_summary(run, shards.RUNS)
        settings: dict[str, Any] = self.summary["settings"]
        try:
            self.format: shards.Format = settings["format"]
            self.total = int(self.summary["counts"]["rows"])
            self.max_side: int | None = settings["max_side"]
            self.max_pixels = int(settings["max_pixels"])
            self.fingerprint = str(self.summary["fingerprint"])
            self.source = shards.clean_folder(settings, source)
        except (KeyError, TypeError) as error:
            raise UserError(f"{run / shards.RUN} is damaged: {error} is missing.") from None
        self._questions = _Questions(questions) if questions else None
        self.digest = self._questions.digest if self._questions else ""
        if self._questions:
            self._check_names(self._questions)

    def _check_names(self, questions: _Questions) -> None:
        # Only up to the first that fits: a file for another run shows itself before anything is
        # paid, and the rows of a good one are read once.
        if not any(questions.about(item.row) for item in shards.read_rows(self.run, self.format)):
            named = questions.names
            raise UserError(
                f"None of the {questions.unused} questions in {questions.path} is about a row of "
                f"{self.run}: {', '.join(map(repr, named[:3]))} ... Their 'id' or 'source_path' "
                "must be one of the run's."
            )

    @property
    def unmatched(self) -> int:
        """Lines of questions about none of the rows that were gone through so far.

        A run may hold fewer rows than the file was written for.
        """
        return self._questions.unused if self._questions else 0

    def __iter__(self) -> Iterator[Stored]:
        """All rows in the order of the run, streamed.

        Raises:
            UserError: There are fewer or more than the run counted.
        """
        count = 0
        for item in shards.read_rows(self.run, self.format):
            count += 1
            if count > self.total:
                raise UserError(f"{self.run} holds more rows than its run.json counts.")
            asked = self._questions.about(item.row) if self._questions else None
            yield item._replace(question=asked) if asked else item
        if count < self.total:
            raise UserError(f"{self.run} holds {count} rows, its run.json counts {self.total}.")

    def pictures(self, item: Stored) -> Pair:
        """Decode a row's pictures as the run saw them.

        Raises:
            images.UnreadableError: One is missing, broken, larger than the run allowed, or they
                differ in size.
        """
        try:
            stored = item.image or (self.run / item.row.file_name).read_bytes()
            clean = item.clean or find(self.source, item.row.source_path).read_bytes()
        except OSError as error:
            raise images.UnreadableError("unreadable", str(error)) from None
        pair = Pair(
            images.decode(clean, self.max_pixels, self.max_side).pixels,
            images.decode(stored, self.max_pixels).pixels,
        )
        if pair.clean.shape != pair.degraded.shape:
            raise images.UnreadableError(
                "changed", f"clean {pair.clean.shape[:2]}, degraded {pair.degraded.shape[:2]}"
            )
        return pair


@contextmanager
def own_pixel_limit() -> Iterator[None]:
    """Pillow's limit off, for the run's own is in force: a setting of the process."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


class _Line(Question):
    """A line of a file of questions."""

    id: str = ""
    source_path: str = ""


class _Questions:
    """What a file asks, by the names of rows.

    Raises:
        UserError: No such file, or a line that is no question or contradicts an earlier one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._asked: list[Question] = []
        self._ids: dict[str, int] = {}
        self._paths: dict[str, int | None] = {}  # None where lines with ids differ
        self._used: set[int] = set()
        try:
            data = path.read_bytes()
            # Not splitlines(): a JSON string may hold U+2028, which is no end of a line.
            lines = data.decode("utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"Cannot read questions from {path}: {error}") from None
        self.digest = hashlib.sha256(data).hexdigest()[:16]
        for number, text in enumerate(lines, 1):
            if text.strip():
                self._add(text, f"{path}, line {number}")
        if not self._asked:
            raise UserError(f"{path} holds no question: write one JSON object a line.")

    def _add(self, text: str, where: str) -> None:
        try:
            item = json.loads(text)
            if type(item.get("answer")) is int:  # an index, as A-OKVQA has it
                item["answer"] = str(item["answer"])
                if item.get("choices"):
                    item.setdefault("answer_as", "index")
            line = _Line.model_validate(item)
        except (ValueError, AttributeError, TypeError) as error:
            raise UserError(f"{where} is no question: {error}") from None
        question = Question(**{name: getattr(line, name) for name in Question.model_fields})
        name = line.id or line.source_path
        if not name:
            raise UserError(f"{where} names no row: give it 'id' or 'source_path'.")
        known = self._ids.get(line.id) if line.id else self._paths.get(line.source_path)
        if known is not None and self._asked[known] != question:
            raise UserError(f"{where}: {name!r} has a different question on an earlier line.")
        index = len(self._asked) if known is None else known
        if known is None:
            self._asked.append(question)
        if line.id:
            self._ids[line.id] = index
        path = line.source_path or line.id  # an id alone may be the picture's, for all its copies
        other = self._paths.setdefault(path, index)
        if other is None or self._asked[other] != question:
            self._paths[path] = None

    @property
    def names(self) -> list[str]:
        """A name per question."""
        return [*self._ids, *(p for p in self._paths if p not in self._ids)]

    @property
    def unused(self) -> int:
        """Questions that no row has asked for yet."""
        return len(self._asked) - len(self._used)

    def about(self, row: Row) -> Question | None:
        """The question about a row.

        Raises:
            UserError: Several have its path, and none its id.
        """
        index = self._ids.get(row.id)
        if index is None and row.source_path in self._paths:
            index = self._paths[row.source_path]
            if index is None:
                raise UserError(
                    f"{self.path} has several questions about {row.source_path!r} and none with "
                    f"the id {row.id!r}: add one, or make them one."
                )
        if index is None:
            return None
        self._used.add(index)
        return self._asked[index]
