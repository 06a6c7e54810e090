"""Nothing paid is lost, and no key is shown: kill -9, full disks, interrupts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from annotate.testing.faultserver import FaultServer
from degrade.chat import (
    Chat,
    Endpoint,
    Message,
    Picture,
    Reply,
    Request,
)
from degrade.errors import StoppedError, UserError
from tests.chat_help import (
    ask,
    encoded,
    row,
    total,
    with_chat,
)
from tests.conftest import API_KEY

# ------------------------------------------------------------------------------ crashes

KILLED = """
import asyncio, sys
from pathlib import Path
from tests.chat_help import row
from degrade.chat import Chat, Endpoint, Limits

async def main():
    limits = Limits(concurrency=8)
    async with Chat(Endpoint(base_url=sys.argv[1]), Path(sys.argv[2]), limits) as chat:
        await asyncio.gather(*[chat.ask(row(i)) for i in range(60)])

asyncio.run(main())
"""


def test_kill_9_loses_at_most_what_was_in_flight(server: FaultServer, tmp_path: Path) -> None:
    server.delay = 0.08
    journal = tmp_path / "j"
    process = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(journal)])
    try:
        deadline = time.monotonic() + 60
        while server.requests < 28 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
        # A second process is kept out while the first one lives.
        with pytest.raises(UserError, match=rf"process {process.pid}\b"):
            with_chat(server, journal, ask(row(0)))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    sent = {i for i, r in server.ids.items() if r["requests"]}
    assert 28 <= len(sent) < 60
    with sqlite3.connect(journal) as db:
        finished = db.execute("SELECT count(*) FROM attempts WHERE state='got'").fetchone()[0]
        flying = db.execute("SELECT count(*) FROM attempts WHERE state='intent'").fetchone()[0]
    db.close()
    assert finished >= 15
    assert 1 <= flying <= 8

    server.delay = 0.0
    replies = with_chat(server, journal, ask(*[row(i) for i in range(60)]))
    assert [json.loads(r.text)["id"] for r in replies] == [str(i) for i in range(60)]
    twice = [i for i, r in server.ids.items() if r["requests"] > 1]
    assert len(twice) <= flying
    assert sum(r.cached for r in replies) == finished
    bill = total(journal)
    assert (bill.answers, bill.unknown) == (60, flying)
    assert bill.reasons == {"killed": flying}
    assert server.requests <= bill.requests <= server.requests + flying  # an intent may be unsent


def test_stopping_drains_and_leaves_no_orphans(server: FaultServer, tmp_path: Path) -> None:
    server.delay = 0.1

    async def work(chat: Chat) -> list[Any]:
        tasks = [asyncio.create_task(chat.ask(row(i))) for i in range(20)]
        while server.active < 4:
            await asyncio.sleep(0.01)
        chat.stop()
        assert await chat.drain(5) == 0
        return await asyncio.gather(*tasks, return_exceptions=True)

    replies = with_chat(server, tmp_path / "j", work, concurrency=4)
    assert sum(isinstance(r, Reply) for r in replies) == server.requests == 4
    assert {type(r) for r in replies} == {Reply, StoppedError}
    bill = total(tmp_path / "j")
    assert (bill.answers, bill.unknown, bill.pending) == (4, 0, 0)


def test_what_is_cut_off_by_closing_is_of_unknown_outcome(
    server: FaultServer, tmp_path: Path
) -> None:
    async def work(chat: Chat) -> None:
        task = asyncio.create_task(chat.ask(row(1, "hang")))
        while not server.requests:
            await asyncio.sleep(0.01)
        assert await chat.drain(0.05) == 1
        with pytest.raises(asyncio.CancelledError):
            await task

    with_chat(server, tmp_path / "j", work)
    assert total(tmp_path / "j").reasons == {"cancelled": 1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_before_anything_paid_is_lost(
    server: FaultServer, small_disk: Path
) -> None:
    noise = "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))  # does not compress
    server.answer = lambda body: noise
    server.delay = 0.1
    requests = [row(i) for i in range(60)]

    async def work(chat: Chat) -> list[Any]:
        tasks = [asyncio.create_task(chat.ask(r)) for r in requests]
        while server.requests < 16:
            await asyncio.sleep(0.005)
        size = os.statvfs(small_disk)
        (small_disk / "filler").write_bytes(b"x" * (size.f_bavail * size.f_frsize))
        return await asyncio.gather(*tasks, return_exceptions=True)

    replies = with_chat(server, small_disk / "j", work, concurrency=8, ballast=300_000)
    assert {type(r) for r in replies} == {Reply, StoppedError}
    assert "Free some space" in str(next(r for r in replies if isinstance(r, StoppedError)))
    assert sum(isinstance(r, Reply) for r in replies) == server.requests
    (small_disk / "filler").unlink()
    replies = with_chat(server, small_disk / "j", ask(*requests), concurrency=8, ballast=300_000)
    assert all(isinstance(r, Reply) for r in replies)
    assert server.requests == 60


def test_too_little_space_sends_nothing(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(chat: Chat) -> Any:
        usage = type("Usage", (), {"free": 1000})
        monkeypatch.setattr("degrade.chat_journal.shutil.disk_usage", lambda _: usage)
        return await ask(row(1), row(2))(chat)

    replies = with_chat(server, tmp_path / "j", work)
    assert [type(r) for r in replies] == [StoppedError] * 2
    assert server.requests == 0


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("my notes " * 200)
    with pytest.raises(UserError, match="no journal"):
        total(tmp_path / "a")
    assert (tmp_path / "a").read_text().startswith("my notes")
    with sqlite3.connect(tmp_path / "b") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(UserError, match="version 99"):
        total(tmp_path / "b")


# ------------------------------------------------------------------------------ secrets


def test_the_key_is_sent_and_found_nowhere_else(
    server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    picture = Picture(data=encoded(), mime="image/jpeg")
    request = Request(model="m", messages=(Message.of("user", "#fault= id=1#", picture),))
    server.answer = lambda body: f"your key is {API_KEY}"
    shown = []

    async def work(chat: Chat) -> list[Any]:
        replies = await ask(request)(chat)
        shown.append(repr(chat) + repr(vars(chat)) + repr(vars(chat.wire)) + repr(chat.endpoint))
        return replies + await ask(row(2, "echo"))(chat)

    reply, error = with_chat(server, tmp_path / "j", work)
    assert server.authorizations == {f"Bearer {API_KEY}"}
    assert "***" in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None  # the client's error holds the request, and that the key
    shown += [repr(reply), repr(error), str(error), caplog.text]
    files = [p.read_bytes() for p in tmp_path.iterdir()]
    with sqlite3.connect(tmp_path / "j") as db:
        import zlib

        bodies = db.execute("SELECT body FROM attempts").fetchall()
        files += [zlib.decompress(body) for (body,) in bodies]
    db.close()
    assert not any(API_KEY in text for text in shown)
    assert not any(API_KEY.encode() in data or picture.data in data for data in files)
    assert not any(b"base64" in data for data in files)


def test_openai_needs_a_key_and_others_may_not(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    (reply,) = with_chat(server, tmp_path / "j", ask(row(1)))
    assert isinstance(reply, Reply)
    monkeypatch.setenv("OPENAI_BASE_URL", "")  # empty is unset
    assert Endpoint().url == "https://api.openai.com/v1"
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        Endpoint().secret()
    for url in ("http://user:hunter2@host/v1", "http://host/v1?api-key=hunter2", "host/v1"):
        with pytest.raises(ValidationError) as caught:
            Endpoint(base_url=url)
        assert "hunter2" not in caught.value.errors()[0]["msg"]
