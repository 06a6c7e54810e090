"""What of gradio's server may be reached: the page and its events, and no file of the machine."""

from __future__ import annotations

import binascii
import json
import re
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_API = r"/gradio_api"
_GET = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static|svelte)/[\w./-]+"
    rf"|{_API}/(startup-events|app_id|queue/data|upload_progress|heartbeat/\w+)"
)
_POST = re.compile(rf"{_API}/(queue/join|upload|cancel|reset)")
_SLACK = 1 << 16  # of a request with a file: the form around it
_EVENT_BYTES = 1 << 20
"""Largest event without a file: texts and numbers of controls."""

_STARTUP = "/gradio_api/startup-events"
"""What gradio asks its own server for before it shows the address; it tells nothing."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_HEADERS = {
    # The page needs its own scripts and styles, pictures that it carries, and nothing from outside.
    b"content-security-policy": b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    b"frame-ancestors 'self'; form-action 'self'; object-src 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


_ASK = ((b"www-authenticate", b'Basic realm="degrade studio", charset="UTF-8"'),)


class _TooLargeError(Exception):
    """The body is above the limit."""


class _RefusedError(Exception):
    """The event is none that the page sends."""


class Guard:
    """Answers 404 to all but the listed addresses, 413 above the limits, 401 to strangers.

    gradio serves files of its cache, of the working folder's parts that are allowed, and fetches
    addresses from elsewhere for a visitor; the studio uses none of it. The last it does for an
    event that names a file by its address: such an event is answered 400.

    Args:
        app: What to guard.
        upload_mb: Of a file, in MiB.
        hosts: Names that a browser may call the server by; empty: any. On loopback a page from
            elsewhere could otherwise reach it by a name of its own that leads here. A page of
            another origin may send it nothing either, such as files.
        password: Asked of every visitor, with any name, as of RFC 7617 (Basic); empty: of none.
    """

    def __init__(
        self, app: Any, upload_mb: float, hosts: Collection[str] = (), password: str = ""
    ) -> None:
        self.app, self.upload = app, int(upload_mb * 2**20) + _SLACK
        self.hosts, self.password = hosts, password.encode(errors="surrogateescape")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The interface of ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if refused := self._elsewhere(headers):
            await _answer(send, 403, refused)
            return
        path, method = scope["path"], scope["method"]
        if path != _STARTUP and not self._known(headers):
            await _answer(send, 401, b"a password is needed", _ASK)
            return
        allowed = {"GET": _GET, "HEAD": _GET, "POST": _POST}.get(method)
        if allowed is None or not allowed.fullmatch(path) or ".." in path:
            await _answer(send, 404, b"not found")
            return
        most = self.upload if path.endswith("/upload") else _EVENT_BYTES
        told = headers.get(b"content-length", b"0")
        if not told.isdigit() or int(told) > most:
            await _answer(send, 413, b"too large")
            return
        received = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:  # sent in chunks, without saying how many
                raise _TooLargeError
            return message

        joined = False

        async def whole() -> MutableMapping[str, Any]:
            nonlocal joined
            body, message = b"", await counted()
            while not joined and message["type"] == "http.request":
                body += message.get("body", b"")
                joined = not message.get("more_body", False)
                if joined:
                    if _names_an_address(body):
                        raise _RefusedError
                    return {"type": "http.request", "body": body, "more_body": False}
                message = await counted()
            return message

        read = whole if path.endswith("/join") else counted
        started = False

        async def headed(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS.items()]
            await send(message)

        try:
            await self.app(scope, read, headed)
        except _TooLargeError:
            if not started:
                await _answer(send, 413, b"too large")
        except _RefusedError:
            await _answer(send, 400, b"no event of the page")

    def _known(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a visitor gave the password, or none is asked for."""
        if not self.password:
            return True
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            _, _, said = b64decode(given.strip(), validate=True).partition(b":")
        except binascii.Error:
            return False
        return secrets.compare_digest(said, self.password)

    def _elsewhere(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Why a request on loopback comes from elsewhere; empty where it does not."""
        host, origin = headers.get(b"host", b""), headers.get(b"origin")
        try:
            called = urlsplit(b"//" + host).hostname or b""
            sender = urlsplit(origin or b"").netloc
        except ValueError:  # such as a bracket without its other
            return b"no such address"
        if self.hosts and called.decode("latin-1") not in self.hosts:
            return b"call the studio by the address that it says"
        if self.hosts and origin is not None and sender != host:
            return b"another page may not use the studio"
        return b""


def _names_an_address(body: bytes) -> bool:
    """Whether an event holds a file that is an address, or cannot be read."""
    try:
        left = [json.loads(body)]
    except (ValueError, RecursionError):
        return True
    while left:
        value = left.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and "://" in path:
                return True
            left += value.values()
        elif isinstance(value, list):
            left += value
    return False


async def _answer(
    send: Send, status: int, body: bytes, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    headers += more
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
