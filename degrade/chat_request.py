"""What is asked of a model and what comes back, as data; the key under which an answer is kept."""

from __future__ import annotations

import hashlib
import io
import json
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from degrade.errors import StoppedError
from degrade.schema import Record

KEY_VERSION = 1
"""Raised when the canonical form changes: every stored answer is then asked for, and paid, anew."""

Role = Literal["system", "developer", "user", "assistant"]
MaxTokensField = Literal["max_completion_tokens", "max_tokens"]

_OWNED = {"model", "messages", "stream", "n", "store", "metadata", "max_tokens"} | {
    "max_completion_tokens"
}
_MOST_TOKENS = 10**9


class FatalError(StoppedError):
    """No request can succeed, or none may be sent: the run stops and can be resumed.

    ``code``: ``http_401`` (402, 403, 404), ``insufficient_quota``, ``configuration`` (the first
    requests were all refused alike), ``connect`` (the endpoint was never reached), ``no_model`` (it
    never answered as a model does), ``breaker`` (too many failures in a row), ``wait`` (the
    endpoint asks for a longer pause than allowed), ``budget``, ``batch`` (nobody knows whether a
    batch was created), or the status of a batch call that failed.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class RowError(Exception):
    """One request has no answer; others may have. Nothing is stored, so asking again sends again.

    ``code``: ``http_400`` and other statuses that blame the request, ``empty`` (completions without
    content), ``in_batch`` (its answer is on order), or the last failure of the transport
    (``timeout``, ``reset``, ``connect``, ``http_500``, ``not_json`` ...) once its attempts are used
    up.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class Text(Record):
    """A part of a message: words."""

    text: str


class Picture(Record):
    """A part of a message: the bytes of a whole JPEG or PNG, sent as a data URL.

    Its SHA-256 stands for it in the key, in the journal and in errors.
    """

    data: Annotated[bytes, Field(repr=False)]
    mime: Literal["image/jpeg", "image/png"]
    detail: Literal["auto", "low", "high"] = "auto"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        # A truncated JPEG is decoded, and paid for, by servers; the grey half is never reported.
        if self.mime == "image/jpeg":
            begins, ends = b"\xff\xd8\xff", self.data.rstrip(b"\0").endswith(b"\xff\xd9")
        else:
            begins, ends = b"\x89PNG\r\n\x1a\n", self.data.endswith(b"IEND\xaeB`\x82")
        if not self.data.startswith(begins):
            raise ValueError(f"the bytes are no {self.mime}: encode the picture as JPEG or PNG")
        if not ends:
            raise ValueError(f"the {self.mime} is cut off: encode the picture again")
        return self

    @cached_property
    def sha256(self) -> str:
        """Digest of the bytes as they are sent."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, by the file's header."""
        from PIL import Image

        try:
            with Image.open(io.BytesIO(self.data)) as opened:
                return opened.size
        except (OSError, ValueError, Image.DecompressionBombError):
            return 2048, 768  # unreadable: as many tiles as there can be


class Message(Record):
    """One message: who speaks, and the parts in order."""

    role: Role
    content: tuple[Text | Picture, ...]

    @classmethod
    def of(cls, role: Role, *parts: str | Text | Picture) -> Message:
        """A message from words and pictures."""
        return cls(
            role=role, content=tuple(Text(text=p) if isinstance(p, str) else p for p in parts)
        )


class JsonSchema(Record):
    """The JSON schema that the answer has to follow (structured outputs)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    definition: dict[str, JsonValue]
    strict: bool = True


class Settings(Record):
    """How the model samples. ``None`` leaves a setting to the provider and out of the key.

    ``extra`` holds further fields of the body for one provider (``reasoning_effort``,
    ``repeat_penalty``); it is in the key as well. ``max_tokens`` bounds what an answer may cost.
    """

    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    extra: dict[str, JsonValue] | None = None

    @field_validator("extra")
    @classmethod
    def _free(cls, extra: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        if taken := _OWNED.intersection(extra or {}):
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set through extra")
        return extra


class Request(Record):
    """One question to a model.

    Attributes:
        model: The provider's name of the model.
        messages: What is said so far.
        json_schema: The form of the answer, where the provider supports it.
        settings: Sampling.
        stage: What the request is for (``influence``, ``judge``): a line of the bill.
        attempt: 0, then 1, 2 ... to get another answer to what is otherwise the same request.
        provider: Label of who answers. Needed where two endpoints call different models the same
            (two local servers with their ``default``); the base URL is not in the key.
    """

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    json_schema: JsonSchema | None = None
    settings: Settings = Settings()
    stage: str = ""
    attempt: Annotated[int, Field(ge=0)] = 0
    provider: str = ""

    def canonical(self) -> dict[str, Any]:
        """What decides the answer, pictures by digest. Nothing of rows, machines, keys, limits."""
        return {
            "version": KEY_VERSION,
            "provider": self.provider,
            "model": self.model,
            "stage": self.stage,
            "attempt": self.attempt,
            "messages": [
                {"role": m.role, "content": [_digest(part) for part in m.content]}
                for m in self.messages
            ],
            "schema": None if self.json_schema is None else self.json_schema.model_dump(),
            "settings": self.settings.model_dump(mode="json", exclude_none=True),
        }

    @cached_property
    def key(self) -> str:
        """SHA-256, in hex, of the canonical form as JSON: sorted keys, no white space, ASCII."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def body(self, max_tokens_field: MaxTokensField) -> dict[str, Any]:
        """The body of the HTTP request."""
        settings = self.settings.model_dump(mode="json", exclude_none=True)
        extra = settings.pop("extra", {})
        settings[max_tokens_field] = settings.pop("max_tokens")
        body = {
            "model": self.model,
            "messages": [{"role": m.role, "content": _content(m)} for m in self.messages],
            **settings,
            **extra,
        }
        if self.json_schema is not None:
            form = self.json_schema
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": form.name,
                    "schema": form.definition,
                    "strict": form.strict,
                },
            }
        return body


def _digest(part: Text | Picture) -> dict[str, str]:
    if isinstance(part, Text):
        return {"text": part.text}
    return {"picture": part.sha256, "mime": part.mime, "detail": part.detail}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if len(message.content) == 1 and isinstance(message.content[0], Text):
        return message.content[0].text  # servers without vision may know this form alone
    return [_part(part) for part in message.content]


def _part(part: Text | Picture) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    import base64

    url = f"data:{part.mime};base64,{base64.b64encode(part.data).decode('ascii')}"
    return {"type": "image_url", "image_url": {"url": url, "detail": part.detail}}


# ------------------------------------------------------------------------------------- answers


class Usage(Record):
    """Tokens of one attempt. ``cached`` of the prompt's were in the provider's cache.

    ``estimated`` where the server counted nothing: then from the length of the texts.
    """

    prompt: int
    completion: int
    cached: int = 0
    estimated: bool = False


class Reply(Record):
    """The model's answer. Its content is judged by whoever asked: it may be cut off or refused.

    ``cached``: no request was sent for it now. ``cost_micro_usd`` is what it cost when it was
    bought, in millionths of a dollar, ``None`` where the model has no price. ``attempt`` counts
    from 1 the HTTP requests that this question took until this answer came.
    """

    key: str
    text: str
    finish_reason: str
    refusal: str | None
    usage: Usage
    cost_micro_usd: int | None
    cached: bool
    request_id: str
    attempt: int


class Answer(NamedTuple):
    """A body of a 200 response, read: ``problem`` is empty where it answers the question.

    ``not_json`` and ``no_completion`` say that something else than the model spoke; ``empty`` is a
    completion, paid for, that says nothing.
    """

    problem: Literal["", "not_json", "no_completion", "empty"]
    text: str = ""
    finish_reason: str = ""
    refusal: str | None = None
    usage: Usage | None = None


def read_answer(body: bytes) -> Answer:
    """Read a chat completion. Never raises, whatever the bytes."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return Answer("not_json")
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list):
        return Answer("no_completion")
    usage = _usage(data.get("usage"))
    choice = choices[0] if choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return Answer("empty", usage=usage)
    finish = choice.get("finish_reason")
    finish = _words(finish)[:64] if isinstance(finish, str) else ""
    refusal = message.get("refusal")
    refusal = _words(refusal) if isinstance(refusal, str) and refusal else None
    text = _flat(message.get("content"))
    # Out of tokens before the first word, or filtered: an answer about the content, not a fault.
    silent = finish in {"length", "content_filter"} or refusal is not None
    return Answer("" if text or silent else "empty", text, finish, refusal, usage)


def _flat(content: Any) -> str:
    if isinstance(content, list):
        parts = [p.get("text") for p in content if isinstance(p, dict)]
        content = "".join(p for p in parts if isinstance(p, str))
    return _words(content) if isinstance(content, str) else ""


def _words(text: str) -> str:
    """The text with U+FFFD for halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _usage(data: Any) -> Usage | None:
    def count(where: Any, name: str) -> int | None:
        n = where.get(name) if isinstance(where, dict) else None
        return n if type(n) is int and 0 <= n <= _MOST_TOKENS else None

    prompt, completion = count(data, "prompt_tokens"), count(data, "completion_tokens")
    if prompt is None or completion is None:
        return None
    details = data.get("prompt_tokens_details")
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=min(prompt, count(details, "cached_tokens") or 0),
    )
