"""The gallery: one page with every operator at five intensities, and all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from degrade import __version__, codecs, ops
from degrade.families import families, half_of
from degrade.images import Pixels, decode, shipped, webp
from degrade.pages import render
from degrade.params import Choice, Severity
from degrade.registry import Operator
from degrade.schema import Applied

INTENSITIES = (0.1, 0.25, 0.5, 0.75, 1.0)
_QUALITY = 75


def shipped_photo(side: int) -> Pixels:
    """The photograph that comes with the package, CC0.

    Args:
        side: Longer side in pixels, at most 480.

    Returns:
        (H, W, 3) uint8.
    """
    return decode(shipped().read_bytes(), max_pixels=10**6, max_side=side).pixels


def page(
    pixels: Pixels,
    names: Sequence[str],
    seed: int = 0,
    intensities: Sequence[float] = INTENSITIES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """The page as HTML that needs nothing else: pictures, style and text within.

    Args:
        pixels: (H, W, 3) uint8, the picture to degrade.
        names: Operators to show.
        seed: Root seed; the pictures of an operator share every draw but strength.
        intensities: Each in [0, 1].
        progress: Told after each operator how many of all are done.
    """
    clean = codecs.from_pixels([pixels], torch.device("cpu"))
    wanted = {op.name: op for op in map(ops.get, names)}
    shown: list[dict[str, Any]] = []
    for half, kinds in families().items():
        for family, meaning in kinds.items():
            members = sorted(n for n, op in wanted.items() if op.family == family)
            if not members:
                continue
            cards: list[dict[str, Any]] = []
            told = {"name": family, "half": half, "meaning": meaning, "operators": cards}
            shown.append(told)
            for name in members:
                op = wanted[name]
                taken, fixed = shots(op, clean, seed, intensities)
                more = {"facts": facts(op), "model": model(op)}
                cards.append({"op": op, "shots": taken, "fixed": fixed, **more})
                progress(sum(len(one["operators"]) for one in shown), len(wanted))
    height, width = pixels.shape[:2]
    about = {"title": "Gallery of degradations", "count": len(wanted), "version": __version__}
    size = {"height": height, "width": width}
    return render("degrade", "gallery.html", {**about, **size, "families": shown})


def facts(op: Operator) -> list[str]:
    """What an operator is, in a few words each: stage, family, version, gradients, licence."""
    return [
        op.stage,
        f"{op.family}, {half_of(op.family)}",
        f"version {op.version}",
        "gradients" if op.differentiable else "no gradients",
        *(["moves pixels"] if op.comes_from is not None else []),
        f"licence {op.license}",
    ]


def model(op: Operator) -> str:
    """The docstring below its first line: the formula and what it leaves out."""
    return op.doc.partition("\n")[2].strip()


@dataclass(frozen=True)
class Shot:
    """A picture of an operator.

    Attributes:
        intensity: 0 for the clean picture.
        values: The parameters that follow the intensity, with units; empty for the clean picture.
        data: WebP.
    """

    intensity: float
    values: str
    data: bytes

    def alt(self, op: Operator) -> str:
        """The picture in words, for those who do not see it."""
        return f"{op.label} at intensity {self.intensity:g}" if self.intensity else "clean picture"


def shots(
    op: Operator, clean: torch.Tensor, seed: int, intensities: Sequence[float]
) -> tuple[list[Shot], str]:
    """An operator at several intensities, and the parameters that are alike in all of them.

    Args:
        op: To show.
        clean: (1, 3, H, W) float32 in [0, 1].
        seed: Root seed; the pictures share every draw but strength.
        intensities: Each in (0, 1].

    Returns:
        The clean picture and one at each intensity; ``angle 32 degrees; kind water``.
    """
    taken = [Shot(0.0, "", _webp(clean))]
    with torch.inference_mode():
        for intensity in intensities:
            made, (record,) = op(clean, [intensity], [(seed, "gallery")])
            taken.append(Shot(intensity, _values(op, record), _webp(made)))
    return taken, _values(op, record, follows=False)


def _webp(x: torch.Tensor) -> bytes:
    return webp(codecs.to_pixels(x)[0], _QUALITY)


def _values(op: Operator, record: Applied, follows: bool = True) -> str:
    """The parameters of a record that follow the intensity, or those that do not."""
    declared = {a.name: a.declaration for a in op.arguments}
    told = []
    for p in record.params:
        d = declared[p.name]
        if isinstance(d, Severity) == follows:
            value = "" if isinstance(d, Choice) else f"{_number(p.value)} "
            told.append(f"{p.name} {value}{p.unit}")
    return "; ".join(told)


def _number(value: float) -> str:
    """Three digits, and no exponent where the number is large."""
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
