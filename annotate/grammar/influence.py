"""What the recorded damage does to what can be seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from annotate.grammar.effects import EFFECTS, effect
from annotate.grammar.names import Names, Slot, colored, common
from annotate.grammar.numbers import SEVERITY, facts, level, share
from annotate.grammar.pen import Pen, sentence
from annotate.grammar.phrases import groups, texts
from annotate.grammar.scene import Scene
from annotate.measure import Seen
from degrade.schema import Applied, Row

NOTHING = 0.005
"""Intensities below are written 0.00 and leave a picture as it is."""

_TEXTS = texts("influence")
_NEEDS = groups("influence")["needs"]
_CAPITALS = {
    "jpeg": "JPEG", "hsv": "HSV", "gaussian": "Gaussian", "jpeg2000": "JPEG2000", "webp": "WebP",
    "avif": "AVIF", "h264": "H264", "h265": "H265", "iso": "ISO", "lcd": "LCD", "rgb": "RGB",
    "poisson": "Poisson",
}  # fmt: skip
_PROPER = ("Gaussian", "Poisson", "WebP")
_SAID = {"hsv saturation": "HSV saturation loss", "scan lines": "raster of scan lines"}
_NUMBERS = "two three four five six seven eight nine ten".split()
_HARMS = {
    "count": "count", "color": "color", "text": "text", "reason": "action", "place": "place",
    "light": "light", "action": "action", "material": "material", "person": "face",
    "object": "detail", "scale": "text", "order": "count",
}  # fmt: skip
_INNER_STOP = re.compile(r"(?<=[a-z%\d])\. (?=[A-Za-z])")


def influence(row: Row, scene: Scene, seen: Seen | None, pen: Pen) -> str:
    """The INFLUENCE block: each recorded label by its name, then what it comes to."""
    names = Names(scene, seen, pen)
    applied = list(row.applied)
    if not applied or max(a.intensity for a in applied) < NOTHING:
        void = [_one(a, row, names, pen) for a in applied]
        return " ".join(map(sentence, void or [pen.choose(_TEXTS["clean"], {"o": names})]))
    worst = max(applied, key=lambda a: a.intensity)
    total = sum(a.intensity for a in applied)
    if pen.chance(0.4):
        applied.sort(key=lambda a: -a.intensity)
    out: list[str] = []
    if len(applied) > 1 and total > 0.8 and pen.chance(0.3):
        count = _NUMBERS[min(len(applied), 10) - 2]
        slots: Slot = {
            "label": shown(worst.label), "count": count, "Count": count.capitalize(), "o": names,
        }  # fmt: skip
        out.append(pen.choose(_TEXTS["first"], slots))
    for n, a in enumerate(applied):
        text = _one(a, row, names, pen)
        if n and pen.chance(0.15):
            proper = text[:2].isupper() or text.startswith(_PROPER)
            start = text[0] if proper else text[0].lower()
            text = f"{pen.pick(_TEXTS['links'])} {start}{text[1:]}"
        out.append(text)
    # Of a label without texts of its own, what was measured is the best that can be said.
    later = any(a.label not in EFFECTS for a in applied)
    if seen and (pen.chance(min(0.6, 0.2 + 0.12 * total)) or later):
        out.append(_where(row, seen, names, pen))
    if scene.aspect and pen.chance(min(0.5, 0.1 + 0.12 * total)):
        out.append(_tie(row, scene, names, pen))
    # A pattern may hold two sentences; each begins with a capital.
    return " ".join(sentence(part) for text in out for part in _INNER_STOP.split(text) if part)


def shown(label: str) -> str:
    """A label as people write it: ``JPEG compression``."""
    if label in _SAID:
        return _SAID[label]
    first, _, rest = label.partition(" ")
    return f"{_CAPITALS.get(first, first)} {rest}".strip()


def _gated(templates: Sequence[str], intensity: float) -> list[str]:
    """The clauses that are true of an intensity, without their marks."""
    barred = ("<" if intensity >= 0.3 else "") + (">" if intensity < 0.5 else "")
    marked = [t[1:] for t in templates if t[0] in "<>" and t[0] not in barred]
    return [t for t in templates if t[0] not in "<>"] + marked


def _several(templates: Sequence[str], slots: Slot, pen: Pen) -> Callable[[], str]:
    """Clauses one after another, none twice; KeyError when there are no more."""
    left = pen.drawn(templates)

    def following() -> str:
        for template in left:
            if text := pen.choose((template,), slots):
                return text
        raise KeyError("no clause left")

    return following


def _one(applied: Applied, row: Row, names: Names, pen: Pen) -> str:
    """A sentence or two on one record."""
    i = applied.intensity
    if i < NOTHING:
        return pen.choose(_TEXTS["void"], {"label": shown(applied.label), "o": names})
    e = effect(applied.label)
    slots: Slot = {**common(names, pen), **facts(applied, row, pen)}
    slots["sev"] = SEVERITY[level(i)]
    slots["label"] = shown(applied.label)
    slots["i"] = f"{i:.2f}"
    # Of many records each has less to say.
    crowd = 0.12 * len(row.applied)
    brief = 0.2 + 0.2 * pen.below(3) + crowd
    patterns = "short" if i < brief else "long" if i > 0.8 + crowd else "middle"
    for _ in range(4):  # a pattern may ask for more clauses than the record has numbers for
        does = _several(_gated(e.does, i), slots, pen)
        yields = _several(_gated(e.yields, i), slots, pen)
        clauses: Slot = {
            "c": lambda: pen.choose(e.cause, slots),
            "d": does, "d2": does, "d3": does, "y": yields, "y2": yields,
            "k": _several(e.spares, slots, pen),
        }  # fmt: skip
        try:
            return pen.write(pen.pick(_TEXTS[patterns]), clauses)
        except KeyError:
            continue
    return pen.write(_TEXTS["short"][0], clauses)


def extremes(seen: Seen) -> tuple[int, int] | None:
    """Cells that keep least and most of their detail, among those that have some."""
    busy = [i for i in range(9) if seen.detail[i] >= 0.15]
    if len(busy) < 2:
        return None
    low = min(busy, key=lambda i: (seen.kept[i], i))
    high = max(busy, key=lambda i: (seen.kept[i], -i))
    return (low, high) if seen.kept[high] - seen.kept[low] >= 0.03 else None


def _where(row: Row, seen: Seen, names: Names, pen: Pen) -> str:
    """Where detail was lost, and how dark it became."""
    labels = {a.label for a in row.applied if a.intensity >= 0.1}
    pool: list[str] = []
    slots: Slot = {"o": names}
    if ends := extremes(seen):
        low, high = ends
        slots |= {
            "worst": colored(low, seen, pen), "best": colored(high, seen, pen),
            "wp": share(seen.kept[low], pen), "bp": share(seen.kept[high], pen),
            "only": pen.pick(("only ", "just ", "")) if seen.kept[low] < 0.5 else "",
        }  # fmt: skip
        pool += _TEXTS["where" if seen.kept[low] < 0.85 else "even"]
        order = pen.shuffled(i for i in range(9) if seen.detail[i] >= 0.15)
        for n, i in enumerate(order[:4], 1):
            slots |= {f"c{n}": colored(i, seen, pen), f"k{n}": share(seen.kept[i], pen)}
            slots |= {f"g{n}": share(1 - seen.kept[i], pen)}
        pool += _TEXTS["cells"]
    slots |= {"la": share(seen.luma_clean, pen), "lb": share(seen.luma_degraded, pen)}
    if seen.luma_clean - seen.luma_degraded > 0.02:
        pool += _TEXTS["darker"] * (2 if "dark illumination" in labels else 1)
    elif seen.luma_degraded - seen.luma_clean > 0.02:
        pool += _TEXTS["brighter"]
    if "lens flare" in labels and seen.clipped_bright >= 0.02:
        slots["cb"] = share(seen.clipped_bright, pen)
        pool += _TEXTS["burnt"]
    if seen.contrast_clean - seen.contrast_degraded > 0.02:
        slots |= {
            "ca": share(seen.contrast_clean, pen), "cb": share(seen.contrast_degraded, pen),
        }  # fmt: skip
        pool += _TEXTS["contrast"]
    if seen.saturation_clean - seen.saturation_degraded > 0.02:
        slots |= {
            "sa": share(seen.saturation_clean, pen), "sb": share(seen.saturation_degraded, pen),
        }  # fmt: skip
        pool += _TEXTS["chroma"]
    return pen.choose(pool, slots)


def _tie(row: Row, scene: Scene, names: Names, pen: Pen) -> str:
    """What the damage means for the kind of evidence that the question needs."""
    wanted = _HARMS[scene.aspect]
    harmful = [a for a in row.applied if wanted in effect(a.label).harms and a.intensity >= 0.12]
    slots: Slot = {"need": pen.choose(_NEEDS[scene.aspect], {}), "o": names}
    if not harmful:
        return pen.choose(_TEXTS["miss"], slots)
    worst = max(harmful, key=lambda a: a.intensity)
    if worst.intensity < 0.3:
        return ""
    slots["label"] = shown(worst.label)
    return pen.choose(_TEXTS["hit"], slots)
