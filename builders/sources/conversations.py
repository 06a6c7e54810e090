"""What the sources made of conversations share: turns, and options written into a question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from builders.sources.base import Item
from builders.sources.files import Folder, called
from builders.sources.mapping import asked, item, unusable
from builders.sources.values import RowError
from degrade.schema import Question

PLACEHOLDER = "<image>"

_OPTION = re.compile(r"\s*(?:\(([A-Za-z]|\d{1,2})\)|([A-Za-z]|\d{1,2})[.):])\s+(\S.*?)\s*")
_HEADING = re.compile(r"\s*(?:answer )?(?:choices|options)\s*:?\s*", re.I)
_REQUEST = re.compile(r"\s*(?:please\s+)?(?:answer|choose|select|pick|respond|reply)\b.*", re.I)
_SAID = re.compile(
    r"(?:the\s+)?(?:correct\s+|best\s+)?(?:answer|option|choice)\s*(?:is|:)\s*(.+)", re.I | re.S
)


@dataclass(frozen=True)
class Tags:
    """How a data set spells its turns."""

    role: str = "from"
    content: str = "value"
    user: str = "human"
    assistant: str = "gpt"


OPENAI = Tags("role", "content", "user", "assistant")


def tags_of(messages: Any) -> Tags:
    """The spelling of some turns, where nothing says which it is."""
    first = messages[0] if isinstance(messages, list) and messages else None
    return OPENAI if isinstance(first, Mapping) and "role" in first else Tags()


def pairs(messages: Any, tags: Tags) -> list[tuple[str, str]]:
    """Each question with the reply that follows it; pictures' placeholders are taken out.

    Raises:
        RowError: There are no turns, or none is a question with a reply.
    """
    if not isinstance(messages, list) or not all(isinstance(m, Mapping) for m in messages):
        raise RowError("malformed_row", "the conversation is no list of turns")
    found = []
    for before, after in pairwise(messages):
        if (before.get(tags.role), after.get(tags.role)) == (tags.user, tags.assistant):
            found.append((_content(before, tags), _content(after, tags)))
    if not found:
        raise RowError("no_pair", f"no turn of {tags.user!r} is followed by {tags.assistant!r}")
    return found


def _content(message: Mapping[str, Any], tags: Tags) -> str:
    value = message.get(tags.content)
    if isinstance(value, list):  # the parts of OpenAI's form
        parts = [p.get("text") for p in value if isinstance(p, Mapping)]
        value = "\n".join(p for p in parts if isinstance(p, str))
    if not isinstance(value, str):
        raise RowError("malformed_row", f"a turn's {tags.content!r} is no text")
    return value.replace(PLACEHOLDER, "").strip()


def items_of(
    identity: str, messages: Any, tags: Tags, picture: Any, folder: Folder
) -> Iterator[Item]:
    """One item per question of a conversation: ``<id>``, then ``<id>#2`` ...

    Args:
        identity: The row's id.
        messages: Its turns.
        tags: How they are spelled.
        picture: What the row has as its picture.
        folder: Where pictures are.
    """
    load = partial(folder.picture, picture, identity)
    try:
        found = pairs(messages, tags)
    except RowError as error:
        yield unusable(identity, error)
        return
    for number, (question, answer) in enumerate(found, 1):
        name = identity if number == 1 else f"{identity}#{number}"
        yield item(name, called(picture), partial(structured, question, answer), load)


def structured(prompt: str, reply: str) -> Question:
    """A question with its options and answer told apart, where that leaves no doubt.

    Options are lines such as ``A. red``, ``(A) red`` or ``0. red``, labeled in order from A, 0 or
    1; a heading before them and a request such as "Answer with the option's letter." after them
    are dropped. Where the reply is none of the options, the text stays whole.

    Raises:
        RowError: Something is no valid Unicode.
    """
    whole = asked(question=prompt, answer=reply)
    found = _options(prompt)
    if not found:
        return whole
    before, labels, choices, after = found
    answer = _chosen(reply, labels, choices) if reply else None
    if answer is None:
        return whole
    position, form = answer
    values = {"letter": chr(ord("A") + position), "index": str(position), "text": choices[position]}
    return asked(
        question="\n".join([*before, *after]).strip(),
        choices=tuple(choices),
        answer=values[form],
        answer_as=form,
    )


def _options(prompt: str) -> tuple[list[str], list[str], list[str], list[str]] | None:
    """Lines before, labels, options and lines after; None where there are no options."""
    lines = prompt.split("\n")
    for start, line in enumerate(lines):
        first = _OPTION.fullmatch(line)
        if not first or (first[1] or first[2]).upper() not in {"A", "0", "1"}:
            continue
        labels: list[str] = []
        choices: list[str] = []
        end = len(lines)
        for position in range(start, len(lines)):
            match = _OPTION.fullmatch(lines[position])
            if match and (not labels or _next(labels[-1]) == (match[1] or match[2]).upper()):
                labels.append((match[1] or match[2]).upper())
                choices.append(match[3])
            elif lines[position].strip():
                end = position
                break
        if len(choices) < 2:
            continue
        before, after = lines[:start], lines[end:]
        while before and (not before[-1].strip() or _HEADING.fullmatch(before[-1])):
            before.pop()
        return before, labels, choices, [a for a in after if not _REQUEST.fullmatch(a)]
    return None


def _next(label: str) -> str:
    return str(int(label) + 1) if label.isdigit() else chr(ord(label) + 1)


def _chosen(reply: str, labels: list[str], choices: list[str]) -> tuple[int, str] | None:
    """Which option a reply is, and in which form it says so."""
    said = _SAID.fullmatch(reply.strip())
    for given in [reply.strip(), *([said[1].strip()] if said else [])]:
        bare = given.removesuffix(".")
        if given in choices:
            return choices.index(given), "text"
        if bare in choices:
            return choices.index(bare), "text"
        label = bare.removeprefix("(").removesuffix(")").removesuffix(":").upper()
        numbered = "index" if labels[0].isdigit() else "letter"
        if label in labels:
            return labels.index(label), numbered
        match = _OPTION.fullmatch(given)
        if match and (match[1] or match[2]).upper() in labels:
            position = labels.index((match[1] or match[2]).upper())
            if match[3].removesuffix(".") == choices[position].removesuffix("."):
                return position, numbered
    return None
