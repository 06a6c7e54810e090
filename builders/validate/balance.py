"""Is a data set evenly spread: answers over places, stages, intensities? Warnings, not errors.

Every bound is crossed only by what chance does not explain (three standard errors), so that small
sets do not warn for being small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from builders import licenses
from builders.export.base import Problem
from degrade import ops
from degrade.plans import GRID
from degrade.recipe import Recipe
from degrade.schema import Degradation, Stage

ANSWER_SHARE = 1.2
"""An option's place may carry this many times its even share: 30 % of four."""
CLEAN_SHARE = 0.25
"""Of undamaged rows, where the recipe does not say."""
STAGE_RATIO = 2.0
KS_DISTANCE = 0.05
SIGMAS = 3.0
KS_SIGMAS = 1.63
"""Kolmogorov's distance times the root of the number stays below this 99 times in 100."""


@dataclass(frozen=True)
class Plan:
    """What a split's degradation recipe draws, as far as it is known.

    Attributes:
        clean: Share of rows left undamaged, in [0, 1].
        grid: Intensities in steps of the grid; empty: those that occur.
    """

    clean: float | None = None
    grid: tuple[int, ...] = ()

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Plan:
        """From a recipe as ``dataset.json`` has it."""
        try:
            read = Recipe.model_validate(recipe)
        except ValueError:  # of another release
            return cls()
        if read.intensity is None:
            return cls(read.clean, tuple(round(v * GRID) for v in read.among or ()))
        low, high = round(read.intensity.low * GRID), round(read.intensity.high * GRID)
        return cls(read.clean, tuple(range(low, high + 1)))


UNDAMAGED = Plan(clean=1.0)
"""Of a split of clean pictures."""


@dataclass
class _Part:
    """Counts of one split."""

    rows: int = 0
    clean: int = 0
    answers: dict[int, Counter[int]] = field(default_factory=dict)  # choices -> place -> rows
    stages: Counter[str] = field(default_factory=Counter)
    intensities: Counter[int] = field(default_factory=Counter)  # in steps of the grid


@dataclass
class Balance:
    """Counts rows, then tells how they are spread."""

    _parts: dict[str, _Part] = field(default_factory=dict)
    _licenses: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        split: str,
        choices: int,
        place: int | None,
        degradations: Iterable[tuple[Stage, float]] | None,
    ) -> None:
        """Count a row.

        Args:
            split: Its split.
            choices: Number of its choices.
            place: 0-based place of its answer among them; None or negative: none of them.
            degradations: Stage and intensity of each; None where the format does not say.
        """
        part = self._parts.setdefault(split, _Part())
        part.rows += 1
        if place is not None and 0 <= place < choices:
            part.answers.setdefault(choices, Counter())[place] += 1
        if degradations is not None:
            applied = list(degradations)
            part.clean += not applied
            part.stages.update(stage for stage, _ in applied)
            part.intensities.update(round(intensity * GRID) for _, intensity in applied)

    def license(self, where: str, name: str) -> Iterator[Problem]:
        """Count a row's license; gives what is to be said of it."""
        self._licenses[name] += 1
        allowed = licenses.derivatives(name)
        if not licenses.canonical(name):
            yield Problem("no_license", where, f"license is {name!r}")
        elif not allowed:
            code = "unsure_license" if allowed is None else "no_derivatives"
            yield Problem(code, where, f"license is {name!r}")

    def facts(self) -> dict[str, Any]:
        """What was counted, per split."""
        facts: dict[str, Any] = {
            "splits": {name: _facts(part) for name, part in self._parts.items()}
        }
        if self._licenses:
            facts["licenses"] = dict(sorted(self._licenses.items()))
        return facts

    def problems(self, plans: Mapping[str, Plan]) -> Iterator[Problem]:
        """What is spread less evenly than chance explains.

        Args:
            plans: What splits were drawn from, where that is known.
        """
        for name, part in self._parts.items():
            plan = plans.get(name, Plan())
            found = (*_answers(part), *_clean(part, plan), *_stages(part), *_drawn(part, plan))
            for code, detail in found:
                yield Problem(code, name, detail)


def stages_of(types: Iterable[Degradation]) -> Iterator[tuple[Stage, float]]:
    """Stage and intensity of named degradations; unknown names are left out."""
    for item in types:
        if item.label.replace(" ", "_") in ops.names():
            yield ops.get(item.label).stage, item.intensity


def _shares(counts: Counter[Any]) -> dict[str, float]:
    return {str(k): round(n / counts.total(), 4) for k, n in sorted(counts.items())}


def _facts(part: _Part) -> dict[str, Any]:
    facts: dict[str, Any] = {"rows": part.rows}
    if part.answers:
        facts["answers"] = {str(k): _shares(c) for k, c in sorted(part.answers.items())}
    if part.clean or part.stages:
        facts["clean_share"] = round(part.clean / part.rows, 4)
        facts["stages"] = _shares(part.stages)
    if part.intensities:
        values = sorted(part.intensities)
        facts["intensities"] = {
            "number": part.intensities.total(),
            "lowest": values[0] / GRID,
            "highest": values[-1] / GRID,
            "ks_uniform": round(distance(part.intensities, range(1, GRID + 1)), 4),
            "ks_drawn": round(distance(part.intensities, values), 4),
        }
    return facts


def distance(counts: Counter[int], drawn: Iterable[int]) -> float:
    """Kolmogorov-Smirnov distance of counted values from uniform over ``drawn``, in [0, 1]."""
    values = np.array(sorted({*counts, *drawn}))
    even = np.isin(values, np.array(list(drawn)))
    found = np.array([counts[int(v)] for v in values])
    gap = np.cumsum(found) / found.sum() - np.cumsum(even) / even.sum()
    return float(np.abs(gap).max())


def _answers(part: _Part) -> Iterator[tuple[str, str]]:
    for choices, counts in part.answers.items():
        if choices < 2:
            continue
        total, even = counts.total(), 1 / choices
        place, most = counts.most_common(1)[0]
        luck = SIGMAS * sqrt(even * (1 - even) * total)
        if most > ANSWER_SHARE * even * total and most - even * total > luck:
            yield (
                "answer_balance",
                f"place {place} of {choices} is right in {most / total:.0%} of {total} rows",
            )


def _clean(part: _Part, plan: Plan) -> Iterator[tuple[str, str]]:
    share = CLEAN_SHARE if plan.clean is None else plan.clean
    off = part.clean - share * part.rows
    # At least one row: a share of nothing has no chance of its own.
    if off > max(1.0, SIGMAS * sqrt(share * (1 - share) * part.rows)):
        yield "clean_share", f"{part.clean} of {part.rows} rows are undamaged, expected {share:.0%}"


def _stages(part: _Part) -> Iterator[tuple[str, str]]:
    if len(part.stages) < 2:
        return
    (often, most), *_, (seldom, least) = part.stages.most_common()
    if most - STAGE_RATIO * least > SIGMAS * sqrt(most + STAGE_RATIO**2 * least):
        yield "stage_balance", f"{often} {most} times, {seldom} {least} times"


def _drawn(part: _Part, plan: Plan) -> Iterator[tuple[str, str]]:
    total = part.intensities.total()
    if not total:
        return
    gap = distance(part.intensities, plan.grid or part.intensities)
    if gap > max(KS_DISTANCE, KS_SIGMAS / sqrt(total)):
        yield (
            "intensity_balance",
            f"{total} intensities are {gap:.2f} from uniform (Kolmogorov-Smirnov)",
        )
