"""Where a text claims that a picture is damaged, how strongly, and whether it denies it.

The words are in ``annotate/terms.py``. A label that is not listed there, of a later operator, is
claimed by its own name and by words of its family (``annotate/families.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from annotate.families import terms as family_terms
from annotate.terms import LABELS, PICTURE, TERMS, Term


class Claim(NamedTuple):
    """A term found in a plain text, at [start, end)."""

    term: Term
    text: str
    start: int
    end: int
    negated: bool
    excused: bool


# -------------------------------------------------------------------------------------- matching


def _alternatives(pattern: str) -> list[str]:
    """A pattern split at its outermost bars."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(pattern):
        depth += (char == "(") - (char == ")")
        if char == "|" and depth == 0:
            parts.append(pattern[start:i])
            start = i + 1
    return [*parts, pattern[start:]]


def _opening(alternative: str) -> re.Pattern[str]:
    """What the first word of an alternative begins with."""
    depth, end = 0, len(alternative)
    for i, char in enumerate(alternative):
        depth += (char == "(") - (char == ")")
        if char == " " and depth == 0:
            end = i
            break
    return re.compile(re.sub(r" [^|()]*", "", alternative[:end]))


@cache
def _openings(extra: frozenset[str]) -> tuple[tuple[re.Pattern[str], str, Term], ...]:
    # Longer phrases first: "motion blur" is not "blur". What speaks of one label precedes families.
    found = []
    for label in sorted(extra):
        if words := _WORD.findall(plain(label)):
            term = Term(" ".join(words), label, frozenset(), True)
            found.append((re.compile(words[0]), term.pattern, term))
    for term in (*family_terms(), *TERMS):
        found += [(_opening(text), text, term) for text in _alternatives(term.pattern)]
    return tuple(found)


Able = tuple[re.Pattern[str], tuple[Term, ...]]


class _Beginnings(dict[str, Able | None]):
    """Word -> the terms that may begin with it, found out when first asked.

    Few words begin any, which is what makes matching quick.
    """

    def __init__(self, extra: frozenset[str]) -> None:
        self._openings = _openings(extra)

    def __missing__(self, word: str) -> Able | None:
        able = [(text, term) for opening, text, term in self._openings if opening.match(word)]
        found = None
        if able:
            pattern = re.compile("|".join(rf"({text})\b" for text, _ in able))
            found = pattern, tuple(term for _, term in able)
        if len(self) < _MOST_WORDS:
            self[word] = found
        return found


_MOST_WORDS = 1 << 16  # a vocabulary; hostile text does not fill the memory


@lru_cache(maxsize=64)
def _beginnings(extra: frozenset[str]) -> _Beginnings:
    return _Beginnings(extra)


# ------------------------------------------------------------------------------ text and context

_PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d", '"')
    | dict.fromkeys("-\u2010\u2011", " ")
    | dict.fromkeys("\u2013\u2014", ";")
)
_SPELLING = ("colour", "color"), ("grey", "gray"), ("artefact", "artifact")


@lru_cache(maxsize=256)
def plain(text: str) -> str:
    """Lower case, straight quotes, no hyphens, American spelling, single spaces."""
    text = " ".join(text.lower().translate(_PLAIN).split())
    for british, american in _SPELLING:
        if british in text:
            text = text.replace(british, american)
    return text


_SUFFIXES = "iness ness ening ened ing ens ed ly es s y en er e".split()


@lru_cache(maxsize=1 << 14)
def root(word: str) -> str:
    """A crude stem: blurry, blurred and blurring share one; so do noise and noisy."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


_WORD = re.compile(r"\w+")


@lru_cache(maxsize=256)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a plain text, in order."""
    return tuple(_WORD.findall(text))


def roots(texts: Iterable[str]) -> frozenset[str]:
    """Stems of all words of some texts."""
    return frozenset(map(root, _WORD.findall(plain(" ".join(texts)))))


_FILLER = (
    "any|visible|signs?|traces?|of|obvious|real|apparent|noticeable|significant|strong|severe"
    "|heavy|slight|mild|or|and|nor|such|hint|kind|image|picture|camera|sensor|color|lens|motion"
    "|jpeg|gaussian|other|this|blur|noise|flare|glare|grain|artifacts?|compression|haze|dirt|dust"
    "|watermarks?|graffiti|scan|lines|distortions?|turbulence|darkness|degradations?|at|all|too"
    "|very|a|an|been|be|being|is|are|was|were|look|looks|appear|appears|seem|seems|it|them|here"
    "|in (?:the|this) (?:image|picture|photo|photograph|view|frame|scene)|distorted|degraded"
    "|blurr?(?:y|ed)|noisy|grainy|particularly|overly|really"
    "|visibly|in|have|has|show|shows|suffer|suffers|from|contain"
)
_NEGATED_BEFORE = re.compile(
    r"(?:\b(?:no|not|without|neither|nor|never|none|nothing|nowhere|free|lack|lacks|lacking"
    r"|absence|devoid|cannot|unlike|un)|n't|\brather than|\binstead of)"
    rf"(?: (?:{_FILLER}),?){{0,6}} $"
    r"|\b(?:no|neither|none of the) \w+ (?:\w+ )?(?:is|are|looks?|appears?|seems?) (?:\w+ )?$"
)
_NEGATED_AFTER = re.compile(
    r"(?: (?:is|are|was|were))? (?:absent|nowhere|free\b|not (?:present|visible|there|apparent"
    r"|noticeable|seen|an? (?:issue|problem|concern)))"
)
_SAID_OF_PICTURE_BEFORE = re.compile(
    rf"(?<!\bin the )(?<!\bin this )\b(?:{PICTURE}|visibility)(?: (?:itself|quality|here|overall))?"
    r"(?: (?:is|are|was|were|looks?|appears?|seems?|gets?|got|turns?|turned|remains?"
    r"|came|comes?|feels?|being)(?: (?!(?:an?|the|in|on|at|of|above|over|under|with|by|for|from|to)"
    r" )\w+){0,3}| suffers? from(?: \w+){0,3}|'s(?: \w+){0,2})? $"
)
# "shows graffiti" is content, "shows noise" is not.
_SHOWN_BY_PICTURE = re.compile(
    rf"\b{PICTURE} (?:has|have|with|shows?|contains?)(?: (?!an? |the |two |\w+ing )\w+)? $"
)
_SHOWN = re.compile("nois|grain|blur|artifact|distort|degrad|saturat|compress|band|corrupt")
_SAID_OF_PICTURE_AFTER = re.compile(
    rf"(?: \w+)? {PICTURE}\b(?! (?:on|of (?:a|an|the) \w+ (?:on|hang))\b)"
    rf"|(?: \w+)?(?: (?:in|over|across|throughout|of|on|reduces?|limits?|ruins?|spoils?) )"
    rf"(?:(?:the|this|a|whole|entire) )*(?:{PICTURE}|visibility)\b"
    r"|(?: \w+){0,2} visibility\b"
)
_CLAUSE = re.compile(r"[.;:!?]")


def before(text: str, start: int) -> str:
    """The part of the clause before ``start``, up to 90 characters."""
    return _CLAUSE.split(text[max(0, start - 90) : start])[-1]


def after(text: str, end: int) -> str:
    """The part of the clause from ``end`` on, up to 60 characters."""
    return _CLAUSE.split(text[end : end + 60])[0]


_SENTENCE_END = re.compile(r"[;!?]|\.(?!\d)")


def around(text: str, claim: Claim) -> str:
    """The sentence of a plain text in which a claim stands, up to 200 characters either side."""
    head = _SENTENCE_END.split(text[max(0, claim.start - 200) : claim.start])[-1]
    return head + _SENTENCE_END.split(text[claim.start : claim.end + 200])[0]


def claims(
    text: str, about_damage: bool, excused: frozenset[str] = frozenset(), extra: Iterable[str] = ()
) -> list[Claim]:
    """Where a text speaks of damage.

    Args:
        text: What ``plain`` returned.
        about_damage: The text is about the damage, so that soft terms count everywhere.
        excused: Stems (``roots``) of words that belong to the scene: a term made of them is none.
        extra: Labels of the record; those that the table does not know claim themselves.

    Returns:
        Claims in the order of the text, negated and excused ones among them.
    """
    later, found, end = frozenset(extra) - _KNOWN, [], 0
    beginnings, position = _beginnings(later), 0
    for word in words_of(text):
        start = text.find(word, position)  # words are found in order, so this is the word itself
        position = start + len(word)
        if not (able := beginnings[word]) or start < end:
            continue
        pattern, terms = able
        if not (match := pattern.match(text, start)) or not match.lastindex:
            continue
        term, end = terms[match.lastindex - 1], match.end()
        of_scene = bool(excused) and all(
            root(w) in excused for w in match[0].split() if w not in _SMALL
        )
        ahead, behind = before(text, start), after(text, end)
        said_of_picture = about_damage or term.hard
        if not said_of_picture:
            said_of_picture = bool(
                _SAID_OF_PICTURE_BEFORE.search(ahead)
                or _SAID_OF_PICTURE_AFTER.match(behind)
                or (_SHOWN.match(match[0]) and _SHOWN_BY_PICTURE.search(ahead))
            )
        if not said_of_picture:
            continue
        negated = bool(_NEGATED_BEFORE.search(ahead) or _NEGATED_AFTER.match(behind))
        found.append(Claim(term, match[0], start, end, negated, of_scene))
    return found


_KNOWN = frozenset(LABELS)
_SMALL = frozenset("the a an of on in is are was were looks look very so and".split())

# ---------------------------------------------------------------------------------- severity

_BANDS: tuple[tuple[float, float, str], ...] = (
    (0.0, 0.30, "barely hardly scarcely negligible negligibly imperceptible minimal minimally"),
    (
        0.0,
        0.48,
        "slight slightly mild mildly minor light lightly weak weakly subtle subtly gentle gently"
        " faint faintly modest modestly",
    ),
    (0.20, 0.75, "moderate moderately medium middling"),
    (
        0.38,
        1.0,
        "strong strongly heavy heavily pronounced marked considerable considerably substantial"
        " substantially intense intensely serious seriously",
    ),
    (
        0.50,
        1.0,
        "severe severely extreme extremely massive massively overwhelming profound profoundly"
        " drastic drastically devastating",
    ),
)
SEVERITY: dict[str, tuple[float, float]] = {
    word: (low, high) for low, high, words in _BANDS for word in words.split()
}
"""Word -> band of intensities for which it may be said. Bands overlap: borderline words pass."""

# "hardly hinders" says little of how strong it is.
_ADVERBS = "|".join(sorted(w for w in SEVERITY if w.endswith("ly") and w not in _BANDS[0][2]))
_ADJECTIVES = "|".join(SEVERITY)
_SEVERITY_BEFORE = re.compile(
    rf"(?:(\S+) )?\b({_ADJECTIVES})(?: (?!and|or|with|of|the|a|an|by|from|to|on|in|is|are)\w+)? $"
)
_SEVERITY_BESIDE = re.compile(rf"(?:(\S+) )?\b({_ADJECTIVES}) $")
_SEVERITY_AFTER = re.compile(
    r" (?:is|are|was|were|remains?|stays?|appears?|looks?|seems?)"
    rf"(?: (?:only|very|quite|rather|fairly|so|still|also|really|both|just|at most|truly))*"
    rf" ({_ADJECTIVES})\b"
    rf"|,? (?:of|at|with) (?:an? |the )?(?:only |very |rather )?({_ADJECTIVES}) (?:strength|level"
    r"|degree|intensity|severity|magnitude|kind|sort)\b"
    rf"| \(({_ADJECTIVES})\)"
    rf"| (?:only |very )?({_ADVERBS}) \w+s\b"
)
_REVERSED = frozenset("not no less without than isn't never nor neither hardly".split())


def severity(text: str, claim: Claim) -> list[tuple[str, tuple[float, float]]]:
    """Words of severity beside a claim, with the band of intensities that each allows."""
    found = []
    ahead = before(text, claim.start)
    # "the mild, sideways motion blur", but not "a strong lamp looks grainy".
    near = _SEVERITY_BEFORE if claim.term.hard else _SEVERITY_BESIDE
    if (match := near.search(ahead)) and match[1] not in _REVERSED:
        found.append(match[2])
    if match := _SEVERITY_AFTER.match(after(text, claim.end)):
        found.append(next(group for group in match.groups() if group))
    return [(word, SEVERITY[word]) for word in found]
