"""A data card as one HTML file to look at, before it is on the Hub."""

from __future__ import annotations

import html
import mimetypes
import re
from pathlib import Path
from urllib.parse import unquote

from markupsafe import Markup

from builders.table import CARD
from degrade.errors import UserError
from degrade.pages import data_uri, render
from degrade.runs import write_atomic

PAGE = "card.html"
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_SOURCE = re.compile(r'(<img src=")([^":]+)(")')


def as_html(folder: Path) -> Path:
    """Write ``card.html`` beside a card: self-contained, pictures within.

    Args:
        folder: Holds README.md and what it shows.

    Raises:
        UserError: There is no card.
    """
    from markdown_it import MarkdownIt

    try:
        text = (folder / CARD).read_text("utf-8")
    except OSError as error:
        raise UserError(f"Cannot read {folder / CARD}: {error.strerror}.") from None
    text = re.sub(r"<!--.*?-->", "", _FRONT.sub("", text), flags=re.DOTALL)
    title = next((line[2:] for line in text.splitlines() if line.startswith("# ")), folder.name)
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)

    def inlined(match: re.Match[str]) -> str:
        path = folder / unquote(html.unescape(match[2]))
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return f"{match[1]}{data_uri(path.read_bytes(), kind)}{match[3]}"

    body = _SOURCE.sub(inlined, body)
    # The renderer has escaped what the card says; raw HTML in it is text.
    shown = {"title": title, "body": Markup(body)}
    path = folder / PAGE
    write_atomic(path, render("builders", "card.html", shown).encode())
    return path
