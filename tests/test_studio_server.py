"""What the studio's server gives, refuses and never fetches."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from degrade.cli import app
from degrade.errors import UserError
from tests.studio_help import Studio, serving_studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with serving_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


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
