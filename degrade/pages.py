"""Pages that need nothing else: one HTML file, its style, pictures and script within.

Everything that is not ours is escaped by jinja2: names of files, questions, what models say.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

_ASSETS = resources.files("degrade") / "assets"
_MARKED = re.compile(r"([\\`*_{}\[\]<>#|~!])")


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


def environment(html: bool = True) -> jinja2.Environment:
    """Templates whose texts are escaped: for HTML all of them, else what goes through ``md``."""
    made = jinja2.Environment(
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # What is shown goes through one filter or the other, whatever the template says.
        finalize=(lambda v: v if hasattr(v, "__html__") else visible(v)) if html else None,
    )
    made.filters |= {"uri": data_uri, "md": markdown_text}
    made.globals |= {"asset": asset, "policy": policy}
    return made
