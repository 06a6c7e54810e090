"""The declared arguments of a kernel: read from its signature, shown in listings, checked."""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from degrade.errors import UserError
from degrade.params import Choice, Draw, SeedMark, Severity, span

Declaration = Severity | Draw | Choice | SeedMark


def number(value: float) -> str:
    """A bound of a parameter for people: ``0.02``, ``1,000,000``."""
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:g}"


@dataclass(frozen=True)
class Argument:
    """One declared argument of a kernel."""

    name: str
    declaration: Declaration

    @property
    def span(self) -> str:
        """Range, unit and kinds for a listing, such as ``0 -> 30 degrees (rotate)``."""
        d = self.declaration
        match d:
            case Severity():
                values = f"{number(d.mild)} -> {number(d.severe)}"
            case Draw():
                values = f"{number(d.low)} .. {number(d.high)}"
            case Choice():
                return " | ".join(d.kinds)
            case SeedMark():
                return "32-bit seed"
        whose = f" ({', '.join(d.only)})" if d.only else ""
        unit = f"x short side, {d.unit}" if d.relative else d.unit
        return f"{values} {unit}{whose}"


def declared(name: str, kernel: Callable[..., Any]) -> tuple[Argument, ...]:
    """The arguments of a kernel but the first, which is the batch.

    Raises:
        TypeError: One is not declared, none follows the intensity, or one names an unknown kind.
    """
    hints = typing.get_type_hints(kernel, include_extras=True)
    arguments = []
    for argument in list(inspect.signature(kernel).parameters)[1:]:
        marks = [
            m
            for m in getattr(hints.get(argument), "__metadata__", ())
            if isinstance(m, Severity | Draw | Choice | SeedMark)
        ]
        if len(marks) != 1:
            raise TypeError(
                f"Operator {name}: argument {argument!r} needs exactly one declaration: "
                "Annotated[PerImage, Severity(...)], Draw(...) or Choice(...), Seed or FrameSeed."
            )
        arguments.append(Argument(argument, marks[0]))
    kinds = {k for a in arguments if isinstance(a.declaration, Choice) for k in a.declaration.kinds}
    for a in arguments:
        if isinstance(a.declaration, Severity | Draw) and not kinds.issuperset(a.declaration.only):
            raise TypeError(f"Operator {name}: no Choice has all of the kinds of {a.name!r}.")
    if not any(isinstance(a.declaration, Severity) for a in arguments):
        raise TypeError(f"Operator {name}: no argument follows the intensity (Severity).")
    return tuple(arguments)


def possible(what: str, d: Severity | Draw, value: float, short_side: int) -> float:
    """A given value, if it is one that the argument can take.

    Raises:
        UserError: It is not; ``what`` says in the message whose value it is.
    """
    scale = short_side if d.relative else 1.0
    least, most = (end * scale for end in span(d))
    if not least <= value <= most:
        allowed = f"from {least:g} to {most:g}" if math.isfinite(most) else f"of {least:g} or more"
        raise UserError(f"{what} is {value:g} {d.unit}; give a value {allowed}.")
    if d.integer and value != round(value):
        raise UserError(f"{what} is {value:g}; give a whole number.")
    return value


def idle(d: Declaration) -> float:
    """What a kernel gets for an argument without effect on the kind of that picture."""
    return d.mild if isinstance(d, Severity) else d.low if isinstance(d, Draw) else 0
