"""A page in a real browser: chromium without a head, and what it said and asked for meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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
CUT = """
() => [...document.querySelectorAll('input')].filter(e => e.checkVisibility()).filter(e => {
    const arrow = e.parentElement.querySelector(':scope > .icon-wrap');
    const end = e.getBoundingClientRect().right - parseFloat(getComputedStyle(e).paddingRight);
    return (e.type === 'number' && e.scrollWidth > e.clientWidth)
      || (arrow && arrow.getBoundingClientRect().left < end - 4);
  }).map(e => e.value)
"""
_FOCUSED = """
(e => (e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent || '').trim())
(document.activeElement)
"""


@dataclass
class Seen:
    """What a browser told: errors of the console and of scripts, addresses that it asked for."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Listen to a page from now on."""
        page.on(
            "console",
            lambda said: (
                self.errors.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def abroad(self, home: str) -> list[str]:
        """Requests to anywhere but this server."""
        own = (home, "data:", "blob:", "about:srcdoc")
        return [url[:120] for url in self.requests if not url.startswith(own)]


def executable() -> str:
    """The browser; a test that needs one is skipped where there is none."""
    names = (
        os.environ.get("DEGRADE_CHROMIUM", ""),
        "chromium",
        "chromium-browser",
        "google-chrome",
    )
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    return found or pytest.skip("there is no chromium: `make browser` installs it")


@contextmanager
def running() -> Iterator[Any]:
    """A browser that several tests may open windows of."""
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Any, url: str, size: tuple[int, int] = WIDE) -> Iterator[tuple[Any, Seen]]:
    """A page in a window of its own, and what is seen of it until it is closed."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    try:
        page, seen = context.new_page(), Seen()
        page.set_default_timeout(20_000)
        seen.watch(page)
        page.goto(url)
        yield page, seen
    finally:
        context.close()


@contextmanager
def opened(url: str, width: int = 1280, height: int = 900) -> Iterator[tuple[Any, Seen]]:
    """A page at an address in a browser of its own, and what is seen of it until it is closed."""
    with running() as browser, window(browser, url, (width, height)) as both:
        yield both


def fits(page: Any) -> bool:
    """Whether nothing needs scrolling sideways."""
    width = page.evaluate("document.documentElement.scrollWidth")
    return bool(width <= page.viewport_size["width"])


def unnamed(page: Any) -> list[str]:
    """Controls and pictures in view that a screen reader would find no name for."""
    return list(page.evaluate(UNNAMED))


def cut(page: Any) -> list[str]:
    """Numbers in view that their boxes cut off, and choices that reach under a list's arrow."""
    return list(page.evaluate(CUT))


def tabbed(page: Any, most: int) -> list[str]:
    """What the Tab key reaches from the top, by name: label, text or title."""
    page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        found.append(page.evaluate(_FOCUSED))
    return found


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
    try:
        yield _address(process, time.monotonic() + 120)
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
