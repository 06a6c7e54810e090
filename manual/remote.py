"""What a page of the site would fetch from elsewhere: nothing may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_FAR = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
_LINKS = {"a", "form"}
"""Elements that lead somewhere when they are clicked, and load nothing by themselves."""


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _LINKS or (tag == "link" and given.get("rel") in ("canonical", "next", "prev")):
            return
        for name in ("src", "href", "srcset", "data", "poster"):
            if _FAR.match(given.get(name) or ""):
                self.found.append(f"<{tag} {name}={given[name]}>")


def fetched(site: Path) -> Iterator[str]:
    """Each address outside the site that one of its pages or styles would load, with the file."""
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text("utf-8"))
        yield from (f"{path.relative_to(site)}: {found}" for found in page.found)
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        for found in _STYLE.findall(path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: {found}"
