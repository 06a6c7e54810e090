"""What requests cost: the price table, tokens before they are counted, and the budget.

Money is whole micro-dollars (millionths of a US dollar), each attempt rounded up. A price in
dollars per million tokens is the same number of micro-dollars per token.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import Field, ValidationError

from degrade.chat_request import FatalError, Picture, Request, Text, Usage
from degrade.errors import UserError
from degrade.schema import Record

SHIPPED = Path(__file__).with_name("prices.yaml")
Dollars = Annotated[Decimal, Field(ge=0)]

_UNKNOWN_TILES = (85, 1500)  # above what open vision models take of a picture of 512 px


class Price(Record):
    """What one model costs; see ``prices.yaml`` for the fields."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    batch: Dollars = Decimal("0.5")
    tiles: tuple[int, int] | None = None
    patch: Annotated[float, Field(gt=0)] | None = None

    def micro_usd(self, usage: Usage, batch: bool) -> int:
        """Cost of one attempt, rounded up to a micro-dollar."""
        cached = self.input if self.cached is None else self.cached
        total = (
            self.input * (usage.prompt - usage.cached)
            + cached * usage.cached
            + self.output * usage.completion
        )
        return math.ceil(total * (self.batch if batch else 1))


class _Table(Record):
    date: datetime.date
    models: dict[str, Price]


class Prices:
    """The price table: the shipped one, and over it a user's.

    Args:
        path: The user's table.

    Raises:
        UserError: It cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        table = _read(SHIPPED)
        self.date, self.models = table.date, dict(table.models)
        if path is not None:
            own = _read(path)
            self.date = own.date
            self.models |= own.models

    def of(self, model: str) -> Price | None:
        """The price of a model; names are matched exactly, then by ``*``."""
        return self.models.get(model, self.models.get("*"))

    def need(self, model: str) -> Price:
        """The price of a model whose cost must be bounded.

        Raises:
            UserError: It has none.
        """
        price = self.of(model)
        if price is None:
            raise UserError(
                f"The model {model!r} has no price, so its cost cannot be bounded. Give a price "
                "table (input and output, US dollars per million tokens), or no maximal cost. "
                f"Known: {', '.join(sorted(self.models))}.",
            )
        return price

    def cost(self, model: str, usage: Usage, batch: bool = False) -> int | None:
        """Micro-dollars of an attempt; ``None`` without a price."""
        price = self.of(model)
        return None if price is None else price.micro_usd(usage, batch)


def _read(path: Path) -> _Table:
    try:
        return _Table.model_validate(yaml.safe_load(path.read_bytes()))
    except OSError as error:
        raise UserError(f"Cannot read the price table {path}: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise UserError(f"The price table {path} is no YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(
            f"The price table {path}: {where}: {first['msg']}. It needs a date and models, each "
            "with input and output in US dollars per million tokens."
        ) from None


# -------------------------------------------------------------------------------------- tokens


class Span(NamedTuple):
    """A number before it is known: least, likely, most."""

    low: float
    likely: float
    high: float


def prompt_tokens(request: Request, price: Price | None) -> Span:
    """Tokens of a prompt, without its tokenizer.

    Words: from a sixth of the UTF-8 bytes to all of them (no byte-level tokenizer makes more), a
    quarter likely. Per message 4 to 16 more. Pictures: by the price table's rule for the model,
    from their size in pixels; the least is one of the ``low`` detail.
    """
    size = 0 if request.json_schema is None else len(json.dumps(request.json_schema.definition))
    low = likely = high = 0.0
    for message in request.messages:
        low, likely, high = low + 4, likely + 6, high + 16
        for part in message.content:
            if isinstance(part, Text):
                size += len(part.text.encode())
            else:
                least, most = _picture_tokens(part, price)
                low, likely, high = low + least, likely + most, high + most
    return Span(low + size // 6, likely + size // 4, high + size)


def _picture_tokens(picture: Picture, price: Price | None) -> tuple[float, float]:
    if price is not None and price.patch is not None:
        width, height = picture.size
        patches = math.ceil(width / 32) * math.ceil(height / 32)
        most = price.patch * min(1536, patches)
        return min(most, 64.0), most
    base, each = (price and price.tiles) or _UNKNOWN_TILES
    if picture.detail == "low":
        return base, base
    width, height = picture.size
    fit = min(1.0, 2048 / max(width, height))
    fit *= min(1.0, 768 / (min(width, height) * fit))
    tiles = math.ceil(width * fit / 512) * math.ceil(height * fit / 512)
    return base, base + each * tiles


def upper_usage(request: Request, price: Price | None) -> Usage:
    """The most that a request can use: every byte a token, every allowed token written."""
    return Usage(
        prompt=math.ceil(prompt_tokens(request, price).high),
        completion=request.settings.max_tokens,
    )


def guess_usage(request: Request, price: Price | None, text: str) -> Usage:
    """Usage of an answer that came without it."""
    prompt = math.ceil(prompt_tokens(request, price).likely)
    return Usage(prompt=prompt, completion=math.ceil(len(text.encode()) / 4), estimated=True)


# -------------------------------------------------------------------------------------- budget


class Budget:
    """Money set aside before it is spent, so that requests in flight together cannot overshoot.

    Args:
        limit: Micro-dollars in all, or ``None``.
        spent: Of them, before.
    """

    def __init__(self, limit: int | None, spent: int) -> None:
        self.limit, self.spent, self.reserved = limit, spent, 0
        self._waiting: list[asyncio.Future[None]] = []

    async def reserve(self, amount: int) -> None:
        """Set the upper bound of a request aside; waits for others to settle where it must.

        Raises:
            FatalError: It does not fit, and nothing in flight can still turn out cheaper.
        """
        while self.limit is not None and self.spent + self.reserved + amount > self.limit:
            if self.reserved == 0:
                raise FatalError(
                    "budget",
                    f"The next request may cost {dollars(amount)} and {dollars(self.spent)} of "
                    f"{dollars(self.limit)} are spent (attempts of unknown outcome at their upper "
                    "bound). Raise the maximal cost and run the command again: answers are kept.",
                )
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self.reserved += amount

    def settle(self, reserved: int, actual: int) -> None:
        """Replace what was set aside by what it cost."""
        self.reserved -= reserved
        self.spent += actual
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def dollars(micro: int) -> str:
    """Micro-dollars for people: ``$0.0123``."""
    return f"${micro / 1e6:.4f}"
