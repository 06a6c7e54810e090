"""The recipe of a benchmark: a source, levels, and what makes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from builders import recipe as datasets
from builders.recipe import BuildRecipe, HeldOut, Part
from builders.sources import SourceSpec, read_spec
from builders.table import BENCHMARK, level_split
from degrade import configs, ops
from degrade import recipe as degradations
from degrade.configs import is_yaml, validated
from degrade.errors import UserError, unknown
from degrade.plans import GridIntensity
from degrade.recipe import Recipe
from degrade.schema import PUBLISHED

_PRESETS = resources.files("builders.benchmark") / "recipes"

Protocol = Literal["degrade", "robust-r1", "source"]
"""What damages the pictures: this package's operators; the formulas that Robust-R1 published, at
its levels; the source, which comes degraded."""

LEVELS = (0.25, 0.5, 1.0)
ROBUST_R1_LEVELS = (0.23, 0.45, 0.9)
"""What the released script of Robust-R1 calls 25, 50 and 100 %."""

RECORDED = "families"
"""How the key ``training`` is called in what is written down."""

ROBUST_R1 = "robust-r1-published"
"""The degradation recipe of the published formulas."""


def _with_clean(levels: tuple[float, ...]) -> tuple[float, ...]:
    found = tuple(sorted({0.0, *levels}))
    if len(found) == 1:
        raise ValueError("there is no level above 0: nothing to degrade")
    return found


class BenchmarkRecipe(BuildRecipe):
    """A benchmark as one YAML says it: all items of its sources, in their order, at each level.

    Attributes:
        kind: ``benchmark``.
        protocol: See :data:`Protocol`.
        published: Whether the pictures are as others published them: follows from the protocol.
        degrade: Degradation recipe (a preset or a file) that says which operators there are, in
            what order, and how many per item; its intensities are replaced by the levels. By
            default ``robust-r1-eval``: one operator, drawn stage first.
        levels: Nominal intensities; 0, the undamaged picture, is always there.
        count: Number of operators per item -> weight; by default the degradation recipe's.
        operators: Only these; empty: all of the degradation recipe.
        training: Of the operators: all, those that training has seen, those it has not.
        held_out: What training has not seen: itself, or the data set recipe that says it.
        unanswered: ``refuse`` a source with items that have no answer, or put these into
            ``quarantine``.
        ask: The question of items that come without one: these want a caption.
        obtain: How to get sources that have to be fetched by hand, for who has not done so.
    """

    kind: Literal["benchmark"] = BENCHMARK
    protocol: Protocol = "degrade"
    published: bool = False
    degrade: str | None = None
    levels: Annotated[tuple[GridIntensity, ...], AfterValidator(_with_clean)] = _with_clean(LEVELS)
    count: dict[Annotated[int, Field(ge=1)], Annotated[float, Field(gt=0)]] | None = None
    operators: tuple[str, ...] = ()
    training: Part = Field(
        "all",  # recorded by its first name, so that fingerprints of benchmarks stay what they are
        validation_alias=AliasChoices("training", RECORDED),
        serialization_alias=RECORDED,
    )
    held_out: HeldOut | str = "robust-r1-11k"
    unanswered: Literal["refuse", "quarantine"] = "refuse"
    ask: str = "Please describe this image."
    obtain: str = ""

    @model_validator(mode="before")
    @classmethod
    def _follows(cls, data: Any) -> Any:
        """What the protocol decides."""
        if not isinstance(data, Mapping):
            return data
        protocol = data.get("protocol", "degrade")
        fixed = {"published": protocol != "degrade"}
        if protocol == "robust-r1":
            fixed["levels"] = (0.0, *ROBUST_R1_LEVELS)
        for key, value in fixed.items():
            given = data.get(key, value)
            if (tuple(given) if key == "levels" else given) not in (value, ROBUST_R1_LEVELS):
                raise ValueError(f"{key!r} is {value!r} by the protocol {protocol!r}: leave it out")
        return {**data, **fixed}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        made: dict[str, object] = {"degrade": self.degrade, "count": self.count}
        made |= {"operators": self.operators, "training": self.training != "all"}
        if self.protocol == "source" and (given := [key for key, value in made.items() if value]):
            raise ValueError(f"{given[0]!r} does not go with pictures that come degraded")
        if self.protocol == "robust-r1" and self.degrade is not None:
            raise ValueError(f"'degrade' is {ROBUST_R1!r} by the protocol 'robust-r1'")
        if any(spec.rows == "fill" for spec in self.sources):
            raise ValueError("a benchmark is not filled up: say how many, 'rows: 200'")
        for name in self.operators:
            ops.get(name)
        return self

    @property
    def splits(self) -> dict[str, float]:
        """Name of each split -> its level."""
        return {level_split(level): level for level in self.levels}

    @property
    def damaged(self) -> dict[str, float]:
        """The splits whose pictures are damaged."""
        return {name: level for name, level in self.splits.items() if level}

    def limited(self, rows: int) -> BenchmarkRecipe:
        """The same with the first so many rows of each source alone."""
        sources = [
            spec.model_copy(update={"rows": min(rows, spec.rows or rows)})
            for spec in self.sources
            if spec.rows != "fill"
        ]
        return self.model_copy(update={"sources": tuple(sources)})

    def reading(self, path: str) -> BenchmarkRecipe:
        """The same, its one source read from a copy: a TSV of VLMEvalKit, or the source's own form.

        Raises:
            UserError: It has several sources, or one that has no path.
        """
        if len(self.sources) > 1 or "path" not in type(self.sources[0]).model_fields:
            raise UserError(
                f"{self.name} has {len(self.sources)} sources, or one without a path: write the "
                "place of your copy into a recipe of your own."
            )
        spec = self.sources[0]
        data = {"path": path, "name": spec.name, "license": spec.license, "rows": spec.rows}
        if path.endswith(".tsv") and spec.kind != "r-bench":
            changed = read_spec({**data, "kind": "vlmevalkit"})
        elif spec.kind == "huggingface" and _holds_parquet(Path(path).expanduser()):
            columns = getattr(spec, "columns", {})
            changed = read_spec({**data, "kind": "parquet", "columns": columns})
        else:
            changed = read_spec({**spec.model_dump(exclude_unset=True), "path": path})
        return self.model_copy(update={"sources": (changed,)})

    def degradation(self, base: Path) -> Recipe | None:
        """What is done to each item, with its levels; None where the source did it.

        Args:
            base: Folder of this recipe, where recipes that are files are looked for.

        Raises:
            UserError: The degradation recipe does not exist, or no operator is left of it.
        """
        if self.protocol == "source":
            return None
        chosen = self._loaded(base)
        if chosen.types:
            raise UserError(
                f"Benchmark {self.name!r}: recipe {chosen.name!r} has severities of its own in "
                "place of levels. Give one of stages or steps."
            )
        names = self._operators(chosen, base)
        if not names:
            raise UserError(
                f"Benchmark {self.name!r}: of recipe {chosen.name!r}, 'training: {self.training}' "
                f"{'and the operators given leave' if self.operators else 'leaves'} no operator. "
                "See 'held_out'."
            )
        chosen = chosen.narrowed(names, intensity=1.0)
        changes: dict[str, Any] = {"intensity": None, "levels": tuple(self.damaged.values())}
        changes |= {"clean": 0.0, "count": self.count or chosen.count}
        return validated(Recipe, chosen.model_dump() | changes, f"benchmark {self.name!r}")

    def _loaded(self, base: Path) -> Recipe:
        if self.protocol == "robust-r1":
            return degradations.load(ROBUST_R1)
        given = self.degrade or "robust-r1-eval"
        return degradations.load(str(base / given) if is_yaml(given) else given)

    def _operators(self, chosen: Recipe, base: Path) -> list[str]:
        """The operators to draw from, in the order in which they are applied."""
        names = list(chosen.operators or self.operators)
        if self.operators:
            for name in self.operators:
                if chosen.operators and ops.get(name).name not in chosen.operators:
                    raise unknown(f"operator of recipe {chosen.name!r}", name, chosen.operators)
            wanted = {ops.get(name).name for name in self.operators}
            names = [name for name in names if ops.get(name).name in wanted]
        if self.training != "all":
            unseen = self._unseen(base)
            wants = self.training == "unseen"
            names = [n for n in names if (n.removeprefix(PUBLISHED) in unseen) == wants]
        return names

    def _unseen(self, base: Path) -> Collection[str]:
        """The operators that training has not seen.

        Raises:
            UserError: Nothing says which.
        """
        held = self.held_out
        if isinstance(held, str):
            given = str(base / held) if is_yaml(held) else held
            held = datasets.load(given)[0].held_out
        if not held.operators:
            raise UserError(
                f"Benchmark {self.name!r}: 'training: {self.training}' needs to know what training "
                "has not seen. Say it: 'held_out: {operators: [...]}', or name the data set recipe "
                "that holds operators out."
            )
        return held.operators


def _holds_parquet(path: Path) -> bool:
    return path.suffix == ".parquet" or (path.is_dir() and any(path.rglob("*.parquet")))


def preset_names() -> list[str]:
    """Names of the benchmarks that ship with the package."""
    return configs.preset_names(_PRESETS)


def load(name: str, changes: Mapping[str, Any] | None = None) -> tuple[BenchmarkRecipe, Path]:
    """A preset by name, or a recipe file by path; and the folder its paths are relative to.

    Args:
        name: ``mmstar``, or ``my.yaml``.
        changes: Keys that replace the file's.

    Raises:
        UserError: No such preset or file, or not a valid recipe of a benchmark.
    """
    data = configs.read_named(name, _PRESETS)
    if data is None:
        raise UserError(
            f"{unknown('benchmark', name, preset_names())} Or give a .yaml file, or KIND:PATH."
        )
    if is_yaml(name) and data.get("kind") != BENCHMARK:
        raise UserError(
            f"{name} is no recipe of a benchmark, which begins with 'kind: benchmark'. The recipe "
            "of a data set is for `degrade-cli build dataset`."
        )
    base = Path(name).resolve().parent if is_yaml(name) else Path.cwd()
    return validated(BenchmarkRecipe, data | dict(changes or {}), f"benchmark {name}"), base


def from_source(spec: SourceSpec, changes: Mapping[str, Any] | None = None) -> BenchmarkRecipe:
    """The benchmark of one source, with nothing else said.

    Args:
        spec: The source.
        changes: Keys of the recipe.

    Raises:
        UserError: Not valid.
    """
    data = {
        "name": spec.name.replace("_", "-"),
        "summary": f"The questions of {spec.name} about degraded pictures.",
        "sources": [spec],
    }
    what = f"benchmark of source {spec.name!r}"
    return validated(BenchmarkRecipe, data | dict(changes or {}), what)
