"""The rows of a finished run, with what is asked about them and their pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from degrade import images, shards
from degrade.errors import UserError
from degrade.schema import Question
from degrade.shards import Stored
from degrade.sources import find

_ANY_SIZE = 2**62  # the run has refused what was too large


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
            :class:`degrade.schema.Question`; they replace what the rows carry.
        source: Where the clean pictures are, if they moved since the run. Parquet holds them.

    Raises:
        UserError: Not a finished run, or a questions file that does not fit it.
    """

    def __init__(self, run: Path, questions: Path | None, source: Path | None) -> None:
        self.run = run
        self.summary = shards.read_summary(run)
        settings: dict[str, Any] = self.summary["settings"]
        self.format: shards.Format = settings["format"]
        self.total = int(self.summary["counts"]["rows"])
        self.max_side: int | None = settings["max_side"]
        self.source = shards.clean_folder(settings, source)
        self.unmatched = 0
        """Questions about no row of the run: it may hold fewer than the file was written for."""
        self._questions, self.digest = _read_questions(questions) if questions else ({}, "")
        if questions:
            self._check_names(questions)

    def _check_names(self, path: Path) -> None:
        names = {n for item in self for n in (item.row.id, item.row.source_path)}
        unknown = [name for name in self._questions if name not in names]
        self.unmatched = len(unknown)
        if len(unknown) == len(self._questions):
            raise UserError(
                f"None of the {len(unknown)} questions in {path} is about a row of {self.run}: "
                f"{', '.join(map(repr, unknown[:3]))} ... Their 'id' or 'source_path' must be one "
                "of the run's."
            )

    def __iter__(self) -> Iterator[Stored]:
        """All rows in the order of the run, streamed.

        Raises:
            UserError: There are fewer or more than the run counted.
        """
        count = 0
        for item in shards.read_rows(self.run, self.format):
            count += 1
            asked = self._questions.get(item.row.id) or self._questions.get(item.row.source_path)
            yield item._replace(question=asked) if asked else item
        if count != self.total:
            raise UserError(f"{self.run} holds {count} rows, its run.json counts {self.total}.")

    def pictures(self, item: Stored) -> Pair:
        """Decode a row's pictures as the run saw them.

        Raises:
            images.UnreadableError: One is missing, broken, or they differ in size.
        """
        try:
            stored = item.image or (self.run / item.row.file_name).read_bytes()
            clean = item.clean or find(self.source, item.row.source_path).read_bytes()
        except OSError as error:
            raise images.UnreadableError("unreadable", str(error)) from None
        pair = Pair(
            images.decode(clean, _ANY_SIZE, self.max_side).pixels,
            images.decode(stored, _ANY_SIZE).pixels,
        )
        if pair.clean.shape != pair.degraded.shape:
            raise images.UnreadableError(
                "changed", f"clean {pair.clean.shape[:2]}, degraded {pair.degraded.shape[:2]}"
            )
        return pair


def _read_questions(path: Path) -> tuple[dict[str, Question], str]:
    found: dict[str, Question] = {}
    try:
        data = path.read_bytes()
        # Not splitlines(): a JSON string may hold U+2028, which is no end of a line.
        lines = data.decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read questions from {path}: {error}") from None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{path}, line {number}"
        try:
            item = json.loads(text)
            keys = [str(item.pop(k)) for k in ("id", "source_path") if k in item]
            if type(item.get("answer")) is int:  # an index, as A-OKVQA has it
                item["answer"] = str(item["answer"])
            question = Question.model_validate(item)
        except (ValueError, AttributeError, TypeError, ValidationError) as error:
            raise UserError(f"{where} is no question: {error}") from None
        if not keys:
            raise UserError(f"{where} names no row: give it 'id' or 'source_path'.")
        if keys[0] in found and found[keys[0]] != question:
            raise UserError(f"{where}: {keys[0]!r} has a different question on an earlier line.")
        found[keys[0]] = question
    return found, hashlib.sha256(data).hexdigest()[:16]
