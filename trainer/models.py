"""Models and processors as training needs them: what is frozen, which side is padded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from degrade.errors import UserError
from trainer import hf
from trainer.config import Lora, ModelConfig

_VISION = ("visual", "vision_tower", "vision_model")
_PROJECTOR = ("merger", "multi_modal_projector", "projector", "connector", "embed_vision")
_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def without_torchvision(family: str) -> Any:
    """The processor class of a model family without its video part, which alone needs torchvision.

    Args:
        family: ``qwen2_5_vl``, ``qwen2_vl`` or ``qwen3_vl``.

    Raises:
        UserError: Another family.
    """
    names = {
        "qwen2_vl": "Qwen2VLProcessor",
        "qwen2_5_vl": "Qwen2_5_VLProcessor",
        "qwen3_vl": "Qwen3VLProcessor",
    }
    if family not in names:
        raise UserError(
            f"The processor of {family} needs torchvision, which must fit the installed torch: "
            "pip install torchvision. Without it: " + ", ".join(names) + "."
        )
    base = getattr(hf.module(f"transformers.models.{family}.processing_{family}"), names[family])
    mixin = hf.module("transformers.processing_utils").ProcessorMixin

    # Transformers reads from the signature which parts a processor has.
    def initialize(
        self: Any,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        **options: Any,
    ) -> None:
        for what in ("image", "video"):
            token = f"<|{what}_pad|>"
            setattr(self, f"{what}_token", token)
            setattr(self, f"{what}_token_id", tokenizer.convert_tokens_to_ids(token))
        for what in ("vision_start", "vision_end"):
            token = f"<|{what}|>"
            setattr(self, f"{what}_token", token)
            setattr(self, f"{what}_token_id", tokenizer.convert_tokens_to_ids(token))
        mixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    # The same name, so that what is saved loads as the stock class where torchvision is there.
    return type(names[family], (base,), {"__init__": initialize, "__module__": base.__module__})


def of_run(path: str) -> str:
    """The model of a training run: that of RL, else that of SFT. Other paths and names as they are.

    Args:
        path: Folder of a run or of a model, or a name on the Hub.

    Raises:
        UserError: It is the folder of a run that has made no model yet.
    """
    stages = [Path(path) / kind for kind in ("rl", "sft")]
    models = [str(stage / "model") for stage in stages if (stage / "model").is_dir()]
    if not models and any(map(Path.is_dir, stages)):
        raise UserError(f"{path} is a training run that has made no model yet: let it finish.")
    return models[0] if models else path


def load_processor(path: str, config: ModelConfig | None = None) -> Any:
    """The processor of a model, padding on the left; without torchvision where that is missing.

    TRL's GRPO pads prompts on the left whatever the tokenizer says but lays out the marks of the
    picture's tokens on the tokenizer's side: on the right they would not match, silently.

    Args:
        path: Name on the Hub, or a folder.
        config: For its revision and limits of pixels.

    Raises:
        UserError: There is none, or it needs what is not installed.
    """
    transformers = hf.module("transformers")
    options = _revision(path, config) if config else {}
    try:
        processor = transformers.AutoProcessor.from_pretrained(path, **options)
    except (OSError, AttributeError, ImportError, ValueError) as error:
        # AttributeError and OSError are what a missing torchvision looks like here.
        family = _family(path, options, error)
        processor = without_torchvision(family).from_pretrained(path, **options)
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise UserError(f"{path} has no processor for pictures: give a vision-language model.")
    processor.tokenizer.padding_side = "left"
    if config:
        _limit_pixels(processor.image_processor, config)
    return processor


def _family(path: str, options: dict[str, str], error: Exception) -> str:
    transformers = hf.module("transformers")
    try:
        return str(transformers.AutoConfig.from_pretrained(path, **options).model_type)
    except (OSError, ValueError):
        raise UserError(
            f"Cannot load the processor of {path}: {str(error).rstrip('.')}. Give a folder, or a "
            "name on the Hub; offline it must have been downloaded before."
        ) from None


def _limit_pixels(image_processor: Any, config: ModelConfig) -> None:
    limits = {"shortest_edge": config.min_pixels, "longest_edge": config.max_pixels}
    given = {key: value for key, value in limits.items() if value is not None}
    if not given:
        return
    size = dict(image_processor.size)
    if not {"shortest_edge", "longest_edge"} <= {k for k, v in size.items() if v is not None}:
        raise UserError(
            f"min_pixels and max_pixels are for processors that keep the aspect ratio, this one "
            f"resizes to {size}: leave them out."
        )
    image_processor.size = type(image_processor.size)(**{**size, **given})


def load_config(path: str, config: ModelConfig) -> Any:
    """The configuration of a model.

    Raises:
        UserError: There is none.
    """
    try:
        return hf.module("transformers").AutoConfig.from_pretrained(path, **_revision(path, config))
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot load the configuration of {path}: {error}") from None


def load_model(path: str, config: ModelConfig, train: bool = False) -> Any:
    """The model with its frozen parts frozen.

    Args:
        path: Name on the Hub, or a folder.
        config: How.
        train: Keep the weights so that small updates are not lost: a step of 1e-6 is below half a
            unit of bfloat16 in most weights, and rounds to nothing. All weights are then float32
            and computing is in ``dtype``, but for adapters, which are float32 beside weights in
            ``dtype``, and DeepSpeed, which has a float32 copy of its own.

    Raises:
        UserError: There is none, or it is not of a kind that answers about pictures.
    """
    transformers = hf.module("transformers")
    whole = train and not config.lora and not hf.deepspeed()
    options: dict[str, Any] = {
        "dtype": "float32" if whole else config.dtype,
        "attn_implementation": config.attention,
        **_revision(path, config),
    }
    broken = hf.module("safetensors").SafetensorError  # a file that is cut off
    try:
        model = transformers.AutoModelForImageTextToText.from_pretrained(path, **options)
    except (OSError, ValueError, ImportError, RuntimeError, broken) as error:
        flash = config.attention == "flash_attention_2"
        remedy = " Install flash-attn, or set model.attention to sdpa." if flash else ""
        raise UserError(f"Cannot load the model {path}: {error}{remedy}") from None
    freeze(model, config.freeze)
    return model


def _revision(path: str, config: ModelConfig) -> dict[str, str]:
    return {"revision": config.revision} if config.revision and not Path(path).is_dir() else {}


def merge(base: str, adapter: Path, folder: Path, config: ModelConfig) -> None:
    """Write the base model with its adapter worked into the weights."""
    peft = hf.module("peft")
    model = peft.PeftModel.from_pretrained(load_model(base, config), str(adapter))
    model.merge_and_unload().save_pretrained(str(folder))


def freeze(model: Any, parts: tuple[str, ...]) -> None:
    """Exclude parts from training.

    Args:
        model: Of transformers.
        parts: ``vision`` (the tower without the projector), ``projector``.

    Raises:
        UserError: The model has no such part, by any known name.
    """
    for part in parts:
        names = [n for n, _ in model.named_parameters() if part_of(n) == part]
        if not names:
            raise UserError(
                f"The model {type(model).__name__} has no part known as {part}: leave it out of "
                "model.freeze."
            )
        for name in names:
            model.get_parameter(name).requires_grad_(False)


def part_of(name: str) -> str:
    """Which part of a model a parameter belongs to: ``vision``, ``projector`` or ``language``."""
    steps = name.split(".")
    if any(step in _PROJECTOR or step.endswith("merger_list") for step in steps):
        return "projector"
    return "vision" if any(step in _VISION for step in steps) else "language"


def adapters(lora: Lora) -> Any:
    """The configuration of peft for adapters on the language model.

    Qwen's vision tower names its layers as the language model does; a list of names alone would
    put adapters there too.
    """
    peft = hf.module("peft")
    return peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(_LINEAR),
        exclude_modules=rf".*\b({'|'.join((*_VISION, *_PROJECTOR))})\b.*",
        task_type="CAUSAL_LM",
    )


def trainable(model: Any) -> dict[str, dict[str, int]]:
    """Part -> ``parameters`` and how many are ``trained``; adapters count with what they adapt.

    Raises:
        UserError: Nothing would be trained.
    """
    counts = {part: {"parameters": 0, "trained": 0} for part in ("vision", "projector", "language")}
    for name, parameter in model.named_parameters():
        number = int(getattr(parameter, "ds_numel", parameter.numel()))  # ZeRO-3 parts them out
        found = counts[part_of(name)]
        found["parameters"] += number
        found["trained"] += number * parameter.requires_grad
    if not any(c["trained"] for c in counts.values()):
        raise UserError("Everything is frozen: nothing would be trained.")
    return counts
