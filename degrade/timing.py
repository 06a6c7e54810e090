"""How long a run took, beside it: the one file that differs between two runs of one command.

What a run writes depends on nothing but its settings, so that an interrupted and repeated command
gives the same bytes. The time does not: it is kept in ``timing.json``, an entry for each time
that the command was at work.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from degrade.errors import StoppedError, UserError
from degrade.runs import PLAN, WORK, Progress, pretty, write_atomic
from degrade.schema import Record
from degrade.storage import Place

TIMING = "timing.json"


class Session(Record):
    """One time that a command was at work on a run.

    Attributes:
        seconds: From the first source to the last, or to where it was stopped.
        sources: Finished in it.
        engine: What made the shards: ``local`` threads, or ``ray``.
        workers: Threads, or workers of the cluster; None where nobody said how many.
        device: ``cpu`` or ``cuda``.
    """

    seconds: Annotated[float, Field(ge=0.0)]
    sources: Annotated[int, Field(ge=0)]
    engine: Literal["local", "ray"] = "local"
    workers: Annotated[int, Field(ge=1)] | None
    device: str


_SESSIONS = TypeAdapter(tuple[Session, ...])


def read(folder: Place) -> tuple[Session, ...]:
    """The sessions of a run; none where the file is missing or was edited beyond reading.

    A session that was killed has left none: sources may be more than theirs together.
    """
    try:
        return _SESSIONS.validate_json((folder / TIMING).read_bytes())
    except (OSError, StoppedError, ValidationError):
        return ()


def note(folder: Place, session: Session) -> None:
    """Add a session."""
    sessions = [*read(folder), session]
    write_atomic(folder / TIMING, pretty([one.model_dump(mode="json") for one in sessions]))


@contextmanager
def measured(
    folder: Place,
    engine: Literal["local", "ray"],
    workers: int | None,
    device: str,
    progress: Progress,
) -> Iterator[Progress]:
    """Gives what to tell the progress to; notes at the end how long it went on, also when stopped.

    Args:
        folder: Of the run.
        engine: See :class:`Session`.
        workers: See :class:`Session`.
        device: See :class:`Session`.
        progress: Who is told in turn.
    """
    counted: list[tuple[float, int]] = []

    def told(done: int, total: int) -> None:
        counted.append((time.monotonic(), done))
        del counted[1:-1]
        progress(done, total)

    mistaken = False
    try:
        yield told
    except UserError:
        mistaken = True
        raise
    finally:
        sources = counted[-1][1] - counted[0][1] if counted else 0
        if sources:
            seconds = round(counted[-1][0] - counted[0][0], 3)
            session = Session(
                seconds=seconds, sources=sources, engine=engine, workers=workers, device=device
            )
            # What keeps it from being written has stopped the run too, and was told of there.
            with suppress(OSError, StoppedError):
                # A run that a mistake ended before anything was committed is gone.
                if not mistaken or (folder / WORK / PLAN).exists():
                    note(folder, session)
