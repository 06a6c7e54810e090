"""Reasoning that takes the damage for the scene: "it is a dark night", where light was removed.

Reasoning is about the undamaged content. Each degradation has words that describe what it makes a
picture look like; said of the scene, they are a contradiction unless the row's own texts say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from annotate.lexicon import plain, root, words_of

_PLACES = (
    "scene|image|picture|photo|photograph|snapshot|view|setting|surroundings|environment|place"
    "|area|background|foreground|street|room|sky|everything|whole \\w+|entire \\w+|air|weather"
    "|interior|world|landscape|atmosphere|lighting|shot"
)
_PICTURES = "image|picture|photo|photograph|snapshot|view|shot"
_IS = (
    "(?:is|are|was|were|looks?|looked|appears?|appeared|seems?|seemed|remains?|feels?|comes out)"
    "(?: (?:very|quite|rather|so|too|all|mostly|extremely|fairly|really|completely|heavily"
    "|slightly|entirely|a bit|somewhat|badly|clearly|pretty|visibly|partly|largely|just|only"
    "|severely|strongly|almost|to be)){0,2}"
)

# Words that no undamaged thing deserves, whatever it is said of; then words that only a whole
# scene must not be called; then phrases that are enough by themselves.
_BLUR = ("blurry|blurred|fuzzy|out of focus|smeared|unfocused|indistinct", "hazy|vague", "")
_VIEWS: dict[str, tuple[str, str, str]] = {
    "lens blur": _BLUR,
    "motion blur": (_BLUR[0] + "|streaked|streaky|shaky", "hazy|vague", ""),
    "atmospheric turbulence": (
        _BLUR[0] + "|wobbly|shimmering|rippled|rippling|wavering",
        "hazy|misty|foggy|vague|distorted|wavy|warped",
        "heat haze|haze hangs",
    ),
    "lens flare": (
        "overexposed|washed out",
        "hazy|glaring|dazzling|blinding|misty|foggy",
        "covered (?:by|in|with) glare|glare covers",
    ),
    "dirty lens": (
        "smudged|smudgy|smeared|blurry|blurred",
        "hazy|dirty|dusty|grimy|stained|spotty|murky|misty|foggy",
        "(?:covered (?:in|with|by)|full of) (?:grime|smudges|spots|blotches)",
    ),
    "hsv saturation": (
        "colorless|desaturated|washed out",
        "gray|grayish|faded|pale|drab|dull|monochrome|black and white|bleached",
        "no color|without color|devoid of color",
    ),
    "jpeg compression": ("blocky|pixelated|pixellated|compressed|mosaic like", "square|coarse", ""),
    "block exchange": (
        "jumbled|scrambled|shuffled|misplaced|fragmented|cut into (?:blocks|pieces|squares)"
        "|swapped|broken up|in the wrong place",
        "chaotic|disordered|patchwork",
        "patchwork of",
    ),
    "mean shift": (
        "posterized|posterised|cartoonish|flattened",
        "flat|painted|painterly|smooth|waxy",
        "",
    ),
    "scan lines": (
        "crossed by (?:\\w+ )?(?:lines|bands)|lined with dark lines",
        "striped|lined|banded|barred",
        "(?:dark|black) (?:lines|bands|bars) (?:run|cross|cut)|behind (?:blinds|bars|horizontal)",
    ),
    "dark illumination": (
        "underexposed",
        "dark|darkened|dim|dimly lit|gloomy|murky|pitch black|black|shadowy|poorly lit|unlit"
        "|badly lit|in (?:the )?(?:dark|darkness|shadows?)|almost black|nearly black",
        "(?:it|this|that) (?:is|was|must be|looks like|seems)(?: \\w+){0,3} (?:night|nighttime"
        "|midnight|dusk|evening|dark outside|getting dark)"
        "|(?:it|this)(?: \\w+)? is (?:very |quite |so )?dark\\b"
        "|it is(?: (?:very|quite|so|already|too))? (?:dark|dim|gloomy)"
        "|(?:scene|photo|picture|image|shot|it|this|they|people)\\b[^.;,]{0,40} (?:at|by|during"
        "|after)(?: the)? (?:night|nighttime|dark|nightfall|sunset)\\b"
        "|night(?:time)? (?:scene|sky|street|setting|shot|view|photo|picture|image)"
        "|in the (?:dark|darkness)\\b|(?:dark|late|black|gloomy|dim) (?:night|evening)",
    ),
    "gaussian noise": (
        "grainy|speckled|speckly",
        "snowy|rough|gritty|sandy",
        f"(?:{_PICTURES})(?: \\w+)? {_IS} noisy|noisy (?:{_PICTURES})"
        "|(?:full of|covered (?:in|with|by)) (?:grain|specks|speckles|noise|dots|snow)",
    ),
    "color diffusion": (
        "bleeding|tinted by|discolored",
        "colors? (?:run|bleed|spill)",
        "colors (?:run|bleed|spill|leak) (?:into|over|across)",
    ),
    "sharpness change": (
        "oversharpened|over sharpened|outlined in white|edged in white",
        "harsh|etched|grainy",
        "(?:white|bright|glowing|pale) (?:halo|halos|outline|outlines) (?:around|surround)",
    ),
    "graffiti": (
        "(?:covered|painted|marked|sprayed|defaced) (?:in|with|by) (?:\\w+ )?(?:graffiti"
        "|scribbles|spray paint|strokes)|scribbled|spray painted|scrawled",
        "vandalized|vandalised",
        "graffiti|scribble|scribbles|doodle|doodles",
    ),
    "watermark damage": (
        "watermarked",
        "stamped",
        "watermark|watermarks|(?:stock|copyright) (?:text|notice|mark)",
    ),
}
_ATTRIBUTED = (
    "night|evening|scene|street|room|place|setting|day|image|picture|photo|photograph|environment"
    "|surroundings|alley|view|shot|landscape|interior|atmosphere|snapshot|weather"
)


def _compiled(own: str, scenic: str, phrases: str) -> re.Pattern[str]:
    whole = f"{own}|{scenic}"
    parts = [
        f"{_IS} (?:{own})",
        f"(?:a|an|this|these|some|the)(?: \\w+)? (?:{own}) (?!by|due|from|version)\\w+",
        f"(?:{_PLACES})(?: \\w+)? {_IS} (?:{whole})",
        f"(?:a|an|this|these|the|some)(?: (?:very|quite|rather))? (?:{whole}) (?:{_ATTRIBUTED})",
        f"(?:{_PLACES}) {_IS} \\w+ and (?:{whole})",
        *([phrases] if phrases else []),
    ]
    return re.compile(rf"\b(?:{'|'.join(parts)})\b")


_PATTERNS = {label: _compiled(*views) for label, views in _VIEWS.items()}
_OPAQUE = frozenset("and of the low high error change loss shift video".split())


@lru_cache(maxsize=1 << 10)
def _later(label: str) -> re.Pattern[str] | None:
    """For a label without words of its own: "it is raining", "a foggy street", of its name."""
    words = [w for w in plain(label).split() if len(w) > 2 and w.isalpha() and w not in _OPAQUE]
    if not words:
        return None
    forms = "|".join(f"{re.escape(w)}{w[-1]}?(?:y|ing|ed)" for w in words)
    return re.compile(
        rf"\b(?:(?:it|{_PLACES}) {_IS} (?:{forms})"
        rf"|(?:a|an|this|the) (?:(?:very|quite|rather) )?(?:{forms}) (?:{_ATTRIBUTED}))\b"
    )


# A quick look first: most reasonings hold none of the words.
_GENERAL = frozenset(
    "scene photo picture image shot this they people covered filled full with must looks like seems"
    " what that very quite already getting during after time cross white bright around".split()
)
_NEEDED = {
    label: frozenset(
        w for w in re.findall(r"[a-z]{4,}|dim|lit|run|gray", "|".join(views)) if w not in _GENERAL
    )
    for label, views in _VIEWS.items()
}

_AWARE = re.compile(
    r"\b(?:despite|although|though|even (?:if|with|when|so)|regardless|would|could|might|may"
    r"|undamaged|undegraded|original|originally|degrad\w+|damag\w+|distort\w+|artifacts?|corrupt\w+"
    r"|no longer|only looks|as if|as though|ignoring|apart from|if|rather than|looking past"
    r"|setting aside|leaving aside|in reality|in spite)\b"
)
"""Says anywhere in a clause that the damage is known as such."""
_AWARE_BEFORE = re.compile(
    r"\b(?:not|never|no|nor|neither|without|nothing|behind|beneath|underneath|through|past|beyond"
    r"|under)(?: \w+){0,3} $|n't(?: \w+){0,2} $"
)
"""Says so of what follows."""
_CLAUSE, _WORD = re.compile(r"[.;:!?]"), re.compile(r"[a-z]+")
_RELATED = {
    "dark illumination": "night evening dusk dark dim moon sunset lamp gloomy midnight".split()
}


def damaged_view(
    text: str, recorded: Iterable[str], excused: frozenset[str]
) -> list[tuple[str, str]]:
    """Labels whose damage a plain reasoning takes for the scene, with the words.

    A clause that shows that it knows of the damage ("despite the dim light", "not dark") passes;
    so does a word that the question, the choices, the answer, the caption or a rationale holds.
    """
    recorded = list(recorded)
    labels = [label for label in recorded if label in _PATTERNS]
    words = frozenset(words_of(text)) if labels else frozenset[str]()
    labels = [label for label in labels if not _NEEDED[label].isdisjoint(words)]
    clauses = [(c, frozenset(_WORD.findall(c))) for c in _CLAUSE.split(text)] if labels else []
    found = []
    for label in labels:
        if any(root(plain(word)) in excused for word in _RELATED.get(label, ())):
            continue
        for clause, words in clauses:
            if _NEEDED[label].isdisjoint(words) or not (match := _PATTERNS[label].search(clause)):
                continue
            described = _NEEDED[label].intersection(_WORD.findall(match[0]))
            if _AWARE.search(clause) or _AWARE_BEFORE.search(clause[: match.start()]):
                continue
            if described and all(root(word) in excused for word in described):
                continue
            found.append((label, match[0]))
            break
    return found + _later_views(text, [r for r in recorded if r not in _PATTERNS], excused)


def _later_views(text: str, labels: list[str], excused: frozenset[str]) -> list[tuple[str, str]]:
    found = []
    for label in labels:
        if (pattern := _later(label)) is None:
            continue
        for clause in _CLAUSE.split(text):
            match = pattern.search(clause)
            if (
                match is None
                or _AWARE.search(clause)
                or _AWARE_BEFORE.search(clause[: match.start()])
            ):
                continue
            named = {root(w) for w in plain(label).split()}
            if not named.intersection(root(w) for w in match[0].split() if root(w) in excused):
                found.append((label, match[0]))
                break
    return found
