"""Recipes: which stages in what order, how many operators, which ones, and how strong.

A recipe is a YAML file; ``recipes/*.yaml`` ship as presets. It draws, for a picture's id, the list
of records to apply: a pure function of (recipe, seed, id, size).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from degrade import configs, ops
from degrade.configs import validated
from degrade.errors import UserError, unknown
from degrade.rng import unit
from degrade.schema import STAGES, Applied, Intensity, Record, Stage

_PRESETS = resources.files("degrade") / "recipes"

GRID = 100
"""Intensities are drawn in steps of 1/100, so that the two decimals written are what was done."""


def _on_grid(value: float) -> float:
    if abs(value * GRID - round(value * GRID)) > 1e-9:
        raise ValueError(f"intensity {value} has more than two decimals; use {round(value, 2)}")
    return round(value, 2)


GridIntensity = Annotated[Intensity, AfterValidator(_on_grid)]


class Span(Record):
    """Uniform on the grid from ``low`` to ``high``, both included."""

    low: GridIntensity
    high: GridIntensity

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self

    def at(self, u: float) -> float:
        """The intensity for a uniform ``u`` in [0, 1)."""
        steps = round((self.high - self.low) * GRID) + 1
        return round(self.low + int(u * steps) / GRID, 2)


@dataclass(frozen=True)
class Variant:
    """One degraded version of a picture. ``level`` is set where a recipe makes several of one."""

    level: float | None
    applied: tuple[Applied, ...]


class Recipe(Record):
    """What to do to each picture. Unknown keys are refused.

    Attributes:
        name: Name for listings and records.
        summary: One sentence.
        sources: Where the protocol was published.
        choices: What the source leaves open, and what was chosen here.
        stages: Operators per stage; stages and operators are applied in the order written.
        count: Number of operators per picture -> weight.
        clean: Share of pictures left as they are, in [0, 1].
        intensity: Uniform range of intensities, drawn anew per operator. Or:
        among: Uniform over these intensities, drawn anew per operator. Or:
        levels: Each picture once per level, sharing every draw but strength.
        needs: Options a caller must give: ``op``, ``intensity``.
    """

    name: str
    summary: str
    sources: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    stages: dict[Stage, tuple[str, ...]]
    count: dict[Annotated[int, Field(ge=1)], Annotated[float, Field(gt=0)]] = Field({1: 1.0})
    clean: Annotated[float, Field(ge=0, le=1)] = 0.0
    intensity: Span | None = None
    among: tuple[GridIntensity, ...] | None = None
    levels: tuple[GridIntensity, ...] | None = None
    needs: tuple[Literal["op", "intensity"], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        lists = {"among": self.among, "levels": self.levels}
        if [self.intensity, *lists.values()].count(None) != len(lists):
            raise ValueError("give exactly one of 'intensity', 'among' and 'levels'")
        for name, values in lists.items():
            if values is not None and (not values or len(set(values)) < len(values)):
                raise ValueError(f"{name!r} needs at least one intensity, each once")
        for stage, names in self.stages.items():
            for name in names:
                if ops.get(name).stage != stage:
                    raise ValueError(f"{name} belongs to stage {ops.get(name).stage}, not {stage}")
            if len(set(names)) < len(names):
                raise ValueError(f"stage {stage} names an operator twice")
        if not self.count:
            raise ValueError("'count' needs at least one entry")
        if not any(self.stages.values()) and "op" not in self.needs:
            raise ValueError("'stages' names no operator and 'needs' does not ask for one")
        return self

    @property
    def operators(self) -> tuple[str, ...]:
        """All operators, in the order of application."""
        return tuple(name for names in self.stages.values() for name in names)

    @property
    def digest(self) -> str:
        """Hash of everything that decides what is drawn."""
        text = self.model_dump_json(exclude={"summary", "sources", "choices"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def narrowed(self, only: Sequence[str] = (), intensity: float | None = None) -> Recipe:
        """The same recipe restricted to some operators and to one intensity.

        Raises:
            UserError: The recipe needs one of them and it is missing, or an operator or intensity
                is not allowed.
        """
        given = {"op": bool(only), "intensity": intensity is not None}
        missing = [f"--{need}" for need in self.needs if not given[need]]
        if missing:
            raise UserError(f"Recipe {self.name!r} needs {' and '.join(missing)}.")
        changes: dict[str, Any] = {"needs": ()}
        if only:
            chosen = list({op.name: op for op in map(ops.get, only)}.values())
            for op in chosen:
                if self.operators and op.name not in self.operators:
                    raise unknown(f"operator of recipe {self.name!r}", op.name, self.operators)
            # A recipe that lists none takes any operator, stages in the order of the vocabulary.
            order = self.operators or [op.name for s in STAGES for op in chosen if op.stage == s]
            kept = [ops.get(name) for name in order if name in {op.name for op in chosen}]
            stages: dict[str, list[str]] = {}
            for op in kept:
                stages.setdefault(op.stage, []).append(op.name)
            changes["stages"] = stages
        if intensity is not None:
            changes |= {"intensity": {"low": intensity, "high": intensity}}
            changes |= {"among": None, "levels": None}
        return validated(Recipe, self.model_dump() | changes, f"recipe {self.name!r}")

    def draw(self, key: str, seed: int, short_side: int) -> list[Variant]:
        """The records for one picture: one variant, or one per level.

        Args:
            key: The picture's id; nothing else about it matters.
            seed: Root seed of the run.
            short_side: min(height, width) in pixels.
        """
        names = self._choose(key, seed)

        def variant(level: float | None) -> Variant:
            applied = []
            for step, name in enumerate(names):
                where = (seed, key, step)
                strength = level
                if strength is None:
                    strength = self._strength(unit(*where, name, "intensity"))
                applied.append(ops.get(name).sample(strength, where, short_side))
            return Variant(level, tuple(applied))

        return [variant(level) for level in (self.levels or (None,))]

    def _strength(self, u: float) -> float:
        if self.among is not None:
            return self.among[int(u * len(self.among))]
        assert self.intensity is not None  # validated: one of intensity, among, levels
        return self.intensity.at(u)

    def _choose(self, key: str, seed: int) -> list[str]:
        if unit(seed, key, "clean") < self.clean:
            return []
        u = unit(seed, key, "count") * sum(self.count.values())
        wanted = max(self.count)
        for number, weight in self.count.items():
            u -= weight
            if u < 0:
                wanted = number
                break
        left = {stage: list(names) for stage, names in self.stages.items() if names}
        chosen = set()
        for slot in range(min(wanted, len(self.operators))):
            # Stages first, so that each stage is as likely whatever the number of its operators.
            stages = [stage for stage, names in left.items() if names]
            stage = stages[int(unit(seed, key, "stage", slot) * len(stages))]
            names = left[stage]
            chosen.add(names.pop(int(unit(seed, key, "operator", slot) * len(names))))
        return [name for name in self.operators if name in chosen]


def preset_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    return configs.preset_names(_PRESETS)


def load(name: str) -> Recipe:
    """A preset by name, or a recipe file by path.

    Raises:
        UserError: No such preset or file, or the file is not a valid recipe.
    """
    data = configs.read_named(name, _PRESETS)
    if data is None:
        raise UserError(f"{unknown('recipe', name, preset_names())} Or give a .yaml file.")
    return validated(Recipe, data, f"recipe {name}")
