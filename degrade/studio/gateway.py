"""The one gateway to gradio and the server below it."""

from __future__ import annotations

import os
import socket
from typing import Any

from degrade.errors import UserError


def gradio() -> Any:
    """The library, told to send nothing to anybody.

    Raises:
        UserError: It is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import gradio as gr
    except ImportError:
        raise UserError(
            "The studio needs gradio, which is not installed. Run: pip install 'degrade[studio]'"
        ) from None
    return gr


def middleware(guard: Any, **settings: Any) -> list[Any]:
    """A guard of the server, as gradio's application takes it."""
    from starlette.middleware import Middleware

    return [Middleware(guard, **settings)]


def port_to_use(host: str, port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        UserError: There is no such address here, or somebody listens there.
    """
    try:
        with socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise cannot_listen(host, port, error) from None


def cannot_listen(host: str, port: int, error: OSError) -> UserError:
    """The error for an address that cannot be had."""
    return UserError(
        f"Cannot listen on {host}, port {port}: {error.strerror or error}. Give another --host or "
        "--port."
    )
