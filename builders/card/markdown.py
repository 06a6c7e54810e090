"""Markdown that stays what it is whatever the texts in it are."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 96
"""Columns of a code block."""


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; whole numbers with separators, columns of numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in cells) for i in range(len(header))]
    rule = ["---:" if n and i else "---" for i, n in enumerate(numeric)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[*header], rule, *cells])


def _cell(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[\d,.%]*", text))


def packed(value: Any, indent: int = 0) -> str:
    """JSON that breaks a line only where a value does not fit in it."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + len(line) <= WIDTH or not value or not isinstance(value, dict | list):
        return line
    deeper = indent + 2
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {packed(v, deeper)}" for k, v in value.items()]
    else:
        parts = [packed(v, deeper) for v in value]
    body = f",\n{' ' * deeper}".join(parts)
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n{' ' * deeper}{body}\n{' ' * indent}{right}"


def fenced(text: str, language: str = "text") -> str:
    """A code block that nothing in the text can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def described(model: type) -> dict[str, str]:
    """The attributes of a class by its docstring; names that share a text share it here."""
    doc = inspect.getdoc(model) or ""
    _, _, listed = doc.partition("Attributes:")
    found = {}
    for match in re.finditer(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", listed, re.MULTILINE):
        text = " ".join(match[2].split()).replace("``", "`")
        found.update(dict.fromkeys(match[1].split(", "), text))
    return found
