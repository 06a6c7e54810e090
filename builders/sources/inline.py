"""Options that stand inside a question's text, as MMStar and RealWorldQA have them on the Hub."""

from __future__ import annotations

import re
import string

_LINE = re.compile(r"\s*\(?([A-Z])[.:)]\s+(\S.*?)\s*")
_HEADING = re.compile(r"\s*(?:options|choices)\s*:\s*", re.IGNORECASE)
_ONE_LINE = re.compile(r"\s*\b(?:options|choices)\s*:\s*\(?A([.:)])\s+", re.IGNORECASE)

Parted = tuple[str, tuple[str, ...]]
"""A question without its options, and these: pieces of the text as it was."""


def parted(text: str) -> Parted | None:
    """Part a question from the options at its end; None where it has none of the known forms.

    Either a line each, ``A. red``, ``(B) blue`` ..., below a heading such as ``Choices:`` or none;
    or ``Options: A: red, B: blue`` in a line. Two at least, lettered from A on. What follows them
    says how to answer; it belongs to neither.
    """
    return _lines(text) or _one_line(text)


def _lines(text: str) -> Parted | None:
    lines = text.split("\n")
    last: tuple[int, list[str]] | None = None
    for start, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if not found or found[1] != "A":
            continue
        options = [found[2]]
        for line in lines[start + 1 :]:
            if not line.strip():
                continue
            found = _LINE.fullmatch(line)
            if not found or found[1] != string.ascii_uppercase[len(options)]:
                break
            options.append(found[2])
        if len(options) > 1:
            last = start, options
    if last is None:
        return None
    start, options = last
    if start and _HEADING.fullmatch(lines[start - 1]):
        start -= 1
    return _checked("\n".join(lines[:start]), options)


def _one_line(text: str) -> Parted | None:
    found = list(_ONE_LINE.finditer(text))
    if not found:
        return None
    heading = found[-1]
    left = text[heading.end() :].split("\n", 1)[0]
    mark, options = re.escape(heading[1]), []
    for letter in string.ascii_uppercase[1:]:
        option, *after = re.split(rf",\s*\(?{letter}{mark}\s+", left, maxsplit=1)
        options.append(option.strip())
        if not after:
            break
        left = after[0]
    return _checked(text[: heading.start()], options) if len(options) > 1 else None


def _checked(stem: str, options: list[str]) -> Parted | None:
    stem = stem.rstrip()
    return (stem, tuple(options)) if stem and all(options) else None
