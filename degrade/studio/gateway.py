"""The one gateway to gradio and the server below it."""

from __future__ import annotations

import os
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


def middleware(guard: Any, upload_mb: float) -> list[Any]:
    """A guard of the server, as gradio's application takes it."""
    from starlette.middleware import Middleware

    return [Middleware(guard, upload_mb=upload_mb)]
