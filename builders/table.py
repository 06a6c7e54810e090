"""The canonical table: one row of a data set, how it is stored and how it is read back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from degrade import shards
from degrade.errors import UserError
from degrade.images import is_original
from degrade.schema import AnswerForm, Applied, Chain, Degradation, Question, Record, Task
from degrade.summary import read_summary

INFO, RECIPE, QUARANTINE = shards.DATASET, "recipe.yaml", "quarantine.jsonl"
DATA, CARD, ASSETS, PAGE = "data", "README.md", "assets", "card.html"

OK = "ok"


BENCHMARK: Final = "benchmark"
"""Kind of a recipe whose splits are levels of the same items."""

CLEAN = "clean"
"""Split of a benchmark that holds the undamaged pictures."""


def level_split(level: float) -> str:
    """The split of a benchmark's level: ``clean`` for 0, ``level_025`` for 0.25."""
    return f"level_{round(level * 100):03d}" if level else CLEAN


def part_name(split: str, use: str) -> str:
    """The name under which rows are filed: the split's, with the use's where it is parted."""
    return f"{split}_{use}" if use else split


class Example(Record):
    """One row of a data set; its two pictures stand beside it in the file.

    Attributes:
        id: ``<source>/<id in the source>``; unique in the data set. In a benchmark
            ``<item>@<level>``.
        item: What all levels of one question in a benchmark share; elsewhere the id.
        source: Name of the source in the recipe.
        group: Rows with one group show the same or nearly the same picture; never in two splits of
            a data set, in all levels of a benchmark.
        split: ``train``, ``validation`` ...; in a benchmark ``clean``, ``level_025`` ...
        use: What a training row is for (``sft``, ``rl``); empty where a split is not parted.
        level: Of a benchmark: the nominal intensity, 0 for the clean picture; elsewhere null.
        status: ``ok``, or why the chain was refused or not written.
        detail: The same for people.
        task: ``mcq`` (one of the choices), ``vqa`` (a free answer) or ``caption``.
        question: Without the choices.
        choices: Empty where the answer is free text.
        answer: As the chain gives it: an option's 0-based index, letter or text (recipe's choice).
        answer_as: Which of these.
        answer_text: In words.
        answer_index: 0-based; -1 where there are no choices.
        references: All right answers where the source lists several (captions, direct answers);
            else empty.
        caption: What the clean picture shows, where the source says so.
        rationales: Why the answer is right, where the source says so.
        degradations: ``lens blur(0.47), graffiti(0.10)``; empty for a clean picture.
        types: The same as a list.
        applied: The records that made ``image`` from ``clean_image``.
        intensity_sum: Sum of the intensities.
        influence, reasoning, conclusion: Parts of the chain; empty where there is none.
        chain: The rendered chain, the text to train on; empty where there is none.
        depth_target: Tokens of reasoning that the damage calls for.
        reasoning_tokens: Tokens of reasoning that were written.
        writer: Who wrote the chain.
        answerable: Whether a judge could answer from ``image`` alone; null where none was asked.
        license: Of the picture.
        source_tags: What a source that comes degraded says of the damage, ``group=Blur`` ...; else
            empty.
        file_name: Name for the degraded picture's file.
        source_name: File name of the clean picture in its source.
        width, height: In pixels, of both pictures.
        encoding: How ``image`` was written.
        image_sha256, clean_sha256: Hex digests of the bytes of ``image`` and ``clean_image``.
    """

    id: str
    item: str
    source: str
    group: str
    split: str
    use: str
    level: float | None = None
    status: str
    detail: str
    task: Task
    question: str
    choices: tuple[str, ...]
    answer: str
    answer_as: AnswerForm
    answer_text: str
    answer_index: int
    references: tuple[str, ...] = ()
    caption: str
    rationales: tuple[str, ...]
    degradations: str
    types: tuple[Degradation, ...]
    applied: tuple[Applied, ...]
    intensity_sum: float
    influence: str
    reasoning: str
    conclusion: str
    chain: str
    depth_target: int
    reasoning_tokens: int
    writer: str
    answerable: bool | None
    license: str
    source_tags: tuple[str, ...] = ()
    file_name: str
    source_name: str
    width: int
    height: int
    encoding: str
    image_sha256: str
    clean_sha256: str

    @property
    def part(self) -> str:
        """The name under which it is filed."""
        return part_name(self.split, self.use)

    @property
    def came_degraded(self) -> bool:
        """Whether its source damaged the picture: then no record makes ``image`` again."""
        return bool(self.level) and is_original(self.encoding)

    @property
    def asked(self) -> Question:
        """What is asked and known, as the rest of the project has it."""
        return Question(
            question=self.question,
            choices=self.choices,
            answer=self.answer,
            answer_as=self.answer_as,
            caption=self.caption,
            rationales=self.rationales,
        )

    @property
    def parsed(self) -> Chain | None:
        """The chain, where there is one."""
        found = Chain.parse(self.chain) if self.chain else None
        return found if isinstance(found, Chain) else None


@dataclass(frozen=True)
class Entry:
    """A row with the bytes of its pictures; empty bytes where they were not asked for."""

    row: Example
    image: bytes
    clean: bytes


def columns(entry: Entry) -> dict[str, Any]:
    """An entry as a row of ``picture_schema(Example)``."""
    return {
        "image": {"bytes": entry.image, "path": entry.row.file_name},
        "clean_image": {"bytes": entry.clean, "path": entry.row.source_name},
        **entry.row.model_dump(mode="json"),
    }


def fingerprint_of(info: Mapping[str, Any]) -> str:
    """Of a ``dataset.json``: of the recipe and of what the sources held."""
    text = f"{info['fingerprint']} {info['counts'].get('content')}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Dataset:
    """A data set that was built: ``dataset.json`` and ``data/<split>[_<use>]-*.parquet``.

    Args:
        folder: What ``degrade-cli build dataset`` wrote.

    Raises:
        UserError: Not a finished data set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _, self.info = read_summary(folder, shards.DATASETS)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The Parquet files in order."""
        return tuple(sorted((self.folder / DATA).glob("*.parquet")))

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits in the order of the recipe."""
        return tuple(self.info["counts"]["splits"])

    @property
    def fingerprint(self) -> str:
        """Of the recipe and of what the sources held."""
        return fingerprint_of(self.info)

    @property
    def benchmark(self) -> bool:
        """Whether its splits are levels of the same items."""
        return bool(self.info["settings"]["recipe"].get("kind") == BENCHMARK)

    @property
    def name(self) -> str:
        """The recipe's name."""
        return str(self.info["settings"]["recipe"]["name"])

    def entries(
        self, split: str | None = None, use: str | None = None, pictures: bool = True
    ) -> Iterator[Entry]:
        """Rows in the order of the files, streamed.

        Args:
            split: Only this split.
            use: Only rows for this use.
            pictures: Read the pictures too; without them reading is quick.

        Raises:
            UserError: A file is damaged, or the split does not exist.
        """
        if split is not None and split not in self.splits:
            raise UserError(f"{self.folder} has no split {split!r}, only {', '.join(self.splits)}.")
        chosen: Sequence[str] | None = None if pictures else list(Example.model_fields)
        for path in self.files:
            try:
                for item in shards.parquet_rows(path, chosen):
                    data = [(item.pop(name, None) or {}) for name in shards.PICTURES]
                    row = Example.model_validate(item)
                    if split in (None, row.split) and use in (None, row.use):
                        yield Entry(row, *(d.get("bytes") or b"" for d in data))
            except (OSError, ValueError) as error:  # ValueError: Arrow and pydantic alike
                raise UserError(f"Cannot read {path}: {error}") from None
