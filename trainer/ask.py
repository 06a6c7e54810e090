"""One question about one picture, to a model of one's own or to an endpoint."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from degrade import images
from degrade.errors import UserError
from degrade.schema import Chain, Malformed, Question
from trainer import data, models
from trainer.config import ModelConfig


@dataclass(frozen=True)
class Reply:
    """What a model said.

    Attributes:
        text: As it is.
        chain: Its parts, where it is a chain.
        problem: Why it is none.
        tokens: Of the text, in the model's counting.
    """

    text: str
    chain: Chain | None
    problem: str
    tokens: int


def picture(path: Path) -> images.Pixels:
    """A picture from a file.

    Raises:
        UserError: It does not open.
    """
    try:
        return images.decode(path.read_bytes(), data.MAX_PIXELS).pixels
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except images.UnreadableError as error:
        raise UserError(f"Cannot read {path}: {error.detail}.") from None


def ask_local(model: str, pixels: images.Pixels, question: Question, max_tokens: int) -> Reply:
    """Ask a model of transformers, greedily.

    Args:
        model: Folder of a training run or of a model, or a name on the Hub.
        pixels: (H, W, 3) uint8.
        question: What is asked.
        max_tokens: Longer answers are cut off.

    Raises:
        UserError: There is no such model, or the extra ``train`` is not installed.
    """
    return Local(model).ask(pixels, question, max_tokens)


class Local:
    """A model of transformers, loaded once for many questions.

    Args:
        model: Folder of a training run or of a model, or a name on the Hub.

    Raises:
        UserError: There is no such model, or the extra ``train`` is not installed.
    """

    def __init__(self, model: str) -> None:
        from trainer import hf

        hf.quiet()
        model = models.of_run(model)
        self._processor = models.load_processor(model)
        torch = hf.module("torch")
        cuda = bool(torch.cuda.is_available())
        config = ModelConfig(path=model, dtype="bfloat16" if cuda else "float32", freeze=())
        self._model = models.load_model(model, config).to("cuda" if cuda else "cpu")

    def ask(self, pixels: images.Pixels, question: Question, max_tokens: int) -> Reply:
        """What it says, greedily; arguments as for :func:`ask_local`.

        Raises:
            UserError: Its processor takes this picture or question for none of its own.
        """
        from trainer import answers

        asked = [(data.prompt(question, "chain"), pixels)]
        try:
            (said,) = answers.generate(self._model, self._processor, asked, max_tokens)
        except answers.REFUSALS as error:
            raise UserError(f"The model cannot be asked this about this picture: {error}") from None
        return _reply(said.text, said.new_tokens)


def ask_endpoint(
    model: str,
    pixels: images.Pixels,
    question: Question,
    max_tokens: int,
    base_url: str | None,
    key_env: str,
    journal: Path,
) -> Reply:
    """Ask an OpenAI-compatible endpoint.

    Args:
        model: The provider's name.
        pixels: (H, W, 3) uint8.
        question: What is asked.
        max_tokens: Longer answers are cut off.
        base_url: Up to and with ``/v1``; empty: OpenAI's.
        key_env: Environment variable with the API key.
        journal: File of answers; the same question is not paid twice.

    Raises:
        UserError: The endpoint refuses.
        StoppedError: It cannot be reached.
    """
    from degrade import chat
    from degrade.chat_options import EndpointOptions

    request = chat.Request(
        model=model,
        messages=(
            chat.Message.of(
                "user",
                chat.Picture(data=images.encode(pixels, "png", None), mime="image/png"),
                data.prompt(question, "chain"),
            ),
        ),
        settings=chat.Settings(max_tokens=max_tokens),
        stage="ask",
    )

    endpoint = EndpointOptions(
        base_url=base_url,
        key_env=key_env,
        max_tokens_field="max_tokens" if base_url else "max_completion_tokens",
    ).endpoint()

    async def send() -> Any:
        async with chat.Chat(endpoint, journal) as gateway:
            return await gateway.ask(request)

    try:
        reply = asyncio.run(send())
    except chat.RowError as error:
        raise UserError(f"{model} did not answer: {error}") from None
    return _reply(reply.text, reply.usage.completion)


def _reply(text: str, tokens: int) -> Reply:
    found = Chain.parse(text)
    if isinstance(found, Malformed):
        problem = f"{found.reason} at character {found.position}"
        return Reply(text, None, problem, tokens)
    return Reply(text, found, "", tokens)
