"""A source with defects on request, and builds of it, for the tests of builds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from annotate.cli import Chains
from builders.dataset import Build, Machine, Result
from builders.recipe import DatasetRecipe
from builders.sources import Item, SourceSpec
from builders.table import Dataset, Example
from degrade import images
from degrade.schema import Question
from tests.dataset_help import WORDS, picture


class Houses(SourceSpec):
    """Numbered pictures, each with one question; some defects on request."""

    kind: Literal["houses"] = "houses"
    count: int = 40
    broken: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    twice: bool = False
    copies: int = 0
    wrong: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        for i in range(self.count if wanted is None else wanted):
            yield self._item(i)
        if self.twice:
            yield self._item(0)
        for i in range(self.copies):  # the same picture at another size and compression
            pixels = picture(i, 192, 144)[::2, ::2] if i % 2 else picture(i)
            data = images.encode(pixels, "jpg", None)
            yield Item(f"copy{i}", data, f"copy{i}.jpg", self._question(i + 1000), "CC0-1.0")

    def _question(self, i: int) -> Question:
        answer = "purple" if self.wrong and i == 3 else WORDS[i % 4]
        return Question(
            question=f"What color is the door of house {i}?",
            choices=WORDS,
            answer=answer,
            caption=f"A house with a {WORDS[i % 4]} door beside a garden wall.",
        )

    def _item(self, i: int) -> Item:
        data: bytes | None = images.encode(picture(i), "png", None)
        if i in self.broken:
            data = b"rubbish"
        if i in self.missing:
            return Item(f"{i:04d}", None, "", self._question(i), problem="missing_picture")
        return Item(f"{i:04d}", data, f"{i:04d}.png", self._question(i), "CC0-1.0")


def recipe(rows: int = 24, **changes: Any) -> DatasetRecipe:
    data = {
        "name": "houses",
        "summary": "Doors of houses.",
        "sources": [{"kind": "houses", "name": "houses"}],
        "held_out": {"operators": ["motion_blur", "scan_lines"], "intensities": [0.1, 0.5]},
        "splits": {
            "train": {
                "rows": rows,
                "operators": "seen",
                "intensities": "seen",
                "use": {"sft": 0.25, "rl": 0.75},
            },
            "validation": {"rows": 4, "operators": "seen", "intensities": "seen"},
            "test_unseen": {"rows": 4, "operators": "unseen", "intensities": "unseen"},
        },
    }
    return DatasetRecipe.model_validate(data | changes)


@contextmanager
def silent(_: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda done, total: None


def card(folder: Path) -> None:
    (folder / "README.md").write_text("A card.")


def build(out: Path, chosen: DatasetRecipe, workers: int = 2, **options: Any) -> Result:
    made = Build(chosen, Path(), out, Chains(), card, Machine(workers=workers))
    return made.run(silent, **options)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def rows_of(folder: Path) -> list[Example]:
    return [entry.row for entry in Dataset(folder).entries(pictures=False)]


class Killed(BaseException):
    """Stands for a death between any two writes."""


@contextmanager
def dying_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dies at a renaming, counted from 1: every commit of a file is one."""
    left, rename = [step], Path.replace

    def mortal(self: Path, target: Any) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", mortal)
        with pytest.raises(Killed):
            yield
