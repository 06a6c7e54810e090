"""A real browser for tests of pages: found, watched, and driven at two widths."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDE, NARROW = (1280, 900), (390, 844)

UNNAMED = """
() => [...document.querySelectorAll('button, input, select, textarea, img, [tabindex="0"]')]
  .filter(e => e.checkVisibility({checkVisibilityCSS: true}))
  .filter(e => !['file', 'hidden'].includes(e.type))
  .filter(e => {
    const by = (e.getAttribute('aria-labelledby') || '').split(' ')
      .map(id => document.getElementById(id)?.textContent || '').join('');
    const label = e.labels ? [...e.labels].map(l => l.textContent).join('') : '';
    const text = ['INPUT', 'SELECT', 'TEXTAREA'].includes(e.tagName) ? '' : e.textContent;
    return !(e.getAttribute('aria-label') || e.title || e.alt || by || label || text || '').trim();
  })
  .map(e => e.outerHTML.slice(0, 200))
"""
"""Controls and pictures that a screen reader would find no name for."""


def chromium() -> str:
    """The browser's program; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium: `make browser` installs it")
    return found


class Watched:
    """A page in a window of its own that remembers what it complained of and asked for."""

    def __init__(self, page: Any, home: str) -> None:
        self.page, self.home = page, home
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(15_000)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    @property
    def abroad(self) -> list[str]:
        """Requests to anywhere but the page's own server."""
        own = (self.home, "data:", "blob:", "about:srcdoc")
        return [url[:120] for url in self.asked if not url.startswith(own)]

    def fits(self) -> bool:
        """Whether nothing needs scrolling sideways."""
        width = self.page.evaluate("document.documentElement.scrollWidth")
        return bool(width <= self.page.viewport_size["width"])

    def unnamed(self) -> list[str]:
        """See :data:`UNNAMED`."""
        return list(self.page.evaluate(UNNAMED))

    def tabbed(self, most: int) -> list[str]:
        """What the Tab key reaches from the top, by name: label, text or title."""
        self.page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
        found = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            found.append(
                self.page.evaluate(
                    "(e => (e.getAttribute('aria-label') || e.labels?.[0]?.textContent || "
                    "e.textContent || '').trim())(document.activeElement)"
                )
            )
        return found


@contextmanager
def windows() -> Iterator[Any]:
    """A running browser; ``browser.new_context`` opens a window of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, address: str, size: tuple[int, int] = WIDE) -> Iterator[Watched]:
    """A page of the address in a window of this size, watched from the first request."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    watched = Watched(context.new_page(), address)
    watched.page.goto(address)
    try:
        yield watched
    finally:
        context.close()


@contextmanager
def command(*arguments: str, cwd: Path, **environment: str) -> Iterator[str]:
    """A command of the project that serves a page; gives the address that it says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "degrade.cli", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield _address(process, time.monotonic() + 60)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _address(process: subprocess.Popen[str], until: float) -> str:
    said = []
    assert process.stdout is not None
    while time.monotonic() < until:
        line = process.stdout.readline()
        said.append(line)
        if found := re.search(r"http://\S+/", line):
            return found[0]
        if not line and process.poll() is not None:
            break
    raise AssertionError("the command serves nothing: " + "".join(said))
