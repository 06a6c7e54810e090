"""Pages that need nothing else: one HTML file, its style, pictures and script within.

Everything that is not ours is escaped by jinja2: names of files, questions, what models say.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

_ASSETS = resources.files("degrade") / "assets"
_CODE = re.compile(r"``(.+?)``", re.DOTALL)
_MARKED = re.compile(r"([\\`*_{}\[\]<>#|~!])")


class Cell(NamedTuple):
    """One cell of a table: ``text``, with ``n`` in words where it is a figure."""

    text: str
    n: str = ""


class Table(NamedTuple):
    """A table: every row begins with its heading."""

    caption: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]

    @classmethod
    def of(cls, caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
        """A table of texts; the first of a row is its heading."""
        return cls(caption, head, [(first, [*map(Cell, rest)]) for first, *rest in rows])


def visible(given: Any) -> str:
    """A text of any origin with what would not be seen, or would reorder the line, written out."""
    text = str(given)
    if text.isprintable():
        return text
    return "".join(
        char
        if char in "\n\t" or char.isprintable()
        else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def markdown_text(text: Any) -> str:
    """A text as Markdown that shows it as it is, on one line."""
    return _MARKED.sub(r"\\\1", " ".join(visible(text).split()))


def coded(text: str) -> Markup:
    """A text of a docstring for HTML: what stands between double backticks is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(visible(text)))))


def data_uri(data: bytes, kind: str) -> str:
    """A picture within the page."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def policy(script: str = "") -> Markup:
    """What a page may load: what it holds itself, and of scripts this one alone."""
    text = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        text += f"; script-src 'sha256-{digest}'"
    return Markup(text)


def asset(name: str) -> Markup:
    """A style or script that ships with the package, to stand within a page."""
    return Markup((_ASSETS / name).read_text("utf-8"))


def render(package: str, name: str, shown: Mapping[str, Any]) -> str:
    """A page or text of a template.

    Templates of all packages may extend and import those of ``degrade/templates``. What they show
    is escaped: in HTML all of it, else what goes through ``md``.

    Args:
        package: Whose folder ``templates`` has it.
        name: Of the file.
        shown: What it refers to.
    """
    html = name.endswith(".html")
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(p) for p in (package, "degrade")]),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # What is shown goes through one filter or the other, whatever the template says.
        finalize=(lambda v: v if hasattr(v, "__html__") else visible(v)) if html else None,
    )
    made.filters |= {"coded": coded, "uri": data_uri, "md": markdown_text}
    made.globals |= {"asset": asset, "policy": policy}
    return made.get_template(name).render(shown)
