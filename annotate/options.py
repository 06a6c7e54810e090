"""All options of ``degrade-cli annotate`` as data, with their defaults. No heavy imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from degrade.chat_options import EndpointOptions
from degrade.configs import validated

Structured = Literal["schema", "text", "slots"]
"""``schema``: structured outputs. ``text``: plain answers, for models without them. ``slots``: the
model chooses among phrases of the offline grammar; what a tiny model can do."""

Stages = Literal["staged", "combined"]
"""``staged``: a request per part, each shown what its part may know. ``combined``: one for all."""


class AnnotateOptions(EndpointOptions):
    """How chains are written: of each option, the command line's name, type and default.

    What an endpoint needs is in :class:`degrade.chat_options.EndpointOptions`.

    Attributes:
        writer: ``offline``: a grammar; ``llm``: a model. What belongs to the other is refused.
        seed: Root of the offline writer's choices of words.
        model: The provider's name of the model.
        stages: See :data:`Stages`; ``combined`` needs ``reveal_answer``.
        structured: See :data:`Structured`.
        pictures: Send pictures to the model.
        reveal_answer: Tell the answer to the reasoning.
        attempts: Tries per row until the checks pass.
        temperature: 0 to 2; ``None`` leaves it to the provider.
        judge: Model that fills ``answerable``; none where empty.
    """

    what: ClassVar[str] = "the options of annotate"

    writer: Literal["offline", "llm"] = "offline"
    seed: int = 0
    model: str = ""
    stages: Stages = "staged"
    structured: Structured = "schema"
    pictures: bool = True
    reveal_answer: bool = False
    attempts: Annotated[int, Field(ge=1)] = 3
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    judge: str = ""

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


DEFAULTS = AnnotateOptions()


def read_options(given: Mapping[str, Any]) -> AnnotateOptions:
    """Options from a plain mapping, such as a recipe's.

    Raises:
        UserError: An unknown key, or a value that is not allowed: names the key and what is.
    """
    options = validated(AnnotateOptions, given, AnnotateOptions.what)
    options.endpoint()  # their ranges are said once, where they are used
    options.limits()
    return options
