"""An OpenAI-compatible server on loopback that fails as it is told, and keeps the bill.

The fault is named in the prompt, so that a test says in one place what happens to which row::

    describe the picture #fault=r429:0.2*2,h500 id=7#

The first two requests of row 7 are answered 429 with ``Retry-After: 0.2``, the third 500, the rest
properly. A fault without ``*`` lasts for ever. Requests are counted by id and by arrival;
``GET /_stats`` is the bill against which a client's journal is held.

Faults (``:x`` is an argument):

==============  ===================================================================================
``r429:s``      429, ``Retry-After`` in seconds; also ``r429ms:ms``, ``r429date:s``, ``r429none``
``quota``       429 with ``insufficient_quota``
``h<status>``   that status with an error body; ``h503:s`` adds ``Retry-After``
``context``     400 as for a prompt that is too long
``echo``        401 whose message repeats the request's Authorization header
``hang:s``      no byte for s seconds (default 3600), then the answer
``reset``       half of the body, then a TCP reset; ``close``: no byte, then closed
``html``        200 with a page; ``blank``: with nothing; ``huge``: with 3 MB; ``errorbody``
``torn``        200 with a completion that is cut off
``badjson``     the content is half a JSON object; ``schema``: of another form; ``extra``: with talk
``length``      finish_reason length; ``refusal``; ``filter``: content_filter
``empty``       ``choices: []``; ``null``: content null; ``nousage``: no usage
``bdrop``       at the batch endpoint: not in any file; ``bdup``: twice; ``bforeign``: and a strange
                id; ``btorn``: a cut line; ``bexpired``: in the error file; ``b<status>``: likewise
==============  ===================================================================================

Run as a program: ``python -m annotate.testing.faultserver [port]``.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

from annotate.testing.faultbatch import BatchEndpoint
from annotate.testing.faults import (
    COMPLETION_TOKENS,
    PROMPT_TOKENS,
    Allowance,
    Body,
    Headers,
    Reset,
    Response,
    as_json,
    default_answer,
    error_body,
    tag,
)


class FaultServer:
    """The server; :func:`serving` runs it in a thread.

    Attributes:
        answer: What the model says, from the request's body.
        delay: Seconds that an answer takes.
        ids: Per row: ``requests``, ``answered`` (billed), ``at`` (arrivals, monotonic seconds).
        bodies: Bodies of the last 1000 requests.
        authorizations: The Authorization headers seen.
        allowance: How many requests are let in; all where ``None``.
        batches: The files and batches endpoints, with faults of their own.
    """

    def __init__(self, answer: Callable[[Body], str] = default_answer, delay: float = 0.0) -> None:
        self.answer, self.delay = answer, delay
        self.ids: dict[str, dict[str, Any]] = {}
        self.bodies: list[Body] = []
        self.authorizations: set[str] = set()
        self.active = self.most_active = self.requests = 0
        self.allowance: Allowance | None = None
        self.batches = BatchEndpoint(self)
        self.port = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> Body:
        """The bill."""
        answered = sum(row["answered"] for row in self.ids.values())
        return {
            "requests": self.requests,
            "answered": answered,
            "most_active": self.most_active,
            "prompt_tokens": answered * PROMPT_TOKENS,
            "completion_tokens": answered * COMPLETION_TOKENS,
            "ids": self.ids,
        }

    async def start(self, port: int = 0) -> asyncio.Server:
        """Listen on loopback."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", port, limit=1 << 20)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                method, path, headers, data = request
                try:
                    status, extra, body = await self._route(method, path, headers, data)
                except Reset as reset:
                    writer.write(reset.data)
                    await writer.drain()
                    await asyncio.sleep(0.02)  # let the client see the first half
                    if reset.hard:
                        linger = struct.pack("ii", 1, 0)
                        sock = writer.get_extra_info("socket")
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    break
                writer.write(_response(status, extra, body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _route(self, method: str, path: str, headers: Headers, data: bytes) -> Response:
        path, _, query = path.partition("?")
        if path == "/_stats":
            return 200, {}, as_json(self.stats())
        self.authorizations.add(headers.get("authorization", ""))
        if path == "/v1/models":
            return 200, {}, as_json({"object": "list", "data": [{"id": "m", "object": "model"}]})
        if path == "/v1/chat/completions" and method == "POST":
            return await self._chat(headers, json.loads(data))
        if path.startswith(("/v1/files", "/v1/batches")):
            return self.batches.route(method, path, query, headers, data)
        return 404, {}, error_body(f"no route {path}", "not_found")

    # ------------------------------------------------------------------------ chat

    def row(self, row_id: str) -> dict[str, Any]:
        """A row's line of the bill."""
        return self.ids.setdefault(row_id, {"requests": 0, "answered": 0, "at": []})

    async def _chat(self, headers: Headers, body: Body) -> Response:
        faults, row_id = tag(body)
        row = self.row(row_id)
        fault = faults[row["requests"]] if row["requests"] < len(faults) else ""
        row["requests"] += 1
        row["at"].append(time.monotonic())
        self.requests += 1
        self.bodies = [*self.bodies[-999:], body]
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        let_in, told = self.allowance.take() if self.allowance else (True, {})
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            name, _, argument = (fault if let_in else "r429none").partition(":")
            if name == "hang":
                row["answered"] += 1  # it may well have been paid for
                await asyncio.sleep(float(argument or 3600))
            status, extra, data = self._faulty(name, argument, headers, body)
            row["answered"] += status == 200 and name not in {"html", "blank", "errorbody", "hang"}
            named = {"x-request-id": f"req-{row_id}-{row['requests']}"}
            return status, {**named, **told, **extra}, data
        except Reset as reset:
            row["answered"] += reset.hard
            raise
        finally:
            self.active -= 1

    def _faulty(self, name: str, argument: str, headers: Headers, body: Body) -> Response:
        done = as_json(self.completion(body, name))
        if name.startswith("r429"):
            asked = {
                "r429": {"retry-after": argument},
                "r429ms": {"retry-after-ms": argument},
                "r429date": {
                    "retry-after": formatdate(time.time() + float(argument or 0), usegmt=True)
                },
                "r429none": {},
            }[name]
            return 429, asked, error_body("slow down", "rate_limit_exceeded")
        if re.fullmatch(r"h\d{3}", name):
            wait = {"retry-after": argument} if argument else {}
            return int(name[1:]), wait, error_body(f"told to answer {name[1:]}", "told")
        echo = f"Incorrect API key provided: {headers.get('authorization', '')}"
        fixed: dict[str, tuple[int, bytes]] = {
            "quota": (429, error_body("You exceeded your current quota", "insufficient_quota")),
            "context": (
                400,
                error_body("the request exceeds the context", "exceed_context_size_error"),
            ),
            "echo": (401, error_body(echo, "invalid_api_key")),
            "html": (200, b"<html><body>Gateway is restarting</body></html>"),
            "blank": (200, b""),
            "errorbody": (200, error_body("upstream failed", "upstream")),
            "torn": (200, done[: len(done) // 2]),
        }
        if name in fixed:
            return fixed[name][0], {}, fixed[name][1]
        if name == "huge":
            return 200, {}, done + b" " * 3_000_000
        if name == "reset":
            raise Reset(_response(200, {}, done)[: -len(done) // 2], hard=True)
        if name == "close":
            raise Reset(b"", hard=False)
        return 200, {}, done

    def completion(self, body: Body, fault: str = "") -> Body:
        """A chat completion, with a fault of content."""
        text: str | None = self.answer(body)
        message: Body = {"role": "assistant", "content": text, "refusal": None}
        finish = {"length": "length", "filter": "content_filter"}.get(fault, "stop")
        if fault in {"badjson", "length"}:
            message["content"] = text[: len(text) // 2] if text else ""
        elif fault == "schema":
            message["content"] = '{"unexpected": [1, 2]}'
        elif fault == "extra":
            message["content"] = f"Sure! Here it is:\n```json\n{text}\n```\nAnything else?"
        elif fault == "refusal":
            message |= {"content": None, "refusal": "I cannot help with that."}
        elif fault in {"null", "filter"}:
            message["content"] = None
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        result: Body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model", ""),
            "choices": [] if fault == "empty" else [choice],
        }
        if fault != "nousage":
            result["usage"] = {
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": COMPLETION_TOKENS,
                "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
                "prompt_tokens_details": {"cached_tokens": 10},
            }
        return result


def _in(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


def _response(status: int, extra: Headers, body: bytes) -> bytes:
    kind = "text/html" if body.startswith(b"<") else "application/json"
    lines = [f"HTTP/1.1 {status} Told", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"date: {formatdate(usegmt=True)}", *(f"{k}: {v}" for k, v in extra.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, Headers, bytes] | None:
    """One HTTP request, or ``None`` at the end of the connection."""
    first = await reader.readline()
    if not first:
        return None
    method, path, _ = first.decode("latin-1").split(" ", 2)
    headers: Headers = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        data = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            data += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return method, path, headers, data
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", 0)))


@contextmanager
def serving(server: FaultServer | None = None, port: int = 0) -> Iterator[FaultServer]:
    """Run a server in a thread of its own."""
    server = server or FaultServer()
    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(server.start(port))
    thread = threading.Thread(target=loop.run_forever, name="fault-server", daemon=True)
    thread.start()

    async def stop() -> None:
        listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def main() -> None:
    """Serve until interrupted; prints the base URL."""

    async def serve() -> None:
        server = FaultServer()
        listener = await server.start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        async with listener:
            await listener.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
