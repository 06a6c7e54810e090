"""Questions to an OpenAI-compatible endpoint: asked through the gateway, paid for once."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from degrade import images
from degrade.chat import Chat, Message, Picture, Reply, Request, RowError, Settings
from degrade.chat_session import Session, drained, in_order
from degrade.sources import printable
from trainer.data import MAX_PIXELS
from trainer.evaluation.config import EvaluateOptions
from trainer.evaluation.plan import Ask
from trainer.evaluation.records import Said, Status

STAGE = "answer"
CHUNK = 100
"""Requests that are held at a time: their pictures are most of the memory."""

COMMITTED = 25
"""Answers that are committed at a time; each is in the journal before."""

_SENT = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
_PLAIN = frozenset({"RGB", "L", "P", "RGBA", "LA"})
_ORIENTATION = 0x0112  # of EXIF
_UPRIGHT = 1


def sendable(data: bytes) -> Picture:
    """A picture as it is sent: its own bytes where endpoints read them, else PNG.

    Own bytes: JPEG and PNG of 8 bits in grey or RGB, not turned by EXIF, which endpoints apply or
    do not. All else is decoded as everywhere here, upright RGB, and encoded without loss.

    Raises:
        UnreadableError: It does not open.
    """
    decoded = images.decode(data, MAX_PIXELS)  # also a file that is cut off is found out here
    with Image.open(io.BytesIO(data)) as opened:
        mime = _SENT.get(opened.format or "")
        upright = opened.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
        if mime and upright and opened.mode in _PLAIN:
            try:
                return Picture(data=data, mime=mime)  # type: ignore[arg-type]
            except ValueError:  # whole as the decoder sees it, not as all do
                pass
    return Picture(data=images.encode(decoded.pixels, "png", None), mime="image/png")


class EndpointModel:
    """A model behind an endpoint.

    Args:
        options: Which, and how it is asked.
        out: Folder of the evaluation; the journal of paid answers is beside it.
        tell: Called with what a person who waits should know.
    """

    def __init__(self, options: EvaluateOptions, out: Path, tell: Callable[[str], None]) -> None:
        self._options = options
        self.session = Session(
            options.endpoint(),
            options.journal_beside(out),
            options.limits(),
            options.prices,
            tell,
        )
        self.settings: dict[str, Any] = {
            "model": options.model,
            "temperature": options.temperature,
            "max_tokens": options.max_tokens,
            "extra": options.extra,
        }

    def request(self, ask: Ask, data: bytes) -> Request:
        """What is sent for a question.

        Raises:
            UnreadableError: Its picture does not open.
        """
        options = self._options
        parts = [sendable(data)] if ask.picture else []
        return Request(
            model=options.model,
            messages=(Message.of("user", *parts, ask.prompt),),
            settings=Settings(
                max_tokens=options.max_tokens,
                temperature=options.temperature,
                extra=options.extra or None,
            ),
            stage=STAGE,
        )

    def answers(self, asks: Iterator[tuple[Ask, bytes]]) -> Generator[list[Said]]:
        """Ask, a bounded number at a time; gives what was said, a few at a time, in order."""
        stream = drained(in_order(self.session.open, asks, self._one, self._options.concurrency))
        try:
            while said := list(islice(stream, COMMITTED)):
                yield said
        finally:
            stream.close()

    async def _one(self, chat: Chat, asked: tuple[Ask, bytes]) -> Said:
        ask, data = asked
        try:
            request = await asyncio.to_thread(self.request, ask, data)
            return said(ask.key, await chat.ask(request))
        except images.UnreadableError as error:
            return failed(ask, f"picture_{error.reason}", error.detail)
        except RowError as error:
            if error.code == "empty":  # it answered, and said nothing
                return Said(key=ask.key, status="empty", detail=error.detail)
            return failed(ask, error.code, error.detail)

    def estimate(self, asks: Callable[[], Iterable[tuple[Ask, bytes]]]) -> dict[str, Any]:
        """What asking would cost; sends nothing."""

        async def chunks() -> AsyncIterator[list[Request]]:
            stream = iter(asks())
            while part := list(islice(stream, CHUNK)):
                yield [r for ask, data in part if (r := self._readable(ask, data))]

        return asyncio.run(self.session.estimate_requests(chunks))

    def batch(self, asks: Callable[[], Iterable[tuple[Ask, bytes]]]) -> bool:
        """Use the batch endpoint; see :meth:`Session.batch_requests`."""

        async def missing(chat: Chat) -> AsyncIterator[Request]:
            for ask, data in asks():
                request = self._readable(ask, data)
                if request and await chat.stored(request) is None:
                    yield request

        return asyncio.run(self.session.batch_requests(missing))

    def _readable(self, ask: Ask, data: bytes) -> Request | None:
        try:
            return self.request(ask, data)
        except images.UnreadableError:
            return None  # becomes a failed row when it is asked


def said(key: str, reply: Reply) -> Said:
    """What a reply comes to; a refusal, a filtered and an empty answer are answers too."""
    cut = reply.finish_reason == "length"
    status: Status = "ok"
    if not reply.text:
        status = "empty"
        if reply.refusal:
            status = "refused"
        elif reply.finish_reason == "content_filter":
            status = "filtered"
    return Said(
        key=key,
        status=status,
        text=reply.text or reply.refusal or "",
        tokens=None if reply.usage.estimated else reply.usage.completion,
        cut=cut,
    )


def failed(ask: Ask, code: str, detail: str) -> Said:
    """A question that has no answer, kept with its reason."""
    return Said(key=ask.key, status="failed", detail=printable(f"{code}: {detail}"))
