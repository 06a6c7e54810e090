"""A studio with a password: who has it uses the page, who has not sees nothing of it."""

from __future__ import annotations

import asyncio
import base64
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from degrade.cli import app
from degrade.errors import UserError
from degrade.studio.guard import Guard
from tests import browser_help as help_

PASSWORD = "pässword: 12"


def basic(password: str, name: str = "anyone") -> bytes:
    return b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def answered(
    header: bytes | None,
    path: str = "/",
    password: str = PASSWORD,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> int:
    """The status that a guard with the password gives."""
    sent: list[dict[str, Any]] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [*more] if header is None else [(b"authorization", header), *more]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    asyncio.run(Guard(page, upload_mb=1, password=password)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"Basic",
        b"Basic !",
        basic(""),
        basic("wrong"),
        basic(PASSWORD + "x"),
        basic(PASSWORD[:-1]),
        basic(PASSWORD).replace(b"Basic", b"Bearer"),
        base64.b64encode(PASSWORD.encode()),
    ],
)
def test_without_the_password_nothing_is_answered(header: bytes | None) -> None:
    assert answered(header) == answered(header, "/gradio_api/queue/data") == 401


def test_with_the_password_and_any_name_the_page_is_answered() -> None:
    assert answered(basic(PASSWORD)) == answered(basic(PASSWORD, "")) == 200
    assert answered(basic(PASSWORD).replace(b"Basic", b"basic")) == 200


def test_a_password_of_bytes_that_are_no_text_is_one() -> None:
    given = b"Basic " + base64.b64encode(b"me:p\xfc")
    assert answered(given, password=os.fsdecode(b"p\xfc")) == 200
    assert answered(basic("p"), password=os.fsdecode(b"p\xfc")) == 401


@pytest.mark.parametrize("header", [(b"host", b"["), (b"origin", b"http://[")])
def test_an_address_that_is_none_is_refused(header: tuple[bytes, bytes]) -> None:
    assert answered(basic(PASSWORD), more=(header,)) == 403


def test_a_variable_that_is_not_set_is_refused() -> None:
    done = CliRunner().invoke(app, ["studio", "--no-browser", "--password-env", "NOT_SET_HERE"])
    assert isinstance(done.exception, UserError)
    assert "NOT_SET_HERE is not set" in str(done.exception)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("studio")
    options = ["--no-browser", "--port", "0", "--password-env", "STUDIO_PASSWORD"]
    with help_.command("studio", *options, cwd=folder, STUDIO_PASSWORD=PASSWORD) as found:
        yield found


def test_the_server_asks_strangers_for_it(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address, timeout=30)
    assert refused.value.code == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Basic ")
    refused.value.close()


def test_the_page_works_for_a_browser_that_gives_it(address: str) -> None:
    with help_.running() as browser:
        context = browser.new_context(http_credentials={"username": "me", "password": PASSWORD})
        page = context.new_page()
        page.goto(address)
        page.wait_for_function(
            "document.querySelector('#degrade-view .dg-after')?.src.length > 999"
        )
        context.close()
