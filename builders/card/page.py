"""A data card as one HTML file to look at, before it is on the Hub."""

from __future__ import annotations

import html
import mimetypes
import re
from pathlib import Path
from urllib.parse import unquote

from builders.table import CARD
from degrade.errors import UserError
from degrade.pages import data_uri
from degrade.runs import write_atomic

PAGE = "card.html"
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_SOURCE = re.compile(r'(<img src=")([^":]+)(")')
_STYLE = """
:root { color-scheme: light dark; --line: #d7dbe0; --soft: #f4f6f8; --link: #0550ae; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4048; --soft: #1d2228; --link: #79b8ff; }
}
body {
  font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
}
h1 { line-height: 1.2; } h2 { margin-top: 2.4rem; border-bottom: 1px solid var(--line); }
a { color: var(--link); } img { max-width: 100%; height: auto; border-radius: 4px; }
code { font: 0.875em/1.45 ui-monospace, monospace; background: var(--soft); padding: 0.1em 0.3em; }
pre { background: var(--soft); padding: 0.8rem 1rem; border-radius: 6px; overflow-x: auto; }
pre code { padding: 0; }
pre code.language-text, pre code.language-json { white-space: pre-wrap; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }
th, td { border: 1px solid var(--line); padding: 0.3rem 0.6rem; vertical-align: top; }
th { background: var(--soft); text-align: left; }
"""


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
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body>\n{body}</body></html>\n"
    )
    path = folder / PAGE
    write_atomic(path, page.encode())
    return path
