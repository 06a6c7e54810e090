"""How a kernel argument gets its value: declarations that annotate an operator's signature.

``Severity`` follows the intensity, ``Draw`` is drawn once per picture and step, ``Seed`` seeds a
pixel field. From them come the sampler, the record, the listing and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch

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
    """

    mild: float
    severe: float
    unit: str
    curve: Literal["linear", "geometric", "reciprocal"] = "linear"
    power: float = 1.0
    relative: bool = False
    integer: bool = False
    size_power: float = 0.0

    def at(self, intensity: float, short_side: int) -> float:
        """The value at an intensity in [0, 1] for a picture of this short side in pixels."""
        t = intensity**self.power * (short_side / REFERENCE_SIDE) ** self.size_power
        if self.curve == "geometric":
            value = self.mild * (self.severe / self.mild) ** t
        elif self.curve == "reciprocal":
            value = 1.0 / (1.0 / self.mild + (1.0 / self.severe - 1.0 / self.mild) * t)
        else:
            value = self.mild + (self.severe - self.mild) * t
        if self.relative:
            value *= short_side
        return _tidy(value, self.integer)


@dataclass(frozen=True)
class Draw:
    """A value drawn uniformly from [low, high), once per picture and step, whatever the intensity.

    With ``integer`` both ends are included; ``relative`` as for :class:`Severity`.
    """

    low: float
    high: float
    unit: str
    relative: bool = False
    integer: bool = False

    def at(self, u: float, short_side: int) -> float:
        """The value for a uniform ``u`` in [0, 1) for a picture of this short side in pixels."""
        if self.integer:
            return float(int(self.low + u * (self.high - self.low + 1)))
        value = self.low + u * (self.high - self.low)
        return _tidy(value * short_side if self.relative else value, integer=False)


@dataclass(frozen=True)
class SeedMark:
    """Marks an argument as the seed of a pixel field."""


Seed = Annotated[torch.Tensor, SeedMark()]
"""(B,) int64 seeds below 2**32."""


def _tidy(value: float, integer: bool) -> float:
    # Six digits: what is written in a record is exactly what the kernel got.
    return float(round(value)) if integer else float(f"{value:.6g}")


def col(v: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, 1, 1, 1), to broadcast a per-image value over pixels."""
    return v.reshape(-1, 1, 1, 1)
