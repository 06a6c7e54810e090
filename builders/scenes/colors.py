"""Colors that have a name everybody agrees on, and surfaces on which they can be told apart."""

from __future__ import annotations

from collections.abc import Iterable

RGB = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

NAMED: dict[str, tuple[RGB, ...]] = {
    "red": ((198, 32, 36), (180, 24, 34), (212, 44, 40)),
    "orange": ((240, 132, 22), (246, 146, 34), (232, 120, 16)),
    "yellow": ((244, 208, 36), (250, 218, 58), (236, 198, 24)),
    "green": ((46, 140, 62), (36, 124, 54), (72, 156, 64)),
    "blue": ((36, 84, 186), (28, 70, 168), (48, 104, 206)),
    "purple": ((118, 52, 150), (104, 44, 138), (134, 66, 168)),
    "pink": ((240, 138, 178), (244, 154, 190), (234, 122, 166)),
    "brown": ((112, 70, 38), (98, 60, 34), (124, 80, 46)),
    "white": ((240, 240, 236), (246, 244, 240)),
    "gray": ((128, 130, 132), (118, 120, 124)),
    "black": ((34, 34, 38), (28, 28, 30)),
}
"""Color words with the tones that stand for them."""

_CLASHES = frozenset(
    frozenset(pair.split())
    for pair in (
        "orange brown, orange yellow, orange red, brown red, pink purple, pink red, white gray, "
        "gray black, brown black"
    ).split(", ")
)

NEUTRAL: tuple[RGB, ...] = (
    (222, 206, 176), (178, 198, 178), (170, 192, 212), (220, 188, 168), (204, 206, 208),
    (164, 186, 156), (200, 180, 206), (150, 180, 192), (232, 222, 200), (198, 182, 148),
)  # fmt: skip
"""Wall paints: pale, so that lettering and things stand out."""

WOODS: tuple[RGB, ...] = (
    (178, 136, 90), (150, 106, 66), (198, 160, 112), (128, 90, 60), (212, 182, 140), (164, 116, 82),
)  # fmt: skip
INK: RGB = (38, 40, 48)
PAPER: RGB = (248, 246, 238)
WHITE: RGB = (250, 250, 246)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """A color between two: 0 gives ``a``, 1 gives ``b``."""
    r, g, b2 = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return r, g, b2


def lighter(color: RGB, share: float) -> RGB:
    """Toward white."""
    return mix(color, (255, 255, 255), share)


def darker(color: RGB, share: float) -> RGB:
    """Toward a warm black."""
    return mix(color, (12, 10, 14), share)


def luma(color: RGB) -> float:
    """BT.601 luma, 0 to 255."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def distance(a: RGB, b: RGB) -> float:
    """How far two colors are apart, weighted roughly as the eye does ("redmean"), 0 to 765."""
    mean = (a[0] + b[0]) / 2
    r, g, bl = ((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return float(((2 + mean / 256) * r + 4 * g + (2 + (255 - mean) / 256) * bl) ** 0.5)


def visible_on(surface: RGB, least: float = 150) -> list[str]:
    """Names of the colors all of whose tones stand out from a surface."""
    return [n for n, tones in NAMED.items() if all(distance(t, surface) > least for t in tones)]


def apart(name: str, other: str) -> bool:
    """Whether nobody would take one named color for the other."""
    return name != other and frozenset((name, other)) not in _CLASHES


def distinct(names: Iterable[str], first: str = "") -> list[str]:
    """Those of some color words, beginning with ``first``, that are apart from all before them."""
    kept = [first] if first else []
    for name in names:
        if all(apart(name, other) for other in kept):
            kept.append(name)
    return kept
