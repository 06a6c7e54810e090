"""A page in a real browser: chromium without a head, and what it said and asked for meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Seen:
    """What a browser told: errors of the console and of scripts, addresses that it asked for."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def executable() -> str:
    """The browser; a test that needs one is skipped where there is none."""
    names = (
        os.environ.get("DEGRADE_CHROMIUM", ""),
        "chromium",
        "chromium-browser",
        "google-chrome",
    )
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    return found or pytest.skip("there is no chromium: apt-get install chromium")


@contextmanager
def opened(url: str, width: int = 1280, height: int = 900) -> Iterator[tuple[Any, Seen]]:
    """A page at an address, and what is seen of it until it is closed."""
    from playwright.sync_api import sync_playwright

    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            page, seen = browser.new_page(viewport={"width": width, "height": height}), Seen()
            page.on(
                "console",
                lambda said: (
                    seen.errors.append(said.text) if said.type in ("error", "warning") else None
                ),
            )
            page.on("pageerror", lambda error: seen.errors.append(str(error)))
            page.on("request", lambda request: seen.requests.append(request.url))
            page.goto(url)
            yield page, seen
        finally:
            browser.close()
