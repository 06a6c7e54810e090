"""Which option a reply names, by stated rules that are tried in order. No model, no torch.

    read("I think it is (B), red.", ("blue", "red"), "letter")
    # Found(option=1, rule="marked", taken="I think it is (B), red.")

Every reply gets the name of one rule. A rule of :data:`FINDS` gives an option; one of
:data:`MISSES` says why there is none, which counts as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from trainer.evaluation.wording import (
    ANNOUNCE,
    ARTICLE,
    DENIED,
    LABEL_NEXT,
    REFUSAL,
    WRONG,
    YES_NO,
    Labels,
    bare,
    in_number,
    is_word,
    normal,
    occurrences,
    tagged,
    without_thinking,
)
from trainer.rewards import named_option, plain_answer

RULES_VERSION = 2
"""Raised when a reply may be read otherwise: scores of two versions do not compare."""

RAMBLING = 60
"""Words beyond which a mention alone is no answer."""

FINDS = {
    "tag": "an answer tag: the last block of a chain, `<ANSWER>…`, `<answer>…</answer>`, "
    '`\\boxed{…}`, JSON `"answer"`; what stands in it is read by the rules below',
    "tag_repeated": "several such tags that all name one option",
    "exact": "the reply is a label, an option's text, or both as listed; case, quotes, brackets "
    "and a final period are no difference",
    "label": "the reply is a label with a few words around it: `Answer: B`, `Option (B).`",
    "label_text": "the reply is a label and its own option's text: `(B) red`, `B - red`",
    "announced": "it is announced: `the answer is B`, `answer: (B)`, `I choose red`, `B is "
    "correct`; where one is called final, that one",
    "line": "one line of the reply is, by itself, one of the above, and no line is another",
    "leading": "the reply begins with a label and a mark, `B.`, `(B)`, `B:`, and names no other; "
    "or with `Yes,` or `No,` where these are options",
    "marked": f"at most {RAMBLING} words that mark one label alone: `(B)`, `option B`, a single "
    "capital `B`; not where it is denied",
    "mentioned": f"at most {RAMBLING} words that hold the text of one option alone and do not "
    "deny it; a text inside a longer option's counts for the longer one",
}
"""Rules that find an option, in the order in which they are tried; for people, as Markdown."""

MISSES = {
    "refused": "the endpoint marked the answer as a refusal",
    "filtered": "the provider's content filter took the answer away",
    "empty": "nothing was said",
    "unfinished": "cut off inside `<think>`, before any answer",
    "tag_conflict": "several answer tags that name different options",
    "tag_unclear": "an answer tag that names no option",
    "conflict": "a label with the text of another option, or different announcements",
    "several": "more than one option is named and none announced",
    "refusal": "it declines, in words: `I cannot tell`, `I'm sorry`, `there is no picture`",
    "rambling": f"more than {RAMBLING} words that announce nothing",
    "none": "no option is named",
}
"""Rules that say why there is no option. All count as wrong."""


class Found(NamedTuple):
    """What a reply comes to.

    Attributes:
        option: 0-based, in the order in which they were listed; None: none.
        rule: A key of :data:`FINDS` or :data:`MISSES`.
        taken: The part of the reply that was read.
    """

    option: int | None
    rule: str
    taken: str


def read(text: str, choices: Sequence[str], form: str) -> Found:
    """Which option a reply names.

    Args:
        text: What the model said.
        choices: The options in the order in which they were listed; at least two.
        form: How they were labelled: ``letter`` (A ...), ``index`` (0 ...), or ``text``: by none.

    Returns:
        The option, and the rule that found it or says why there is none. Never raises.
    """
    said = without_thinking(normal(text))
    if said is None:
        return Found(None, "unfinished", "")
    if not said.strip():
        return Found(None, "empty", "")
    names = _names(tuple(map(normal, choices)), form)
    if answers := list(tagged(said)):
        return _of_tags(answers, names)
    return _of_text(said, names)


class _Names(NamedTuple):
    """What the options of one question may be called: ``texts`` are the choices, plain."""

    choices: tuple[str, ...]
    form: str
    texts: tuple[str, ...]
    labels: Labels

    def of(self, label: str) -> int:
        """The option of a label as it was written."""
        return self.labels.of(label)


_labels = lru_cache(Labels)


@lru_cache(maxsize=4096)
def _names(choices: tuple[str, ...], form: str) -> _Names:
    texts = tuple(plain_answer(c) for c in choices)
    return _Names(choices, form, texts, _labels(len(choices), form))


# ------------------------------------------------------------------------------------ the rules

_Verdict = tuple[int | None, str]
_NOTHING: _Verdict = (None, "")


def _of_tags(answers: Sequence[str], names: _Names) -> Found:
    found = [_of_text(a, names) if a.strip() else Found(None, "empty", "") for a in answers]
    named = {f.option for f in found if f.option is not None}
    taken = answers[-1].strip()
    if len(named) == 1 and all(f.option is not None or not f.taken for f in found):
        return Found(named.pop(), "tag" if len(found) == 1 else "tag_repeated", taken)
    if len(named) > 1:
        return Found(None, "tag_conflict", taken)
    return Found(None, "tag_unclear", taken)


def _of_text(said: str, names: _Names) -> Found:
    text = bare(said)
    for rule_of in (_alone, _announced, _lines, _leading):
        option, rule = rule_of(text, names)
        if rule:
            return Found(option, rule, text)
    return Found(*_in_passing(text, names), text)


def _in_passing(text: str, names: _Names) -> _Verdict:
    """What is named without being put forward; not where a reply declines or goes on and on."""
    if REFUSAL.search(text) and not any(map(REFUSAL.search, names.choices)):
        return None, "refusal"
    if len(text.split()) > RAMBLING:
        return None, "rambling"
    rule, named = "marked", _marked(text, names)
    if not named:
        rule, named = "mentioned", _mentioned(text, names)
    if len(named) == 1:
        return named.pop(), rule
    return None, "several" if named else "none"


def _alone(text: str, names: _Names) -> _Verdict:
    """A label, an option's text or both, and nothing else."""
    exact = named_option(text, names.choices, names.form)
    if exact is not None:
        return exact, "exact"
    if match := names.labels.alone.fullmatch(text):
        return names.of(match[1]), "label"
    if match := names.labels.first.match(text):
        rest = plain_answer(text[match.end() :])
        label = names.of(match[1])
        if rest and rest == names.texts[label]:
            return label, "label_text"
        # A label that is also a word may begin an option's text: "a cat" is not label A, be "a cat"
        # or "cat" the option.
        article = match[1] in ("A", "a") and text[match.end(1) : match.end()].isspace()
        article = article and not LABEL_NEXT.search(text[: match.start(1)])
        if rest in names.texts and plain_answer(text) not in names.texts and not article:
            return None, "conflict"
    return _NOTHING


def _announced(text: str, names: _Names) -> _Verdict:
    """What announcements say: the final one's where there is one, else what all of them do."""
    said: list[tuple[bool, frozenset[int]]] = []
    for match in ANNOUNCE.finditer(text):
        if named := _follows(text, match.end(), names):
            said.append((match["final"] is not None, named))
    if names.labels.names:
        said += [(False, frozenset({names.of(m[1])})) for m in names.labels.right.finditer(text)]
    if not said:
        return _NOTHING
    final = [named for is_final, named in said if is_final]
    named = frozenset().union(*(final[-1:] or (n for _, n in said)))
    return (next(iter(named)), "announced") if len(named) == 1 else (None, "conflict")


def _follows(text: str, start: int, names: _Names) -> frozenset[int]:
    """The options that are named right after an announcement."""
    found: set[int] = set()
    tail = text[start : start + 400]
    if match := names.labels.next.match(tail):
        found.add(names.of(match[1]))
        place = match.end()
        while more := names.labels.also.match(tail, place):
            found.add(names.of(more[1]))
            place = more.end()
        return frozenset(found)
    line = re.sub(r"^[\"'(\s]+", "", tail.split("\n", 1)[0])
    label, words = names.labels.first.match(line), ARTICLE.sub("", plain_answer(line))
    if label and (rest := plain_answer(line[label.end() :])):
        index = names.of(label[1])
        if _begins(rest, names.texts[index]):
            return frozenset({index})
    begun = [i for i, t in enumerate(names.texts) if _begins(words, ARTICLE.sub("", t))]
    if not begun:
        return frozenset()
    longest = max(len(ARTICLE.sub("", names.texts[i])) for i in begun)
    return frozenset(i for i in begun if len(ARTICLE.sub("", names.texts[i])) == longest)


def _begins(text: str, start: str) -> bool:
    end = len(start)
    return (
        bool(start)
        and text.startswith(start)
        and not is_word(text[end : end + 1])
        and (not in_number(text, 0, end))
    )


def _lines(text: str, names: _Names) -> _Verdict:
    """Lines that are an answer by themselves."""
    lines = [bare(line) for line in text.split("\n")]
    if len(lines) < 2:
        return _NOTHING
    found = [_alone(line, names) for line in lines if line]
    named = {index for index, _ in found if index is not None}
    if len(named) == 1:
        return named.pop(), "line"
    return (None, "several") if named else _NOTHING


def _leading(text: str, names: _Names) -> _Verdict:
    if (said := YES_NO.match(text)) and {"yes", "no"} <= set(names.texts):
        # What follows may well hold the other word: "Yes, there is no car."
        return named_option(said[1], names.choices, "text"), "leading"
    if not names.labels.names or not (match := names.labels.leading.match(text)):
        return _NOTHING
    index = names.of(next(g for g in match.groups() if g))
    others = _marked(text[match.end() :], names) - {index}
    return (None, "several") if others else (index, "leading")


def _marked(text: str, names: _Names) -> set[int]:
    """Options whose label is marked as one somewhere."""
    if not names.labels.names:
        return set()
    return {
        names.of(next(g for g in m.groups() if g))
        for m in names.labels.marked.finditer(text)
        if not DENIED.search(text[max(0, m.start() - 40) : m.start()])
        and not WRONG.match(text, m.end())
    }


def _mentioned(text: str, names: _Names) -> set[int]:
    """Options whose text occurs, and not only denied."""
    text = " ".join(text.casefold().split())
    spans = [
        (start, end, index)
        for index, option in enumerate(names.texts)
        for start, end in occurrences(text, option)
    ]
    return {
        index
        for start, end, index in spans
        if not DENIED.search(text[max(0, start - 40) : start])
        and not any(s <= start and end <= e and (s, e) != (start, end) for s, e, _ in spans)
    }
