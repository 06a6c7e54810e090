"""Rows of any origin -> items: one place where columns become choices, answers and questions."""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from builders.sources import inline
from builders.sources.base import Item, Mapped
from builders.sources.values import RowError, listed, plain, short, text, texts
from degrade.errors import UserError, unknown
from degrade.schema import Question
from degrade.sources import printable

_ROWS_LOOKED_AT = 100


# ------------------------------------------------------------------------------------- columns


def lookup(row: Mapping[str, Any], name: str) -> tuple[bool, Any]:
    """Whether a column is there, and its value; ``meta.caption`` also names a nested one."""
    if not name:
        return False, None
    if name in row:
        return True, row[name]
    here: Any = row
    for part in name.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return False, None
        here = here[part]
    return True, here


def value_of(row: Mapping[str, Any], name: str) -> Any:
    """The value of a column; None where it is not there."""
    return lookup(row, name)[1]


def fields(columns: Mapped) -> dict[str, tuple[str, ...]]:
    """The columns that each key of a mapping names."""
    named = {k: v for k, v in columns if k not in {"answer_as", "inline_choices"} and v}
    several = {"choices"}
    return {
        k: tuple(p.strip() for p in v.split(",")) if k in several else (v,)
        for k, v in named.items()
    }


def explicit(columns: Mapped) -> dict[str, str]:
    """Columns that a recipe names itself -> the key that names them: these must exist."""
    return {
        name: key
        for key, names in fields(columns).items()
        if key in columns.model_fields_set
        for name in names
    }


def missing(name: str, key: str, there: Collection[str], where: str) -> UserError:
    """The error for a column that a recipe names and a source does not have."""
    return UserError(f"'columns.{key}' of {where}: {unknown('column', name, there)}")


def missing_columns(names: Collection[str], there: Collection[str], where: str) -> None:
    """Refuse a file without columns that its kind has.

    Raises:
        UserError: One is missing.
    """
    if lost := [name for name in names if name not in there]:
        raise UserError(
            f"{where} has no column {', '.join(map(repr, lost))}; it has {', '.join(there)}."
        )


def require(
    columns: Mapped, has: Callable[[str], bool], there: Collection[str], where: str
) -> None:
    """Check a mapping against a source whose columns are known beforehand.

    Args:
        columns: Only what the recipe names itself has to exist.
        has: Whether a column, also a nested one, exists.
        there: The columns there are, for the error.
        where: The source, for the error.

    Raises:
        UserError: A column is missing.
    """
    for name, key in explicit(columns).items():
        if not has(name):
            raise missing(name, key, there, where)


def watched(
    rows: Iterator[Mapping[str, Any]], columns: Mapped, where: str, wanted: int | None
) -> Iterator[Mapping[str, Any]]:
    """Rows whose keys are not known beforehand, checked as they pass.

    A column that the recipe names must turn up within the first rows that are looked at: one
    that only some rows have is no mistake, one that none has is.

    Raises:
        UserError: It did not.
    """
    waiting, seen, count = explicit(columns), set[str](), 0
    limit = min(_ROWS_LOOKED_AT, wanted or _ROWS_LOOKED_AT)

    def check() -> None:
        for name, key in waiting.items():
            raise missing(name, key, seen, where)

    for row in rows:
        count += 1
        seen.update(key for key in row if key and not key.startswith("__"))
        waiting = {name: key for name, key in waiting.items() if not lookup(row, name)[0]}
        if count == limit:
            check()
        yield row
    if 0 < count < limit:
        check()


# ----------------------------------------------------------------------------------- questions


def choices_of(row: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The options, their labels where the source names them, and whether they are numbers.

    A list, a list as text, ``{"A": "red", "B": "blue"}``, ``{"label": [...], "text": [...]}``, or
    several columns, of which trailing ones may be empty.

    Raises:
        RowError: The options cannot be told apart, or an empty one would shift the others.
    """
    there, value = lookup(row, name)
    value = plain(value)
    labels: tuple[str, ...] = ()
    values: list[Any] | None
    if not there and "," in name:
        values = [plain(value_of(row, part.strip())) for part in name.split(",")]
    elif isinstance(value, Mapping):
        if {"label", "text"} <= set(value):
            values, labels = listed(value["text"]), texts(value["label"])
        else:
            values, labels = [plain(v) for v in value.values()], tuple(map(str, value))
    elif value is None or value == "":
        values = []
    else:
        values = listed(value)
    if values is None:
        raise RowError("malformed_choices", f"no list of options: {short(value)}")
    while values and (plain(values[-1]) is None or values[-1] == ""):
        values.pop()
    found = tuple(map(text, values))
    if not all(found):
        raise RowError("malformed_choices", f"an option is empty: {short(list(found))}")
    numbers = bool(values) and all(isinstance(plain(v), (int, float)) for v in values)
    return found, labels[: len(found)], numbers


def answered(
    question: Question, answer: Any, labels: tuple[str, ...] = (), numbers: bool = False
) -> Question:
    """A question with its answer, whose form is set where the value leaves no doubt.

    A number beside options is a 0-based index, below 0 none (unless the options are numbers
    themselves); a label is the option that has it. Of several free answers it is the most
    frequent, of equals the first.

    Args:
        question: With its choices; an ``answer_as`` in it is certain.
        answer: As the source has it.
        labels: Of the options, where they have any of their own.
        numbers: The source has the options as numbers.

    Raises:
        RowError: No answer can be made of it.
    """
    answer, choices, form = plain(answer), question.choices, question.answer_as
    several = None if isinstance(answer, str) else listed(answer)
    if several is not None:
        ranked = Counter(texts(several)).most_common(1)
        answer = ranked[0][0] if ranked else None
    number = isinstance(answer, (int, float)) and not isinstance(answer, bool)
    number = number and math.isfinite(answer)
    if choices and number and not numbers and answer == int(answer):
        form, answer = form or "index", int(answer) if answer >= 0 else None
    found = text(answer)
    if choices and not form and found in labels and found not in choices:
        form, found = "index", str(labels.index(found))
    if choices and found.endswith(".0") and found[:-2].isdigit() and found not in choices:
        found = found[:-2]  # an index that passed through a column of floats
    form = form if found and choices else ""
    return asked(**question.model_dump() | {"answer": found, "answer_as": form})


def question_of(row: Mapping[str, Any], columns: Mapped) -> Question:
    """The question of a row.

    Raises:
        RowError: A value is not what its column should hold.
    """
    choices, labels, numbers = choices_of(row, columns.choices)
    captions = texts(value_of(row, columns.caption))
    question = asked(
        question=text(value_of(row, columns.question)),
        choices=choices,
        answer_as=columns.answer_as,
        caption=captions[0] if captions else "",
        rationales=texts(value_of(row, columns.rationales)),
    )
    answer = value_of(row, columns.answer)
    if columns.inline_choices and not choices:
        question = _parted(question, answer)
    return answered(question, answer, labels, numbers)


def _parted(question: Question, answer: Any) -> Question:
    """A question without the options in its text, where the answer is one of them."""
    found, answer = inline.parted(question.question), plain(answer)
    if found is None or not isinstance(answer, str):
        return question
    stem, choices = found
    letter = len(answer) == 1 and answer in string.ascii_uppercase[: len(choices)]
    if not letter and answer not in choices:
        return question
    form = "letter" if letter and not question.answer_as else question.answer_as
    return asked(
        **question.model_dump() | {"question": stem, "choices": choices, "answer_as": form}
    )


def asked(**values: Any) -> Question:
    """A validated question.

    Raises:
        RowError: A value is of the wrong type, or no valid Unicode.
    """
    try:
        question = Question(**values)
        question.model_dump_json()  # JSON may hold halves of characters, which no file takes
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RowError("malformed_row", f"{where}: {first['msg']}") from None
    except ValueError:
        raise RowError("malformed_row", "a text is no valid Unicode") from None
    return question


# --------------------------------------------------------------------------------------- items


def item(
    identity: str,
    name: str,
    question: Callable[[], Question],
    picture: Callable[[], tuple[bytes, str]],
    license: Any = None,
    references: Callable[[], tuple[str, ...]] = tuple,
) -> Item:
    """An item; what cannot be had becomes its problem.

    Args:
        identity: Its id.
        name: Of the picture, where it cannot be had.
        question: Gives the question or raises :class:`RowError`.
        picture: Gives the bytes and the name of the picture, or raises likewise.
        license: As the row has it.
        references: Gives all right answers or raises likewise.
    """
    known = Question()
    try:
        known, several = question(), references()
        data, name = picture()
        return Item(
            _valid(identity),
            data,
            _valid(name),
            known,
            license=_valid(text(license)),
            references=tuple(map(_valid, several)),
        )
    except RowError as error:
        return replace(unusable(identity, error), name=_valid(name), question=known)


def mapped(
    row: Mapping[str, Any],
    columns: Mapped,
    fallback: str,
    picture: Callable[[], tuple[bytes, str]],
    name: str = "",
) -> Item:
    """An item of a row whose columns have names.

    Args:
        row: Its values.
        columns: Which holds what.
        fallback: The id where the row has none.
        picture: As for :func:`item`.
        name: As for :func:`item`.
    """
    try:
        identity = text(value_of(row, columns.id))
    except RowError:
        identity = ""  # a list or a mapping identifies nothing
    return item(
        identity or fallback,
        name,
        lambda: question_of(row, columns),
        picture,
        value_of(row, columns.license),
        lambda: texts(value_of(row, columns.references)),
    )


def unusable(identity: str, error: RowError) -> Item:
    """The item of a row of which nothing can be read."""
    detail = _valid(error.detail)
    return Item(_valid(identity), None, "", problem=error.reason, detail=detail)


def _valid(value: str) -> str:
    """A text that can be written as UTF-8: file names and JSON may hold halves of characters."""
    return printable(value).encode("utf-8", "backslashreplace").decode()
