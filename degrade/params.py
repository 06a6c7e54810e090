"""How a kernel argument gets its value: declarations that annotate an operator's signature.

``Severity`` follows the intensity, ``Draw`` and ``Choice`` are drawn once per picture and step,
``Seed`` seeds a pixel field, ``FrameSeed`` one that is new in every frame of a clip. From them come
the sampler, the record, the listing and the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from degrade.rng import pick

Images = torch.Tensor
"""(B, 3, H, W) float32, sRGB in [0, 1]."""

PerImage = torch.Tensor
"""(B,) float32, one value per picture of the batch."""

REFERENCE_SIDE = 512
"""Short side in pixels at which size-corrected parameters take their declared values."""


@dataclass(frozen=True)
class Severity:
    """A value that goes from ``mild`` at intensity 0 to ``severe`` at intensity 1.

    Args:
        mild: Value at intensity 0.
        severe: Value at intensity 1.
        unit: Physical unit, for records and listings.
        curve: ``linear``, ``geometric`` (equal ratios) or ``reciprocal`` (linear in 1 / value, for
            a quantity whose inverse does the damage); the last two need both ends positive.
        power: Exponent on the intensity before the curve.
        relative: ``mild`` and ``severe`` are shares of the short side; the value is in pixels.
        integer: Round to a whole number.
        size_power: The way from ``mild`` is multiplied by ``(short side / 512) ** size_power``: how
            a per-pixel quantity must change for equal damage at another resolution.
        least: Smallest value that there is, also for those who give one; see :func:`span`.
        most: Largest value that there is.
        only: Kinds of a :class:`Choice` of the operator that the value has an effect on, where it
            has none on the others: records of those leave it out.
    """

    mild: float
    severe: float
    unit: str
    curve: Literal["linear", "geometric", "reciprocal"] = "linear"
    power: float = 1.0
    relative: bool = False
    integer: bool = False
    size_power: float = 0.0
    least: float | None = None
    most: float | None = None
    only: tuple[str, ...] = ()

    def at(self, intensity: float, short_side: int) -> float:
        """The value at an intensity in [0, 1] for a picture of this short side in pixels."""
        t = intensity**self.power * (short_side / REFERENCE_SIDE) ** self.size_power
        if self.curve == "geometric":
            value = self.mild * (self.severe / self.mild) ** t
        elif self.curve == "reciprocal":
            value = 1.0 / (1.0 / self.mild + (1.0 / self.severe - 1.0 / self.mild) * t)
        else:
            value = self.mild + (self.severe - self.mild) * t
        # Powers of the size must not take the value where there is none.
        value = max(value, self.least) if self.least is not None else value
        value = min(value, self.most) if self.most is not None else value
        if self.relative:
            value *= short_side
        return _tidy(value, self.integer)

    def intensity(self, value: float, short_side: int) -> float:
        """The intensity whose value this is, by the inverse of :meth:`at`, kept within [0, 1]."""
        if self.relative:
            value /= short_side
        ends = self.mild, self.severe
        if self.curve == "geometric":
            ends, value = (math.log(ends[0]), math.log(ends[1])), math.log(max(value, 1e-12))
        elif self.curve == "reciprocal":
            ends, value = (1 / ends[0], 1 / ends[1]), 1 / max(value, 1e-12)
        share = (value - ends[0]) / (ends[1] - ends[0])
        share /= (short_side / REFERENCE_SIDE) ** self.size_power
        return float(min(1.0, max(0.0, share)) ** (1.0 / self.power))


@dataclass(frozen=True)
class Draw:
    """A value drawn uniformly from [low, high), once per picture and step, whatever the intensity.

    With ``integer`` both ends are included; ``relative`` as for :class:`Severity`. In a clip the
    value is the same in all frames, or with ``drifts`` goes slowly to and fro between the ends;
    ``circular``: the ends are the same (an angle), so it may go through them. ``least``, ``most``
    and ``only`` as for :class:`Severity`.
    """

    low: float
    high: float
    unit: str
    relative: bool = False
    integer: bool = False
    drifts: bool = False
    circular: bool = False
    least: float | None = None
    most: float | None = None
    only: tuple[str, ...] = ()

    def at(self, u: float, short_side: int) -> float:
        """The value for a uniform ``u`` in [0, 1) for a picture of this short side in pixels."""
        if self.integer:
            return float(int(self.low + u * (self.high - self.low + 1)))
        value = self.low + u * (self.high - self.low)
        return _tidy(value * short_side if self.relative else value, integer=False)


@dataclass(frozen=True)
class Choice:
    """One of several named kinds, equally likely, drawn once per picture and step.

    The kernel gets the kind's number, (B,) float32; the record holds the number too, with the name
    as its unit. ``weights`` make kinds more or less likely, 0 leaves one to those who ask for it.
    """

    kinds: tuple[str, ...]
    weights: tuple[float, ...] = ()

    def at(self, u: float) -> int:
        """The number of the kind for a uniform ``u`` in [0, 1)."""
        weights = self.weights or (1.0,) * len(self.kinds)
        return pick(dict(enumerate(weights)), u)


@dataclass(frozen=True)
class SeedMark:
    """Marks an argument as the seed of a pixel field; ``per_frame``: a new one in every frame."""

    per_frame: bool = False


Seed = Annotated[torch.Tensor, SeedMark()]
"""(B,) int64 seeds below 2**32. In a clip what it places stays where it is (dirt on a lens)."""

FrameSeed = Annotated[torch.Tensor, SeedMark(per_frame=True)]
"""(B,) int64 seeds below 2**32. In a clip every frame has its own (noise of a sensor)."""


def span(d: Severity | Draw) -> tuple[float, float]:
    """Least and most that may be given for a value, shares of the short side where relative.

    Given values may go beyond what is drawn, but not where they mean nothing: below 0 where neither
    end is, to 0 on a geometric or reciprocal curve, beyond the short side for a length.
    """
    ends = (d.mild, d.severe) if isinstance(d, Severity) else (d.low, d.high)
    least, most = d.least, d.most
    if least is None and isinstance(d, Severity) and d.curve != "linear":
        least = 1e-6 * min(ends)
    if least is None:
        least = 0.0 if min(ends) >= 0.0 else -1.0 if d.relative else -math.inf
    if most is None:
        most = 1.0 if d.relative else math.inf
    return least, most


def _tidy(value: float, integer: bool) -> float:
    # Six digits: what is written in a record is exactly what the kernel got.
    return float(round(value)) if integer else float(f"{value:.6g}")


def col(v: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, 1, 1, 1), to broadcast a per-image value over pixels."""
    return v.reshape(-1, 1, 1, 1)
