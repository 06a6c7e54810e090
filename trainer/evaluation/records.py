"""What an evaluation writes down: every answer as it came, and what was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from degrade.errors import UserError
from degrade.runs import Marker
from degrade.schema import Degradation, Record, Task

ANSWERS, JUDGED, SCORES = "answers.jsonl", "judged.jsonl", "scores.json"
SUMMARY = "evaluation.json"

Control = Literal["none", "blind", "clean", "told"]
"""``none``: the picture as it is. ``blind``: no picture. ``clean``: the undamaged picture.
``told``: the picture as it is, its damage named in the prompt."""
CONTROLS: tuple[Control, ...] = get_args(Control)

TASKS: tuple[Task, ...] = get_args(Task)

Status = Literal["ok", "refused", "filtered", "empty", "failed"]
"""``refused``, ``filtered``, ``empty``: the model answered so, which is wrong. ``failed``: it was
never asked, or no answer came through; such a row is in no figure and is counted."""


class Said(Record):
    """What a model said to one question; ``key`` names the question.

    Attributes:
        key: Hash of the prompt and the picture.
        status: See :data:`Status`.
        text: As it came; of a refusal its words.
        tokens: Of the answer, in the model's counting; None where unknown.
        cut: Whether it ran into the limit; None where unknown.
        detail: Why there is no text.
    """

    key: str
    status: Status
    text: str = ""
    tokens: Annotated[int, Field(ge=0)] | None = None
    cut: bool | None = None
    detail: str = ""


class Shard(Marker):
    """A committed part of the answers."""

    said: tuple[Said, ...]


class Answer(Record):
    """One line of ``answers.jsonl``.

    Attributes:
        id: Of the row.
        control: See :data:`Control`.
        rotation: By how many places the options were rotated; 0 without circular evaluation.
        status, text, tokens, cut, detail: See :class:`Said`.
    """

    id: str
    control: Control = "none"
    rotation: Annotated[int, Field(ge=0)] = 0
    status: Status = "ok"
    text: str = ""
    tokens: Annotated[int, Field(ge=0)] | None = None
    cut: bool | None = None
    detail: str = ""


class Judged(Record):
    """One line of ``judged.jsonl``: a row under one control. Metrics take these as columns.

    Attributes:
        id, item, group, split, level: Of the row; ``item`` is the same at all levels, ``level``
            None where the data set has none.
        operator, stage: ``clean``, one name, or ``several``.
        intensity_sum: Of the damage that was applied.
        task: ``mcq``, ``vqa`` or ``caption``.
        control: See :data:`Control`.
        choices: Number of options; 0 for free answers.
        rotations: In how many rotations of the options it was asked: 1 without circular evaluation.
        correct: In [0, 1]. Circular: 1 only if right in every rotation.
        vanilla: ``correct`` of the options in their own order.
        chosen: What was taken for the answer: an option's text, a free answer, or nothing.
        rule: Which rule of :mod:`trainer.evaluation.options` found it, or why nothing was found;
            ``judge`` where a model judged. Circular: of the first rotation that is wrong.
        agreement: In [0, 1]: whether it is what the same model says of the clean picture; None
            where that is not known.
        well_formed: Whether it is a chain; None where no chain was asked for.
        truth, named: Degradations that were applied, and that the answer names; None: it names
            none because it has no such part.
        tokens, reasoning_tokens, cut: Of the answer (of the first rotation); None where unknown.
    """

    id: str
    item: str
    group: str
    split: str
    level: float | None
    operator: str
    stage: str
    intensity_sum: float
    task: str
    control: Control
    choices: int
    rotations: Annotated[int, Field(ge=1)] = 1
    correct: Annotated[float, Field(ge=0, le=1)]
    vanilla: Annotated[float, Field(ge=0, le=1)]
    chosen: str
    rule: str
    agreement: Annotated[float, Field(ge=0, le=1)] | None
    well_formed: bool | None
    truth: tuple[Degradation, ...]
    named: tuple[Degradation, ...] | None
    tokens: int | None
    reasoning_tokens: int | None
    cut: bool | None


R = TypeVar("R", Answer, Judged)


def read_answers(folder: Path) -> Iterator[Answer]:
    """The answers of an evaluation, streamed.

    Raises:
        UserError: There are none, or a line is damaged.
    """
    return _lines(folder / ANSWERS, Answer)


def read_judged(folder: Path) -> Iterator[Judged]:
    """The judged answers of an evaluation, streamed.

    Raises:
        UserError: There are none, or a line is damaged.
    """
    return _lines(folder / JUDGED, Judged)


def _lines(path: Path, model: type[R]) -> Iterator[R]:
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file, 1):
                try:
                    yield model.model_validate_json(data)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"]))
                    raise UserError(
                        f"{path}:{number} is damaged: {where}: {first['msg']}."
                    ) from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
