"""The report of a run in a real browser: dividers move, nothing else runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser_help import opened
from tests.report_help import reportable, text_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return reportable(tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("width", [1280, 390])
def test_the_divider_moves_by_pointer_and_by_keyboard(
    width: int, made: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(text_of(made["data"], 4), "utf-8")
    with opened(path.as_uri(), width) as (browser, seen):
        box = browser.locator(".compare").first
        box.scroll_into_view_if_needed()
        clean = box.locator("img.clean")

        def shown() -> float:
            """Share of the picture that shows the clean one, in percent."""
            style = clean.evaluate("e => getComputedStyle(e).clipPath")
            if "calc" in style:
                return 100 - float(re.search(r"100% - ([\d.]+)%", style)[1])  # type: ignore[index]
            return 100 - float(style.split()[1].rstrip("%"))

        at = box.bounding_box()
        before = box.screenshot()
        assert shown() == pytest.approx(50)
        browser.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
        browser.mouse.down()
        browser.mouse.move(at["x"] + at["width"] * 0.2, at["y"] + at["height"] / 2, steps=4)
        browser.mouse.up()
        assert shown() == pytest.approx(20, abs=2)
        assert box.screenshot() != before
        browser.keyboard.press("End")
        assert shown() == pytest.approx(100)
        browser.keyboard.press("Tab")
        browser.keyboard.press("Shift+Tab")
        browser.keyboard.press("ArrowLeft")
        assert shown() == pytest.approx(99)
        label = browser.evaluate("document.activeElement.getAttribute('aria-label')")
        assert label.startswith("Divider of ")
        wide = browser.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, "nothing makes the page scroll sideways"
        browser.locator("summary").first.click()
        assert seen.errors == []
        assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []


def test_both_pictures_of_a_pair_lie_on_each_other(made: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(text_of(made["folder"], 4), "utf-8")
    with opened(path.as_uri(), 390) as (browser, _):
        for box in browser.locator(".compare").all():
            sizes = {tuple(i.bounding_box().values()) for i in box.locator("img").all()}
            assert len(sizes) == 1
            (x, _y, width, _height) = next(iter(sizes))
            assert x >= 0
            assert x + width <= 390


def test_the_script_is_the_only_one_that_runs(made: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    text = text_of(made["folder"], 4)
    path.write_text(text.replace("</body>", "<script>document.title = 'x'</script></body>"))
    with opened(path.as_uri()) as (browser, seen):
        assert browser.title() != "x"
        assert any("Content Security Policy" in error for error in seen.errors)
