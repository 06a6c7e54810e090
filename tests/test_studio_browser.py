"""The studio as people meet it: the command, its server, and the page in a real browser."""

from __future__ import annotations

import base64
import http.client
import io
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from annotate.testing.faultserver import FaultServer, serving
from degrade import recipe
from degrade.cli import app
from degrade.errors import UserError
from degrade.executor import Options, Synth
from degrade.gallery import shipped_photo
from degrade.schema import Chain, Degradation, describe
from degrade.studio.tables import Table
from tests import browser_help as help_
from tests.browser_help import NARROW, WIDE
from tests.dataset_help import picture, small_dataset

SAID = Chain(
    types=(Degradation(label="lens blur", intensity=0.5),),
    influence="It hides edges.",
    reasoning="The door looks red.",
    conclusion="So it is red.",
    answer="red",
)


@dataclass(frozen=True)
class Studio:
    address: str
    folder: Path


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The real command with pictures, a run, a data set, a report and a model to ask."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "photos").mkdir()
    (folder / "tmp").mkdir()
    for number in range(30):
        Image.fromarray(picture(number)).save(folder / "photos" / f"Bild ü{number:02}.png")
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    Image.fromarray(picture(99)).save(folder / "secret.png")
    robust = recipe.load("robust-r1")
    Synth(folder / "photos", folder / "run", robust, 1, Options(workers=1)).run()
    small_dataset(folder / "data", rows=12)
    (folder / "report.html").write_text("<!doctype html><title>R</title><h1>Curves</h1>")
    shown = ["photos", "run", "data", "report.html"]
    with serving(FaultServer(answer=lambda body: SAID.render())) as model:
        asks = ["--model", "m", "--base-url", model.url]
        limits = ["--max-pixels", "2000000", "--max-upload-mb", "2"]
        options = ["--no-browser", "--port", "0", *asks, *limits]
        with help_.command(
            "studio",
            *shown,
            *options,
            cwd=folder,
            OPENAI_API_KEY="sk-test",
            TMPDIR=str(folder / "tmp"),
        ) as address:
            yield Studio(address, folder)


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
        add(page, "spatter")
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


# -------------------------------------------------------------------------------- the server


def asked(studio: Studio, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(studio.address.rstrip("/") + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


def announced(studio: Studio, path: str, size: int) -> int:
    """The status for a body of that size, of which nothing is sent."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(studio.address).netloc)
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def event(studio: Studio, target: str, data: list[Any]) -> str:
    """What the server says to an event that no page of its own would send."""
    _, config = asked(studio, "/config")
    wanted = [d for d in json.loads(config)["dependencies"] if d["targets"][0][1] == target]
    said = ""
    for number, dependency in enumerate(wanted):
        if len(dependency["inputs"]) != len(data):
            continue
        session = f"x{number}{abs(hash(str(data)))}"
        body = {"data": data, "fn_index": dependency["id"], "session_hash": session}
        asked(studio, "/gradio_api/queue/join", json.dumps(body).encode(), **JSON)
        said += asked(studio, f"/gradio_api/queue/data?session_hash={session}")[1]
    assert said
    return said


JSON = {"Content-Type": "application/json"}


def test_the_server_gives_no_file_and_fetches_nothing(studio: Studio) -> None:
    secret = urllib.parse.quote(str(studio.folder / "secret.png"))
    for path in (
        f"/gradio_api/file={secret}",
        f"/gradio_api/file/{secret}",
        f"/file={secret}",
        "/gradio_api/file=http://127.0.0.1:9/",
        "/gradio_api/proxy=http://127.0.0.1:9/",
        "/static/..%2f..%2f..%2fpackage.json",
        "/assets/../../package.json",
        "/gradio_api/info",
        "/docs",
        "/monitoring",
    ):
        assert asked(studio, path)[0] == 404, path
    assert asked(studio, "/")[0] == 200
    port = urllib.parse.urlsplit(studio.address).port
    assert asked(studio, "/", Host=f"evil.example:{port}")[0] == 403
    assert asked(studio, "/", Host=f"localhost:{port}")[0] == 200
    form = {"Content-Type": "multipart/form-data; boundary=B"}
    part = (
        b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n \r\n--B--'
    )
    for origin, status in (
        ("http://evil.example", 403),
        ("null", 403),
        (f"http://127.0.0.1:{port}", 200),
    ):
        assert asked(studio, "/gradio_api/upload", part, Origin=origin, **form)[0] == status
    for path, size in (("upload", 3_000_000), ("queue/join", 2_000_000)):
        assert announced(studio, f"/gradio_api/{path}", size) == 413


def test_made_up_events_reach_nothing_that_was_not_given(studio: Studio) -> None:
    secret = studio.folder / "secret.png"
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}, "orig_name": "s.png"}
    said = event(studio, "upload", [file, None, True])
    assert '"success":false' in said
    assert secret.exists()
    assert "degrade-feed" not in said
    for name in (str(secret), "../secret.png", "/etc/passwd"):
        said = event(studio, "input", [name, None, True])
        assert "degrade-feed" not in said


def test_an_event_that_names_an_address_is_refused_and_nothing_is_fetched(studio: Studio) -> None:
    _, config = asked(studio, "/config")
    for dependency in json.loads(config)["dependencies"]:
        for path in ("http://127.0.0.1:9/x.png", "https://192.0.2.1/x.png"):
            file = {"path": path, "meta": {"_type": "gradio.FileData"}}
            data: list[Any] = [[{"x": file}]] * len(dependency["inputs"])
            body = {"data": data, "fn_index": dependency["id"], "session_hash": "away"}
            sent = json.dumps(body).encode()
            assert asked(studio, "/gradio_api/queue/join", sent, **JSON)[0] == 400
    assert asked(studio, "/gradio_api/queue/join", b"[" * 100_000, **JSON)[0] == 400


def test_the_command_says_at_once_what_it_cannot_do(studio: Studio) -> None:
    port = str(urllib.parse.urlsplit(studio.address).port)
    for options, message in (
        (["--endpoint"], "Give --model NAME"),
        (["--port", port], "Give another --host or --port"),
        (["--host", "192.0.2.1"], "Give another --host or --port"),
        (["nothing"], "does not exist"),
    ):
        result = CliRunner().invoke(app, ["studio", *options])
        assert isinstance(result.exception, UserError)
        assert message in str(result.exception)
