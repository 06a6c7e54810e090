"""The recipe of a data set: sources, splits, what is held out, degradations, chains."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from builders.sources import SourceSpec, read_spec
from builders.table import part_name
from degrade import configs, ops
from degrade import recipe as degradations
from degrade.configs import is_yaml, validated
from degrade.errors import UserError, unknown
from degrade.images import Encoding
from degrade.plans import GRID, GridIntensity
from degrade.recipe import Recipe
from degrade.schema import AnswerForm, Record
from degrade.storage import Remote

_PRESETS = resources.files("builders") / "recipes"

Part = Literal["all", "seen", "unseen"]
"""Of the operators or intensities: all, those not held out, those held out."""


UseName = Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
Share = Annotated[float, Field(gt=0, le=1)]


class HeldOut(Record):
    """What training never sees, so that tests can show what generalizes.

    Attributes:
        operators: Never drawn in splits whose ``operators`` are ``seen``.
        intensities: Never drawn in splits whose ``intensities`` are ``seen``.
    """

    operators: tuple[str, ...] = ()
    intensities: tuple[GridIntensity, ...] = ()


class Split(Record):
    """One split.

    Attributes:
        rows: How many.
        degrade: Degradation recipe: a preset of ``degrade-cli recipes``, or a file.
        operators, intensities: Which part of them it draws from.
        use: Name -> share in (0, 1], summing to 1: parts of the split with files of their own.
    """

    rows: Annotated[int, Field(ge=1)]
    degrade: str = "robust-r1"
    operators: Part = "all"
    intensities: Part = "all"
    use: dict[UseName, Share] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _shares(self) -> Split:
        if "default" in self.use:
            raise ValueError("'default' is what `datasets` calls all rows; name the use otherwise")
        if self.use and abs(sum(self.use.values()) - 1.0) > 1e-9:
            raise ValueError(f"the shares of 'use' sum to {sum(self.use.values()):g}, not to 1")
        return self

    def parts(self) -> dict[str, int]:
        """Rows of each use, ``{"": rows}`` without; what rounding leaves goes to the last."""
        if not self.use:
            return {"": self.rows}
        sizes = {name: int(self.rows * share + 1e-9) for name, share in self.use.items()}
        sizes[list(sizes)[-1]] += self.rows - sum(sizes.values())
        return sizes


class Pictures(Record):
    """How pictures are read and written.

    Attributes:
        max_side: Reduce larger pictures to this longer side, in pixels; None keeps them.
        max_pixels: Larger pictures go to quarantine unread.
        encode: How degraded pictures are written; clean ones keep their original bytes.
    """

    max_side: Annotated[int, Field(ge=1)] | None = None
    max_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    encode: Encoding = "png"


class BuildRecipe(Record):
    """What a data set and a benchmark say alike. Unknown keys are refused.

    Attributes:
        name: For files and the card.
        summary: One sentence.
        references: Where the protocol was published.
        choices: What the publication leaves open and what was chosen here.
        seed: Root of all draws: splits, degradations.
        sources: In order; see ``builders.sources``.
        near_duplicates: ``together``: pictures that are nearly the same are one group.
            ``ignore``: only identical ones are.
        pictures: How pictures are read and written.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    summary: str
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    seed: int = 0
    sources: Annotated[
        tuple[Annotated[SerializeAsAny[SourceSpec], BeforeValidator(read_spec)], ...],
        Field(min_length=1),
    ]
    near_duplicates: Literal["together", "ignore"] = "together"
    pictures: Pictures = Pictures()

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [source.name for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources are named {twice[0]!r}; give each a 'name' of its own")
        return self

    def patient(self, seconds: float) -> Self:
        """The same, where sources on a store are asked for so long; of no influence on rows."""
        sources = []
        for spec in self.sources:
            stores = {name: value for name, value in spec if isinstance(value, Remote)}
            waits = {name: replace(value, patience=seconds) for name, value in stores.items()}
            sources.append(spec.model_copy(update=waits))
        return self.model_copy(update={"sources": tuple(sources)})


class DatasetRecipe(BuildRecipe):
    """A data set as one YAML says it; a group of pictures goes to one split.

    Attributes:
        answers: How chains give the answer to a multiple-choice question.
        ask: The question of rows that come without one; their answer is what the chain says.
        splits: Name -> split, filled in this order.
        held_out: What ``seen`` leaves out and ``unseen`` is made of.
        chains: Options of ``degrade-cli annotate`` with underscores: ``writer``, ``model`` ...
    """

    answers: AnswerForm = "index"
    ask: str = "What does this picture show?"
    splits: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z]+(_[a-z]+)*$")], Split], Field(min_length=1)
    ]
    held_out: HeldOut = HeldOut()
    chains: dict[str, Any] = Field(default_factory=lambda: {"writer": "offline"})

    @model_validator(mode="after")
    def _consistent(self) -> DatasetRecipe:
        if "all" in self.splits:
            raise ValueError("'all' is a word of `datasets` itself; name the split otherwise")
        for name in self.held_out.operators:
            ops.get(name)
        parts = [part_name(*part) for part in self.parts]
        if twice := sorted({part for part in parts if parts.count(part) > 1}):
            raise ValueError(f"two parts of splits are named {twice[0]!r}; rename one")
        for name, plan in self.splits.items():
            if not is_yaml(plan.degrade):  # a file is looked for when its folder is known
                self.degradation(name, Path())
        return self

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(plan.rows for plan in self.splits.values())

    @property
    def parts(self) -> dict[tuple[str, str], int]:
        """Rows of each (split, use), in order; the use is empty where a split is not parted."""
        return {
            (split, use): rows
            for split, plan in self.splits.items()
            for use, rows in plan.parts().items()
        }

    def scaled(self, factor: float) -> DatasetRecipe:
        """The same recipe with another number of rows, at least one in every part of a split."""
        splits = {}
        for name, plan in self.splits.items():
            least = math.ceil(1 / min(plan.use.values(), default=1.0) - 1e-9)
            rows = max(least, round(plan.rows * factor))
            splits[name] = plan.model_copy(update={"rows": rows})
        return self.model_copy(update={"splits": splits})

    def degradation(self, split: str, base: Path) -> Recipe:
        """What is done to the pictures of a split.

        Args:
            split: Its name.
            base: Folder of the data set's recipe, where a degradation recipe's file is looked for.

        Raises:
            UserError: The degradation recipe does not exist or does not fit what is held out.
        """
        plan, held = self.splits[split], self.held_out
        given = str(base / plan.degrade) if is_yaml(plan.degrade) else plan.degrade
        chosen = degradations.load(given)
        where = f"split {split!r}"
        if chosen.needs:
            raise UserError(f"{where}: recipe {given!r} needs {' and '.join(chosen.needs)}.")
        if len(chosen.variants) > 1:
            raise UserError(
                f"{where}: recipe {given!r} makes each picture at several levels, which is a "
                "benchmark. Give one with 'intensity' or 'among', or a chain of steps."
            )
        if plan.operators != "all":
            unseen = plan.operators == "unseen"
            kept = [o for o in chosen.operators if (o in held.operators) == unseen]
            if not kept:
                raise UserError(f"{where}: 'held_out' leaves no {plan.operators} operators.")
            chosen = chosen.narrowed(kept)
        if plan.intensities != "all" and not chosen.stages:
            raise UserError(
                f"{where}: recipe {given!r} has intensities of its own, none can be held out. "
                "Give one of stages with 'intensity' or 'among'."
            )
        if plan.intensities != "all":
            unseen = plan.intensities == "unseen"
            values = [v for v in _grid(chosen) if (v in held.intensities) == unseen]
            if not values:
                raise UserError(f"{where}: 'held_out' leaves no {plan.intensities} intensities.")
            changes = {"intensity": None, "among": values}
            chosen = validated(Recipe, chosen.model_dump() | changes, where)
        return chosen


def _grid(recipe: Recipe) -> list[float]:
    """All intensities that a recipe may draw."""
    if recipe.among is not None:
        return list(recipe.among)
    assert recipe.intensity is not None  # levels are refused
    low, high = round(recipe.intensity.low * GRID), round(recipe.intensity.high * GRID)
    return [i / GRID for i in range(low, high + 1)]


def portable(recipe: BuildRecipe) -> dict[str, Any]:
    """A recipe as it is written down: of absolute paths, which are this machine's, the names."""
    data: dict[str, Any] = json.loads(recipe.model_dump_json(by_alias=True))
    for source in data["sources"]:
        for key, value in source.items():
            if isinstance(value, str) and Path(value).is_absolute():
                source[key] = Path(value).name
    return data


def preset_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    return configs.preset_names(_PRESETS)


def load(name: str, changes: Mapping[str, Any] | None = None) -> tuple[DatasetRecipe, Path]:
    """A preset by name, or a recipe file by path; and the folder its paths are relative to.

    Args:
        name: ``robust-r1-11k``, or ``my.yaml``.
        changes: Keys that replace the file's; ``sources`` are put before the file's own.

    Raises:
        UserError: No such preset or file, or not a valid recipe.
    """
    data = configs.read_named(name, _PRESETS)
    base = Path(name).resolve().parent if is_yaml(name) else Path.cwd()
    if data is None:
        raise UserError(f"{unknown('data set recipe', name, preset_names())} Or give a .yaml file.")
    changes = dict(changes or {})
    data["sources"] = [*changes.pop("sources", []), *(data.get("sources") or [])]
    return validated(DatasetRecipe, data | changes, f"recipe {name}"), base
