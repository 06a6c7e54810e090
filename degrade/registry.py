"""Operators: what a decorated kernel becomes, and the table of all of them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, cast

import torch

from degrade.arguments import Argument, declared, idle, possible
from degrade.errors import UserError, unknown
from degrade.families import family_names
from degrade.params import Choice, Draw, Images, SeedMark, Severity
from degrade.rng import SEED_BITS, derive, unit
from degrade.schema import STAGES, Applied, Param, SeedValue, Stage

P = ParamSpec("P")
Kernel = Callable[Concatenate[Images, P], Images]
Mapped = Callable[..., torch.Tensor]
"""A coordinate map: (x, points (B, N, 2) in pixels, the kernel's arguments) -> (B, N, 2)."""
Given = Mapping[str, float | str]
"""Values that a caller decides: argument -> number in the argument's unit, name of a kind, or as
seed of a field a whole number below 2**32."""
Key = str | int | tuple[str | int, ...]
"""Names a draw: the same key gives the same angles, positions and noise at any intensity."""

LICENSE = "Apache-2.0"
"""Of the project, and of every operator that needs nothing from outside."""

TABLE: dict[str, Operator] = {}


@dataclass(frozen=True)
class Operator:
    """A degradation: a kernel with its declaration. Holds no state besides.

    Attributes:
        family: Kind of damage; see :mod:`degrade.families`.
        license: Of the model and of all it draws with.
        off_scale: Why intensity 0.5 does not do the visible damage that it does elsewhere; empty
            where it does (docs/severity.md).
        comes_from: Where in the input a point of the output shows, for operators that move pixels.
        goes_to: The inverse, where it is known; see :mod:`degrade.geometry`.
    """

    name: str
    stage: Stage
    family: str
    version: int
    refs: tuple[str, ...]
    differentiable: bool
    summary: str
    doc: str
    arguments: tuple[Argument, ...]
    kernel: Callable[..., Images]
    off_scale: str = ""
    license: str = LICENSE
    comes_from: Mapped | None = None
    goes_to: Mapped | None = None

    @property
    def label(self) -> str:
        """The name with spaces, as models are taught to say it."""
        return self.name.replace("_", " ")

    def sample(
        self,
        intensity: float | None,
        key: Key,
        short_side: int,
        given: Given | None = None,
    ) -> Applied:
        """Draw the record of one application.

        Args:
            intensity: Damage in [0, 1]; 0 leaves the picture alone. None: what ``given`` amounts
                to, the largest intensity that any of the given severities stands for.
            key: Names the draw, for example ``(root seed, row id, step)``.
            short_side: min(height, width) of the picture in pixels.
            given: Values that are not drawn, such as published ones: argument -> number in its
                unit (lengths in pixels), the name of a kind, or the seed of a field.

        Raises:
            UserError: The intensity is outside [0, 1] or not a number, or a given value is not one
                that the argument can take, or of an argument without effect on the given kind.
        """
        fixed = self._given(given or {}, short_side)
        if intensity is None:
            intensity = self._amounts_to(fixed, short_side)
        if not 0.0 <= intensity <= 1.0:
            raise UserError(
                f"{self.name}: intensity {intensity!r} is outside [0, 1]. "
                "0 leaves the picture alone, 1 is the strongest."
            )
        path = key if isinstance(key, tuple) else (key,)
        kinds = {
            a.name: int(fixed.get(a.name, a.declaration.at(unit(*path, self.name, a.name))))
            for a in self.arguments
            if isinstance(a.declaration, Choice)
        }
        told = self._told([d.kinds[kinds[n]] for n, d in self._choices()])
        params: list[Param] = []
        seeds: list[SeedValue] = []
        for argument in self.arguments:
            name, d = argument.name, argument.declaration
            if name not in told:
                continue
            where = (*path, self.name, name)
            match d:
                case Severity():
                    value = fixed.get(name, d.at(intensity, short_side))
                    params.append(Param(name=name, value=value, unit=d.unit))
                case Draw():
                    value = fixed.get(name, d.at(unit(*where), short_side))
                    params.append(Param(name=name, value=value, unit=d.unit))
                case Choice():
                    kind = kinds[name]
                    params.append(Param(name=name, value=kind, unit=d.kinds[kind]))
                case SeedMark():
                    seed = int(fixed[name]) if name in fixed else derive(*where)
                    seeds.append(SeedValue(name=name, value=seed))
        return Applied(
            operator=self.name,
            version=self.version,
            stage=self.stage,
            intensity=intensity,
            short_side=short_side,
            params=tuple(params),
            seeds=tuple(seeds),
        )

    def _choices(self) -> list[tuple[str, Choice]]:
        return [
            (a.name, a.declaration) for a in self.arguments if isinstance(a.declaration, Choice)
        ]

    def _told(self, kinds: Collection[str]) -> set[str]:
        """Names of the arguments that have an effect on these kinds, and stand in their records."""
        return {
            a.name
            for a in self.arguments
            if not isinstance(a.declaration, Severity | Draw)
            or not a.declaration.only
            or any(kind in kinds for kind in a.declaration.only)
        }

    def told(self, record: Applied) -> set[str]:
        """Names of the arguments that a record of these kinds must hold; it may hold others too."""
        choices = {name for name, _ in self._choices()}
        return self._told([p.unit for p in record.params if p.name in choices])

    def _given(self, given: Given, short_side: int) -> dict[str, float]:
        """Given values as numbers.

        Raises:
            UserError: There is no such argument, or the value is not one it can take.
        """
        known = {a.name: a.declaration for a in self.arguments}
        numbers: dict[str, float] = {}
        for name, value in given.items():
            if name not in known:
                raise unknown(f"parameter of {self.name}", name, known)
            d = known[name]
            if isinstance(d, Choice):
                if value not in d.kinds:
                    raise unknown(f"{name} of {self.name}", str(value), d.kinds)
                numbers[name] = d.kinds.index(str(value))
            elif isinstance(d, SeedMark):
                if isinstance(value, str) or value % 1 or not 0 <= value < 2**SEED_BITS:
                    raise UserError(
                        f"{self.name}: {name} is {value!r}; give a whole number from 0 to "
                        f"{2**SEED_BITS - 1}."
                    )
                numbers[name] = value
            elif not isinstance(value, int | float) or not math.isfinite(value):
                raise UserError(f"{self.name}: {name} is {value!r}; give a number in {d.unit}.")
            else:
                numbers[name] = possible(f"{self.name}: {name}", d, float(value), short_side)
        kinds = [d.kinds[int(numbers[n])] for n, d in self._choices() if n in numbers]
        if idle := sorted(numbers.keys() - self._told(kinds)):
            d = known[idle[0]]
            assert isinstance(d, Severity | Draw)  # the others are always told
            raise UserError(
                f"{self.name}: {idle[0]} has an effect on {' and '.join(d.only)} alone. Give the "
                "kind with it, or leave it out."
            )
        return numbers

    def _amounts_to(self, fixed: Mapping[str, float], short_side: int) -> float:
        found = [
            a.declaration.intensity(fixed[a.name], short_side)
            for a in self.arguments
            if isinstance(a.declaration, Severity) and a.name in fixed
        ]
        if not found:
            names = [a.name for a in self.arguments if isinstance(a.declaration, Severity)]
            raise UserError(f"{self.name}: give an intensity, or a value of {' or '.join(names)}.")
        return round(max(found), 4)

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
        self.check(x, applied)
        active = [i for i, a in enumerate(applied) if a.intensity > 0.0]
        if not active:
            return x
        if len(active) < len(applied):
            rows = torch.tensor(active, device=x.device)
            return x.index_copy(0, rows, self.apply(x[rows], [applied[i] for i in active]))
        return self.kernel(x, **self.values(applied, x.device)).clamp(0.0, 1.0)

    def values(
        self, applied: Sequence[Applied], device: torch.device | None = None
    ) -> dict[str, torch.Tensor]:
        """The kernel's arguments that records stand for: (B,) float32, seeds int64."""
        told: list[dict[str, float]] = [
            {p.name: p.value for p in record.params} | {s.name: s.value for s in record.seeds}
            for record in applied
        ]
        return {
            a.name: torch.tensor(
                [values.get(a.name, idle(a.declaration)) for values in told],
                dtype=torch.int64 if isinstance(a.declaration, SeedMark) else torch.float32,
                device=device,
            )
            for a in self.arguments
        }

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

    def check(self, x: Images, applied: Sequence[Applied]) -> None:
        """Raise :class:`UserError` unless these records can be applied to these pictures."""
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
            entries = {e.name for e in record.params} | {e.name for e in record.seeds}
            if not (told := self.told(record)) <= entries <= names:
                raise UserError(f"{self.name}: the record must name exactly {sorted(told)}.")


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
    family: str,
    refs: Sequence[str] = (),
    version: int = 1,
    differentiable: bool = True,
    off_scale: str = "",
    license: str = LICENSE,
    comes_from: Mapped | None = None,
    goes_to: Mapped | None = None,
) -> Callable[[Kernel[P]], Kernel[P]]:
    """Declare a kernel as an operator; its name, arguments and docstring are the declaration.

    Args:
        stage: Where in the life of a picture it happens.
        family: What kind of damage it is: one of ``families.yaml``.
        refs: Sources of the model, for readers.
        version: Raise by one when the same record would give other pixels.
        differentiable: Whether gradients flow from the output to the input.
        off_scale: Why it cannot be on the common scale of severity, where it cannot.
        license: Of the model and of what it draws with, such as a font.
        comes_from: For an operator that moves pixels: ``comes_from(x, points, **arguments)`` says
            where in the input the points of the output are taken from. (B, N, 2) in pixels, x to
            the right and y down, pixel centres at .5. None declares that nothing moves.
        goes_to: Its inverse, where a formula for it is known; found numerically where not.

    Raises:
        TypeError: An argument is not declared, the docstring is missing, the name is taken, or
            stage or family is unknown.
    """

    def register(kernel: Kernel[P]) -> Kernel[P]:
        name = getattr(kernel, "__name__", repr(kernel))
        if stage not in STAGES:
            raise TypeError(f"Operator {name}: stage {stage!r} is none of {STAGES}.")
        if family not in family_names():
            raise TypeError(f"Operator {name}: family {family!r} is none of {family_names()}.")
        if name in TABLE:
            raise TypeError(f"Operator {name}: the name is taken.")
        doc = inspect.getdoc(kernel)
        if not doc:
            raise TypeError(f"Operator {name}: write a docstring; it is the listing.")
        TABLE[name] = Operator(
            name=name,
            stage=stage,
            family=family,
            version=version,
            refs=tuple(refs),
            differentiable=differentiable,
            summary=doc.splitlines()[0],
            doc=doc,
            arguments=declared(name, kernel),
            kernel=cast("Callable[..., Images]", kernel),
            off_scale=off_scale,
            license=license,
            comes_from=comes_from,
            goes_to=goes_to,
        )
        return kernel

    return register


def lookup(name: str) -> Operator:
    """The operator of that name; spaces may stand for underscores, as in labels.

    Raises:
        UserError: There is none; the message names the nearest.
    """
    try:
        return TABLE[name.replace(" ", "_")]
    except KeyError:
        raise unknown("operator", name, TABLE) from None
