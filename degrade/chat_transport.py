"""The wire: one attempt over the `openai` client, its outcome as data, and the key kept secret.

Nothing here raises what the client raises: its errors carry the request, and with it the key.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from degrade.chat_limits import maybe_billed
from degrade.chat_request import MaxTokensField, Request, read_answer
from degrade.errors import UserError
from degrade.schema import Record

DEFAULT_URL = "https://api.openai.com/v1"
MOST_BYTES = 1 << 20
"""Of an answer's body: more is no chat completion."""

_NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
_TIMEOUTS = {"ReadTimeout", "WriteTimeout"}
_SHORT_SECRET = 8  # shorter keys are placeholders ("none"); hiding them would garble answers
T = TypeVar("T")


class Endpoint(Record):
    """Where requests go.

    Attributes:
        base_url: Up to and with ``/v1``; ``None``: ``OPENAI_BASE_URL``, else OpenAI.
        key_env: The environment variable that holds the API key. The key itself is never a
            setting: it is read when the first request is sent. Endpoints other than OpenAI's may
            do without one.
        max_tokens_field: How the endpoint calls the bound of the answer's length; many local
            servers know ``max_tokens`` alone.
        timeout: Seconds for one request, from sending to the last byte.
        connect_timeout: Seconds of them to connect.
    """

    base_url: str | None = None
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"
    max_tokens_field: MaxTokensField = "max_completion_tokens"
    timeout: Annotated[float, Field(gt=0)] = 300.0
    connect_timeout: Annotated[float, Field(gt=0)] = 10.0

    @field_validator("base_url")
    @classmethod
    def _plain(cls, url: str | None) -> str | None:
        return url and _check_url(url)

    @property
    def url(self) -> str:
        """The base URL in force."""
        # An empty OPENAI_BASE_URL would give the client an empty base URL.
        return self.base_url or _check_url(os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL)

    def secret(self) -> SecretStr:
        """The key from the environment; empty where there is none and none is needed.

        Raises:
            UserError: There is none and OpenAI is asked.
        """
        key = os.environ.get(self.key_env, "").strip()
        if not key and self.url == DEFAULT_URL:
            raise UserError(
                f"The environment variable {self.key_env} is not set. Put the API key there, or "
                "give the base URL of an endpoint that needs none."
            )
        return SecretStr(key)


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the base URL must look like http://host:port/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        # Not repeated in the message: it may be a secret.
        raise ValueError("the base URL must hold no user, password or query: use key_env")
    return url


class Received(NamedTuple):
    """What came of one attempt.

    Attributes:
        state: ``got`` (the model answered), ``failed`` (it did not), ``unknown``.
        reason: Empty for an answer; else ``empty``, ``not_json``, ``no_completion``, ``huge``,
            ``timeout``, ``reset``, ``connect`` or ``http_<status>``.
        status: HTTP status, if a response came.
        headers: Of the response, without cookies.
        body: As much of it as came, at most :data:`MOST_BYTES`.
        code: The body's ``error.code``, else ``error.type``.
        detail: The body's ``error.message``, in one short line.
    """

    state: str
    reason: str
    status: int | None = None
    headers: Mapping[str, str] = {}
    body: bytes = b""
    code: str = ""
    detail: str = ""

    @property
    def request_id(self) -> str:
        """The server's name for the request."""
        return self.headers.get("x-request-id", "")[:200]


class Wire:
    """The client, made when it is first needed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._secret = SecretStr(os.environ.get(endpoint.key_env, "").strip())
        self._client: Any = None

    def client(self) -> Any:
        """The `openai` client.

        Raises:
            UserError: It is not installed, or there is no key.
        """
        if self._client is None:
            try:
                import openai
            except ModuleNotFoundError:
                raise UserError(
                    'Asking a model needs the openai package: pip install "degrade[annotate]"'
                ) from None
            self._secret = self.endpoint.secret()
            self._client = openai.AsyncOpenAI(
                api_key=self._secret.get_secret_value() or "none",
                base_url=self.endpoint.url,
                max_retries=0,  # its retries would be paid for and not journaled
                timeout=openai.Timeout(
                    self.endpoint.timeout, connect=self.endpoint.connect_timeout
                ),
            )
        return self._client

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.close()

    def redact(self, data: bytes) -> bytes:
        """The bytes without the key: a server may send it back."""
        secret = self._secret.get_secret_value()
        return data.replace(secret.encode(), b"***") if len(secret) >= _SHORT_SECRET else data

    async def send(self, request: Request) -> Received:
        """Send one attempt and read the whole response, within the timeout."""
        body = request.body(self.endpoint.max_tokens_field)
        create = self.client().chat.completions.with_streaming_response.create

        async def stream() -> Received:
            # Read in pieces rather than at once, so that an endless body costs no memory.
            # extra_body goes out as it is; what else the client is given, it first rewrites, which
            # costs more than all the rest of a request.
            async with create(model=request.model, messages=[], extra_body=body) as response:
                data = bytearray()
                async for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MOST_BYTES:
                        return self._received(
                            response.status_code, response.headers, bytes(data[:MOST_BYTES]), "huge"
                        )
                return self._received(response.status_code, response.headers, bytes(data))

        return await self.attempt(stream)

    async def attempt(
        self, call: Callable[[], Awaitable[T]], seconds: float | None = None
    ) -> T | Received:
        """Run one call of the client; what it raises becomes an outcome."""
        import openai

        try:
            async with asyncio.timeout(seconds or self.endpoint.timeout):
                return await call()
        except openai.APIStatusError as error:
            response = error.response
            return self._received(response.status_code, response.headers, response.content)
        except TimeoutError:
            return Received("unknown", "timeout")
        except openai.APIConnectionError as error:
            cause = type(error.__cause__).__name__
            if cause in _NEVER_SENT:
                return Received("failed", "connect", detail=_why(error))
        except openai.OpenAIError as error:
            return Received("unknown", "client", detail=self._line(str(error)))
        except Exception as error:
            # While the body is read, the client lets the errors of its HTTP library through.
            if not type(error).__module__.startswith(("httpx", "httpcore", "ssl")):
                raise
            cause = type(error).__name__
        return Received("unknown", "timeout" if cause in _TIMEOUTS else "reset", detail=cause)

    def _received(
        self, status: int, headers: Mapping[str, str], body: bytes, problem: str = ""
    ) -> Received:
        kept = {k.lower(): v for k, v in headers.items() if "cookie" not in k.lower()}
        body = self.redact(body[:MOST_BYTES])
        if status == 200:
            reason = problem or read_answer(body).problem
            state = "got" if reason in {"", "empty"} else "unknown"
            return Received(state, reason, status, kept, body)
        code, detail = _error(body)
        state = "unknown" if maybe_billed(status) else "failed"
        return Received(state, f"http_{status}", status, kept, body, code, self._line(detail))

    def _line(self, text: str) -> str:
        text = self.redact(text.encode(errors="replace")).decode(errors="replace")
        return "".join(c if c.isprintable() else " " for c in text)[:300]


def _why(error: BaseException) -> str:
    """Why there is no connection: what the system said at the bottom of a chain of errors."""
    said = type(error.__cause__).__name__
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError) and below.errno is not None:
            known = below.errno > 0 and type(below).__module__ == "builtins"
            said = os.strerror(below.errno) if known else str(below.strerror)
        below = below.__cause__ or below.__context__
    return said


def _error(body: bytes) -> tuple[str, str]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    error = data.get("error", data) if isinstance(data, dict) else None
    if not isinstance(error, dict):
        return "", error if isinstance(error, str) else ""
    code = next((v for v in (error.get("code"), error.get("type")) if isinstance(v, str)), "")
    return code, str(error.get("message", ""))
