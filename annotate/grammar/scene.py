"""What is known of the undamaged content: things, statements, and what the question is after."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from annotate.grammar.words import (
    ALWAYS_PLURAL,
    COMMON,
    COUNTED,
    DETERMINERS,
    IRREGULAR,
    LOWERABLE,
    MODIFIERS,
    NEGATIONS,
    PLACING,
    SINGULARS,
    UNREAL,
    VERBLIKE,
)
from degrade.schema import Question

LONGEST = 36
"""Words of a statement beyond which it is left out, rather than cut in the middle of a thought."""

_TAG = re.compile(r"<[^<>]{0,80}>|[<>{}\[\]|~`\\^]")
_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*|\d+|[^\w\s]")
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


class Thing(NamedTuple):
    """A thing of the scene: ``the red umbrella``; ``longer`` says where: ``... on the table``."""

    text: str
    head: str
    plural: bool
    longer: str = ""


def _lemma(word: str) -> tuple[str, bool] | None:
    if word in IRREGULAR:
        return IRREGULAR[word], True
    if word in ALWAYS_PLURAL:
        return word, True
    if word in SINGULARS:
        return word, False
    for ending, stem in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending) and word[: -len(ending)] + stem in SINGULARS:
            return word[: -len(ending)] + stem, True
    return None


def _phrase(words: list[str], start: int) -> tuple[int, tuple[str, bool] | None]:
    """End of the noun phrase whose first word after the article is at ``start``, and its noun."""
    end, head = start, None
    last = start
    while end < len(words):
        word = words[end]
        if head and word in VERBLIKE:
            break
        if lemma := _lemma(word):
            head, last = lemma, end + 1
        elif word not in MODIFIERS and not (word.endswith("'s") and _lemma(word[:-2])):
            break
        end += 1
    return (last, head) if head else (max(end, start), None)


def things(text: str, definite: bool = False) -> list[Thing]:
    """Noun phrases of known nouns after a determiner; ``definite``: not after *a* or *an*.

    Left out: what is negated or merely imagined. Each noun once.
    """
    found: dict[str, Thing] = {}
    words = [w.lower() for w in _WORD.findall(text.replace("\u2019", "'"))]
    i = 0
    while i < len(words):
        if words[i] not in DETERMINERS:
            i += 1
            continue
        start = i + (words[i] not in COUNTED)
        end, head = _phrase(words, start)
        denied = NEGATIONS.intersection(words[max(0, i - 4) : i])
        if head and not denied and not (definite and words[i] in {"a", "an", "some"}):
            phrase = f"the {' '.join(words[start:end])}"
            found.setdefault(head[0], Thing(phrase, *head, _placed(phrase, words, end)))
        i = max(end, i + 1)
    return list(found.values())


def _placed(phrase: str, words: list[str], end: int) -> str:
    """``the cup on the table`` where the text goes on like that; empty otherwise."""
    for prep in PLACING:
        n = len(prep)
        if tuple(words[end : end + n]) == prep and words[end + n : end + n + 1]:
            at = end + n
            if words[at] not in DETERMINERS:
                return ""
            start = at + (words[at] not in COUNTED)
            stop, head = _phrase(words, start)
            longer = f"{phrase} {' '.join(prep)} the {' '.join(words[start:stop])}"
            return longer if head and len(longer) < 60 else ""
    return ""


# ------------------------------------------------------------------------------------ the question

ASPECTS: tuple[tuple[str, str], ...] = (
    ("count", r"\bhow many\b|\bnumber of\b|\bcount\b"),
    ("color", r"\bcolou?rs?\b|\bhue\b|\bshade of\b"),
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
_ASPECTS = tuple((name, re.compile(pattern, re.I)) for name, pattern in ASPECTS)


def aspect(question: str) -> str:
    """What kind of evidence a question needs: one of ASPECTS, or ``object``; empty for none."""
    if not question:
        return ""
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
        if _lemma(word):
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
    found: dict[str, Thing] = {}
    sources = [(s, False) for s in captions]
    if not re.match(r"(?:is|are|was|were) there\b|.*\b(?:would|could|should|if)\b", asked, re.I):
        sources.insert(0, (asked, True))
    sources += [(s, False) for s in facts.values() if not UNREAL & set(s.lower().split())]
    # The influence of the damage must not give the answer away; where nothing is asked, what the
    # picture shows is all there is to speak of.
    spoken = answer.lower() if question.question.strip() else ""
    for text, definite in sources:
        for thing in things(text, definite):
            if thing.head not in spoken and len(thing.text) < 40:
                found.setdefault(thing.head, thing)
    others: dict[str, str] = {}
    for option in question.choices:
        text = clean(option, 200)
        if text and text.lower() != answer.lower():
            others.setdefault(text.lower(), text)
    return Scene(
        question=asked.replace('"', "'"),
        asked=embedded(asked) if asked.isascii() else "",
        aspect=aspect(asked),
        caption=captions[0] if captions and clean(question.caption) != answer else "",
        facts=tuple(facts.values()),
        things=tuple(found.values()),
        wrong=tuple(others.values()),
        others=tuple(
            o for o in others.values() if len(o.split()) <= 8 and '"' not in o and _quotable(o)
        ),
    )
