"""What a format is: how rows are written in it, and how a loader of that format reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from builders.table import Entry, Example
from degrade.errors import unknown
from degrade.schema import Degradation

EXPORT, LISTED = "export.json", "pictures.jsonl"
"""What the runner adds: what was exported; for each row the hashes of its pictures."""


@dataclass(frozen=True)
class Problem:
    """Something wrong: ``code`` is countable, ``where`` and ``detail`` are for people."""

    code: str
    where: str
    detail: str


@dataclass(frozen=True)
class Found:
    """A row as a loader of the format would see it; None where the format does not carry it.

    Attributes:
        where: File and row, for messages.
        id: The row's id; empty where this is no row but a file that cannot be read (further).
        split: Its split.
        image, clean: Original bytes of the pictures; None where missing.
        placeholders: Number of picture placeholders in the texts, where the format has them.
        pictures: Number of pictures that the row names.
        prompt: What the model is asked.
        chain: The text to train on.
        choices, answer: As the format has them.
        types: Degradations that the row names beside the chain.
        problems: What reading the row has found wrong.
    """

    where: str
    id: str
    split: str | None = None
    image: bytes | None = None
    clean: bytes | None = None
    placeholders: int | None = None
    pictures: int = 1
    prompt: str | None = None
    chain: str | None = None
    choices: tuple[str, ...] | None = None
    answer: str | None = None
    types: tuple[Degradation, ...] | None = None
    problems: tuple[Problem, ...] = field(default=())


class Format(ABC):
    """Base of the formats. Stateless: one instance may write several exports."""

    name: ClassVar[str]
    """As given to ``--to``."""

    summary: ClassVar[str]
    """What it is for, one line."""

    chains_only: ClassVar[bool] = True
    """Whether rows without an accepted chain are left out."""

    def left_out(self, row: Example) -> str:
        """Why the format cannot hold a row, as a countable reason; empty where it can."""
        return ""

    @abstractmethod
    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """Write rows in order into an empty folder, streaming: memory must not grow with them.

        Args:
            entries: Rows with both pictures; all of them are to be written.
            folder: Exists and is empty; it gets its final name when this returns.
            name: Short name of the data set, ``[a-z0-9-]+``, for files and entries.
        """

    @abstractmethod
    def detect(self, folder: Path) -> bool:
        """Whether a folder holds this format, from its files alone."""

    @abstractmethod
    def read(self, folder: Path) -> Iterator[Found]:
        """What a loader of the format sees, streamed; rows that it would drop or refuse carry
        problems. Never raises for what is in the files.
        """


def formats() -> dict[str, Format]:
    """All formats by name."""
    return {cls.name: cls() for cls in sorted(Format.__subclasses__(), key=lambda c: c.name)}


def get(name: str) -> Format:
    """The format of a name.

    Raises:
        UserError: There is none; the nearest is suggested.
    """
    known = formats()
    if name not in known:
        raise unknown("format", name, known)
    return known[name]
