"""All options of ``degrade-cli annotate`` as data, with their defaults. No heavy imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from degrade.schema import Record

if TYPE_CHECKING:
    from degrade.chat_limits import Limits
    from degrade.chat_transport import Endpoint

R = TypeVar("R", bound=BaseModel)
WHAT = "the options of annotate"

Structured = Literal["schema", "text", "slots"]
"""``schema``: structured outputs. ``text``: plain answers, for models without them. ``slots``: the
model chooses among phrases of the offline grammar; what a tiny model can do."""

Stages = Literal["staged", "combined"]
"""``staged``: a request per part, each shown what its part may know. ``combined``: one for all."""


class AnnotateOptions(Record):
    """How chains are written: of each option, the command line's name, type and default.

    Attributes:
        writer: ``offline``: a grammar; ``llm``: a model. What belongs to the other is refused.
        seed: Root of the offline writer's choices of words.
        model: The provider's name of the model.
        base_url: The endpoint, up to ``/v1``; ``None``: ``OPENAI_BASE_URL``, else OpenAI.
        key_env: Environment variable with the API key.
        stages: See :data:`Stages`; ``combined`` needs ``reveal_answer``.
        structured: See :data:`Structured`.
        pictures: Send pictures to the model.
        reveal_answer: Tell the answer to the reasoning.
        attempts: Tries per row until the checks pass.
        temperature: 0 to 2; ``None`` leaves it to the provider.
        judge: Model that fills ``answerable``; none where empty.
        max_tokens_field: How the endpoint calls the bound of an answer's length.
        journal: File of paid answers; ``None``: beside the chains, with ``.sqlite`` appended.
        concurrency: Most requests in flight.
        requests_per_minute: Most requests in a minute; ``None``: any.
        tokens_per_minute: Most tokens in a minute; ``None``: any.
        max_cost: US dollars that the journal may have spent; ``None``: any.
        prices: A price table of the user's (YAML).
        batch_api: Use the provider's batch endpoint.
    """

    writer: Literal["offline", "llm"] = "offline"
    seed: int = 0
    model: str = ""
    base_url: str | None = None
    key_env: str = "OPENAI_API_KEY"
    stages: Stages = "staged"
    structured: Structured = "schema"
    pictures: bool = True
    reveal_answer: bool = False
    attempts: Annotated[int, Field(ge=1)] = 3
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    judge: str = ""
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    journal: Path | None = None
    concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_cost: float | None = None
    prices: Path | None = None
    batch_api: bool = False

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        # Nothing that was asked for is left aside in silence.
        fields = type(self).model_fields
        given = {name for name, field in fields.items() if getattr(self, name) != field.default}
        foreign = {"seed"} if self.writer == "llm" else fields.keys() - {"writer", "seed"}
        if wrong := sorted(given & foreign):
            other = "offline" if self.writer == "llm" else "llm"
            raise ValueError(f"only the writer {other!r} takes {', '.join(map(repr, wrong))}")
        if self.writer == "llm" and not self.model:
            raise ValueError("the writer 'llm' needs 'model', the provider's name of one")
        if self.stages == "combined" and not self.reveal_answer:
            raise ValueError(
                "the stages 'combined' show the answer to the one who reasons: allow it with "
                "'reveal_answer', or take 'staged'"
            )
        if self.stages == "combined" and self.structured == "slots":
            raise ValueError("'slots' are one request anyway: leave 'stages' as it is")
        return self

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

    def _as(self, model: type[R], *names: str) -> R:
        from degrade.configs import validated

        return validated(model, {name: getattr(self, name) for name in names}, WHAT)


DEFAULTS = AnnotateOptions()


def read_options(given: Mapping[str, Any]) -> AnnotateOptions:
    """Options from a plain mapping, such as a recipe's.

    Raises:
        UserError: An unknown key, or a value that is not allowed: names the key and what is.
    """
    from degrade.configs import validated

    options = validated(AnnotateOptions, given, WHAT)
    options.endpoint()  # their ranges are said once, where they are used
    options.limits()
    return options
