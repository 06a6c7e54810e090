"""The studio as people meet it: the command, its server, and the page in a real browser."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from degrade import recipe
from degrade.executor import Options, Synth
from degrade.gallery import shipped_photo
from degrade.schema import describe
from degrade.studio.tables import Table
from tests import browser_help as help_
from tests.browser_help import NARROW, WIDE
from tests.dataset_help import picture
from tests.studio_help import Studio, serving_studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with serving_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(studio: Studio) -> Iterator[Any]:
    with help_.running() as found:
        yield found


def ready(page: Any) -> None:
    """Wait until the page shows its first picture and the controls of its first step."""
    page.wait_for_selector(".dg-intensity input[type=range]")
    page.wait_for_function("document.querySelector('#degrade-view .dg-after')?.src.length > 999")


def after(page: Any) -> Any:
    """The degraded picture that the page shows, (H, W, 3) uint8."""
    uri = page.locator("#degrade-view .dg-after").get_attribute("src")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def changed(page: Any, before: str) -> None:
    """Wait for another picture than the one at this address."""
    told = "past => document.querySelector('#degrade-view .dg-after').src.slice(-4000) !== past"
    page.wait_for_function(told, arg=before[-4000:])


def source(page: Any) -> str:
    return str(page.locator("#degrade-view .dg-after").get_attribute("src"))


def add(page: Any, name: str) -> None:
    past = source(page)
    page.get_by_label("Operator", exact=True).first.click()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    cards = page.locator(".dg-step").count()
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator(".dg-step").nth(cards).wait_for()
    changed(page, past)


def tab(page: Any, name: str) -> None:
    """Go to a tab of the page, which may be behind the menu of those that do not fit."""
    found = page.get_by_role("tab", name=name, exact=True)
    if found.count() and found.first.is_visible():
        found.first.click()
        return
    page.locator(".overflow-menu > button").first.click()
    page.locator(".overflow-dropdown button", has_text=name).first.click()


def test_a_slider_moves_the_picture_and_its_recipe_makes_the_same_pixels(
    browser: Any, studio: Studio, tmp_path: Path
) -> None:
    with help_.window(browser, studio.address) as (page, seen):
        ready(page)
        past, figures = source(page), page.locator(".dg-figures").inner_text()
        page.locator(".dg-intensity input[type=range]").first.focus()
        page.keyboard.press("ArrowRight")
        changed(page, past)
        assert page.locator(".dg-figures").inner_text() != figures
        add(page, "motion blur")
        page.get_by_role("slider", name="angle").first.focus()
        past = source(page)
        page.keyboard.press("ArrowRight")
        changed(page, past)
        add(page, "gaussian noise")
        past = source(page)
        page.get_by_role("button", name="Up", exact=True).last.click()
        changed(page, past)
        tab(page, "Recipe")
        page.get_by_role("button", name="Copy as recipe").click()
        page.get_by_role("button", name="Copied").wait_for()
        text = page.evaluate("navigator.clipboard.readText()")
        shown = after(page)
        assert not seen.errors
        assert not seen.abroad(studio.address)
    (tmp_path / "recipe.yaml").write_text(text)
    clean = tmp_path / "photo.png"
    Image.fromarray(shipped_photo(480)).save(clean)
    chosen = recipe.load(str(tmp_path / "recipe.yaml"))
    assert [step.any for step in chosen.steps] == [
        {name: 1.0} for name in ("lens_blur", "gaussian_noise", "motion_blur")
    ]
    Synth(clean, tmp_path / "out", chosen, 5, Options(workers=1)).run()
    with Image.open(tmp_path / "out" / "images" / "photo.png") as image:
        assert np.array_equal(np.asarray(image), shown)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_every_tab_fits_and_every_control_has_a_name(
    size: tuple[int, int], browser: Any, studio: Studio
) -> None:
    with help_.window(browser, studio.address, size) as (page, seen):
        ready(page)
        add(page, "rain")
        assert not help_.cut(page)
        for name, there in (
            ("Degrade", ".dg-step"),
            ("Ask", "[placeholder='What is on the table?']"),
            ("Degrade", ".dg-step"),
            ("Grid", ".dg-grid figure"),
            ("Browse", ".dg-item img"),
            ("Report", "iframe.dg-report"),
        ):
            tab(page, name)
            page.locator(there).first.wait_for()
            assert help_.fits(page), name
            assert not help_.unnamed(page), name
        assert not seen.errors
        assert not seen.abroad(studio.address)


def test_the_keyboard_reaches_and_moves_everything(browser: Any, studio: Studio) -> None:
    with help_.window(browser, studio.address) as (page, _):
        ready(page)
        reached = " | ".join(help_.tabbed(page, 34))
        for name in (
            "Divider",
            "Zoom in",
            "Save",
            "Picture",
            "Upload a picture",
            "Stage",
            "Operator",
            "Add",
            "Intensity",
            "radius (px)",
            "Remove",
            "Record",
            "Copy",
        ):
            assert name in reached, (name, reached)
        divider = page.get_by_label("Divider")
        divider.focus()
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        assert divider.input_value() == "48"
        view = page.locator(".dg-view")
        view.focus()
        page.keyboard.press("+")
        assert (
            page.locator(".dg-view img")
            .first.evaluate("e => e.style.transform || getComputedStyle(e).transform")
            .startswith("matrix(1.5")
        )
        page.keyboard.press("0")
        box = view.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.48, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 50)
        page.mouse.up()
        assert float(divider.input_value()) == pytest.approx(20, abs=1)


def test_a_run_is_paged_and_filtered(browser: Any, studio: Studio) -> None:
    with help_.window(browser, studio.address) as (page, seen):
        ready(page)
        tab(page, "Browse")
        count, first = page.locator(".dg-count"), page.locator(".dg-item header").first
        count.filter(has_text="31 of 31 rows; 1 to 6, page 1 of 6").wait_for()
        page.locator(".dg-item img").first.wait_for()
        assert page.locator(".dg-item img").count() == 12  # clean ones from the folder given
        past = first.inner_text()
        page.get_by_role("button", name="Next").click()
        count.filter(has_text="7 to 12").wait_for()
        assert first.inner_text() != past
        page.get_by_label("Status").click()
        page.get_by_role("option", name="not_a_picture").click()
        count.filter(has_text="1 of 31 rows").wait_for()
        page.get_by_text("no known picture format").wait_for()
        page.get_by_label("Status").click()
        page.get_by_role("option", name="any").click()
        page.get_by_label("Stage").last.click()
        page.get_by_role("option", name="postprocessing").click()
        lines = (studio.folder / "run" / "metadata.jsonl").read_text().splitlines()
        stages = [{a["stage"] for a in json.loads(line)["applied"]} for line in lines]
        wanted = sum("postprocessing" in stage for stage in stages)
        count.filter(has_text=f"{wanted} of 31 rows").wait_for()
        records = page.locator("section[aria-label=Record]").all_inner_texts()
        assert len(records) == 6
        assert all("postprocessing" in record for record in records)
        rows = len(Table(studio.folder / "data"))
        page.get_by_label("Run or data set").click()
        page.get_by_role("option", name="data").click()
        count.filter(has_text=f"{rows} of {rows} rows").wait_for()
        page.locator(".dg-chain").first.wait_for()
        assert not seen.errors


def test_two_visitors_do_not_meet(browser: Any, studio: Studio) -> None:
    with (
        help_.window(browser, studio.address) as (first, _),
        help_.window(browser, studio.address) as (second, _),
    ):
        ready(first)
        ready(second)
        add(first, "rain")
        add(second, "vignetting")
        for _ in range(3):
            for page in (first, second):
                page.locator(".dg-intensity input[type=range]").first.focus()
                page.keyboard.press("ArrowRight")
        for page, mine, other in ((first, "rain", "vignetting"), (second, "vignetting", "rain")):
            page.locator("pre", has_text="lens blur(0.33)").first.wait_for()
            told = page.locator("pre").first.inner_text()
            assert f"{mine}(0.50)" in told
            assert other not in told


def test_rubbish_and_huge_pictures_are_refused_and_a_good_one_is_taken(
    browser: Any, studio: Studio, tmp_path: Path
) -> None:
    (tmp_path / "rubbish.png").write_bytes(b"rubbish" * 999)
    Image.new("1", (2000, 1500)).save(tmp_path / "bomb.png")
    Image.fromarray(picture(7, 192, 144)).save(tmp_path / "schönes Bild.png")
    with help_.window(browser, studio.address) as (page, seen):
        ready(page)
        for name, message in (("rubbish.png", "no known picture"), ("bomb.png", "above the limit")):
            page.locator("input[type=file]").first.set_input_files(tmp_path / name)
            page.get_by_role("alert").filter(has_text=message).wait_for()
            assert after(page).shape == (320, 480, 3)
        page.locator("input[type=file]").first.set_input_files(tmp_path / "schönes Bild.png")
        page.locator(".dg-figures", has_text="192 x 144 px").wait_for()
        tab(page, "Command")
        page.locator("pre", has_text="synth 'schönes Bild.png'").wait_for()
        assert not seen.errors
        assert not [p for p in (studio.folder / "tmp").rglob("*.png") if p.is_file()]


def test_a_model_is_asked_and_a_report_is_shown(browser: Any, studio: Studio) -> None:
    with help_.window(browser, studio.address) as (page, seen):
        ready(page)
        tab(page, "Ask")
        page.get_by_label("Question").fill("What color is the door?")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator(".dg-chain", has_text="The door looks red.").wait_for()
        tab(page, "Report")
        page.frame_locator("iframe.dg-report").get_by_role("heading", name="Curves").wait_for()
        assert not seen.errors


def test_a_chain_is_drawn_from_a_recipe_with_its_seed(browser: Any, studio: Studio) -> None:
    with help_.window(browser, studio.address) as (page, seen):
        ready(page)
        past = source(page)
        page.get_by_role("button", name="Draw a chain from a recipe").click()
        page.get_by_role("button", name="Draw with the next seed").click()
        changed(page, past)
        (variant,) = recipe.load("robust-r1").draw("photo.jpg", 1, 320)
        page.locator(".dg-step").nth(len(variant.applied) - 1).wait_for()
        told = page.locator("pre", has_text=describe(variant.applied))
        told.first.wait_for()
        page.locator("pre", has_text="--recipe robust-r1 --seed 1").wait_for()
        assert not seen.errors
