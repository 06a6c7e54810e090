"""What is known of the undamaged content: things, statements, and what the question is after."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from annotate.grammar.things import Thing, add, lemma, things, written
from annotate.grammar.words import (
    COMMON,
    DETERMINERS,
    LOWERABLE,
    MODIFIERS,
    UNREAL,
)
from degrade.schema import Question

LONGEST = 36
"""Words of a statement beyond which it is left out, rather than cut in the middle of a thought."""

_TAG = re.compile(r"<[^<>]{0,80}>|[<>{}\[\]|~`\\^]")
_ENDS = re.compile(r"(?<=[a-z0-9)\"'][.!?])\s+(?=[A-Z\"'])")
_SPOKEN_OF_PICTURE = re.compile(
    r"\b(?:blur\w*|nois[ey]\w*|grain\w*|pixel\w*|compress\w*|jpe?g|watermark\w*|distort\w*|"
    r"degrad\w*|corrupt\w*|artifact\w*|unclear|low quality|out of focus|unfocused|overexposed|"
    r"underexposed|glare|flares?|hazy|foggy|fuzzy|graffiti|desaturat\w*|saturation|smudg\w*|"
    r"turbulen\w*|(?:too|very|so) dark|ground truth|metadata|prompt|json|instructions?|ignore|"
    r"dataset|assistant|language model|annotat\w*|answer is|correct answer|"
    r"as an ai|i cannot|i can't|i am unable|i'm sorry)\b",
    re.I,
)


def clean(text: str, limit: int = 2000) -> str:
    """A text fit for prose: one line, no tags, brackets, control characters, symbols or emoji."""
    text = unicodedata.normalize("NFC", text[: 4 * limit])
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            " "
            if unicodedata.category(c)[0] in "CZ"
            else ""
            if unicodedata.category(c) == "So"
            else c
            for c in text
        )
    before = None
    while text != before:  # what is left after a tag is taken out may be one
        before, text = text, _TAG.sub(" ", text)
    return " ".join(text.split())[:limit].strip()


def english(text: str) -> bool:
    """Whether a statement reads as English: Latin letters, some function words."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    if len(words) < 3 or sum(c.isascii() for c in text) < 0.95 * len(text):
        return False
    letters = sum(c.isalpha() or c == " " for c in text)
    common = sum(w in COMMON for w in words)
    return common >= max(1, len(words) * 0.15) and letters > 0.8 * len(text)


def statements(text: str) -> list[str]:
    """Sentences that may stand in a chain, without final mark: plain English, of bearable length,
    not about the picture's quality and not addressed to a writer.
    """
    found = []
    for sentence in _ENDS.split(clean(text)):
        s = sentence.strip(" .!;,:-\"'")
        words = s.split()
        bad = _SPOKEN_OF_PICTURE.search(s) or max(map(len, words), default=99) > 22 or "?" in s
        if 3 <= len(words) <= LONGEST and not bad and s.count('"') % 2 == 0 and english(s):
            found.append(s)
    return found


def lowered(statement: str) -> str:
    """The statement for the middle of a sentence; empty if its capital may be a name's."""
    first = statement.split(maxsplit=1)[0]
    if first.lower() in LOWERABLE:
        return statement[0].lower() + statement[1:]
    return statement if first[0].islower() else ""


# ------------------------------------------------------------------------------------ the question

ASPECTS: tuple[tuple[str, str], ...] = (
    ("color", r"\bcolou?rs?\b|\bhue\b|\bshade of\b"),
    (
        "scale",
        r"\b(?:clocks?|dials?|needles?|gauges?|thermometer|speedometer|charts?|minutes past)\b"
        r"|\blines on the wall\b|\bvalue (?:of|for)\b|\bhow (?:tall|high)\b",
    ),
    (
        "text",
        r"\b(?:kilometers|route|track|price|menu|cafe|pays|departs?|signs? say)\b|\bhow much is\b"
        r"|\b(?:by|on) the (?:\w+ )?(?:sign|board)\b|\bnumber of the (?:\w+ )?(?:house|route)\b",
    ),
    (
        "order",
        r"\b(?:just|directly|next one|one|right) (?:to the (?:left|right)|above|below)\b"
        r"|\bcompartment\b|\bfrom the (?:left|right)\b|\bin order of\b|\bplace in the row\b"
        r"|\b(?:second|third|fourth) (?:tallest|shortest)\b",
    ),
    ("count", r"\bhow many\b|\bnumber of\b|\bcount\b|\bthe largest number\b"),
    (
        "text",
        r"\b(?:say|says|written|word|words|letters?|read|reads|brand|logo|number|sign|name of)\b",
    ),
    ("reason", r"^why\b|\bpurpose\b|\breason\b|\bwhat for\b"),
    ("place", r"^where\b|\b(?:location|place|room|country|city|state|setting|area)\b"),
    ("light", r"^when\b|\b(?:time of|season|weather|time)\b"),
    ("action", r"\b(?:doing|do|happening|activity|sport|action|going to|about to|playing)\b"),
    ("material", r"\b(?:made of|material|made from|texture|fabric|pattern)\b"),
    ("person", r"^who\b|\b(?:job|profession|occupation|gender|age|wearing|mood|feeling)\b"),
)
_NUMBERED = re.compile(r"\b(?:chart|dials?) (?:called|for|in)\b|\bclocks? (?:on|for)\b")
_LINES = re.compile(r"an? (?:\w+ )?(?:road sign|menu board|board)\b", re.I)
_ASPECTS = tuple((name, re.compile(pattern, re.I)) for name, pattern in ASPECTS)


def aspect(question: str, caption: str = "") -> str:
    """What kind of evidence a question needs: one of ASPECTS, or ``object``; empty for none.

    The caption tells what is to be read off a scale or a line from what is to be counted.
    """
    if not question:
        return ""
    if not _ASPECTS[0][1].search(question):
        if _NUMBERED.search(caption):
            return "scale"
        if _LINES.match(caption):
            return "text"
    return next((name for name, pattern in _ASPECTS if pattern.search(question)), "object")


_ASKED = re.compile(
    r"(?P<wh>what (?:color|colour|kind of \w+|type of \w+|sport|animal)|what|who|where|why|how|"
    r"which \w+) (?P<aux>is|are|was|were) (?P<rest>.+)",
    re.I,
)


def embedded(question: str) -> str:
    """The question as a clause, ``what the man is holding``; empty where that is not safe."""
    match = _ASKED.fullmatch(question.rstrip("?. ").strip())
    if not match:
        return ""
    words = match["rest"].split()
    if not words or words[0].lower() not in {"the", "this", "these", "those", "his", "her", "that"}:
        return ""
    end = 1
    last = 0
    while end < len(words):
        word = words[end].lower()
        if lemma(word):
            last = end
        elif word not in MODIFIERS and not word.endswith("'s"):
            break
        end += 1
    tail = words[end:]
    simple = (
        not tail
        or tail[0].lower().endswith(("ing", "ed"))
        or tail[0].lower() in {"made", "worn", "shown", "used", "built", "about"}
    )
    # "what the man in the hat is holding" would need to know where the noun phrase ends.
    if last != end - 1 or not simple or end == 1:
        return ""
    subject = words[0].lower() + " " + " ".join(words[1:end])
    wh = match["wh"].lower()
    return " ".join([wh, subject, match["aux"].lower(), *tail])


def _quotable(text: str) -> bool:
    """Whether a question or an option may be quoted: plain, and no words to the writer."""
    words = text.split()
    plain = bool(words) and max(map(len, words)) <= 22 and text.isprintable()
    letters = sum(c.isascii() for c in text) >= 0.9 * len(text)
    return plain and letters and not _SPOKEN_OF_PICTURE.search(text)


def _stems(text: str) -> frozenset[str]:
    """The words that carry meaning, nouns in the singular."""
    words = re.findall(r"\w+", text.lower())
    return frozenset((lemma(w) or (w,))[0] for w in words) - COMMON - DETERMINERS


class Scene(NamedTuple):
    """All that the texts of a row say of the undamaged content.

    ``wrong`` are the options that are not the answer, ``others`` those of them fit to be quoted.
    """

    question: str
    asked: str
    aspect: str
    caption: str
    facts: tuple[str, ...]
    things: tuple[Thing, ...]
    wrong: tuple[str, ...]
    others: tuple[str, ...]


def read(question: Question, answer: str) -> Scene:
    """Read a row's texts; ``answer`` is the answer in words."""
    asked = clean(question.question, 400)
    short = len(asked.split()) <= LONGEST and re.search(r"[A-Za-z]{2}", asked)
    if not (short and _quotable(asked)):
        asked = ""
    captions = statements(question.caption)
    facts: dict[str, str] = {}
    for rationale in question.rationales:
        for s in statements(rationale):
            facts.setdefault(s.lower(), s)
    sources = [(s, False) for s in captions]
    if not re.match(r"(?:is|are|was|were) there\b|.*\b(?:would|could|should|if)\b", asked, re.I):
        sources.insert(0, (asked, True))
    sources += [(s, False) for s in facts.values() if not UNREAL & set(s.lower().split())]
    others: dict[str, str] = {}
    for option in question.choices:
        text = clean(option, 200)
        if text and text.lower() != answer.lower():
            others.setdefault(text.lower(), text)
    # The influence of the damage must not give the answer away; where nothing is asked, what the
    # picture shows is all there is to speak of.
    spoken = _stems(answer) if question.question.strip() else frozenset[str]()
    choice = re.compile("|".join(rf"(?<!\w){re.escape(o)}(?!\w)" for o in others) or "(?!)", re.I)
    found: list[Thing] = []
    for text, from_question in sources:
        for thing in [*things(text, from_question), *(() if from_question else written(text))]:
            told = not from_question and choice.search(f"{thing.text} {thing.longer}")
            if not (told or spoken & _stems(f"{thing.text} {thing.longer}")) and (
                len(thing.text) < 40
            ):
                add(found, thing)
    return Scene(
        question=asked.replace('"', "'"),
        asked=embedded(asked) if asked.isascii() else "",
        aspect=aspect(asked, question.caption),
        caption=captions[0] if captions and clean(question.caption) != answer else "",
        facts=tuple(facts.values()),
        things=tuple(found),
        wrong=tuple(others.values()),
        others=tuple(
            o for o in others.values() if len(o.split()) <= 8 and '"' not in o and _quotable(o)
        ),
    )
