"""R-Bench as its authors publish it: questions about pictures that come degraded."""

from __future__ import annotations

import re
import string
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from builders.sources.base import Here, HereOrNone, Item, SourceSpec
from builders.sources.files import Folder, called, located, matching
from builders.sources.mapping import answered, asked, item, missing_columns, unusable
from builders.sources.readers import Table, parquet_rows, tabular
from builders.sources.values import RowError, plain, text, texts
from builders.sources.vlmevalkit import VlmEvalKit
from degrade.errors import UserError
from degrade.schema import Question

DIS, REF = "R-bench-dis.tsv", "R-bench-ref.tsv"
_FIELDS = ("question", "choice", "answer", "type", "distortion", "strength")
_PICTURES = ("ref_image", "dis_image")
STRENGTHS = 3
"""1 is what is just noticeable, 3 what misleads people."""

# Dimensions of the paper, from the release's own script: the step of the imaging chain in which a
# distortion happens, and the group of what it looks like.
_STEPS = {"Environment": 4, "Camera": 8, "Analog": 13, "Source": 18, "Channel": 22, "Receive": 27}
_STEPS["Enhance"] = 33
_GROUPS: dict[str, tuple[int, ...]] = {
    "Blur": (1, 5, 28),
    "Luminance": (25, 26, 27),
    "Chrominance": (14, 23, 24, 29, 30, 32, 33),
    "Spatial": (6, 13, 18, 19, 20, 21, 22),
    "Noise": (9, 10, 11, 12, 31),
    "Compression": (15, 16, 17),
    "Wild": (2, 3, 4, 7, 8),
}
_TASKS: dict[str, Literal["mcq", "vqa", "caption"]] = {
    "MCQ": "mcq",
    "VQA": "vqa",
    "CAP": "caption",
}
# Some rows have a full-width semicolon that passed through another encoding: bytes A3 BB of GBK.
_GARBLED = "\N{POUND SIGN}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
_BETWEEN = f"(?:;|\N{FULLWIDTH SEMICOLON}|{_GARBLED})"


class RBench(SourceSpec):
    """R-Bench's release: 33 distortions at three strengths, the pictures degraded by its authors.

    Either ModelScope's Parquet (``name, question, choice, answer, type, distortion, strength,
    ref_image, dis_image``: all three tasks), or the Hub's pair of tables for VLMEvalKit (the
    multiple-choice questions alone). The pair need not say distortion and strength; ``labels``,
    the release's ``Ref_Release.csv``, then says them.

    Attributes:
        path: Parquet files, or the folder of ``R-bench-dis.tsv`` and ``R-bench-ref.tsv``.
        labels: ``Ref_Release.csv``; by default the one in that folder, where it is.
    """

    kind: Literal["r-bench"] = "r-bench"
    path: Here
    labels: HereOrNone = None
    license: str = "other"

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        path = located(base, self.path)
        folder = path.parent if path.name in (DIS, REF) else path
        if (folder / DIS).is_file() or (folder / REF).is_file():
            yield from self._pair(base, folder)
            return
        root, files = matching(base, self.path, [".parquet"])
        for file in files:
            for number, row in enumerate(parquet_rows(file)):
                if not number:
                    flat = [n for n in _PICTURES if n not in row and f"{n}.bytes" not in row]
                    missing_columns((*_FIELDS, *flat), row, str(file))
                yield _published(row, Folder(root), f"{file.stem}-{number}")

    def _pair(self, base: Path, folder: Path) -> Iterator[Item]:
        for name in (DIS, REF):
            if not (folder / name).is_file():
                raise UserError(f"There is no {name} in {folder}: the two tables go together.")
        labels = self._labels(base, folder)
        tables = [VlmEvalKit(name=self.name, path=folder / name).read(base) for name in (DIS, REF)]
        nothing: tuple[dict[str, str], Item] = ({}, Item("", None, ""))
        for (cells, dis), (_, ref) in zip_longest(*tables, fillvalue=nothing):
            if dis.id != ref.id or dis.question != ref.question:
                raise UserError(
                    f"{DIS} and {REF} in {folder} are not of the same questions: row {dis.id!r} "
                    f"meets row {ref.id!r}."
                )
            try:
                said = cells if labels is None else labels.of(dis)
                tags, level = _damage(said, "MCQ")
            except RowError as error:
                yield unusable(dis.id, error)
                continue
            made = replace(ref, tags=tags, level=level, degraded=dis.picture, task="mcq")
            if ref.picture is not None and dis.picture is None:
                made = replace(made, picture=None, problem=dis.problem, detail=dis.detail)
            yield made

    def _labels(self, base: Path, folder: Path) -> _Labels | None:
        """What says distortion and strength of the pair's rows; None where they do themselves."""
        columns = Table(folder / DIS, "\t").columns
        if {"distortion", "strength"} <= set(columns):
            return None
        path = located(base, self.labels) if self.labels else folder / "Ref_Release.csv"
        if not path.is_file():
            raise UserError(
                f"{folder / DIS} has no column 'distortion' and 'strength', and there is no "
                f"{path}: put the release's Ref_Release.csv there, or name it as 'labels'."
            )
        return _Labels(path)


class _Labels:
    """``Ref_Release.csv``: distortion and strength of each question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[tuple[str, ...], deque[dict[str, Any]]] = {}
        for number, row in enumerate(tabular(path)):
            if isinstance(row, RowError):
                raise UserError(f"{path}: {row.detail}.")
            if not number:
                missing_columns(_FIELDS, row, str(path))
            if row["type"] == "MCQ":
                key = _key(row["question"], _choices(row["choice"]), row["answer"])
                self._known.setdefault(key, deque()).append(row)

    def of(self, found: Item) -> Mapping[str, Any]:
        """What is said of a question; equal questions in the order of the file.

        Raises:
            RowError: Nothing is.
        """
        asked_ = found.question
        waiting = self._known.get(_key(asked_.question, asked_.choices, asked_.answer))
        if not waiting:
            raise RowError("no_label", f"{self._path.name} does not have its question")
        return waiting.popleft()


def _key(question: str, choices: tuple[str, ...], answer: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in (question, answer, *choices))


def _published(row: Mapping[str, Any], folder: Folder, fallback: str) -> Item:
    """An item of a row with the fields of the release."""
    name = str(row.get("name") or "")
    try:
        kind = text(row["type"])
        if kind not in _TASKS:
            raise RowError("malformed_row", f"type is {kind!r}, none of {', '.join(_TASKS)}")
        tags, level = _damage(row, kind)
        degraded, _ = folder.picture(_cell(row, "dis_image"), fallback)
    except RowError as error:
        return unusable(fallback, error)
    stem = f"{Path(name).stem}-{int(row['distortion']):02d}" if name else fallback
    made = item(
        stem,
        name or called(_cell(row, "ref_image")),
        partial(_question, row, kind),
        lambda: (folder.picture(_cell(row, "ref_image"), fallback)[0], name or fallback),
        references=lambda: texts(row["answer"]) if kind == "CAP" else (),
    )
    if made.picture is None:
        return made
    return replace(made, tags=tags, level=level, degraded=degraded, task=_TASKS[kind])


def _cell(row: Mapping[str, Any], name: str) -> Any:
    """A picture's column, ``ref_image`` with its bytes inside or ``ref_image.bytes``."""
    return plain(row[name] if name in row else row[f"{name}.bytes"])


def _question(row: Mapping[str, Any], kind: str) -> Question:
    if kind == "CAP":
        captions = texts(row["answer"])
        answer = captions[0] if captions else ""
        return asked(question=text(row["question"]), answer=answer, answer_as="text")
    choices = _choices(row["choice"]) if kind == "MCQ" else ()
    form = "letter" if choices else "text"
    question = asked(question=text(row["question"]), choices=choices, answer_as=form)
    return answered(question, text(row["answer"]))


def _choices(value: Any) -> tuple[str, ...]:
    """``A.running; B.Play football`` as options.

    Raises:
        RowError: It is not written like that.
    """
    left = text(value)
    found = re.match(r"\s*A\s*[.:]\s*", left)
    options: list[str] = []
    if found:
        left = left[found.end() :]
        for letter in string.ascii_uppercase[1:]:
            option, *after = re.split(rf"{_BETWEEN}\s*{letter}\s*[.:]\s*", left, maxsplit=1)
            options.append(option.strip())
            if not after:
                break
            left = after[0]
    if len(options) < 2 or not all(options):
        raise RowError("malformed_choices", f"no options as 'A.red; B.blue': {value!r}")
    return tuple(options)


def _damage(row: Mapping[str, Any], kind: str) -> tuple[tuple[str, ...], float]:
    """Tags and level of a row.

    Raises:
        RowError: Distortion or strength is none of the release's.
    """
    try:
        distortion, strength = int(row["distortion"]), int(row["strength"])
    except (KeyError, TypeError, ValueError):
        distortion = strength = 0
    group = next((name for name, numbers in _GROUPS.items() if distortion in numbers), "")
    if not group or not 1 <= strength <= STRENGTHS:
        told = f"{row.get('distortion')!r} and {row.get('strength')!r}"
        raise RowError("malformed_row", f"distortion and strength are {told}, not 1..33 and 1..3")
    step = next(name for name, last in _STEPS.items() if distortion <= last)
    tags = {"distortion": distortion, "step": step, "group": group, "strength": strength}
    said = (*(f"{name}={value}" for name, value in tags.items()), f"task={kind}")
    return said, round(strength / STRENGTHS, 2)
