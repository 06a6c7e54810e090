"""What the tests of the gateway share."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from PIL import Image

from annotate.testing.faultserver import FaultServer
from degrade.chat import (
    Chat,
    Endpoint,
    Limits,
    Message,
    Prices,
    Reply,
    Request,
    Settings,
)


def row(i: object, fault: str = "", **changes: Any) -> Request:
    changes = {"model": "m", "settings": Settings(max_tokens=50), **changes}
    return Request(messages=(Message.of("user", f"describe #fault={fault} id={i}#"),), **changes)


def encoded(fmt: str = "JPEG", colour: str = "red", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, fmt)
    return buffer.getvalue()


def prices(path: Path, **models: dict[str, float]) -> Prices:
    path.write_text(json.dumps({"date": "2026-01-01", "models": models}))
    return Prices(path)


ROUND = {"input": 10.0, "output": 100.0}  # 100 + 20 tokens: 3000 micro-dollars an answer
ROUND_COST = 3000


def with_chat(
    server: FaultServer | str,
    journal: Path,
    work: Callable[[Chat], Awaitable[Any]],
    timeout: float = 20.0,
    endpoint: dict[str, Any] | None = None,
    prices: Prices | None = None,
    ballast: int = 1 << 16,
    **limits: Any,
) -> Any:
    """Open a gateway, do some work, close it."""
    url = server if isinstance(server, str) else server.url

    async def main() -> Any:
        settings = Endpoint(base_url=url, timeout=timeout, **(endpoint or {}))
        bounds = Limits(**{"backoff": 0.01, **limits})
        async with Chat(settings, journal, bounds, prices, ballast=ballast) as chat:
            return await work(chat)

    return asyncio.run(main())


def ask(*requests: Request) -> Callable[[Chat], Awaitable[list[Reply | BaseException]]]:
    async def work(chat: Chat) -> list[Reply | BaseException]:
        return await asyncio.gather(*map(chat.ask, requests), return_exceptions=True)

    return work


def total(journal: Path) -> Any:
    async def work(chat: Chat) -> Any:
        return chat.bill().total

    return with_chat("http://127.0.0.1:9/v1", journal, work)
