"""Drawn scenes: an embedded source that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from builders.sources.base import Item, SourceSpec
from degrade.errors import UserError, unknown
from degrade.images import encode
from degrade.threads import bounded_map, host_threads

Side = Annotated[int, Field(ge=160, le=2048)]


class Scenes(SourceSpec):
    """Drawn scenes with exact questions, answers and rationales.

    Row ``i`` depends on ``seed``, ``size``, ``families`` and ``i`` alone, so that the first
    thousand of any number of rows are the same.

    Attributes:
        seed: Another seed, other scenes.
        size: (width, height) in pixels. A fifth of the pictures are turned by 90 degrees, a fifth
            are square.
        families: Kinds of scenes, as a list or with weights; empty: all alike.
    """

    kind: Literal["scenes"] = "scenes"
    license: str = "CC0-1.0"
    seed: int = 0
    size: tuple[Side, Side] = (448, 336)
    families: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)

    @field_validator("families", mode="before")
    @classmethod
    def _known(cls, given: object) -> object:
        from builders.scenes import FAMILIES

        if isinstance(given, list | tuple):
            given = dict.fromkeys(given, 1.0)
        if isinstance(given, Mapping):
            for name in given:
                if name not in FAMILIES:
                    raise unknown("family of scenes", str(name), FAMILIES)
        return given

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """The scenes, ``wanted`` or ``rows`` of them.

        Raises:
            UserError: Neither says how many: there is no last scene.
        """
        limits = [n for n in (wanted, self.rows) if isinstance(n, int)]
        if not limits:
            raise UserError(
                f"Source {self.name!r} never ends: say how many scenes to draw, 'rows: 1000'."
            )
        return self._drawn(min(limits))

    def _drawn(self, count: int) -> Iterator[Item]:
        workers = host_threads()
        with ThreadPoolExecutor(workers, thread_name_prefix="scenes") as pool:
            yield from bounded_map(pool, self._item, range(count), window=2 * workers)

    def _item(self, i: int) -> Item:
        from builders.scenes import describe, draw

        scene = describe(self.seed, i, self.size, self.families)
        identity = f"{i:06d}"
        return Item(
            id=identity,
            picture=encode(draw(scene), "png", None),
            name=f"{identity}.png",
            question=scene.question,
            license=self.license,
        )
