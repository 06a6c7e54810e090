"""What a training run is: a YAML file, or a preset of ``trainer/configs``. Pydantic, no torch."""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from degrade import configs
from degrade.configs import validated
from degrade.errors import UserError, unknown
from degrade.schema import Record
from trainer.owned import OWNED
from trainer.rewards import REWARDS

_PRESETS = resources.files("trainer") / "configs"

_WEIGHTS = dict.fromkeys(("format", "answer", "degradation", "length"), 1.0)
_OF_CLEAN = ("format", "answer", "r1_format", "r1_accuracy")
"""Rewards that ask of an answer about the clean picture what they ask about the degraded one."""

TINY = "tiny"
"""Path of the model that is made on the spot, with random weights, for trials on a CPU."""

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Part = Literal["vision", "projector"]
Tracker = Literal["tensorboard", "wandb", "mlflow", "trackio", "comet_ml", "swanlab"]


class Lora(Record):
    """Low-rank adapters on all linear layers of the language model; never on the vision tower.

    Attributes:
        rank: Of the update.
        alpha: The update is scaled by alpha / rank.
        dropout: On the adapters' input.
    """

    rank: Positive = 16
    alpha: Positive = 32
    dropout: Share = 0.0


class ModelConfig(Record):
    """The model to start from.

    Attributes:
        path: Name on the Hub, a folder, or ``tiny``.
        revision: Of the Hub.
        dtype: Of the weights; training computes in it.
        attention: Implementation in transformers.
        min_pixels: Smaller pictures are enlarged to this number of pixels; empty: as the model's
            own processor does.
        max_pixels: Larger ones are reduced to this, here and nowhere else. Reducing hides
            degradations.
        freeze: Parts that stay as they are. Robust-R1 trains the language model alone.
        lora: Train adapters instead of the weights.
    """

    path: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    attention: Literal["sdpa", "flash_attention_2", "eager"] = "sdpa"
    min_pixels: Positive | None = None
    max_pixels: Positive | None = None
    freeze: tuple[Part, ...] = ("vision", "projector")
    lora: Lora | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.lora and set(self.freeze) != {"vision", "projector"}:
            raise ValueError(
                "lora puts adapters on the language model alone: freeze [vision, projector], or "
                "leave lora out"
            )
        if self.attention == "flash_attention_2" and self.dtype == "float32":
            raise ValueError("flash_attention_2 needs dtype bfloat16; or use attention sdpa")
        if self.min_pixels and self.max_pixels and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}")
        return self


class DataConfig(Record):
    """The rows to train on.

    Attributes:
        path: A folder that ``degrade-cli build`` wrote, here or as the URL of one on a store, or a
            name on the Hub.
        revision: Of the Hub.
        split: To train on.
        watch_split: Its rows are answered during training where ``watch.answer_every`` is above 0.
        picture: ``stored``, the degraded picture of the file; ``replayed``, the same made from the
            clean one by the row's record, each time it is read; ``clean``, the clean one.
        target: What is learnt and asked for: the whole ``chain``, or the ``answer`` alone.
        limit: Only the first so many rows of the split and use.
        refused: What to do about rows that cannot be trained on: ``stop`` before training, or
            ``drop`` them. Either way they are listed.
    """

    path: str = ""
    revision: str | None = None
    split: str = "train"
    watch_split: str = "validation"
    picture: Literal["stored", "replayed", "clean"] = "stored"
    target: Literal["chain", "answer"] = "chain"
    limit: Positive | None = None
    refused: Literal["stop", "drop"] = "stop"


class Stage(Record):
    """What both kinds of training share.

    Attributes:
        use: The rows of this ``use``; empty for all of the split.
        epochs: Passes over the rows.
        steps: Instead of epochs: optimizer steps.
        batch: Sequences per device and pass.
        accumulation: Passes per optimizer step.
        learning_rate: At its highest.
        schedule: How it falls.
        warmup: Share of the steps in which it rises.
        weight_decay: Of AdamW.
        checkpointing: Recompute activations instead of keeping them (less memory, more time).
        curriculum: ``intensity``: rows in the order of their summed intensity, mild ones first;
            by default they are shuffled.
        extra: Further arguments of TRL's SFTConfig or GRPOConfig, for what has no name here.
    """

    use: str
    epochs: Annotated[float, Field(gt=0)] = 1.0
    steps: Positive | None = None
    batch: Positive = 1
    accumulation: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # 1 would be one step to transformers
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    checkpointing: bool = True
    curriculum: Literal["intensity"] | None = None
    extra: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("extra")
    @classmethod
    def _free(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if taken := OWNED.keys() & extra:
            name = min(taken)
            raise ValueError(f"{name} cannot be set through extra: {OWNED[name]}")
        return extra


class Sft(Stage):
    """Supervised fine-tuning on chains.

    Attributes:
        max_tokens: Rows longer than this, prompt and chain together, are refused; never cut.
    """

    use: str = "sft"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    max_tokens: Positive | None = None


class Vllm(Record):
    """Generate with vLLM. Experimental: checked at the start, refused where its prompts differ.

    Attributes:
        mode: In this process, or a server started with ``trl vllm-serve``.
        memory: Share of the GPU's memory for a model in this process.
        url: Of the server.
    """

    mode: Literal["colocate", "server"] = "colocate"
    memory: Annotated[float, Field(gt=0, lt=1)] = 0.3
    url: str | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.mode == "server") != (self.url is not None):
            raise ValueError("url belongs to mode server, and only there")
        return self


class Rl(Stage):
    """Group-relative policy optimization (GRPO) with rewards.

    Attributes:
        start: ``sft``: go on from what ``train sft`` made in the same folder; ``model``: from the
            model as it is.
        group: Answers per question, whose rewards are compared.
        beta: Weight of the KL divergence from the model at the start.
        epsilon: Clipping range of the probability ratio.
        temperature: Of sampling.
        max_new_tokens: Longer answers are cut off, and worth nothing for their format.
        max_prompt_tokens: Rows with longer prompts are refused; none are cut.
        rewards: Name -> weight; see ``trainer.rewards``. With weight 0 one is logged alone.
        vllm: Generate with vLLM.
        consistency: Weight of the divergence between the probabilities of REASONING, CONCLUSION and
            ANSWER given the clean and the degraded picture. Above 0, answers are sampled from the
            clean picture and rewarded as such, and the degraded one is shown beside the same answer
            (ROMA, arXiv 2605.09262).
    """

    use: str = "rl"
    batch: Positive = 8
    learning_rate: Annotated[float, Field(gt=0)] = 1e-6
    start: Literal["sft", "model"] = "sft"
    group: Annotated[int, Field(ge=2)] = 8
    beta: Annotated[float, Field(ge=0)] = 0.04
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.2
    temperature: Annotated[float, Field(gt=0)] = 1.0
    max_new_tokens: Positive = 1024
    max_prompt_tokens: Positive | None = None
    rewards: dict[str, Annotated[float, Field(ge=0)]] = _WEIGHTS
    vllm: Vllm | None = None
    consistency: Annotated[float, Field(ge=0)] = 0.0

    @field_validator("rewards")
    @classmethod
    def _known(cls, rewards: dict[str, float]) -> dict[str, float]:
        for name in rewards:
            if name not in REWARDS:
                raise ValueError(str(unknown("reward", name, REWARDS)))
        if not any(rewards.values()):
            raise ValueError("give at least one reward a weight above 0")
        return rewards

    @model_validator(mode="after")
    def _about_the_clean_picture(self) -> Self:
        other = [n for n, weight in self.rewards.items() if weight and n not in _OF_CLEAN]
        if self.consistency and other:
            raise ValueError(
                "with consistency answers are about the clean picture, which has no degradations "
                f"to name and no damage to follow: set the weight of {', '.join(other)} in rewards "
                "to 0, or consistency to 0"
            )
        return self

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.batch * self.accumulation % self.group:
            raise ValueError(
                f"batch x accumulation is {self.batch * self.accumulation} answers, no multiple of "
                f"group {self.group}: a group would be torn apart"
            )
        return self


class Machine(Record):
    """Where and how it runs.

    Attributes:
        device: ``auto`` takes the GPUs there are, ``cpu`` none.
        threads: Of torch on the CPU; empty: torch's choice.
        workers: Processes that read pictures.
    """

    device: Literal["auto", "cpu"] = "auto"
    threads: Positive | None = None
    workers: Annotated[int, Field(ge=0)] = 0


class Watch(Record):
    """What is kept and shown during training.

    Attributes:
        log_every: Steps between lines of ``log.jsonl``.
        save_every: Steps between checkpoints.
        keep: Complete checkpoints to keep.
        answer_every: Steps between looks at the model's answers; 0 for none.
        rows: How many rows of ``data.watch_split`` that is.
        trackers: Where figures go besides ``log.jsonl``.
    """

    log_every: Positive = 10
    save_every: Positive = 100
    keep: Positive = 2
    answer_every: Annotated[int, Field(ge=0)] = 0
    rows: Positive = 16
    trackers: tuple[Tracker, ...] = ()


class Config(Record):
    """A training run; both stages of it. Unknown keys are refused.

    Attributes:
        name: For listings and cards.
        summary: One sentence.
        seed: Of everything that is drawn.
        model, data, sft, rl, machine, watch: See their types.
    """

    name: str
    summary: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    model: ModelConfig
    data: DataConfig = DataConfig()
    sft: Sft = Sft()
    rl: Rl = Rl()
    machine: Machine = Machine()
    watch: Watch = Watch()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        clean, cpu = self.data.picture == "clean", self.machine.device == "cpu"
        if clean and self.data.target == "chain":
            raise ValueError(
                "data.picture clean has no degradations for a chain to name: set data.target "
                "answer, or data.picture stored or replayed"
            )
        if cpu and self.model.attention == "flash_attention_2":
            raise ValueError("flash_attention_2 needs a GPU: set model.attention sdpa")
        if cpu and self.rl.vllm:
            raise ValueError("vllm needs a GPU: leave rl.vllm out, or set machine.device auto")
        return self

    def for_rl(self) -> Self:
        """The same, where it makes sense for RL.

        Raises:
            UserError: It does not.
        """
        if self.data.target == "answer":
            raise UserError(
                f"In {self.name}: rewards judge chains, data.target is answer: set it to chain."
            )
        return self


def preset_names() -> list[str]:
    """Names of the presets."""
    return configs.preset_names(_PRESETS)


def load(name: str, changes: dict[str, Any] | None = None) -> Config:
    """A configuration by preset name or ``.yaml`` path.

    Args:
        name: Of a preset, or a file.
        changes: Dotted keys -> values that take the place of the file's, ``{"rl.beta": 0}``.

    Raises:
        UserError: Unknown name, unreadable file, unknown or impossible settings.
    """
    data = configs.read_named(name, _PRESETS)
    if data is None:
        raise unknown("configuration", name, [*preset_names(), "<file>.yaml"])
    if any(key.startswith("rl.rewards.") for key in changes or {}):
        data.setdefault("rl", {}).setdefault("rewards", dict(_WEIGHTS))  # one weight of them all
    for key, value in (changes or {}).items():
        *parents, last = key.split(".")
        place = data
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise UserError(f"{key}: {parent} holds a value, not further keys.")
        place[last] = value
    return validated(Config, data, f"configuration {name}")
