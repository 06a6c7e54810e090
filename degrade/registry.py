"""Operators: what a decorated kernel becomes, and the table of all of them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, cast

import torch

from degrade.errors import UserError, unknown
from degrade.params import Draw, Images, SeedMark, Severity
from degrade.rng import derive, unit
from degrade.schema import STAGES, Applied, Param, SeedValue, Stage

P = ParamSpec("P")
Kernel = Callable[Concatenate[Images, P], Images]
Declaration = Severity | Draw | SeedMark
Key = str | int | tuple[str | int, ...]
"""Names a draw: the same key gives the same angles, positions and noise at any intensity."""

TABLE: dict[str, Operator] = {}


@dataclass(frozen=True)
class Argument:
    """One declared argument of a kernel."""

    name: str
    declaration: Declaration

    @property
    def span(self) -> str:
        """Range and unit for a listing, such as ``0 -> 0.3 full scale``."""
        d = self.declaration
        match d:
            case Severity():
                values = f"{d.mild:g} -> {d.severe:g}"
            case Draw():
                values = f"{d.low:g} .. {d.high:g}"
            case SeedMark():
                return "32-bit seed"
        return f"{values} x short side, {d.unit}" if d.relative else f"{values} {d.unit}"


@dataclass(frozen=True)
class Operator:
    """A degradation: a kernel with its declaration. Holds no state besides."""

    name: str
    stage: Stage
    version: int
    refs: tuple[str, ...]
    differentiable: bool
    summary: str
    doc: str
    arguments: tuple[Argument, ...]
    kernel: Callable[..., Images]

    @property
    def label(self) -> str:
        """The name with spaces, as models are taught to say it."""
        return self.name.replace("_", " ")

    def sample(self, intensity: float, key: Key, short_side: int) -> Applied:
        """Draw the record of one application.

        Args:
            intensity: Damage in [0, 1]; 0 leaves the picture alone.
            key: Names the draw, for example ``(root seed, row id, step)``.
            short_side: min(height, width) of the picture in pixels.

        Raises:
            UserError: The intensity is outside [0, 1] or not a number.
        """
        if not 0.0 <= intensity <= 1.0:
            raise UserError(
                f"{self.name}: intensity {intensity!r} is outside [0, 1]. "
                "0 leaves the picture alone, 1 is the strongest."
            )
        path = key if isinstance(key, tuple) else (key,)
        params: list[Param] = []
        seeds: list[SeedValue] = []
        for argument in self.arguments:
            name, d = argument.name, argument.declaration
            where = (*path, self.name, name)
            match d:
                case Severity():
                    value = d.at(intensity, short_side)
                    params.append(Param(name=name, value=value, unit=d.unit))
                case Draw():
                    value = d.at(unit(*where), short_side)
                    params.append(Param(name=name, value=value, unit=d.unit))
                case SeedMark():
                    seeds.append(SeedValue(name=name, value=derive(*where)))
        return Applied(
            operator=self.name,
            version=self.version,
            stage=self.stage,
            intensity=intensity,
            short_side=short_side,
            params=tuple(params),
            seeds=tuple(seeds),
        )

    def apply(self, x: Images, applied: Sequence[Applied]) -> Images:
        """Run the kernel on a batch, one record per picture; the input is not modified.

        Args:
            x: (B, 3, H, W) float32, sRGB in [0, 1].
            applied: B records of this operator, drawn for pictures of this size.

        Returns:
            (B, 3, H, W) float32 in [0, 1]; pictures of intensity 0 come back as they were.

        Raises:
            UserError: Wrong shape or type, or a record of another operator, version or size.
        """
        self._check(x, applied)
        active = [i for i, a in enumerate(applied) if a.intensity > 0.0]
        if not active:
            return x
        if len(active) < len(applied):
            rows = torch.tensor(active, device=x.device)
            return x.index_copy(0, rows, self.apply(x[rows], [applied[i] for i in active]))
        values: dict[str, list[float]] = {}
        for record in applied:
            given: list[Param | SeedValue] = [*record.params, *record.seeds]
            for entry in given:
                values.setdefault(entry.name, []).append(entry.value)
        arguments = {
            a.name: torch.tensor(
                values[a.name],
                dtype=torch.int64 if isinstance(a.declaration, SeedMark) else torch.float32,
                device=x.device,
            )
            for a in self.arguments
        }
        return self.kernel(x, **arguments).clamp(0.0, 1.0)

    def __call__(
        self, x: Images, intensities: Sequence[float], keys: Sequence[Key]
    ) -> tuple[Images, list[Applied]]:
        """Degrade a batch: draw one record per picture, apply them, return both.

        Args:
            x: (B, 3, H, W) float32, sRGB in [0, 1].
            intensities: B numbers in [0, 1].
            keys: B names of draws; see :data:`Key`.
        """
        if not len(x) == len(intensities) == len(keys):
            raise UserError(
                f"{self.name}: {len(x)} pictures, {len(intensities)} intensities and {len(keys)} "
                "keys. Give one intensity and one key per picture."
            )
        side = min(x.shape[-2:])
        pairs = zip(intensities, keys, strict=True)
        records = [self.sample(intensity, key, side) for intensity, key in pairs]
        return self.apply(x, records), records

    def _check(self, x: Images, applied: Sequence[Applied]) -> None:
        check_images(x, self.name)
        if len(x) != len(applied):
            raise UserError(f"{self.name}: {len(x)} pictures but {len(applied)} records.")
        side = min(x.shape[-2:])
        names = {a.name for a in self.arguments}
        for record in applied:
            if (record.operator, record.version) != (self.name, self.version):
                raise UserError(
                    f"{self.name} is at version {self.version} here, the record is of "
                    f"{record.operator} version {record.version}. Replay it with the release of "
                    "degrade that wrote it."
                )
            if record.short_side != side:
                raise UserError(
                    f"{self.name}: the record was drawn for a short side of {record.short_side} px,"
                    f" the picture has {side} px. Resize the picture as it was when recorded."
                )
            if {e.name for e in record.params} | {e.name for e in record.seeds} != names:
                raise UserError(f"{self.name}: the record must name exactly {sorted(names)}.")


def check_images(x: object, who: str) -> None:
    """Raise :class:`UserError` unless ``x`` is a (B, 3, H, W) float32 tensor with pixels in it."""
    if not isinstance(x, torch.Tensor):
        raise UserError(f"{who} takes a (B, 3, H, W) float32 tensor, got {type(x).__name__}.")
    if x.ndim != 4 or x.shape[1] != 3 or 0 in x.shape[2:] or x.dtype != torch.float32:
        raise UserError(
            f"{who} takes a (B, 3, H, W) float32 tensor with values in [0, 1], got shape "
            f"{tuple(x.shape)} of {x.dtype}. Convert 8-bit pictures with x.float() / 255, "
            "grey ones with x.expand(-1, 3, -1, -1)."
        )


def operator(
    stage: Stage,
    refs: Sequence[str] = (),
    version: int = 1,
    differentiable: bool = True,
) -> Callable[[Kernel[P]], Kernel[P]]:
    """Declare a kernel as an operator; its name, arguments and docstring are the declaration.

    Args:
        stage: Where in the life of a picture it happens.
        refs: Sources of the model, for readers.
        version: Raise by one when the same record would give other pixels.
        differentiable: Whether gradients flow from the output to the input.

    Raises:
        TypeError: An argument is not declared, the docstring is missing, or the name is taken.
    """

    def register(kernel: Kernel[P]) -> Kernel[P]:
        name = getattr(kernel, "__name__", repr(kernel))
        if stage not in STAGES:
            raise TypeError(f"Operator {name}: stage {stage!r} is none of {STAGES}.")
        if name in TABLE:
            raise TypeError(f"Operator {name}: the name is taken.")
        doc = inspect.getdoc(kernel)
        if not doc:
            raise TypeError(f"Operator {name}: write a docstring; it is the listing.")
        TABLE[name] = Operator(
            name=name,
            stage=stage,
            version=version,
            refs=tuple(refs),
            differentiable=differentiable,
            summary=doc.splitlines()[0],
            doc=doc,
            arguments=_declared(name, kernel),
            kernel=cast("Callable[..., Images]", kernel),
        )
        return kernel

    return register


def _declared(name: str, kernel: Callable[..., Any]) -> tuple[Argument, ...]:
    hints = typing.get_type_hints(kernel, include_extras=True)
    arguments = []
    for argument in list(inspect.signature(kernel).parameters)[1:]:
        marks = [
            m
            for m in getattr(hints.get(argument), "__metadata__", ())
            if isinstance(m, Severity | Draw | SeedMark)
        ]
        if len(marks) != 1:
            raise TypeError(
                f"Operator {name}: argument {argument!r} needs exactly one declaration: "
                "Annotated[PerImage, Severity(...)], Annotated[PerImage, Draw(...)] or Seed."
            )
        arguments.append(Argument(argument, marks[0]))
    if not any(isinstance(a.declaration, Severity) for a in arguments):
        raise TypeError(f"Operator {name}: no argument follows the intensity (Severity).")
    return tuple(arguments)


def lookup(name: str) -> Operator:
    """The operator of that name; spaces may stand for underscores, as in labels.

    Raises:
        UserError: There is none; the message names the nearest.
    """
    try:
        return TABLE[name.replace(" ", "_")]
    except KeyError:
        raise unknown("operator", name, TABLE) from None
