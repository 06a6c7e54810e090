"""How long a run took, beside it: the one file that differs between two runs of one command.

What a run writes depends on nothing but its settings, so that an interrupted and repeated command
gives the same bytes. The time does not: it is kept in ``timing.json``, an entry for each time
that the command was at work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from degrade.runs import pretty, write_atomic
from degrade.schema import Record

TIMING = "timing.json"


class Session(Record):
    """One time that a command was at work on a run.

    Attributes:
        seconds: From the first source to the last, or to where it was stopped.
        sources: Finished in it.
        workers: Host threads.
        device: ``cpu`` or ``cuda``.
    """

    seconds: Annotated[float, Field(ge=0.0)]
    sources: Annotated[int, Field(ge=0)]
    workers: Annotated[int, Field(ge=1)]
    device: str


_SESSIONS = TypeAdapter(tuple[Session, ...])


def read(folder: Path) -> tuple[Session, ...]:
    """The sessions of a run; none where the file is missing or was edited beyond reading.

    A session that was killed has left none: sources may be more than theirs together.
    """
    try:
        return _SESSIONS.validate_json((folder / TIMING).read_bytes())
    except (OSError, ValidationError):
        return ()


def note(folder: Path, session: Session) -> None:
    """Add a session."""
    sessions = [*read(folder), session]
    write_atomic(folder / TIMING, pretty([one.model_dump(mode="json") for one in sessions]))
