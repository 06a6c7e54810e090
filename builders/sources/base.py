"""What a source is: a validated piece of a recipe that yields pictures with questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from degrade.configs import validated
from degrade.errors import UserError, unknown
from degrade.schema import AnswerForm, Question, Record, Task
from degrade.storage import Place, Remote, place
from degrade.urls import local


def _here(given: Any) -> Any:
    return local(given) if isinstance(given, str) else given


def _anywhere(given: Any) -> Place | None:
    if given is None or isinstance(given, Remote):
        return given
    if not isinstance(given, str | Path):
        raise ValueError("Input should be a path or a URL")
    return place(given)


def _spelled(where: Place | None) -> str | None:
    return None if where is None else str(where)


Here = Annotated[Path, BeforeValidator(_here)]
"""A file or folder of this machine; a URL is refused."""

HereOrNone = Annotated[Path | None, BeforeValidator(_here)]
"""The same, or none."""

Anywhere = Annotated[Place, PlainValidator(_anywhere), PlainSerializer(_spelled)]
"""A file or folder of this machine or of a store."""

AnywhereOrNone = Annotated[Place | None, PlainValidator(_anywhere), PlainSerializer(_spelled)]
"""The same, or none."""


@dataclass(frozen=True)
class Item:
    """One row of a source.

    Attributes:
        id: Stable and unique within the source: the same whatever else the source holds.
        picture: The original file's bytes, never re-encoded; None where there is none.
        name: File name to show for the picture, with its extension.
        question: What is asked about it and what is known. Every text as the source has it.
        license: SPDX identifier or the Hub's name for it, where the source states one per row.
        problem: Countable reason why the row cannot be used, such as ``missing_picture``.
        detail: The same for people.
        references: All right answers, where the source lists several.
        task: What is asked for; empty: it follows from the question.
        degraded: The picture as the source itself degraded it; None where it did not. ``picture``
            is then the undamaged one.
        level: How strongly, in (0, 1]; None with no such picture.
        tags: What the source says of that damage, ``name=value`` each.
    """

    id: str
    picture: bytes | None
    name: str
    question: Question = field(default_factory=Question)
    license: str = ""
    problem: str = ""
    detail: str = ""
    references: tuple[str, ...] = ()
    task: Task | Literal[""] = ""
    degraded: bytes | None = None
    level: float | None = None
    tags: tuple[str, ...] = ()


class SourceSpec(Record, ABC):
    """Base of all kinds of sources: the keys that every entry under ``sources`` may have.

    A subclass sets ``kind`` to a one-value ``Literal`` with that default, adds its own keys and
    yields items. Relative paths are relative to the recipe's folder.

    Attributes:
        kind: Which source it is.
        name: Short name, unique in a recipe; begins the ids of its rows.
        license: Of all its pictures where rows do not say, SPDX or as the Hub spells it.
        rows: Take only the first so many; ``fill``: as many as other sources leave wanting.
    """

    kind: str
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    license: str = ""
    rows: Annotated[int, Field(ge=1)] | Literal["fill"] | None = None

    gateway: ClassVar[str] = ""
    """The optional package it needs, if any."""

    @abstractmethod
    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """The rows in a stable order, streamed.

        Args:
            base: Folder that relative paths start from.
            wanted: The caller will take no more than this many; None: all there are.

        Raises:
            UserError: The source is missing or is not what its kind says.
        """


class Mapped(Record):
    """Which column holds what, for sources whose columns have names of their own.

    A name may be a path into nested columns, ``meta.caption``. Empty: the source has none.
    ``choices`` may be several columns, separated by commas (``A,B,C,D``). ``answer`` may be an
    option's text, its 0-based index or its letter; ``answer_as`` says which, where values such as
    ``"2"`` beside options that are numbers leave it open. ``references`` are all right answers
    where there are several. With ``inline_choices`` a question that ends with its options
    (``A. red`` and so on, each on a line, or ``Options: A: red, B: blue``) is parted into both;
    what stands behind the options tells how to answer and is left out.
    """

    id: str = "id"
    image: str = "image"
    question: str = "question"
    choices: str = "choices"
    answer: str = "answer"
    caption: str = "caption"
    rationales: str = "rationales"
    license: str = "license"
    references: str = ""
    answer_as: AnswerForm | Literal[""] = ""
    inline_choices: bool = False

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only what was given: a stored recipe, read again, must name no more than the first."""
        return {k: v for k, v in handler(self).items() if k in self.model_fields_set}


def kinds() -> dict[str, type[SourceSpec]]:
    """All kinds of sources by name."""
    return {cls.model_fields["kind"].default: cls for cls in SourceSpec.__subclasses__()}


def read_spec(data: Any) -> SourceSpec:
    """An entry of ``sources``, by its ``kind``.

    Raises:
        UserError: Unknown kind or key, or a value that is not allowed.
    """
    if isinstance(data, SourceSpec):
        return data
    if not isinstance(data, Mapping) or "kind" not in data:
        raise UserError(f"A source needs a 'kind', one of {', '.join(sorted(kinds()))}: {data!r}")
    known = kinds()
    if data["kind"] not in known:
        raise unknown("kind of source", str(data["kind"]), known)
    what = f"source {data.get('name', data['kind'])!r}"
    return validated(known[data["kind"]], data, what)
