"""A small local model over real HTTP, for the tests that need one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from annotate.testing import localmodel

_missing = localmodel.weights() is None
if _missing and os.environ.get("CI"):
    raise RuntimeError("the model's packages are part of the checks: make models")
needs_model = pytest.mark.skipif(_missing, reason="no local model installed: make models")


@contextmanager
def serving() -> Iterator[str]:
    """Its base URL, on a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with localmodel.serving(port) as base_url:
        yield base_url
