"""The table of peers: per operator, what means the same elsewhere, at a comparable strength.

Ours is measured at intensity 0.5 on 512x512; the numbers beside each peer are chosen to do about as
much (the RMSE against the clean picture is printed with every row). Without a row of its own an
operator has no counterpart in that library. Where no library does all of what an operator does, the
nearest call stands in, and a comment says what it leaves out. Libraries are imported when a peer is
made, so that a missing one costs its rows and not the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from degrade import published
from degrade.published.draws import Draws
from degrade.schema import PUBLISHED

from . import of_albumentations, of_imagecorruptions, of_kornia

FORMULAS = {name.removeprefix(PUBLISHED): published.get(name) for name in published.names()}
"""The released formulas, by the operator they are a peer of."""

Call = Callable[[Any], Any]

PUBLISHED_INTENSITY = {
    "lens_blur": 0.6,
    "lens_flare": 0.6,
    "block_exchange": 0.9,
    "motion_blur": 0.6,  # a diagonal of 18 px is 25 px long, ours is 25.6 px
    "jpeg_compression": 0.9,  # quality 14, as ours
    "dark_illumination": 0.75,  # x 0.44; ours, 2.25 EV in linear light, about as much, and noise
}
"""Where the published intensity 0.5 is something else than ours, by the parameter or the RMSE."""


@dataclass(frozen=True)
class Peer:
    """One way to do what an operator does.

    Attributes:
        library: Where it comes from.
        what: The call, with its parameters.
        make: Imports the library and returns the call.
        batched: The call takes (B, 3, H, W) float32 and uses torch's threads, not (H, W, 3) uint8.
    """

    library: str
    what: str
    make: Callable[[], Call]
    batched: bool = False


def peers(operator: str) -> Iterator[Peer]:
    """All peers of an operator."""
    if operator in FORMULAS:
        i = PUBLISHED_INTENSITY.get(operator, 0.5)
        yield Peer("published", f"OpenCV, intensity {i}", partial(_published, operator, i))
    for corruptions in of_imagecorruptions.CALLS.get(operator, ()):
        make = partial(of_imagecorruptions.make, corruptions)
        yield Peer("imagecorruptions", of_imagecorruptions.what(corruptions), make)
    for transforms in of_albumentations.CALLS.get(operator, ()):
        make = partial(of_albumentations.make, transforms)
        yield Peer("albumentations", of_albumentations.what(transforms), make)
    for what, make in of_albumentations.MADE.get(operator, ()):
        yield Peer("albumentations", what, make)
    for what, make in of_kornia.CALLS.get(operator, ()):
        yield Peer("kornia", what, make, batched=True)


def _published(name: str, intensity: float) -> Call:
    peer, seeds = FORMULAS[name], count()
    if not peer.arguments:
        return lambda image: peer.formula(image, intensity)
    return lambda image: peer.formula(image, intensity, Draws(next(seeds)))


PEERS: frozenset[str] = frozenset().union(
    FORMULAS,
    of_imagecorruptions.CALLS,
    of_albumentations.CALLS,
    of_albumentations.MADE,
    of_kornia.CALLS,
)
"""Operators with a peer."""
