"""Checks of one row by itself: its chain, its record, its answer. Pure functions of the row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from builders.table import OK, Example
from degrade import ops
from degrade.arguments import Argument
from degrade.errors import UserError
from degrade.params import Choice, Draw, SeedMark, Severity
from degrade.registry import Operator
from degrade.schema import Applied, Chain, Degradation, Malformed, Question, describe

Finding = tuple[str, str]
"""A code of :data:`builders.validate.report.CODES` and its detail."""

_SHORTEST = 60
"""Characters of a text that a detail quotes."""


def check(row: Example) -> Iterator[Finding]:
    """Everything that a row of a data set says twice must agree."""
    side = min(row.width, row.height)
    for applied in row.applied:
        yield from record(applied, side)
    wanted = Chain.types_of(row.applied)
    if row.types != wanted:
        yield "types", f"{_types(row.types)} where the record has {_types(wanted)}"
    if row.degradations != describe(row.applied):
        yield "degradations", f"{row.degradations!r}, not {describe(row.applied)!r}"
    total = sum(a.intensity for a in row.applied)
    if not math.isclose(row.intensity_sum, total, abs_tol=1e-3):
        yield "intensity_sum", f"{row.intensity_sum:g}, the record adds up to {total:.4g}"
    yield from answer(row.asked)
    yield from _answer_columns(row)
    if row.level is None and (row.status == OK) != bool(row.chain):
        has = "has a chain" if row.chain else "has no chain"
        yield "chain_status", f"status {row.status!r} but {has}"
    if row.chain:
        parts = (row.influence, row.reasoning, row.conclusion)
        yield from chain(row.chain, wanted, row.answer, parts)


def chain(
    text: str,
    types: Sequence[Degradation] | None,
    wanted: str | None,
    parts: tuple[str, str, str] | None = None,
) -> Iterator[Finding]:
    """A rendered chain against what stands beside it; None where that is not known.

    Args:
        text: The chain.
        types: What its TYPE block must be.
        wanted: The answer it must give; empty: any.
        parts: Its influence, reasoning and conclusion.
    """
    found = Chain.parse(text)
    if isinstance(found, Malformed):
        yield "malformed_chain", f"{found.reason} at character {found.position}"
        return
    if found.render() != text:
        yield "malformed_chain", "it is not written as it would be rendered"
    if types is not None and found.types != tuple(types):
        yield "chain_types", f"{_types(found.types)} where {_types(types)} was applied"
    if types is None:
        for item in found.types:
            if item.label.replace(" ", "_") not in ops.names():
                yield "unknown_operator", f"TYPE names {item.label!r}"
    if wanted and found.answer != wanted.strip():
        yield "chain_answer", f"{_short(found.answer)}, the row's is {_short(wanted)}"
    names = ("influence", "reasoning", "conclusion")
    for name, there in zip(names, parts or (), strict=False):
        if getattr(found, name) != there.strip():
            yield "chain_parts", f"{name}: {_short(getattr(found, name))}, not {_short(there)}"


def record(applied: Applied, side: int) -> Iterator[Finding]:
    """A record against the operator that it names.

    Args:
        applied: The record.
        side: Shorter side of the picture in pixels.
    """
    name = applied.operator
    if not ops.exists(name):
        yield "unknown_operator", repr(name)
        return
    operator = ops.get(name)
    if applied.version != operator.version:
        yield "operator_version", f"{name} of version {applied.version}, here {operator.version}"
        return
    if applied.stage != operator.stage:
        yield "operator_stage", f"{name} belongs to {operator.stage}, not {applied.stage}"
    if applied.short_side != side:
        yield "short_side", f"{name} drawn for {applied.short_side} px, the picture has {side}"
        return
    values = {p.name: p.value for p in applied.params}
    units = {p.name: p.unit for p in applied.params}
    declared = {a.name: a for a in operator.arguments}
    seeds = {n for n, a in declared.items() if isinstance(a.declaration, SeedMark)}
    given = [*(p.name for p in applied.params), *(s.name for s in applied.seeds)]
    told = operator.told(applied)
    twice = len(set(given)) < len(given)
    if twice or not told <= set(given) <= set(declared) or set(values) & seeds:
        yield "parameters", f"{name} takes {sorted(told)}, the record has {sorted(given)}"
        return
    wrongs = [
        (key, wrong)
        for key, value in values.items()
        if (wrong := _out_of_range(declared[key], value, units[key], applied))
    ]
    if wrongs and _was_given(operator, applied):
        # Values of a published protocol rather than those of the intensity, which follows them.
        wrongs = [
            (key, wrong)
            for key, wrong in wrongs
            if not isinstance(declared[key].declaration, Severity)
        ]
    for key, wrong in wrongs:
        yield "parameters", f"{name}: {key} is {values[key]:g} {units[key]}, {wrong}"


def _was_given(operator: Operator, applied: Applied) -> bool:
    """Whether the intensity is what the values amount to, by :meth:`Operator.sample`."""
    given = {
        p.name: p.unit if isinstance(a.declaration, Choice) else p.value
        for p in applied.params
        for a in operator.arguments
        if a.name == p.name
        and isinstance(a.declaration, Severity | Choice)
        and p.name in operator.told(applied)
    }
    try:
        again = operator.sample(None, "", applied.short_side, given)
    except (ArithmeticError, UserError):
        return False
    return abs(again.intensity - applied.intensity) < 1e-3


def _out_of_range(argument: Argument, value: float, unit: str, applied: Applied) -> str:
    d = argument.declaration
    if isinstance(d, SeedMark):
        return ""
    if isinstance(d, Choice):
        known = value in range(len(d.kinds)) and unit == d.kinds[int(value)]
        return "" if known else f"and the kinds are {', '.join(d.kinds)}"
    if unit != d.unit:
        return f"which is declared in {d.unit}"
    # Six digits are recorded; a power may differ in the last of them on another machine.
    if isinstance(d, Severity):
        try:
            wanted = d.at(applied.intensity, applied.short_side)
        except ArithmeticError:
            return f"for a picture of {applied.short_side} px, which no number is found for"
        right = math.isclose(value, wanted, rel_tol=1e-5, abs_tol=1e-9)
        return "" if right else f"but {wanted:g} at intensity {applied.intensity:g}"
    low, high = _ends(d, applied.short_side)
    slack = 1e-5 * max(abs(low), abs(high))
    return "" if low - slack <= value <= high + slack else f"outside {low:g} .. {high:g}"


def _ends(d: Draw, side: int) -> tuple[float, float]:
    scale = side if d.relative and not d.integer else 1
    return d.low * scale, d.high * scale


def answer(question: Question) -> Iterator[Finding]:
    """A question's answer against its choices."""
    choices = question.choices
    if len(set(choices)) < len(choices):
        twice = next(c for i, c in enumerate(choices) if c in choices[:i])
        yield "repeated_choice", _short(twice)
    if question.question and not question.answer:
        yield "no_answer", _short(question.question)
    elif choices and question.answer_index is None:
        yield "not_a_choice", f"{_short(question.answer)} of {list(choices)}"


def _answer_columns(row: Example) -> Iterator[Finding]:
    index = row.asked.answer_index
    number = -1 if index is None else index
    if row.choices and row.answer and index is None:
        return  # told as none of the choices
    if row.answer_index != number:
        yield "answer_columns", f"answer_index {row.answer_index}, {row.answer!r} is {number}"
    if row.answer_text != row.asked.answer_text:
        said, wanted = _short(row.answer_text), _short(row.asked.answer_text)
        yield "answer_columns", f"answer_text {said}, {row.answer!r} stands for {wanted}"


def _types(types: Sequence[Degradation]) -> str:
    return ", ".join(f"{t.label}({t.intensity:.2f})" for t in types) or "nothing"


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHORTEST else f"{text[:_SHORTEST]}...")
