"""What recipes are made of: spans of intensity, kinds of damage at severities, steps of a chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from degrade import ops
from degrade.errors import UserError
from degrade.params import REFERENCE_SIDE, Choice, SeedMark, Severity
from degrade.registry import Key, Operator
from degrade.rng import pick, unit
from degrade.schema import Applied, Intensity, Record

GRID = 100
"""Intensities are drawn in steps of 1/100, so that the two decimals written are what was done."""


def _on_grid(value: float) -> float:
    if abs(value * GRID - round(value * GRID)) > 1e-9:
        raise ValueError(f"intensity {value} has more than two decimals; use {round(value, 2)}")
    return round(value, 2)


GridIntensity = Annotated[Intensity, AfterValidator(_on_grid)]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


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


Number = Annotated[float, Field(allow_inf_nan=False)]


class Kind(Record):
    """An operator with the values that a protocol gives it, one for all severities or one for each.

    Attributes:
        op: The operator.
        at: Parameter -> value in its unit, or the values at the severities in their order; names
            for parameters that are a choice. Lengths are in pixels at the recipe's ``lengths_at``.
        intensity: Of the operator, where ``at`` gives none of what follows it; one, or one for each
            severity.
        note: Where it differs from what was published.
    """

    op: str
    at: dict[str, Number | str | tuple[Number | str, ...]] = Field({})
    intensity: (
        Annotated[tuple[GridIntensity, ...], BeforeValidator(_listed), Field(min_length=1)] | None
    ) = None
    note: str = ""

    def sample(self, severity: int, key: Key, short_side: int, lengths_at: int | None) -> Applied:
        """The record at a severity (0-based).

        Raises:
            UserError: The operator has no such parameter, or it takes no such value.
        """
        operator = ops.get(self.op)
        told = {n: v[severity] if isinstance(v, tuple) else v for n, v in self.at.items()}
        given = _grown(operator, told, short_side, lengths_at)
        intensity = None
        if self.intensity is not None:
            intensity = self.intensity[severity if len(self.intensity) > 1 else 0]
        return operator.sample(intensity, key, short_side, given)

    def check(self, severities: int, lengths_at: int | None) -> None:
        """Raise ``ValueError`` unless it can be applied at each of so many severities."""
        lists: dict[str, Any] = dict(self.at)
        if self.intensity is not None and len(self.intensity) > 1:
            lists["intensity"] = self.intensity
        for name, told in lists.items():
            if isinstance(told, tuple) and len(told) != severities:
                raise ValueError(f"{self.op}: {name} has {len(told)} values for {severities}")
        if self.intensity is not None and (told := _following(self.op, self.at)):
            raise ValueError(
                f"{self.op}: the intensity is what {' and '.join(told)} amounts to; leave it out"
            )
        try:
            for severity in range(severities):
                self.sample(severity, "check", REFERENCE_SIDE, lengths_at)
        except UserError as error:
            raise ValueError(str(error)) from None


Kinds = Annotated[tuple[Kind, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One operator, or several applied after one another."""


class Step(Record):
    """A step of a chain: one of several operators, or with some probability none.

    Attributes:
        any: Operators, equally likely; or operator -> weight.
        probability: That the step happens, in [0, 1].
        intensity: Uniform range of intensities. Left out: what ``at`` amounts to.
        at: Parameter -> value in its unit, or seed of a field, for what an operator that the step
            names alone would draw, choose or be given by the intensity. Lengths are in pixels, of a
            picture with the recipe's ``lengths_at`` where it has one.
        name: What the step is, for readers.
    """

    any: dict[str, Annotated[float, Field(gt=0)]]
    intensity: Span | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    at: dict[str, Number | str] = Field({})
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _weighted(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("any"), list | tuple):
            return {**data, "any": dict.fromkeys(data["any"], 1.0)}
        return data

    @model_validator(mode="after")
    def _possible(self) -> Step:
        if not self.any:
            raise ValueError("a step needs at least one operator in 'any'")
        if self.at and len(self.any) > 1:
            raise ValueError("'at' goes with a step of one operator")
        for name in self.any:
            try:
                told = _following(name, self.at)
            except UserError as error:
                raise ValueError(str(error)) from None
            if self.intensity is not None and told:
                raise ValueError(
                    f"{name}: {told[0]} follows the intensity of the step; leave one of them out"
                )
            if self.intensity is None and not told:
                raise ValueError(f"{name}: the step needs an 'intensity'")
        return self

    def check(self, lengths_at: int | None) -> None:
        """Raise ``ValueError`` unless each operator takes what ``at`` gives it."""
        try:
            for name in self.any:
                strength = None if self.intensity is None else 0.5
                self._sample(name, strength, "check", REFERENCE_SIDE, lengths_at)
        except UserError as error:
            raise ValueError(str(error)) from None

    def _sample(
        self, name: str, strength: float | None, key: Key, short_side: int, lengths_at: int | None
    ) -> Applied:
        operator = ops.get(name)
        given = _grown(operator, self.at, short_side, lengths_at)
        return operator.sample(strength, key, short_side, given)

    def draw(
        self,
        where: tuple[str | int, ...],
        short_side: int,
        level: float | None,
        lengths_at: int | None = None,
    ) -> Applied | None:
        """The record, or None where the step does not happen.

        Args:
            where: Names the draw.
            short_side: min(height, width) in pixels.
            level: The intensity, instead of one of the step's range.
            lengths_at: Short side that the lengths in ``at`` are given for.
        """
        if unit(*where, "happens") >= self.probability:
            return None
        chosen = pick(self.any, unit(*where, "operator"))
        strength = level
        if strength is None and self.intensity is not None:
            strength = self.intensity.at(unit(*where, chosen, "intensity"))
        return self._sample(chosen, strength, where, short_side, lengths_at)

    def narrowed(self, keep: Callable[[str], bool]) -> Step | None:
        """The step with some of its operators, or None where none is left."""
        kept = {name: weight for name, weight in self.any.items() if keep(name)}
        return self.model_copy(update={"any": kept}) if kept else None


def _grown(
    operator: Operator,
    at: Mapping[str, float | str],
    short_side: int,
    lengths_at: int | None,
) -> dict[str, float | str]:
    """The values for a picture of this short side, where lengths are given for another one."""
    if lengths_at is None:
        return dict(at)
    lengths = {
        a.name
        for a in operator.arguments
        if not isinstance(a.declaration, SeedMark | Choice) and a.declaration.relative
    }
    return {
        name: value * (short_side / lengths_at)
        if name in lengths and not isinstance(value, str)
        else value
        for name, value in at.items()
    }


def _following(name: str, at: Mapping[str, Any]) -> list[str]:
    """Those of the given parameters that follow the intensity."""
    return [
        a.name
        for a in ops.get(name).arguments
        if a.name in at and isinstance(a.declaration, Severity)
    ]
