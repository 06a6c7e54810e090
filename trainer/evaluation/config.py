"""All options of ``degrade-cli evaluate`` as data, with their defaults. No heavy imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from degrade.chat_options import EndpointOptions
from degrade.configs import validated
from degrade.schema import Task
from trainer.evaluation.records import Control

_LOCAL = ("revision", "dtype", "device", "batch", "max_pixels")
_REMOTE = ("temperature", "extra")


class EvaluateOptions(EndpointOptions):
    """How a model is examined; what an endpoint needs is in ``EndpointOptions``.

    Attributes:
        model: A folder, of a model or a training run, or a name on the Hub; of an endpoint the
            provider's name.
        remote: Ask an endpoint.
        splits, tasks, limit: Which rows, see :meth:`trainer.evaluation.items.Benchmark.items`.
        prompt: Style of the prompt, or a YAML file.
        controls: Controls beside the picture as it is.
        circular: Multiple choice is right only if right with the options in every rotation.
        max_tokens: Longer answers are cut off.
        temperature: Of an endpoint; None leaves it to the provider. Local models decode greedily.
        extra: Further fields of the body of requests.
        revision: Of a model on the Hub.
        dtype: Of a local model's weights; ``auto``: bfloat16 on CUDA, else float32.
        device: Of a local model.
        batch: Questions at a time for a local model.
        max_pixels: A local model's pictures are reduced to this many.
        judge: Model at an endpoint that judges free answers and captions; empty: none.
        judge_base_url, judge_key_env: Of the judge, as ``base_url`` and ``key_env``.
        ratings: How often the judge rates one answer; R-Bench takes five.
        mcq: Who reads multiple-choice answers: stated rules, or the judge.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    what: ClassVar[str] = "the options of evaluate"

    model: str = ""
    remote: bool = False
    splits: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    limit: Annotated[int, Field(ge=1)] | None = None
    prompt: str = "plain"
    controls: tuple[Control, ...] = ()
    circular: bool = False
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    revision: str | None = None
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    device: str = "auto"
    batch: Annotated[int, Field(ge=1)] = 8
    max_pixels: Annotated[int, Field(ge=1)] | None = None
    judge: str = ""
    judge_base_url: str | None = None
    judge_key_env: str = "OPENAI_API_KEY"
    ratings: Annotated[int, Field(ge=1)] = 1
    mcq: Literal["rules", "judge"] = "rules"
    resamples: Annotated[int, Field(ge=100)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        # Nothing that was asked for is left aside in silence.
        if self.remote and not self.model:
            raise ValueError("an endpoint is to be asked: give 'model', the provider's name of one")
        if not self.model and (wrong := self._changed(("max_tokens", *_LOCAL))):
            raise ValueError(f"only where a model is asked is there {wrong}")
        if self.remote and (wrong := self._changed(_LOCAL)):
            raise ValueError(f"only a local model takes {wrong}")
        if not self.remote and (wrong := self._changed(_REMOTE)):
            raise ValueError(f"only an endpoint takes {wrong}: local models decode greedily")
        if not self.remote and (wrong := self._changed(("base_url", "journal", "batch_api"))):
            raise ValueError(f"only an endpoint takes {wrong}")
        if not self.judge and (
            wrong := self._changed(("judge_base_url", "judge_key_env", "ratings", "mcq"))
        ):
            raise ValueError(f"only with 'judge', the name of a model, is there {wrong}")
        return self

    def _changed(self, names: tuple[str, ...]) -> str:
        fields = type(self).model_fields
        changed = [
            n
            for n in names
            if getattr(self, n)
            != fields[n].get_default(call_default_factory=True, validated_data={})
        ]
        return ", ".join(map(repr, changed))

    @property
    def all_controls(self) -> tuple[Control, ...]:
        """The picture as it is, and the controls, each once."""
        return tuple(dict.fromkeys(("none", *self.controls)))

    @property
    def judge_options(self) -> EndpointOptions:
        """The judge's endpoint, under the limits of the model's."""
        shared = ("max_tokens_field", "concurrency", "requests_per_minute", "tokens_per_minute")
        return EndpointOptions(
            base_url=self.judge_base_url,
            key_env=self.judge_key_env,
            prices=self.prices,
            max_cost=self.max_cost,
            **{name: getattr(self, name) for name in shared},
        )


DEFAULTS = EvaluateOptions()


def read_options(given: Mapping[str, Any]) -> EvaluateOptions:
    """Options from a plain mapping.

    Raises:
        UserError: An unknown key, or a value that is not allowed: names the key and what is.
    """
    options = validated(EvaluateOptions, given, EvaluateOptions.what)
    for part in (options, options.judge_options):
        part.endpoint()  # their ranges are said once, where they are used
        part.limits()
    return options
