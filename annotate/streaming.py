"""An asynchronous stream, taken from ordinary code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import TypeVar

T = TypeVar("T")


def drained(stream: AsyncGenerator[T]) -> Generator[T]:
    """The items of a stream, on an event loop of its own.

    An interrupt (^C) ends the stream where it waits, lets it clear up to the end, and is raised
    then; a second one cuts the clearing up short. Closing the generator closes the stream.
    """

    async def step() -> list[T]:
        async for item in stream:
            return [item]
        return []

    async def close() -> None:
        await stream.aclose()

    # Its `run` turns the first ^C into a cancellation of the step, rather than an exception from
    # the middle of the loop that would leave requests in flight behind.
    with asyncio.Runner() as runner:
        try:
            while found := runner.run(step()):
                yield found[0]
        except GeneratorExit:
            runner.run(close())
            raise
