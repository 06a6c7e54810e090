"""Finished evaluations as a report needs them, and whether they may stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from degrade.errors import UserError
from degrade.runs import read_json
from degrade.summary import read_summary
from trainer.evaluation.items import CLEAN, INFO, Benchmark, identity
from trainer.evaluation.records import (
    JUDGED,
    SCORES,
    SUMMARY,
    Answer,
    Judged,
    read_answers,
    read_judged,
)

MOST = 7
"""Models in one report: as many colors as people with any color vision tell apart."""

_RIGHT = {
    "circular": "one has --circular, the other has not",
    "rules": "their answers were read by rules of different versions of degrade",
    "judge": "they have different judges, or one has none",
}
"""Settings that must be equal where models are compared."""


@dataclass(frozen=True)
class Evaluated:
    """One finished evaluation.

    Attributes:
        tag: Its letter in plots and tables.
        name: Of the model.
        folder: Where it is.
        summary: ``evaluation.json``.
        scores: ``scores.json``.
        judged: Rows about the pictures as they are, sorted by id.
        answers: What was said, by row; of the picture as it is, in the options' own order.
        alone: Whether the report is of this one alone: then its letter is nowhere needed.
    """

    tag: str
    name: str
    folder: Path
    summary: dict[str, Any]
    scores: dict[str, Any]
    judged: tuple[Judged, ...]
    answers: dict[str, Answer]
    alone: bool = False

    @property
    def called(self) -> str:
        """The model in a sentence or a heading."""
        return self.name if self.alone else f"{self.tag} ({self.name})"

    def caption(self, text: str) -> str:
        """What stands above a table or a plot of the model."""
        return text[0].upper() + text[1:] if self.alone else f"{self.tag}: {text}"

    def at(self, where: str) -> str:
        """A heading for the model at a level, or the like."""
        return where if self.alone else f"{self.tag}, {where}"

    @property
    def plain(self) -> dict[str, Any]:
        """The figures of the pictures as they are."""
        return self.scores["controls"]["none"]  # type: ignore[no-any-return]

    @property
    def levels(self) -> tuple[str, ...]:
        """Keys of its levels, ascending; none where the data set has no levels."""
        return tuple(key for key in self.plain["accuracy"]["level"] if key != "none")

    @property
    def has_clean(self) -> bool:
        """Whether undamaged pictures and damaged ones of the same questions were asked about."""
        return "robustness" in self.plain

    @cached_property
    def of_item(self) -> dict[str, Judged]:
        """For every question one row about its damaged picture, the strongest."""
        found: dict[str, Judged] = {}
        for row in self.judged:
            known = found.get(row.item)
            if row.operator != CLEAN and (known is None or row.intensity_sum > known.intensity_sum):
                found[row.item] = row
        return found


def read(folders: Sequence[Path], names: Sequence[str] = ()) -> list[Evaluated]:
    """Read evaluations of one benchmark.

    Args:
        folders: Of ``degrade-cli evaluate``.
        names: In place of those that were recorded, in the same order.

    Raises:
        UserError: Not a finished evaluation, too many of them, or of different benchmarks or rows.
    """
    if len(folders) > MOST:
        raise UserError(f"A report compares at most {MOST} models; got {len(folders)}.")
    if names and len(names) != len(folders):
        raise UserError(
            f"Got {len(names)} --name for {len(folders)} evaluations: give one for each, in order."
        )
    resolved = [folder.resolve() for folder in folders]
    if len(set(resolved)) < len(resolved):
        raise UserError("An evaluation is given twice: each can stand in a report once.")
    summaries = [read_summary(folder, {SUMMARY: "evaluate"})[1] for folder in folders]
    _same(folders, summaries)
    known = [names[i] if names else str(s["name"]) for i, s in enumerate(summaries)]
    return [
        _read(chr(65 + i), _distinct(known, i, folder), folder, summary, len(folders) == 1)
        for i, (folder, summary) in enumerate(zip(folders, summaries, strict=True))
    ]


def _distinct(names: Sequence[str], i: int, folder: Path) -> str:
    return f"{names[i]} ({folder.name})" if names.count(names[i]) > 1 else names[i]


def _same(folders: Sequence[Path], summaries: Sequence[dict[str, Any]]) -> None:
    """Refuse to compare what was asked about different things."""
    first = summaries[0]["settings"]
    for folder, summary in zip(folders[1:], summaries[1:], strict=True):
        other = summary["settings"]
        if other["benchmark"] != first["benchmark"]:
            raise UserError(
                f"{folders[0]} is about the benchmark {first['benchmark']!r} and {folder} about "
                f"{other['benchmark']!r}. Report them apart: only answers to the same questions "
                "can be compared."
            )
        if other["rows"] != first["rows"]:
            counts = [s["counts"]["rows"] for s in (summaries[0], summary)]
            raise UserError(
                f"{folders[0]} and {folder} are about different rows of {first['benchmark']!r} "
                f"({counts[0]:,} and {counts[1]:,}): it was built anew, or --limit, --split or "
                "--task differ. Evaluate both on the same."
            )
        for key, what in _RIGHT.items():
            if other[key] != first[key]:
                raise UserError(
                    f"What counts as right differs between {folders[0]} and {folder}: {what}. "
                    "Score both alike: `degrade-cli evaluate BENCH NEW --answers "
                    "FOLDER/answers.jsonl` reads answers again and asks nothing."
                )


def _read(tag: str, name: str, folder: Path, summary: dict[str, Any], alone: bool) -> Evaluated:
    scores = read_json(folder / SCORES)
    if "none" not in scores.get("controls", {}):
        raise UserError(
            f"{folder} has no answers about the pictures as they are, only controls: there is "
            "nothing to report. See `degrade-cli evaluate`."
        )
    if missing := sorted({"accuracy", "cost"} - scores["controls"]["none"].keys()):
        raise UserError(f"{folder / SCORES} is damaged: {', '.join(missing)} is missing.")
    rows = list(read_judged(folder))
    if len(rows) != (count := summary["counts"].get("judged")):
        raise UserError(f"{folder / JUDGED} is damaged: it has {len(rows)} of {count} rows.")
    judged = sorted((r for r in rows if r.control == "none"), key=lambda r: r.id)
    answers = {a.id: a for a in read_answers(folder) if a.control == "none" and not a.rotation}
    if missing := [row.id for row in judged if row.id not in answers]:
        raise UserError(f"{folder} is damaged: {JUDGED} has {missing[0]!r}, the answers have not.")
    return Evaluated(tag, name, folder, summary, scores, tuple(judged), answers, alone)


def benchmark_of(models: Sequence[Evaluated], given: Path | None) -> Benchmark:
    """The benchmark that they are about, for its pictures.

    Args:
        models: The evaluations.
        given: Where it is; by default where it was when it was evaluated.

    Raises:
        UserError: It is not there, or holds other rows.
    """
    settings = models[0].summary["settings"]
    folder = given or Path(settings["source"])
    if not (folder / INFO).exists():
        raise UserError(
            f"The benchmark {settings['benchmark']!r} is not in {folder}: say where with --bench. "
            "Without it, --failures 0 makes a report that shows no pictures."
        )
    bench = Benchmark(folder)
    asked = models[0].answers.keys()
    if identity(item for item in bench.rows if item.id in asked) != settings["rows"]:
        raise UserError(
            f"{folder} is not the benchmark that {models[0].folder} is about: its rows differ. "
            "Give the one that was evaluated with --bench."
        )
    return bench
