"""A small site with the look of the real one, opened as files in a browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from manual import remote
from tests.browser_help import opened
from tests.pages_help import ROOT

WIDE = "| operator | " + " | ".join(f"figure {i}" for i in range(12)) + " |\n|" + "---|" * 13
PAGE = f"""# Small

A picture ![of coffee](sheet.webp) and a wide table:

{WIDE}
| `lens_blur` | {" | ".join("0.123 / 0.456" for _ in range(12))} |

```bash
degrade-cli synth photos out --recipe single --op motion_blur --intensity 0.5 --encode keep --seed 7
```
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages, with the theme, the plugins and the styles of mkdocs.yml."""
    folder = tmp_path_factory.mktemp("site")
    docs = folder / "docs"
    shutil.copytree(ROOT / "docs", docs, ignore=shutil.ignore_patterns("*.md", "*.png"))
    (docs / "index.md").write_text("# Start\n\nNothing [here](small.md).\n", "utf-8")
    (docs / "small.md").write_text(PAGE, "utf-8")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    config |= {"docs_dir": "docs", "site_dir": "site", "plugins": ["search", "offline"]}
    config.pop("hooks")
    config.pop("nav")
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=folder,
        env={"NO_MKDOCS_2_WARNING": "1", "PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_nothing_is_fetched_and_the_search_works_without_a_server(site: Path) -> None:
    assert list(remote.fetched(site)) == []
    with opened((site / "index.html").as_uri()) as (page, seen):
        page.click("input[data-md-component=search-query]")
        page.wait_for_selector("text=Type to start searching")
        page.keyboard.type("wide")
        page.wait_for_selector(".md-search-result__item a[href*='small.html']")
        assert seen.errors == []
        assert all(url.startswith(("file:", "data:", "about:")) for url in seen.requests)


@pytest.mark.parametrize("width", [1280, 390])
def test_wide_tables_and_code_scroll_within_themselves(site: Path, width: int) -> None:
    with opened((site / "small.html").as_uri(), width) as (page, _):
        sizes = page.evaluate(
            """() => [document.documentElement.scrollWidth,
                      document.querySelector('.md-typeset__scrollwrap').scrollWidth,
                      document.querySelector('.md-typeset__scrollwrap').clientWidth,
                      document.querySelector('article img').naturalWidth]"""
        )
        assert sizes[0] <= width
        assert sizes[1] > sizes[2]
        assert sizes[3] > 0
