"""Recipes: which stages in what order, how many operators, which ones, and how strong.

A recipe is a YAML file; ``recipes/*.yaml`` ship as presets. It draws, for a picture's id, the list
of records to apply: a pure function of (recipe, seed, id, size). There are three kinds: ``stages``
draw some of their operators, ``steps`` are a chain in order, ``types`` are a protocol's named
damages at its severities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from degrade import configs, ops
from degrade.configs import validated
from degrade.errors import UserError, unknown
from degrade.families import Half, half_of
from degrade.plans import GridIntensity, Kinds, Span, Step
from degrade.rng import pick, unit
from degrade.schema import STAGES, Applied, Record, Stage

_PRESETS = resources.files("degrade") / "recipes"

_CAUSAL: tuple[Stage, ...] = ("environment", "acquisition", "transmission", "postprocessing")


@dataclass(frozen=True)
class Variant:
    """One degraded version of a picture.

    Attributes:
        name: Of this version among the others, such as ``0.45`` or ``fog-3``; empty where a recipe
            makes one version alone.
        applied: What is done, in order.
    """

    name: str
    applied: tuple[Applied, ...]


class Recipe(Record):
    """What to do to each picture: ``stages``, ``steps`` or ``types``. Unknown keys are refused.

    Attributes:
        name: Name for listings and records.
        summary: One sentence.
        sources: Where the protocol was published.
        choices: What the source leaves open, and what was chosen here.
        stages: Operators per stage; stages and operators are applied in the order written. ``all``:
            every operator there is, from the environment to post-processing.
        count: Number of operators per picture -> weight.
        clean: Share of pictures left as they are, in [0, 1].
        intensity: Uniform range of intensities, drawn anew per operator. Or:
        among: Uniform over these intensities, drawn anew per operator. Or:
        levels: Each picture once per level, sharing every draw but strength.
        steps: A chain: each step happens in its place, with its own range of intensities.
        types: Name of a damage -> operators and their values at the severities.
        severities: Names of the severities of ``types``, mildest first.
        each: Every picture under every type; else under one, drawn.
        lengths_at: Short side in pixels that the lengths in ``types`` or ``steps`` are given for;
            they grow with the picture.
        needs: Options a caller must give: ``op``, ``intensity``.
    """

    name: str
    summary: str
    sources: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    stages: dict[Stage, tuple[str, ...]] = Field({})
    count: dict[Annotated[int, Field(ge=1)], Annotated[float, Field(gt=0)]] = Field({1: 1.0})
    clean: Annotated[float, Field(ge=0, le=1)] = 0.0
    intensity: Span | None = None
    among: tuple[GridIntensity, ...] | None = None
    levels: tuple[GridIntensity, ...] | None = None
    steps: tuple[Step, ...] = ()
    types: dict[Annotated[str, Field(pattern=r"^\w+$")], Kinds] = Field({})
    severities: tuple[Annotated[str, Field(pattern=r"^\w+$")], ...] = ()
    each: bool = False
    lengths_at: Annotated[int, Field(ge=1)] | None = None
    needs: tuple[Literal["op", "intensity"], ...] = ()

    @field_validator("stages", mode="before")
    @classmethod
    def _all(cls, value: Any) -> Any:
        if value != "all":
            return value
        table = [ops.get(name) for name in ops.names()]
        return {s: tuple(op.name for op in table if op.stage == s) for s in _CAUSAL}

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.steps and self.types:
            raise ValueError("give 'stages', 'steps' or 'types', one of them")
        if self.stages and (self.steps or self.types):
            raise ValueError(f"'stages' does not go with '{'steps' if self.steps else 'types'}'")
        if self.count != {1: 1.0} and (self.steps or self.types):
            raise ValueError("'count' goes with 'stages'")
        if not self.count:
            raise ValueError("'count' needs at least one entry")
        lists = {"among": self.among, "levels": self.levels, "severities": self.severities or None}
        for name, values in lists.items():
            if values is not None and (not values or len(set(values)) < len(values)):
                raise ValueError(f"{name!r} needs at least one intensity, each once")
        if self.types:
            self._check_types()
        elif self.severities or self.each:
            raise ValueError("'severities' and 'each' go with 'types'")
        elif self.steps:
            self._check_steps()
        elif self.lengths_at:
            raise ValueError("'lengths_at' goes with 'types' or 'steps'")
        else:
            self._check_stages()
        return self

    def _check_steps(self) -> None:
        if self.intensity is not None or self.among is not None:
            raise ValueError("each of 'steps' has its own intensity; leave it out here")
        for number, step in enumerate(self.steps):
            if self.levels is not None and step.intensity is None:
                raise ValueError(f"'levels' needs an 'intensity' in step {number}")
            try:
                step.check(self.lengths_at)
            except ValueError as error:
                raise ValueError(f"step {number}: {error}") from None

    def _check_types(self) -> None:
        if not self.severities:
            raise ValueError("'types' needs the names of its 'severities'")
        if not (self.intensity is None and self.among is None and self.levels is None):
            raise ValueError("'types' has severities; leave 'intensity', 'among' and 'levels' out")
        for name, kinds in self.types.items():
            for kind in kinds:
                try:
                    kind.check(len(self.severities), self.lengths_at)
                except ValueError as error:
                    raise ValueError(f"type {name!r}: {error}") from None

    def _check_stages(self) -> None:
        given = [self.intensity, self.among, self.levels]
        if given.count(None) != len(given) - 1:
            raise ValueError("give exactly one of 'intensity', 'among' and 'levels'")
        for stage, names in self.stages.items():
            for name in names:
                if ops.get(name).stage != stage:
                    raise ValueError(f"{name} belongs to stage {ops.get(name).stage}, not {stage}")
            if len(set(names)) < len(names):
                raise ValueError(f"stage {stage} names an operator twice")
        if not any(self.stages.values()) and "op" not in self.needs:
            raise ValueError("'stages' names no operator and 'needs' does not ask for one")

    @property
    def operators(self) -> tuple[str, ...]:
        """All operators, each once, in the order of application."""
        if self.types:
            return tuple(dict.fromkeys(k.op for kinds in self.types.values() for k in kinds))
        if self.steps:
            return tuple(dict.fromkeys(name for step in self.steps for name in step.any))
        return tuple(name for names in self.stages.values() for name in names)

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the versions that are made of each picture; one empty name for one version."""
        if self.types and self.each:
            return tuple(f"{name}-{s}" for name in self.types for s in self.severities)
        if self.types:
            return self.severities
        return tuple(f"{level:g}" for level in self.levels) if self.levels else ("",)

    @property
    def digest(self) -> str:
        """Hash of everything that decides what is drawn."""
        text = self.model_dump_json(exclude={"summary", "sources", "choices"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def narrowed(
        self,
        only: Sequence[str] = (),
        intensity: float | None = None,
        half: Half | None = None,
    ) -> Recipe:
        """The same recipe restricted to some operators, to one intensity, to one half of families.

        Args:
            only: Operators; of a recipe with ``types``, these or types.
            intensity: In [0, 1], two decimals; not for a recipe with ``types``.
            half: ``common`` or ``uncommon``, see :mod:`degrade.families`.

        Raises:
            UserError: The recipe needs one of them and it is missing, an operator or intensity is
                not allowed, or nothing is left.
        """
        given = {"op": bool(only), "intensity": intensity is not None}
        missing = [f"--{need}" for need in self.needs if not given[need]]
        if missing:
            raise UserError(f"Recipe {self.name!r} needs {' and '.join(missing)}.")
        chosen = self._of_types(only) if self.types else self._of_operators(only)
        changes: dict[str, Any] = {"needs": ()}
        if half is not None:
            kept = [n for n in chosen.operators if half_of(ops.get(n).family) == half]
            chosen = chosen._keeping(lambda name: name in kept)
            if not chosen.operators:  # types of several operators may have one of each half
                what = "type" if self.types else "operator"
                which = f", narrowed to {', '.join(only)}," if only else ""
                raise UserError(
                    f"Recipe {self.name!r}{which} has no {what} of the {half} families: "
                    "`degrade-cli families` lists them."
                )
        if intensity is not None and self.types:
            raise UserError(
                f"Recipe {self.name!r} has severities of its own ({', '.join(self.severities)}): "
                "leave the intensity out."
            )
        data = chosen.model_dump()
        if intensity is not None:
            span = {"low": intensity, "high": intensity}
            if self.steps:
                changes["steps"] = [step | {"intensity": span} for step in data["steps"]]
                changes["levels"] = None
            else:
                changes |= {"intensity": span, "among": None, "levels": None}
        return validated(Recipe, data | changes, f"recipe {self.name!r}")

    def _of_operators(self, only: Sequence[str]) -> Recipe:
        if not only:
            return self
        chosen = list({op.name: op for op in map(ops.get, only)}.values())
        for op in chosen:
            if self.operators and op.name not in self.operators:
                raise unknown(f"operator of recipe {self.name!r}", op.name, self.operators)
        names = {op.name for op in chosen}
        if self.operators:
            return self._keeping(lambda name: name in names)
        # A recipe that lists none takes any operator, stages in the order of the vocabulary.
        stages = {s: tuple(op.name for op in chosen if op.stage == s) for s in STAGES}
        return self.model_copy(update={"stages": {s: n for s, n in stages.items() if n}})

    def _of_types(self, only: Sequence[str]) -> Recipe:
        if not only:
            return self
        kept = set()
        for name in only:
            told = name.replace(" ", "_")
            found = [t for t, kinds in self.types.items() if told in (t, *(k.op for k in kinds))]
            if not found:
                raise unknown(f"type of recipe {self.name!r}", name, self.types)
            kept |= {told} if told in self.types else set(found)
        types = {name: kinds for name, kinds in self.types.items() if name in kept}
        return self.model_copy(update={"types": types})

    def _keeping(self, keep: Callable[[str], bool]) -> Recipe:
        """The recipe with some of its operators; what has none left goes."""
        stages = {s: tuple(filter(keep, names)) for s, names in self.stages.items()}
        steps = [step.narrowed(keep) for step in self.steps]
        types = {n: kinds for n, kinds in self.types.items() if all(keep(k.op) for k in kinds)}
        return self.model_copy(
            update={
                "stages": {s: names for s, names in stages.items() if names},
                "steps": tuple(step for step in steps if step is not None),
                "types": types,
            }
        )

    def draw(self, key: str, seed: int, short_side: int) -> list[Variant]:
        """The records for one picture, one list for each of :attr:`variants`, in that order.

        Args:
            key: The picture's id; nothing else about it matters.
            seed: Root seed of the run.
            short_side: min(height, width) in pixels.
        """
        spared = unit(seed, key, "clean") < self.clean
        if spared:
            return [Variant(name, ()) for name in self.variants]
        if self.types:
            return self._draw_types(key, seed, short_side)
        made = self._draw_steps if self.steps else self._draw_stages
        return [
            Variant(name, made(key, seed, short_side, level))
            for name, level in zip(self.variants, self.levels or (None,), strict=True)
        ]

    def _draw_types(self, key: str, seed: int, short_side: int) -> list[Variant]:
        names = list(self.types)
        if not self.each:
            names = [names[int(unit(seed, key, "type") * len(names))]]
        made = []
        for name in names:
            for severity in range(len(self.severities)):
                applied = (
                    kind.sample(severity, (seed, key, step), short_side, self.lengths_at)
                    for step, kind in enumerate(self.types[name])
                )
                # A value that does nothing (KADID's mean shift by 0) is no degradation.
                made.append(tuple(a for a in applied if a.intensity > 0.0))
        return [Variant(name, done) for name, done in zip(self.variants, made, strict=True)]

    def _draw_steps(
        self, key: str, seed: int, short_side: int, level: float | None
    ) -> tuple[Applied, ...]:
        drawn = (
            step.draw((seed, key, number), short_side, level, self.lengths_at)
            for number, step in enumerate(self.steps)
        )
        return tuple(applied for applied in drawn if applied is not None)

    def _draw_stages(
        self, key: str, seed: int, short_side: int, level: float | None
    ) -> tuple[Applied, ...]:
        applied = []
        for step, name in enumerate(self._choose(key, seed)):
            where = (seed, key, step)
            strength = level
            if strength is None:
                strength = self._strength(unit(*where, name, "intensity"))
            applied.append(ops.get(name).sample(strength, where, short_side))
        return tuple(applied)

    def _strength(self, u: float) -> float:
        if self.among is not None:
            return self.among[int(u * len(self.among))]
        assert self.intensity is not None  # validated: one of the three
        return self.intensity.at(u)

    def _choose(self, key: str, seed: int) -> list[str]:
        wanted = pick(self.count, unit(seed, key, "count"))
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
