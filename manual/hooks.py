"""Hooks of MkDocs: pages made from the registry and the code, and links out of docs/."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from manual import formulas, operators, reference, remote

ROOT = Path(__file__).parents[1]
COPIED = "files"
"""Folder of the site for files of the repository that pages link to."""

PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/README.md": "examples.md",
}
"""Files of the repository that are pages of the site."""

MADE = {
    "degrade/ops": "operators/index.md",
    "degrade/cli.py": "cli.md",
    "degrade/ops/__init__.py": "api/operators-and-recipes.md",
}
"""What a link to code leads to in the site, where the pages made of that code are."""

WIDE = {"calibration.md", "severity.md", "speed.md", "published.md"}
"""Pages whose tables take the place of the table of contents."""

_LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")
_NUMBERS = re.compile(r"<td>([\d.,+%/\[\] -]+)</td>")
_SHORT = re.compile(r"<code>([^<]{1,22})</code>")
_ROLE = re.compile(r":(?:mod|class|func|meth|data|attr):<code>(~?)([\w.]+)</code>")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put what is made at the build into the navigation."""
    made = {"Operators": operators.nav(), "Reference": reference.nav()}
    for section in config.nav or []:
        section.update({title: made[title] for title in section if title in made})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages and pictures, and the pages that stand outside docs/."""
    for made in (operators.files(Path(config.docs_dir)), reference.files()):
        for uri, content in made:
            files.append(File.generated(config, uri, content=content))
    docs = Path(config.docs_dir)
    texts = [path.read_text("utf-8") for path in sorted(docs.rglob("*.md"))]
    for source, uri in PAGES.items():
        texts.append(_moved(ROOT / source, docs))
        files.append(File.generated(config, uri, content=texts[-1]))
    found = {_outside(match[2]) for text in texts for match in _LINK.finditer(text)}
    for name in sorted(name for name in found if name and name not in PAGES | MADE):
        uri = f"{COPIED}/{name}"
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put made tables in, and lead links to files of the repository to their copies in the site."""
    if formulas.MARK in markdown:
        markdown = markdown.replace(formulas.MARK, formulas.table(Path(config.docs_dir)))

    if page.file.src_uri in WIDE:
        page.meta["hide"] = ["toc"]

    def led(match: re.Match[str]) -> str:
        name = _outside(match[2])
        if name is None:
            return match[0]
        target = (PAGES | MADE).get(name, f"{COPIED}/{name}")
        return f"{match[1]}{target}{match[3] or ''})"

    return _LINK.sub(led, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the roles in docstrings into links, and keep numbers and short code on one line."""

    def linked(match: re.Match[str]) -> str:
        name = match[2]
        shown = name.rpartition(".")[2] if match[1] else name
        return f'<autoref identifier="{name}" optional><code>{shown}</code></autoref>'

    html = _NUMBERS.sub(r'<td class="numbers">\1</td>', _ROLE.sub(linked, html))
    return _SHORT.sub(r'<code class="short">\1</code>', html)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that would load anything from elsewhere."""
    if found := list(remote.fetched(Path(config.site_dir))):
        raise PluginError("The site must not load anything from elsewhere:\n" + "\n".join(found))


def _outside(target: str) -> str | None:
    """The file of the repository that a link of a page in docs/ leads to; None where to a page."""
    path = (ROOT / "docs" / target).resolve()
    if path.is_relative_to(ROOT / "docs") or not path.is_relative_to(ROOT):
        return None
    name = path.relative_to(ROOT).as_posix()
    return name if path.is_file() or name in MADE else None


def _moved(source: Path, docs: Path) -> str:
    """A page of the repository as if it stood in docs/: its links lead where they led."""

    def led(match: re.Match[str]) -> str:
        target = os.path.relpath((source.parent / match[2]).resolve(), docs)
        return f"{match[1]}{target}{match[3] or ''})"

    return _LINK.sub(led, source.read_text("utf-8"))
