"""The prose of a chain: English, not repeated, not garbled, nothing given away."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from annotate.lexicon import plain, words_of

Fault = Literal["language", "repetition", "garble", "markup", "leak", "refusal"]

FUNCTION_SHARE, FUNCTION_WORDS = 0.12, 12
"""Least share of English function words in a part of at least so many words."""
DISTINCT_3 = 0.7
"""Least share of different word triples in a part of at least 12 words."""
WORD_LENGTH, DIGIT_SHARE = 22, 0.15
"""Longest word in letters; most digits per character of a sentence of at least 20 characters."""
RUN = 5
"""So many equal signs in a row are no prose."""
FOREIGN_SHARE = 0.1
"""Most letters outside of Latin script, of all letters of a part."""

_FUNCTION = frozenset(
    "a an the this that these those it its they them their he she his her him we you your i of in"
    " on at to for with by from into onto over under through across behind between near about"
    " around against along above below within without up down out off and or but so because since"
    " while when where which who what that than then as if though although is are was were be been"
    " being has have had do does did not no can could would should may might must will there here"
    " all any some each both most more less very only just still also even such same other one two"
    " what's it's isn't nothing how why".split()
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_LETTER = re.compile(r"[^\W\d_]")
_DIGIT, _DIGITS = re.compile(r"\d"), re.compile(r"\d+")
_STRANGE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000fffff]"
)
_MARKUP = re.compile(
    r"(?:^|\n)\s*[*#>_\-]*\s*\[?(?:types?|influence|reasoning|conclusion|answer)\]?\s*[*_]*\s*[:=]"
    r"|\b(?:TYPE|INFLUENCE|REASONING|CONCLUSION|ANSWER)_END"
    r"|</?[a-z!?][^<>\n]{0,40}>|```|\[/?(?:INST|SYS)\]|<\||\|>|(?:^|\n)\s*#{1,6} |\*\*\w"
    r"|\{\s*\"|\"\s*:\s*[\"\[{]|\\n|\\u[0-9a-f]{4}|\{\w*\}|\[[^\]\n]*\|"
    r"|\w~|\b(?:user|assistant|system)\s*:\s",
    re.I,
)
_BLOCKS = re.compile(r"\b(?:TYPE|INFLUENCE|REASONING|CONCLUSION|ANSWER)S?\]?[*_]*\s*[:=]")
_LEAK = re.compile(
    r"\b(?:ground truth|gold(?:en)? answer|(?:standard|reference|expected|provided|given|supplied"
    r"|annotated|labell?ed|stated) answer|answer (?:key|provided|given|supplied)|(?:as|was|were"
    r"|is|are) (?:given|provided|supplied) (?:in|by) the (?:record|prompt|caption|rationale|task"
    r"|input|annotation|metadata|label|list)|as given\b|"
    r"recorded (?:degradation|intensit|value|type|parameter|level|severity)\w*|metadata|json"
    r"|(?:the|this|your|user|system|my) prompt|(?:according to|from|per|in|by|of) the (?:record"
    r"|annotation|label|ground|rationale|instruction|caption|parameters|specification)s?\b"
    r"|the (?:caption|rationale|record|annotation|label|instruction)s? (?:says?|states?|mentions?"
    r"|confirms?|tells?|gives?|notes?|describes?|indicates?|reads?|lists?|specif\w+)"
    r"|(?:provided|given|supplied) (?:caption|rationale|record|degradation|parameter|intensit"
    r"|information|context|metadata|label|list)\w*|degradation (?:list|record|parameter|label)s?"
    r"|synthetic(?:ally)?|artificially|simulated|algorithm\w*|data ?set|training (?:data|set)"
    r"|(?:clean|reference|undegraded|pristine) (?:image|picture|photo|photograph|version|copy"
    r"|view)s?|(?:both|two|first|second) (?:images|pictures|versions) (?:provided|given|supplied)"
    r"|i was (?:told|given|asked)|we (?:are|were) (?:told|given)|intensity (?:of|is"
    r"|value) 0? ?\.\d+)\b"
)
_REFUSAL = re.compile(
    r"\b(?:as an ai|as a (?:large )?language model|language model|i(?:'m| am) (?:sorry|unable"
    r"|afraid|an ai|not able)|i apologi[sz]e|sorry,|(?:i|we) (?:can ?not|can't|could not|couldn't"
    r"|won't|will not|am unable to|are unable to|do not|don't) (?:assist|help|comply|provide|answer"
    r"|fulfill?|determine|process|have (?:access|enough|the ability)|view|identify|generate|see"
    r" (?:the|any|an|this|your) (?:image|picture|photo)|describe)|unable to (?:assist|help|comply"
    r"|provide|answer|process|view|determine the answer)|(?:cannot|can't|can not) be (?:determined"
    r"|answered)|(?:no|not enough|insufficient) (?:image|picture|information|context|data) (?:was"
    r"|is|has been|were)?\s*(?:provided|given|supplied|attached|available|to (?:answer|determine"
    r"|tell))|impossible to (?:answer|determine the answer)|please (?:provide|upload|share|note"
    r" that i)|against (?:my|the) (?:policy|guidelines)|happy to help|(?:sure|certainly|of course)"
    r"[,!] here)\b"
)


_LEAK_WORDS = frozenset(
    "truth gold golden standard expected stated key given provided supplied recorded record records"
    " metadata json prompt annotation annotations label labels rationale rationales instruction"
    " instructions caption captions parameter parameters specification degradation synthetic"
    " synthetically artificially simulated algorithm algorithms algorithmic dataset data training"
    " clean reference undegraded pristine intensity ground annotated labeled labelled i we"
    " specifications".split()
)
_REFUSAL_WORDS = frozenset(
    "ai language i i'm sorry unable we provided given supplied attached available impossible please"
    " policy guidelines happy sure certainly course apologize apologise enough insufficient"
    " determined answered".split()
)
_SIGNS = re.compile(r"[<>{}\[\]`*=#|\\_~]")
_BEFORE_COLON = frozenset(
    "type types influence influences reasoning conclusion conclusions answer answers user assistant"
    " system".split()
)


def faults(parts: Mapping[str, str], allowed: str) -> Iterator[tuple[Fault, str]]:
    """Faults of the prose of a chain.

    Args:
        parts: Name -> text of each part.
        allowed: Plain text of the row's own words: a phrase that occurs in it is no fault.
    """
    sentences: Counter[str] = Counter()
    for part, text in parts.items():
        easy = plain(text)
        words = words_of(easy)
        distinct = frozenset(words)
        yield from _garbled(part, text, words, allowed)
        yield from _language(part, easy, words)
        yield from _repeated(part, words)
        # A quick look first: most texts hold no word that any of these phrases needs.
        if not _LEAK_WORDS.isdisjoint(distinct):
            yield from _phrase("leak", part, _LEAK, easy, allowed)
        if not _REFUSAL_WORDS.isdisjoint(distinct):
            yield from _phrase("refusal", part, _REFUSAL, easy, allowed)
        if _SIGNS.search(text) or (":" in text and not _BEFORE_COLON.isdisjoint(distinct)):
            yield from _phrase("markup", part, _MARKUP, text, allowed)
            yield from _phrase("markup", part, _BLOCKS, text, allowed)
        if part != "CONCLUSION":
            sentences.update(s for s in _sentences(easy) if s.count(" ") >= 3)
    for sentence, times in sentences.items():
        if times > 1:
            yield "repetition", f"a sentence occurs {times} times: {sentence[:80]!r}"


def _sentences(text: str) -> list[str]:
    for end in ("! ", "? ", "; ", "\n"):
        if end in text:
            text = text.replace(end, ". ")
    return text.rstrip(".!? ").split(". ")


def _phrase(
    code: Fault, part: str, pattern: re.Pattern[str], text: str, allowed: str
) -> Iterator[tuple[Fault, str]]:
    for match in pattern.finditer(text):
        if plain(match[0]) not in allowed:
            yield code, f"{part}: {match[0].strip()!r}"
            return


def _language(part: str, easy: str, words: Sequence[str]) -> Iterator[tuple[Fault, str]]:
    if not easy.isascii():
        letters = len(_LETTER.findall(easy))
        if letters - len(_LATIN.findall(easy)) > FOREIGN_SHARE * letters:
            yield "language", f"{part} is not in Latin script"
            return
    if len(words) >= FUNCTION_WORDS:
        share = sum(map(_FUNCTION.__contains__, words)) / len(words)
        if share < FUNCTION_SHARE:
            yield "language", f"{part} does not read as English: {share:.0%} function words"


def _repeated(part: str, words: Sequence[str]) -> Iterator[tuple[Fault, str]]:
    triples = list(zip(words, words[1:], words[2:], strict=False))
    distinct = set(triples)
    for a, b, c in distinct:
        if a == b == c:
            yield "repetition", f"{part} stutters: {a[:20]!r}"
            return
    if len(words) >= 12 and len(distinct) < DISTINCT_3 * len(triples):
        share = len(distinct) / len(triples)
        yield "repetition", f"{part} repeats itself: distinct-3 is {share:.2f}"


def _garbled(
    part: str, text: str, words: Sequence[str], allowed: str
) -> Iterator[tuple[Fault, str]]:
    if not (text.isascii() and text.isprintable()) and (match := _STRANGE.search(text)):
        yield "garble", f"{part} holds the character {match[0]!r}"
    for word in words:
        if len(word) > WORD_LENGTH and word not in allowed:
            yield "garble", f"{part} holds the word {word[:30]!r}..."
            break
    for char in set(text):
        run = char * RUN
        if run in text and not char.isspace() and run.lower() not in allowed:
            yield "garble", f"{part} holds the run {run!r}"
            break
    for sentence in _sentences(text):
        if len(sentence) < 20 or not _DIGIT.search(sentence):
            continue
        digits = [d for d in _DIGITS.findall(sentence) if d not in allowed]
        if sum(map(len, digits)) > DIGIT_SHARE * len(sentence):
            yield "garble", f"{part} has a sentence full of digits: {sentence[:60]!r}"
            break
