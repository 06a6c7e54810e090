"""The last stage of a build: joins what the others made into the files of the data set."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import yaml

from builders import stats
from builders.pool import Pool, PoolRow
from builders.recipe import BuildRecipe, DatasetRecipe, portable
from builders.table import DATA, OK, RECIPE, Entry, Example, columns, part_name
from degrade.errors import UserError
from degrade.runs import Marker, Progress, Run, line, split_counts, write_atomic
from degrade.schema import Annotation, Chain, Failure, Question, Row
from degrade.shards import METADATA, ParquetShard, json_lines, picture_schema
from degrade.shards import QUARANTINE as RUN_QUARANTINE
from degrade.storage import Place

CHAINS = "chains.jsonl"
"""What ``degrade-cli annotate`` writes."""

SHARD_ROWS = 512

R = TypeVar("R", bound=BuildRecipe)
J = TypeVar("J")


def runs_of(stages: Path, split: str) -> Path:
    """Where the degraded pictures of a split are."""
    return stages / f"{split}-degraded"


def chains_of(stages: Path, split: str) -> Path:
    """Where the chains of a split are."""
    return stages / f"{split}-chains"


class DataShard(Marker):
    """A committed file of the data set."""

    examples: tuple[Example, ...]
    failures: tuple[Failure, ...] = ()


class Assembly(ABC, Generic[R, J]):
    """Writes the files of a data set, and resumes; ``J`` is what a row is made of.

    Args:
        recipe: What is built.
        pool: The collected rows.
        folder: The data set.
        stages: Folder of the stages' runs.
    """

    def __init__(self, recipe: R, pool: Pool[R], folder: Run[DataShard], stages: Path) -> None:
        self.recipe, self.pool, self.folder, self.stages = recipe, pool, folder, stages

    @abstractmethod
    def _parts(self) -> dict[str, int]:
        """Name of each part in the order to write them -> its rows, failed ones included."""

    @property
    @abstractmethod
    def _splits(self) -> Iterable[str]:
        """The splits in order."""

    @abstractmethod
    def _joined(self) -> Iterator[J | Failure]:
        """What each row of the parts is made of, in their order, or why there is no row."""

    @abstractmethod
    def _entry(self, joined: J) -> Entry:
        """A row with its pictures."""

    def _first_failures(self) -> Iterable[Failure]:
        """What was lost before rows were joined."""
        return self.pool.failures()

    def write(self, extra: Mapping[str, Any], progress: Progress) -> None:
        """Write what is not committed yet, then the summary.

        Args:
            extra: Further keys of the summary.
            progress: Called with rows done and in all.
        """
        parts = self._parts()
        total = sum(parts.values())
        (self.folder.out / DATA).mkdir(exist_ok=True)
        rows = self._joined()
        index = done = 0
        progress(0, total)
        for part, count in parts.items():
            pieces = split_counts(count, SHARD_ROWS)
            for i, piece in enumerate(pieces):
                path = self.folder.out / DATA / f"{part}-{i:05d}-of-{len(pieces):05d}.parquet"
                self._shard(index, path, rows, len(piece))
                index, done = index + 1, done + len(piece)
                progress(done, total)
        first = tuple(self._first_failures())
        self.folder.commit(
            DataShard(fingerprint=self.folder.fingerprint, index=index, examples=(), failures=first)
        )
        text = yaml.safe_dump(portable(self.recipe), sort_keys=False, allow_unicode=True, width=96)
        write_atomic(self.folder.out / RECIPE, text.encode())
        self.folder.finish(index + 1, self._counts, extra)

    def _shard(self, index: int, path: Place, rows: Iterator[J | Failure], count: int) -> None:
        """Write one file of the next ``count`` rows, unless it is there already."""
        done = self.folder.committed(index)
        shard = None if done else ParquetShard(path, picture_schema(Example))
        examples: list[Example] = []
        failures: list[Failure] = []
        try:
            for _ in range(count):
                joined = next(rows)
                if shard is None:
                    continue
                if isinstance(joined, Failure):
                    failures.append(joined)
                    continue
                entry = self._entry(joined)
                shard.add(columns(entry))
                examples.append(entry.row)
            if shard is None:
                return
            shard.commit()
        except BaseException:
            if shard is not None:
                shard.discard()
            raise
        self.folder.commit(
            DataShard(
                fingerprint=self.folder.fingerprint,
                index=index,
                examples=tuple(examples),
                failures=tuple(failures),
            )
        )

    def _counts(self, shards: Iterable[DataShard]) -> dict[str, Any]:
        reasons: Counter[str] = Counter()
        content = hashlib.sha256()

        def examples() -> Iterator[Example]:
            for shard in shards:
                reasons.update(f.reason for f in shard.failures)
                for example in shard.examples:
                    content.update(line(example).encode())
                    yield example

        counted = stats.count(examples(), self._splits)
        failures = {"quarantined": reasons.total(), "failures": dict(sorted(reasons.items()))}
        return {**counted, **failures, "content": content.hexdigest()[:16]}


class Chained(NamedTuple):
    """A row of the pool with its record and its chain."""

    row: PoolRow
    record: Row
    written: Annotation


class ChainAssembly(Assembly[DatasetRecipe, Chained]):
    """The joining of pool, records and chains."""

    @property
    def _splits(self) -> Iterable[str]:
        return self.recipe.splits

    def _parts(self) -> dict[str, int]:
        parts = Counter(row.part for row in self.pool.rows())
        return {name: parts[name] for name in (part_name(*key) for key in self.recipe.parts)}

    def _joined(self) -> Iterator[Chained | Failure]:
        for split in self.recipe.splits:
            run = runs_of(self.stages, split)
            failed = failures_of(run)
            records = map(Row.model_validate, json_lines(run / METADATA))
            written = map(
                Annotation.model_validate, json_lines(chains_of(self.stages, split) / CHAINS)
            )
            for row in self.pool.rows(split):
                if row.id in failed:
                    yield failed[row.id]
                    continue
                record, chain = next(records), next(written)
                if not row.id == record.id == chain.id:
                    raise UserError(
                        f"The stages in {self.stages} do not fit: {row.id!r}, {record.id!r} and "
                        f"{chain.id!r} meet in one row. Build again with --overwrite."
                    )
                yield Chained(row, record, chain)

    def _entry(self, joined: Chained) -> Entry:
        row, record, written = joined
        image = (runs_of(self.stages, row.split) / record.file_name).read_bytes()
        clean = (self.pool.folder / row.picture).read_bytes()
        chain = written.chain if written.status == OK else None
        asked = row.question
        if not asked.question:  # then the chain says what the picture shows
            said = asked.answer or (chain.answer if chain else "")
            asked = asked.model_copy(update={"question": self.recipe.ask, "answer": said})
        example = Example(
            id=row.id,
            item=row.id,
            source=row.source,
            group=row.group,
            split=row.split,
            use=row.use,
            status=written.status,
            detail=written.detail or "; ".join(f.detail for f in written.findings),
            task=row.task,
            **known(asked),
            references=row.references,
            degradations=record.degradations,
            types=Chain.types_of(record.applied),
            applied=record.applied,
            intensity_sum=written.intensity_sum,
            influence=chain.influence if chain else "",
            reasoning=chain.reasoning if chain else "",
            conclusion=chain.conclusion if chain else "",
            chain=written.text if chain else "",
            depth_target=written.target,
            reasoning_tokens=written.reasoning_tokens if chain else 0,
            writer=written.writer,
            answerable=written.answerable,
            license=row.license,
            file_name=record.file_name,
            source_name=row.source_name,
            width=record.width,
            height=record.height,
            encoding=record.encoding,
            image_sha256=hashlib.sha256(image).hexdigest(),
            clean_sha256=hashlib.sha256(clean).hexdigest(),
        )
        return Entry(example, image, clean)


def failures_of(run: Path) -> dict[str, Failure]:
    """What a run of degraded pictures could not do, by id."""
    found = map(Failure.model_validate, json_lines(run / RUN_QUARANTINE))
    return {failure.id: failure for failure in found}


def known(question: Question) -> dict[str, Any]:
    """The columns of a row that follow from its question."""
    index = question.answer_index
    return {
        **{name: getattr(question, name) for name in Question.model_fields},
        "answer_text": question.answer_text,
        "answer_index": -1 if index is None else index,
    }
