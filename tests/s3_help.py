"""An S3 server on loopback, and a connection to it that can be broken."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import fsspec
from moto.server import ThreadedMotoServer

from degrade import storage
from degrade.timing import TIMING

KEYS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Line:
    """A TCP connection to a server that passes everything on until it is told to break.

    Args:
        port: Of the server.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._down = False
        self._left: int | None = None
        self.passed = 0
        self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def after(self, bytes_up: int) -> None:
        """Break once this many more bytes have gone to the server, possibly amid a request."""
        self._left = bytes_up

    def cut(self) -> None:
        """Break all connections and take no other."""
        with self._lock:
            self._down = True
            self.broken += 1
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again."""
        self._left = None
        self._down = False

    @property
    def down(self) -> bool:
        """Whether it is broken."""
        return self._down

    def close(self) -> None:
        """Take no connection any more."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                if self._down:
                    client.close()
                    server.close()
                    continue
                self._open |= {client, server}
            for one, other, up in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(one, other, up), daemon=True).start()

    def _last(self, count: int) -> bool:
        """Whether these are the bytes to break at."""
        with self._lock:
            if self._left is None:
                return False
            self._left -= count
            if self._left > 0:
                return False
            self._left = None
            return True

    def _pass(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if up and self._last(len(data)):
                    target.sendall(data[: len(data) // 2])
                    self.cut()
                    break
                target.sendall(data)
                self.passed += len(data) if up else 0
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()


class Store:
    """A bucket on a server of its own, reached over a line."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server.start()
        port = self._server.get_host_and_port()[1]
        self.line = Line(port)
        self.environment = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.line.port}"}
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )
        self.client.create_bucket(Bucket="bucket")

    def close(self) -> None:
        """Stop all."""
        self.line.close()
        self.client.close()
        self._server.stop()

    def put(self, key: str, data: bytes) -> None:
        """An object, behind the line's back."""
        self.client.put_object(Bucket="bucket", Key=key, Body=data)

    def keys(self, prefix: str) -> list[str]:
        """Names below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket="bucket", Prefix=prefix
        )
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def tree(self, prefix: str) -> dict[str, bytes]:
        """All objects below a prefix with their content, as ``tests.run_help.tree`` of a folder."""
        return {
            key[len(prefix) + 1 :]: self.client.get_object(Bucket="bucket", Key=key)["Body"].read()
            for key in self.keys(f"{prefix}/")
            if not key.endswith(f"/{TIMING}")
        }


@contextlib.contextmanager
def store() -> Iterator[Store]:
    """A server with a bucket, its address in the environment."""
    before = dict(os.environ)
    running = Store()
    os.environ.update(running.environment)
    try:
        yield running
    finally:
        for name in running.environment:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
        running.close()
        # The process's connection is to a server that is gone; the next test brings its own.
        storage._filesystem.cache_clear()
        fsspec.get_filesystem_class("s3").clear_instance_cache()
