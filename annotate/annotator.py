"""From a finished run to chains: write, check, commit in shards, summarise."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from annotate import diversity
from annotate.checks import CHECKS_VERSION, check
from annotate.depth import target, tokens
from annotate.measure import measure
from annotate.offline import GRAMMAR_VERSION, Unwritable, write
from annotate.rows import Rows, own_pixel_limit
from degrade import __version__, images
from degrade.errors import UserError
from degrade.runs import Marker, Progress, Run, read_json, split_counts
from degrade.schema import SCHEMA_VERSION, Annotation, Chain, Finding, Row
from degrade.shards import Stored
from degrade.threads import bounded_map

CHAINS, SUMMARY = "chains.jsonl", "annotate.json"
SHARD_ROWS = 256
_SAMPLE = 2000  # texts kept for the diversity of the summary: memory must not grow with the rows


class ChainShard(Marker):
    """A committed shard of chains."""

    annotations: tuple[Annotation, ...]


def annotation(
    row: Row, writer: str, chain: Chain | None, findings: tuple[Finding, ...] = (), **changes: Any
) -> Annotation:
    """A row's chain with its verdict, or a row without one.

    Args:
        row: The row.
        writer: Who wrote.
        chain: What was written, if anything.
        findings: Why it is refused.
        changes: Further fields; ``status`` and ``detail`` where there is no chain.
    """
    text = chain.render() if chain else ""
    fields: dict[str, Any] = {
        "id": row.id,
        "file_name": row.file_name,
        "status": findings[0].code if findings else "ok",
        "writer": writer,
        "target": target(row.applied),
        "reasoning_tokens": tokens(chain.reasoning) if chain else 0,
        "chain_tokens": tokens(text),
        "intensity_sum": round(sum(a.intensity for a in row.applied), 4),
        "text": text,
        "chain": chain,
        "findings": findings,
    }
    return Annotation(**fields | changes)


def failed(row: Row, writer: str, status: str, detail: str) -> Annotation:
    """A row without a chain, kept with its reason."""
    return annotation(row, writer, None, status=status, detail=detail)


class ChainWriter(Protocol):
    """What turns rows into annotations, in order."""

    settings: dict[str, Any]
    """What decides the chains: part of the fingerprint."""

    def run(self, rows: Rows, items: Iterator[Stored]) -> Generator[Annotation]:
        """Annotate rows in their order, streaming."""


class OfflineWriter:
    """The default: no network, no key, the same chains on every machine.

    Args:
        seed: Root of the choices of words.
        workers: Host threads; decoding and measuring pictures is most of the work.
    """

    def __init__(self, seed: int, workers: int) -> None:
        self.settings: dict[str, Any] = {
            "writer": "offline",
            "seed": seed,
            "grammar": GRAMMAR_VERSION,
        }
        self._seed, self._workers = seed, workers

    def run(self, rows: Rows, items: Iterator[Stored]) -> Generator[Annotation]:
        """See :class:`ChainWriter`."""

        def one(item: Stored) -> Annotation:
            row, question = item.row, item.question
            try:
                pair = rows.pictures(item)
                chain = write(row, question, measure(pair.clean, pair.degraded), self._seed)
            except images.UnreadableError as error:
                return failed(row, "offline", f"picture_{error.reason}", error.detail)
            except Unwritable as error:
                return failed(row, "offline", "unwritable", str(error))
            return annotation(
                row, "offline", chain, check(chain, row, question, target(row.applied))
            )

        with ThreadPoolExecutor(self._workers) as pool:
            yield from bounded_map(pool, one, items, window=4 * self._workers)


class Annotator:
    """A planned annotation of a run.

    Args:
        rows: The run.
        out: Folder to write; the run is not touched.
        writer: Who writes the chains.
    """

    def __init__(self, rows: Rows, out: Path, writer: ChainWriter) -> None:
        self.rows, self.writer = rows, writer
        settings = {
            "source": str(rows.run).encode("utf-8", "replace").decode(),
            "run": rows.fingerprint,
            "rows": rows.total,
            "questions": rows.digest,
            **writer.settings,
            "checks": CHECKS_VERSION,
            "degrade": __version__,
            "schema": SCHEMA_VERSION,
        }
        self.folder = Run(out, settings, ChainShard, SUMMARY, {CHAINS: "annotations"})
        self.shards = split_counts(rows.total, SHARD_ROWS)

    def run(
        self, overwrite: bool = False, resume: bool = False, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Do what is left to do.

        Returns:
            The summary of all chains, with ``already_finished`` and, of this call, ``speed``.
        """
        folder = self.folder
        begun, made = time.monotonic(), 0
        with own_pixel_limit(), folder.opened(overwrite, resume) as finished:
            if not finished:
                made = self._run(progress or (lambda done, total: None))
        seconds = time.monotonic() - begun
        speed = {
            "rows": made,
            "seconds": round(seconds, 1),
            "rows_per_second": round(made / seconds, 1),
        }
        return {
            **read_json(folder.out / SUMMARY),
            "already_finished": finished,
            "speed": speed,
        }

    def _run(self, progress: Progress) -> int:
        """The number of rows done now, those of earlier calls not counted."""
        folder = self.folder
        todo = [i for i in range(len(self.shards)) if not folder.committed(i)]
        before = done = self.rows.total - sum(len(self.shards[i]) for i in todo)
        progress(done, self.rows.total)
        wanted = set(todo)
        items = (item for n, item in enumerate(self.rows) if n // SHARD_ROWS in wanted)
        # Closed whatever happens, and not when the garbage is collected: a writer may have answers
        # in flight that are paid for.
        with closing(self.writer.run(self.rows, items)) as results:
            for index in todo:
                made = []
                for result in islice(results, len(self.shards[index])):
                    made.append(result)
                    done += 1
                    progress(done, self.rows.total)
                if len(made) < len(self.shards[index]):
                    raise UserError(f"{self.rows.run} holds fewer rows than its run.json counts.")
                folder.commit(
                    ChainShard(fingerprint=folder.fingerprint, index=index, annotations=tuple(made))
                )
            assert next(results, None) is None  # to the end: then the rows are known to be no more
        folder.finish(len(self.shards), summarise, {"unmatched_questions": self.rows.unmatched})
        return done - before


def summarise(shards: Iterable[ChainShard]) -> dict[str, Any]:
    """Rows by status, lengths, whether depth follows damage, how varied the texts are.

    Diversity is measured on at most 2,000 accepted chains at even distances.
    """
    statuses: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    # Ranks need all values: 24 bytes a row.
    sums, depths, lengths = array("d"), array("d"), array("d")
    attempts = judged = answerable = 0
    texts: list[str] = []
    step, seen = 1, 0
    for shard in shards:
        for a in shard.annotations:
            statuses[a.status] += 1
            findings.update(f.code for f in a.findings)
            attempts += a.attempts
            judged += a.answerable is not None
            answerable += bool(a.answerable)
            if a.chain is None or a.status != "ok":
                continue
            sums.append(a.intensity_sum)
            depths.append(a.reasoning_tokens)
            lengths.append(a.chain_tokens)
            if seen % step == 0:
                texts.append(f"{a.chain.influence} {a.chain.reasoning}")
            seen += 1
            if len(texts) >= 2 * _SAMPLE:
                texts, step = texts[::2], 2 * step
    return {
        "rows": statuses.total(),
        "ok": statuses["ok"],
        "statuses": dict(sorted(statuses.items())),
        "findings": dict(sorted(findings.items())),
        "attempts": attempts,
        "judged": judged,
        "answerable": answerable,
        "reasoning_tokens_mean": _mean(depths),
        "chain_tokens_mean": _mean(lengths),
        "depth_spearman": round(diversity.spearman(sums, depths), 4),
        "chain_spearman": round(diversity.spearman(sums, lengths), 4),
        "diversity": {
            "sample": len(texts),
            "unique": round(diversity.unique_share(texts), 4),
            "distinct_3": round(diversity.distinct(texts, 3), 4),
            "self_bleu_3": round(diversity.self_bleu(texts, 3), 4),
        },
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 1) if values else 0.0


def read_chains(out: Path) -> Iterator[Annotation]:
    """The chains of a finished annotation, streamed.

    Raises:
        UserError: There are none, or a line is damaged.
    """
    path, number = out / CHAINS, 0
    try:
        with path.open(encoding="utf-8") as file:
            for text in file:
                number += 1
                yield Annotation.model_validate_json(text)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError:  # pydantic's, or no UTF-8
        raise UserError(
            f"{path} is damaged at line {max(1, number)}. Write the chains again with --overwrite."
        ) from None
