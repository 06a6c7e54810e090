"""What the loopback Hub of the tests holds, and how it can be told to fail."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

OWNER = "me"


@dataclass
class Blob:
    data: bytes
    lfs: bool

    @property
    def oid(self) -> str:
        """What git calls the content."""
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class Repo:
    private: bool
    files: dict[str, Blob] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)

    @property
    def head(self) -> str:
        return hashlib.sha1(json.dumps(self.commits).encode()).hexdigest()


@dataclass
class Planned:
    """A fault: for requests of a kind, after some of them, so many times."""

    method: str
    path: re.Pattern[str]
    act: Callable[[Any], None]
    skip: int = 0
    times: int = 1


class HubServer:
    """The state of a running server."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.multipart: dict[str, dict[int, bytes]] = {}
        self.chunk: int | None = None
        self.writers = {OWNER, "team"}
        self.requests: list[str] = []
        self.puts: list[int] = []
        self.unanswered: list[str] = []
        self.faults: list[Planned] = []
        self.lock = threading.RLock()
        self.url = ""

    def held(self, repo: str) -> dict[str, bytes]:
        """The files of a repository with their content."""
        return {path: blob.data for path, blob in self.repos[repo].files.items()}

    def fail(
        self,
        method: str,
        path: str,
        act: Callable[[Any], None],
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Fail requests whose method and path match."""
        self.faults.append(Planned(method, re.compile(path), act, skip, times))

    def fault(self, method: str, path: str) -> Planned | None:
        """The fault for a request, if one is due."""
        with self.lock:
            for planned in self.faults:
                if planned.method == method and planned.path.search(path) and planned.times:
                    if planned.skip:
                        planned.skip -= 1
                        continue
                    planned.times -= 1
                    return planned
        return None


def status(code: int, **headers: str) -> Callable[[Any], None]:
    """A fault that answers with a status."""

    def act(handler: Any) -> None:
        handler.body()
        handler.answer({"error": f"told to answer {code}"}, code, headers)

    return act


def cut(handler: Any) -> None:
    """A fault that reads a part of the request and drops the connection."""
    length = int(handler.headers.get("Content-Length", 0))
    handler.rfile.read(min(1000, length // 2))
    handler.close_connection = True
    handler.connection.close()


def lost(handler: Any) -> None:
    """A fault that does what was asked and drops the connection instead of the answer."""
    handler.mute = True
    handler.dispatch()
    handler.close_connection = True
    handler.connection.close()


# ------------------------------------------------------- what may be wrong with who publishes


def no_token(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")


def wrong_token(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")


def others_repo(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.writers = {"somebody-else"}


def gone(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fail("POST", "/preupload/", status(404, X_Error_Code="RepoNotFound"), times=99)


def refused(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fail("POST", "/api/repos/create", status(400), times=99)
