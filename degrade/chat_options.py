"""The options that every command which asks an endpoint has: where, how fast, how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from pydantic import BaseModel

from degrade.chat_request import MaxTokensField
from degrade.configs import validated
from degrade.errors import UserError
from degrade.schema import Record
from degrade.storage import Place

if TYPE_CHECKING:
    from degrade.chat_limits import Limits
    from degrade.chat_transport import Endpoint

M = TypeVar("M", bound=BaseModel)


class EndpointOptions(Record):
    """Where requests go and what they may take; the command line has each under the same name.

    Attributes:
        base_url: The endpoint, up to ``/v1``; ``None``: ``OPENAI_BASE_URL``, else OpenAI.
        key_env: Environment variable with the API key.
        max_tokens_field: How the endpoint calls the bound of an answer's length.
        journal: File of paid answers; ``None``: beside what is written.
        concurrency: Most requests in flight.
        requests_per_minute: Most requests in a minute; ``None``: any.
        tokens_per_minute: Most tokens in a minute; ``None``: any.
        max_cost: US dollars that the journal may have spent; ``None``: any.
        prices: A price table of the user's (YAML).
        batch_api: Use the provider's batch endpoint.
    """

    what: ClassVar[str] = "the options of the endpoint"
    """How errors name these options."""

    base_url: str | None = None
    key_env: str = "OPENAI_API_KEY"
    max_tokens_field: MaxTokensField = "max_completion_tokens"
    journal: Path | None = None
    concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_cost: float | None = None
    prices: Path | None = None
    batch_api: bool = False

    def endpoint(self) -> Endpoint:
        """Where requests go.

        Raises:
            UserError: The base URL or the variable's name is none.
        """
        from degrade.chat_transport import Endpoint

        return self._as(Endpoint, "base_url", "key_env", "max_tokens_field")

    def limits(self) -> Limits:
        """How fast and how much.

        Raises:
            UserError: Out of range.
        """
        from degrade.chat_limits import Limits

        per_minute = ("requests_per_minute", "tokens_per_minute")
        return self._as(Limits, "concurrency", *per_minute, "max_cost")

    def journal_beside(self, out: Place) -> Path:
        """The file of paid answers of a command that writes a folder.

        Raises:
            UserError: The folder is on a store, where no such file can be, and none was named.
        """
        if self.journal:
            return self.journal
        if not isinstance(out, Path):
            raise UserError(
                f"{out} is on a store; answers that are paid for are kept in a file of this "
                f"machine. Name it, and keep it: --journal {out.name}.sqlite"
            )
        return out.with_name(f"{out.name}.sqlite")

    def _as(self, model: type[M], *names: str) -> M:
        return validated(model, {name: getattr(self, name) for name in names}, self.what)
