"""The one vocabulary: what was done to a picture, as data. Pydantic only, no torch.

Parameters and seeds are lists of uniform structs rather than free-form maps, so that a column of
records has one Arrow type however many operators exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Stage = Literal["acquisition", "transmission", "environment", "postprocessing"]
STAGES: tuple[Stage, ...] = get_args(Stage)

Intensity = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """Base of everything that is written down: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Param(Record):
    """One physical parameter of an operator, in the unit a person would use for it."""

    name: str
    value: float
    unit: str


class SeedValue(Record):
    """The seed of one pixel field (noise, positions): the field itself is never stored."""

    name: str
    value: Annotated[int, Field(ge=0, lt=2**32)]


class Applied(Record):
    """One operator applied to one picture: enough to do it again.

    ``short_side`` is min(height, width) in pixels of the picture it was drawn for: lengths are
    recorded in pixels, and their share of the short side is ``value / short_side``.
    """

    operator: str
    version: Annotated[int, Field(ge=1)]
    stage: Stage
    intensity: Intensity
    short_side: Annotated[int, Field(ge=1)]
    params: tuple[Param, ...] = ()
    seeds: tuple[SeedValue, ...] = ()

    @property
    def label(self) -> str:
        """The paper's name for it, ``lens blur`` for ``lens_blur``."""
        return self.operator.replace("_", " ")


def describe(applied: Iterable[Applied]) -> str:
    """Types and intensities as the paper writes them: ``lens blur(0.47), graffiti(0.1)``."""
    return ", ".join(f"{a.label}({round(a.intensity, 2):g})" for a in applied)


class Row(Record):
    """One degraded picture of a run: a line of ``metadata.jsonl``, a row of the Parquet.

    ``file_name`` is relative to the run, ``source_path`` to the source folder; bytes of a source's
    name that are not UTF-8 appear as ``%XX``. (A column called ``source_file_name`` would be read
    as a second picture by the ``imagefolder`` loader, which claims every ``*_file_name``.)
    ``width`` and ``height`` are pixels; ``encoding`` is how the picture was written.
    """

    file_name: str
    id: str
    source_path: str
    width: int
    height: int
    encoding: str
    degradations: str
    applied: tuple[Applied, ...]


class Failure(Record):
    """One source that could not be used: a line of ``quarantine.jsonl``."""

    id: str
    source_path: str
    reason: str
    detail: str
