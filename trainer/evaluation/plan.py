"""What has to be asked, each question once, and which rows its answer is for. Needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trainer.evaluation.items import Benchmark, Item, Which
from trainer.evaluation.prompts import Style, prompt
from trainer.evaluation.records import Answer, Control, Said

_PICTURE: dict[Control, Which | None] = {
    "none": "image",
    "told": "image",
    "clean": "clean_image",
    "blind": None,
}


class Use(NamedTuple):
    """Whose answer it is."""

    id: str
    control: Control
    rotation: int


@dataclass(frozen=True)
class Ask:
    """One question to a model.

    Attributes:
        key: Of the prompt and the picture's bytes: equal questions are asked once.
        prompt: The words.
        picture: A row and which of its pictures; None: no picture is shown.
        uses: Rows, controls and rotations that share the answer: without a picture all levels of
            a question do.
    """

    key: str
    prompt: str
    picture: tuple[str, Which] | None
    uses: list[Use] = field(default_factory=list)


def rotations(item: Item, circular: bool) -> range:
    """By how many places the options of a row are rotated, one after another."""
    return range(len(item.question.choices) if circular and item.task == "mcq" else 1)


def plan(
    items: Sequence[Item], style: Style, controls: Sequence[Control], circular: bool
) -> dict[str, Ask]:
    """All questions by key, in the order of the rows.

    Args:
        items: The rows.
        style: How they are put.
        controls: Which; the picture as it is is one of them.
        circular: Ask with the options rotated by every number of places.

    Raises:
        UserError: The damage of a row is to be told and is not known.
    """
    asks: dict[str, Ask] = {}
    for item in items:
        for control in controls:
            which = _PICTURE[control]
            for rotation in rotations(item, circular):
                words = prompt(item, style, control, rotation).text
                shown = item.digests[which] if which else ""
                key = hashlib.sha256(f"{shown}\n{words}".encode()).hexdigest()
                if key not in asks:
                    asks[key] = Ask(key, words, (item.id, which) if which else None)
                asks[key].uses.append(Use(item.id, control, rotation))
    return asks


def with_pictures(bench: Benchmark, asks: Iterable[Ask]) -> Iterator[tuple[Ask, bytes]]:
    """Questions with the bytes of their pictures: first those without, then in file order."""
    by_row: dict[str, list[Ask]] = {}
    for ask in asks:
        if ask.picture is None:
            yield ask, b""
        else:
            by_row.setdefault(ask.picture[0], []).append(ask)
    wanted = {row: {a.picture[1] for a in several if a.picture} for row, several in by_row.items()}
    for row, pictures in bench.pictures(wanted):
        for ask in by_row[row]:
            assert ask.picture
            yield ask, pictures[ask.picture[1]]


def answers(asks: Iterable[Ask], said: dict[str, Said]) -> list[Answer]:
    """The lines of ``answers.jsonl``: every row, control and rotation, sorted."""
    found = [
        Answer(
            id=use.id,
            control=use.control,
            rotation=use.rotation,
            **said[ask.key].model_dump(exclude={"key"}),
        )
        for ask in asks
        for use in ask.uses
    ]
    return sorted(found, key=lambda a: (a.id, a.control, a.rotation))
