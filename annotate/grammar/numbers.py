"""Numbers in words that a person would use, and the slots that a record's parameters fill."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable

from annotate.grammar.pen import Pen
from degrade.schema import Applied, Param, Row

LEVELS = (0.2, 0.4, 0.6, 0.8)
"""Upper ends of the lower four of five levels of intensity."""

SEVERITY = (
    ("slight", "faint", "minor", "very mild", "weak", "subtle", "minimal"),
    ("mild", "modest", "fairly mild", "weak", "limited", "fairly weak"),
    ("moderate", "noticeable", "medium", "appreciable", "distinct", "middling"),
    ("strong", "heavy", "pronounced", "considerable", "marked", "substantial", "serious"),
    ("severe", "extreme", "very strong", "very heavy", "drastic", "massive", "profound"),
)
"""Adjectives by level."""

_FRACTIONS = (
    (1 / 10, "a tenth"), (1 / 8, "an eighth"), (1 / 6, "a sixth"), (1 / 5, "a fifth"),
    (1 / 4, "a quarter"), (1 / 3, "a third"), (2 / 5, "two fifths"), (1 / 2, "half"),
    (3 / 5, "three fifths"), (2 / 3, "two thirds"), (3 / 4, "three quarters"),
    (4 / 5, "four fifths"), (9 / 10, "nine tenths"),
)  # fmt: skip
_ORDINALS = (
    "whole half third quarter fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def level(intensity: float) -> int:
    """0 to 4: slight, mild, moderate, strong, severe."""
    return sum(intensity >= limit for limit in LEVELS)


def about(value: float, pen: Pen) -> str:
    """A number, rounded as one would say it: ``about 17``, ``just over 17``, ``17.3``."""
    if value < 9.95 and pen.chance(0.4):
        return f"{value:.1f}".removesuffix(".0")
    whole = math.floor(value)
    rest = value - whole
    if value >= 2 and 0.02 < rest < 0.3 and pen.chance(0.4):
        return f"{pen.pick(('just over', 'slightly over'))} {whole}"
    if value >= 2 and rest > 0.7 and pen.chance(0.4):
        return f"{pen.pick(('almost', 'nearly', 'just under', 'close to'))} {whole + 1}"
    n = max(1, round(value))
    return pen.pick(
        ("{}", "{}", "about {}", "roughly {}", "some {}", "around {}", "approximately {}")
    ).format(n)


def pixels(value: float, pen: Pen) -> str:
    """A length in pixels."""
    if value < 0.95:
        return pen.pick(("less than a pixel", "under one pixel", "a fraction of a pixel"))
    if value < 1.25:
        return pen.pick(("about one pixel", "roughly a pixel", "a single pixel"))
    return f"{about(max(value, 1.5), pen)} pixels"


def share(value: float, pen: Pen) -> str:
    """A share in [0, 1]: ``about 28 percent``, ``a little over a quarter``."""
    percent = value * 100
    if percent < 0.95:
        return pen.pick(("less than one percent", "under 1 percent"))
    if 0.09 < value < 0.92 and pen.chance(0.4):
        near, words = min(_FRACTIONS, key=lambda f: abs(f[0] - value))
        if abs(value / near - 1) < 0.02:
            return pen.pick(("about {}", "roughly {}", "{}")).format(words)
        if abs(value / near - 1) < 0.12:
            over = ("just over {}", "slightly over {}")
            under = ("just under {}", "not quite {}", "almost {}", "nearly {}")
            return pen.pick(over if value > near else under).format(words)
    n = f"{percent:.1f}".removesuffix(".0") if percent < 5 else f"{percent:.0f}"
    return pen.pick(
        (
            "{} percent",
            "about {} percent",
            "roughly {} percent",
            "some {} percent",
            "{}%",
            "around {}%",
            "an estimated {} percent",
            "approximately {}%",
            "close to {} percent",
        )
    ).format(n)


def one_in(value: float) -> str:
    """``a seventh`` for a share near 1/7; percent below a twentieth or above a half."""
    n = round(1 / value) if value > 0 else 99
    if not 2 <= n < len(_ORDINALS) + 1:
        return f"{value * 100:.1f} percent" if value < 0.05 else f"{value * 100:.0f} percent"
    if n == 2:
        return "half"
    word = _ORDINALS[n - 1]
    return f"{'an' if word.startswith('e') else 'a'} {word}"


def _srgb(light: float) -> float:
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


Facts = dict[str, Callable[[], str]]


class _Record:
    """The parameters of one record, and the slots made of them so far."""

    def __init__(self, applied: Applied, row: Row, pen: Pen) -> None:
        self.values = {p.name: p.value for p in applied.params}
        self.side = float(applied.short_side)
        self.row, self.pen = row, pen
        self.slots: Facts = {}

    def length(self, name: str, value: float) -> None:
        """Pixels; with ``k`` for *17-pixel*, with ``s`` the share of the short side."""
        self.slots[name] = lambda: pixels(value, self.pen)
        if value >= 1.5:
            self.slots[name + "k"] = lambda: f"{round(value)}"
        if value / self.side >= 0.004:
            self.slots[name + "s"] = lambda: share(value / self.side, self.pen)

    def share(self, name: str, value: float) -> None:
        """A share in [0, 1]."""
        self.slots[name] = lambda: share(value, self.pen)

    def number(self, name: str, value: float) -> None:
        """Any number of 1.5 or more."""
        if value >= 1.5:
            self.slots[name] = lambda: about(value, self.pen)

    def letters(self, height: float) -> None:
        """``t``: height in pixels of letters that can no longer be read."""
        if height >= 5:
            self.number("t", height)

    def one_of(self, name: str, *texts: str) -> None:
        """Any of some texts."""
        self.slots[name] = lambda: self.pen.pick(texts)


def facts(applied: Applied, row: Row, pen: Pen) -> Facts:
    """Slots from the physical parameters of one record.

    A slot is there only where the record has the parameters that it is made of, so that templates
    fall away by themselves for records of another version or operator.
    """
    record = _Record(applied, row, pen)
    needed, fill = _FILL.get(applied.operator, ((), None))
    if fill and all(name in record.values for name in needed):
        fill(record, record.values)
    else:
        _by_unit(record, applied.params)
    return record.slots


def _lens_blur(r: _Record, p: dict[str, float]) -> None:
    r.length("w", 2 * p["radius"])
    # 2.5 cycles a letter are enough to read it (Solomon & Pelli, Nature 369, 1994); a disc of
    # diameter d passes frequencies below 1.22 / d.
    r.letters(2 * p["radius"] * 2.5 / 1.22)


def _motion_blur(r: _Record, p: dict[str, float]) -> None:
    r.length("w", p["length"])
    r.letters(2.5 * p["length"])  # a line of that length passes frequencies below 1 / length
    angle = p["angle"] % 180.0
    r.one_of("a", f"{round(angle)}")
    slope = min(angle, 180 - angle)
    if slope < 15:
        r.one_of("way", "horizontal", "level", "sideways")
    elif slope > 75:
        r.one_of("way", "vertical", "upright", "up-and-down")
    else:
        r.one_of("way", "diagonal", "slanting", "oblique")


def _jpeg(r: _Record, p: dict[str, float]) -> None:
    q = min(100.0, max(1.0, p["quality"]))
    scale = 50 / q if q < 50 else 2 - q / 50  # of the tables of T.81, annex K
    r.one_of("q", f"{round(q)}")
    r.number("n", max(1.0, 16 * scale) / 8)  # a step of a block's mean is 1/8 of the DC step
    if scale >= 2:
        r.number("factor", scale)
    blocks = math.ceil(r.row.width / 8) * math.ceil(r.row.height / 8)
    r.one_of("blocks", f"{round(blocks, -2) if blocks > 400 else blocks}")


def _block_exchange(r: _Record, p: dict[str, float]) -> None:
    r.share("s", p["share"])
    if p["block"] >= 1:
        r.length("w", p["block"])
        across, down = (max(1, round(n / p["block"])) for n in (r.row.width, r.row.height))
        r.number("n", round(p["share"] * across * down))
        r.one_of("grid", f"{across} by {down}")


def _scan_lines(r: _Record, p: dict[str, float]) -> None:
    r.share("s", p["depth"])
    r.share("h", p["depth"] / 2)
    period = max(3.0, p["period"])
    r.length("w", period)
    r.one_of("nk", f"{max(1, round(r.row.height / period))}")
    r.letters(2.5 * period)


def _dark(r: _Record, p: dict[str, float]) -> None:
    ev = abs(p["ev"])
    light = 2.0**-ev
    r.one_of("x", f"{ev:.1f} EV", f"{ev:.1f} stops")
    if light < 0.97:
        r.one_of("s", one_in(light), share(light, r.pen))
        r.share("h", 1 - light)
    gray = round(_srgb(0.18 * light))
    r.one_of("m", f"{gray}", f"about {gray}")
    electrons = p.get("full_well", math.inf) * 0.18 * light
    if ev > 0.5 and electrons < 2000:
        r.one_of("e", f"{float(f'{electrons:.2g}'):.0f}")


def _turbulence(r: _Record, p: dict[str, float]) -> None:
    ratio = p["d_over_r0"]
    r.one_of("x", f"{ratio:.1f}")
    # Tilt of 0.427 (D/r0)^(5/6) lambda/D, with lambda/D = 0.6 % of the short side.
    r.length("w", 0.427 * ratio ** (5 / 6) * 0.006 * r.side)
    r.length("c", p["correlation"])


def _noise(r: _Record, p: dict[str, float]) -> None:
    r.number("n", max(1.5, p["sigma"] * 255))
    r.share("s", p["sigma"])


def _color_diffusion(r: _Record, p: dict[str, float]) -> None:
    r.length("w", 2 * p["sigma"])
    r.length("v", p["delay"])
    if p["gain"] > 1.05:
        r.share("g", p["gain"] - 1.0)


def _saturation(r: _Record, p: dict[str, float]) -> None:
    r.share("s", 1 - p["factor"])
    r.share("h", p["factor"])


def _mean_shift(r: _Record, p: dict[str, float]) -> None:
    r.number("r", p["value_radius"])
    r.length("w", p["radius"])


def _sharpness(r: _Record, p: dict[str, float]) -> None:
    r.number("x", p["amount"])
    r.length("w", p["radius"])


def _graffiti(r: _Record, p: dict[str, float]) -> None:
    r.number("n", max(2.0, round(p["strokes"])))
    r.length("w", p["width"])


def _watermark(r: _Record, p: dict[str, float]) -> None:
    r.share("s", p["removed"])
    r.length("w", 2 * p["brush"])
    r.one_of("a", f"{abs(round(p['angle']))}")


def _dirt(r: _Record, p: dict[str, float]) -> None:
    r.share("s", p["coverage"])
    r.share("h", p["opacity"])


def _flare(r: _Record, p: dict[str, float]) -> None:
    across = "left" if p["across"] < 0.36 else "right" if p["across"] > 0.64 else ""
    if p["down"] < 0:
        beyond = f"the top {across}" if across else "the top edge"
        r.one_of("where", "from above the frame", f"from beyond {beyond}")
    elif p["down"] < 0.3:
        spot = f"upper {across}" if across else "top"
        r.one_of("where", f"in the {spot}", f"at the {spot}", f"from the {spot}")
    else:
        spot = f"{across} half" if across else "center"
        r.one_of("where", f"in the {spot}", f"from the {spot}")
    if p["temperature"] < 4300:
        r.one_of("tint", "warm", "yellowish", "amber")
    else:
        r.one_of("tint", "whitish", "pale", "neutral")
    blades = round(p["blades"])
    r.one_of("rays", f"{blades if blades % 2 == 0 else 2 * blades}")  # of an odd number, twice


_FILL: dict[str, tuple[tuple[str, ...], Callable[[_Record, dict[str, float]], None]]] = {
    "lens_blur": (("radius",), _lens_blur),
    "motion_blur": (("length", "angle"), _motion_blur),
    "lens_flare": (("across", "down", "temperature", "blades"), _flare),
    "dirty_lens": (("coverage", "opacity"), _dirt),
    "hsv_saturation": (("factor",), _saturation),
    "jpeg_compression": (("quality",), _jpeg),
    "block_exchange": (("share", "block"), _block_exchange),
    "mean_shift": (("value_radius", "radius"), _mean_shift),
    "scan_lines": (("depth", "period"), _scan_lines),
    "dark_illumination": (("ev",), _dark),
    "atmospheric_turbulence": (("d_over_r0", "correlation"), _turbulence),
    "gaussian_noise": (("sigma",), _noise),
    "color_diffusion": (("sigma", "delay", "gain"), _color_diffusion),
    "graffiti": (("strokes", "width"), _graffiti),
    "watermark_damage": (("removed", "brush", "angle"), _watermark),
    "sharpness_change": (("amount", "radius"), _sharpness),
}


def _by_unit(r: _Record, params: tuple[Param, ...]) -> None:
    """Slots by unit, for an operator that nothing above speaks for: ``p``, ``p2`` name a parameter
    with its value, ``w`` is a length and ``s`` a share.
    """
    for param in params:
        if param.unit == "px" and param.value > 0 and "w" not in r.slots:
            r.length("w", param.value)
        elif param.unit.startswith("share") and 0 < param.value <= 1 and "s" not in r.slots:
            r.share("s", param.value)
    named = [phrase for param in params if (phrase := named_value(param))]
    if named:
        following = itertools.cycle(r.pen.shuffled(named))
        r.slots["p"] = lambda: next(following)
        if len(named) > 1:
            r.slots["p2"] = r.slots["p"]


_UNITS = {
    "px": "pixels", "deg": "degrees", "m": "meters", "mm/h": "millimeters an hour", "K": "kelvin",
    "s": "seconds", "ms": "milliseconds", "h": "hours", "EV": "stops", "degrees": "degrees",
    "mired": "mired", "electrons": "electrons", "levels": "levels",
}  # fmt: skip
_NO_UNIT = re.compile(r"x\b|full scale|1$|$", re.I)
"""Units that say what a plain number is a multiple of."""


def named_value(param: Param) -> str:
    """``a~ visibility of 120 meters``; empty where name or unit is not made of plain words.

    Empty, too, where the unit is none that is known: of a choice among kinds the record has a
    number and, for its unit, a word ("a fill of 1 noise" would be said of noise).
    The value has three digits, as :func:`annotate.checks.check` reads it back.
    """
    name = param.name.replace("_", " ").lower()
    unit = _UNITS.get(param.unit, param.unit)
    words = f"{name} {unit}"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9 /-]*", words.strip()) or len(words) > 60:
        return ""
    value = plain_number(param.value)
    if unit.startswith("share"):
        return f"a~ {name} of {plain_number(100 * param.value)} percent"
    if _NO_UNIT.match(unit) or unit.lower() in name or name in unit.lower():
        unit = ""
    elif param.unit not in _UNITS:
        return ""
    return f"a~ {name} of {value} {unit}".strip()


def plain_number(value: float) -> str:
    """Three significant digits, no exponent: ``0.0123``, ``17``, ``12000``."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 4
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
