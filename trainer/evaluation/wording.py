"""How people and models put an answer: tags, announcements, refusals, denials, labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from degrade.schema import PARTS, Chain

THINK = re.compile(r"<(think(?:ing)?)>.*?</\1>", re.DOTALL | re.IGNORECASE)
THINKING = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
LATEX = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_LAST = PARTS[-1]
TAGS = (
    re.compile(rf"<{_LAST}>(.*?)(?:<{_LAST}_END>|</{_LAST}>|(?=<{_LAST}>)|\Z)", re.DOTALL | re.I),
    re.compile(r"\\boxed\s*\{([^{}]*)\}"),
    re.compile(r"\"answer\"\s*:\s*(?:\"([^\"]*)\"|(\d+))", re.IGNORECASE),
)
_BLANKS, _BREAKS = re.compile(r"[^\S\n]+"), re.compile(r" ?\n[ \n]*")
MARKDOWN = re.compile(r"\*\*|__|[`*#>$]")
_NO = r"(?:can(?:no|')t|can not|could not|couldn't|unable to|not able to|(?:not |im)possible to)"
_SEEN = r"(?:image|picture|photo)\w*"
REFUSAL = re.compile(
    r"\bi(?: am|'m) (?:sorry|afraid|unable|not able)\b|\bsorry,? (?:but )?i\b|\bas an ai\b"
    rf"|\b{_NO} (?:be )?(?:determin|tell|say|answer|identif|help|assist|view|comply|provid|process"
    r"|make out|fulfil|know)\w*"
    rf"|\b(?:can(?:no|')t|do not|don't) see (?:the|any|an|your) {_SEEN}"
    r"|\bi (?:do not|don't) (?:know|have (?:access|enough))\b"
    rf"|\bno {_SEEN}(?: is| was)?(?: provided| attached| given| here| available| visible|[.,]|$)"
    rf"|\b{_SEEN} (?:is|was) (?:not|n't) (?:provided|attached|given|here|available|visible)"
    r"|\bnone of the (?:option|choice|answer|above)\w*",
    re.IGNORECASE,
)
DENIED = re.compile(
    r"(?:\bnot|\bcannot|n't|\bno|\bnever|\bneither|\bnor|\bwithout|\brather than|\binstead of"
    r"|\bexcept|\bunlike)"
    r"(?:\W+(?:a|an|the|any|really|be|look|seem|seems|quite|to|option|see|show|have)\b)*\W*$",
    re.IGNORECASE,
)
LABEL_NEXT = re.compile(r"(?:[(\[{]|\b(?:option|choice|letter)\s+)\Z", re.IGNORECASE)
YES_NO = re.compile(r"(yes|no)\s?[,.;:!](?!\s?(?:yes|no)\b)", re.IGNORECASE)
_BULLETS = re.compile(r"(?:[-\u2022](?:\s+|(?=[^\W\d])))+")
_BEFORE, _AFTER = re.compile(r"(?:\d[.,:/]|(?<![\w.])[-.])\Z"), re.compile(r"[.,:/]\d")
WRONG = re.compile(
    r"\s+(?:is\s+(?:not|wrong|incorrect|false)|isn't|cannot\s+be|can't\s+be)\b", re.IGNORECASE
)
PLURAL = re.compile(r"(?:e?s)?(?!\w)")
ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
_SAYS = r"(?:is|are|was|be|would\s+be|should\s+be|must\s+be|will\s+be|seems\s+to\s+be)"
ANNOUNCE = re.compile(
    r"(?P<final>\bfinal\s+)?"
    r"(?:\b(?:answer|option|choice|solution|conclusion)\b(?:\s+(?:to|for|here)\b[^.:\n]{0,60}?)?"
    rf"\s*(?:\s{_SAYS}|:|=)\s*(?:therefore|thus|clearly|likely|most\s+likely|probably)?\s*:?"
    r"|\bi(?:'d|'ll|\s+would|\s+will)?\s+(?:choose|pick|select|go\s+with|answer)(?:ed)?\s*:?"
    r"|(?:答案|选择|选)(?:是|为|:)?)\s*",
    re.IGNORECASE,
)


def without_thinking(text: str) -> str | None:
    """The reply without what a model thinks to itself; None where it never ended thinking."""
    said = THINK.sub("", text)
    if "</think>" in said:  # servers may cut the opening one off
        said = said.rsplit("</think>", 1)[1]
    return None if THINKING.search(said) else said


def tagged(said: str) -> Iterator[str]:
    """What stands in answer tags: of the first kind that there is any of."""
    chain = Chain.parse(said)
    if isinstance(chain, Chain):
        yield chain.answer
        return
    said = LATEX.sub(r"\1", said)
    for pattern in TAGS:
        found = [next((g for g in m.groups() if g is not None), "") for m in pattern.finditer(said)]
        if found:
            yield from found
            return


def normal(text: str) -> str:
    """Compatibility forms as the letters themselves, one apostrophe and minus, single white space.

    A run with a line break in it is one line break. Patterns that take several runs would otherwise
    take time to the power of their number for a reply that breaks off in blank lines.
    """
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\u2212", "-")
    return _BREAKS.sub("\n", _BLANKS.sub(" ", text))


def bare(text: str) -> str:
    """The text without what only makes it look otherwise."""
    text = MARKDOWN.sub("", LATEX.sub(r"\1", text)).strip()
    bullets = _BULLETS.match(text)  # "- 3" is 3, "-3" is not
    return text[bullets.end() :] if bullets else text


def occurrences(text: str, words: str) -> Iterator[tuple[int, int]]:
    """Where words stand in a text as words, also in the plural."""
    start = text.find(words) if words else -1
    while start >= 0:
        end = start + len(words)
        before, after = text[start - 1 : start], PLURAL.match(text, end)
        if not is_word(before) and after and not in_number(text, start, end):
            yield start, after.end()
        start = text.find(words, start + 1)


def in_number(text: str, start: int, end: int) -> bool:
    """Whether digits at the ends of a part of a text go on as a number: the 3 of 3.5 and of -3."""
    first, last = text[start : start + 1].isdigit(), text[end - 1 : end].isdigit()
    before = first and _BEFORE.search(text[max(0, start - 3) : start])
    return bool(before or (last and _AFTER.match(text, end)))


def is_word(char: str) -> bool:
    """Whether a character is of a word."""
    return char.isalnum() or char == "_"


class Labels:
    """What so many options are called, and where a label means one of them.

    Attributes:
        alone, first: A label with a few words around it: the whole of a text; its beginning.
        next, also: Right after an announcement; a further one after that.
        right: Before "is correct".
        leading: At the beginning of a reply, with a mark.
        marked: Anywhere, marked as a label.
    """

    def __init__(self, count: int, form: str) -> None:
        self.letters = form == "letter"
        names = [chr(65 + i) if self.letters else str(i) for i in range(count)]
        self.names = {} if form == "text" else {name: i for i, name in enumerate(names)}
        self.any = "|".join(sorted(map(re.escape, self.names), key=len, reverse=True)) or r"(?!)"
        either = f"(?i:{self.any})" if self.letters else self.any
        before = (
            r"(?:(?:so|therefore|thus|hence)[,:]?\s+)?(?:(?:my|the)\s+)?(?:final\s+)?"
            rf"(?:(?:correct|right|best)\s+)?(?:answer|option|choice|letter)?\s*(?:{_SAYS}\b)?"
            r"\s*[:=]?\s*(?:option|choice|letter)?\s*"
        )
        self.alone = re.compile(
            rf"(?i:{before})[(\[{{\"']*({either})[)\]}}\"']*\s*[.:;,!]*", re.ASCII
        )
        self.first = re.compile(
            rf"(?i:{before})[(\[{{\"']*({either})(?!\w)[)\]}}\"']*\s*[.:;,)\-\u2013\u2014]*\s*"
        )
        # In running text a label is a capital and no word of a sentence: "The answer is A man".
        stop = r".,;:!?)\]\u3002\uff0c"
        ends = r"(?![.,:/]\d)"
        ends += rf"(?=\s*$|\s*[{stop}\n\"'/&]|\s+(?:because|since|as|or|and)\b|\s+[-\u2013\u2014])"
        small = "|".join(label.lower() for label in self.names if label not in "AI")
        spoken = "|".join(filter(None, (self.any, small)))
        self.next = re.compile(
            rf"(?:(?:the\s+)?(?:option|choice|letter)\s+)?[(\[\"']*({spoken}){ends}[)\]\"']*"
        )
        self.also = re.compile(
            rf"\s*(?:,|/|&|\bor\b|\band\b)\s*(?:option\s+)?[(\[]?({self.any})(?![\w'])"
        )
        self.right = re.compile(
            rf"(?<![A-Za-z0-9_'])[(\[]?({self.any})[)\]]?\s+is\s+(?:the\s+)?"
            r"(?:correct|right|best|true|most\s+likely|most\s+accurate|answer)\b"
        )
        self.leading = re.compile(rf"(?:[(\[]({self.any})[)\]][.:]?|({self.any})[.:)\]])(?=\s)")
        words = r"(?i:option|choice|letter|answer|number)"
        bare = rf"|(?<![A-Za-z0-9_'\u2019-])({self._bare(stop)})(?![A-Za-z0-9_'\u2019-])"
        self.marked = re.compile(
            rf"[(\[]({either})[)\]]|\b{words}\s+[(\[]?({self.any})(?![\w'])"
            + (bare if self.letters else "")
        )

    def _bare(self, stop: str) -> str:
        """Labels that mean something on their own; A and I are words of English as well."""
        alone = [label for label in self.names if label not in "AI"]
        word = [label for label in self.names if label in "AI"]
        another = rf"(?=\s*(?:,|/|&|or|and)\s*[(\[]?(?:{self.any})(?![\w']))"
        # No article stands before these, nor the pronoun before those of the second.
        no_noun = r"because|seems|is|it|as|since|or|here|please|looks|appears"
        marks = r"\s+[-\u2013\u2014=/]|/|\s*\(\d"
        last = {
            "A": rf"(?=[{stop}]|\s*$|\s+(?:{no_noun})\b|{marks})",
            "I": rf"(?=[{stop}]|\s*$|\s+(?:because|seems|is|it)\b|{marks})",
        }
        return "|".join([*alone, *(rf"(?<!\S){w}{last[w]}|{w}{another}" for w in word)]) or r"(?!)"

    def of(self, label: str) -> int:
        """The option of a label as it was written."""
        return self.names[label.upper() if self.letters else label]
