"""What a visitor can set on a step, read from the operator's declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from degrade.arguments import number
from degrade.params import Choice, Draw, SeedMark, Severity, span
from degrade.studio.chain import Step

_PARTS = 200


@dataclass(frozen=True)
class Control:
    """One argument of a step as a control.

    Attributes:
        name: Of the argument.
        kind: ``value`` follows the intensity unless given, ``draw`` is drawn between ends,
            ``choice`` is one of several kinds, ``seed`` seeds a field.
        label: With the unit.
        info: What it is, for people.
        value: Now.
        low, high: Ends of what may be given; for ``draw`` those of the draw.
        step: Of the control.
        kinds: Of a choice.
    """

    name: str
    kind: Literal["value", "draw", "choice", "seed"]
    label: str
    info: str
    value: float | str
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0
    kinds: tuple[str, ...] = ()


def controls(step: Step) -> list[Control]:
    """The controls of the arguments that have an effect on the step's kind, as declared."""
    side = step.record.short_side
    now: dict[str, float] = {p.name: p.value for p in step.record.params}
    now |= {s.name: float(s.value) for s in step.record.seeds}
    found = []
    for argument in step.operator.arguments:
        name, d = argument.name, argument.declaration
        if name not in now:
            continue
        told, value = name.replace("_", " "), now[name]
        match d:
            case Severity():
                ends = f"{number(d.at(0.0, side))} to {number(d.at(1.0, side))}"
                low, high = _limits(d, side)
                label, info = f"{told} ({d.unit})", f"Follows the intensity: {ends}."
                by = 1.0 if d.integer else _fine(abs(d.at(1.0, side) - d.at(0.0, side)))
                found.append(Control(name, "value", label, info, value, low, high, by))
            case Draw():
                scale = side if d.relative else 1.0
                low = min(_short(d.low * scale), value)
                high = max(_short(d.high * scale), value)
                by = 1.0 if d.integer else (high - low) / _PARTS
                label, info = f"{told} ({d.unit})", "Drawn once for the picture."
                found.append(Control(name, "draw", label, info, value, low, high, by))
            case Choice():
                kind = d.kinds[int(value)]
                info = "Drawn once for the picture."
                found.append(Control(name, "choice", told, info, kind, kinds=d.kinds))
            case SeedMark():
                info = "Of the noise or the places."
                found.append(Control(name, "seed", told, info, value, 0.0, 2.0**32 - 1))
    return found


def _limits(d: Severity, side: int) -> tuple[float, float]:
    scale = side if d.relative else 1.0
    least, most = span(d)
    return least * scale, most * scale


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _fine(width: float) -> float:
    """A hundredth of a range, to one digit."""
    return float(f"{width / 100:.0e}") if width else 1.0
