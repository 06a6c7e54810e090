"""Reinforcement learning with TRL's GRPOTrainer and the rewards of this package."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from degrade.errors import UserError
from degrade.schema import PARTS, tokens
from trainer import hf, metrics
from trainer.answers import depth
from trainer.checkpoints import CheckpointMixin
from trainer.config import Config, Rl, Vllm
from trainer.rewards import REWARDS, Completion, text_of, well_formed
from trainer.stage import Parts, Stage


def stage(config: Config, out: Path, **shown: Any) -> Stage:
    """The stage, ready to run.

    Args:
        config: Of the run.
        out: The run's folder; where RL starts from SFT it holds that already.
        shown: ``say`` and ``bars`` of :class:`trainer.stage.Stage`.

    Raises:
        UserError: The extra ``train`` is not installed, or the configuration does not suit RL.
    """
    trl = hf.module("trl")
    rl = config.for_rl().rl

    def make(parts: Parts) -> Any:
        if rl.vllm:
            require_vllm()
        names = list(rl.rewards)
        given: dict[str, Any] = {
            **parts.arguments,
            "num_generations": rl.group,
            "beta": rl.beta,
            "epsilon": rl.epsilon,
            "temperature": rl.temperature,
            "max_completion_length": rl.max_new_tokens,
            "reward_weights": [*(rl.rewards[name] for name in names), 0.0],
            "shuffle_dataset": rl.curriculum is None,
            "log_completions": False,
            **_vllm(rl.vllm),
        }
        if config.model.revision:  # the reference model is loaded by name
            given["model_init_kwargs"] = {"revision": config.model.revision}
        trainer = trainer_class(rl)(
            model=parts.model,
            processing_class=parts.processor,
            train_dataset=parts.rows,
            reward_funcs=[*(REWARDS[name] for name in names), reasoning_tokens],
            args=hf.arguments(trl.GRPOConfig, given),
            peft_config=parts.lora,
            callbacks=parts.callbacks,
        )
        if rl.vllm:
            check_vllm(trainer, parts.rows)
        return trainer

    return Stage(config, "rl", out, make, **shown)


# ---------------------------------------------------------------------------------- watching


def reasoning_tokens(
    completions: Sequence[Completion],
    degradations: Sequence[Iterable[Mapping[str, Any]]],
    intensity_sum: Sequence[float],
    log_metric: Callable[[str, float], None] | None = None,
    **columns: Any,
) -> list[float]:
    """Length of the REASONING of each answer; not a reward (its weight is 0), but logged as one.

    Logs besides: ``depth/spearman``, rank correlation of that length with the summed intensity;
    ``types/f1`` of the well-formed chains, and ``types/mae`` of the intensities of true types.
    """
    texts = [text_of(c) for c in completions]
    chains = [well_formed(text) for text in texts]
    if log_metric:
        log_metric("depth/spearman", depth(texts, intensity_sum))
        for name, value in types_found(chains, degradations).items():
            log_metric(f"types/{name}", value)
    return [float(len(tokens(c.reasoning))) if c else 0.0 for c in chains]


def types_found(
    chains: Sequence[Any], truth: Sequence[Iterable[Mapping[str, Any]]]
) -> dict[str, float]:
    """``f1``, micro over types, and ``mae`` of intensity where a true type is named, to be logged.

    Args:
        chains: What was said; None where it is no chain, which names nothing.
        truth: What was applied.

    Returns:
        ``f1`` is 1 where there was nothing to name and nothing was; ``mae`` is missing where no
        true type was named.
    """
    matches = metrics.match(truth, [chain.types if chain else None for chain in chains])
    f1, mae = metrics.micro_f1(matches).value, metrics.intensity_mae(matches).value
    return {"f1": 1.0 if f1 is None else f1} | ({} if mae is None else {"mae": mae})


# --------------------------------------------------------------------------------- the trainer


def trainer_class(rl: Rl) -> Any:
    """TRL's trainer with checkpoints that load, and with the consistency term where it is on."""
    base = hf.module("trl").GRPOTrainer
    members: dict[str, Any] = {"_generate_single_turn": _in_training_precision(base)}
    if rl.consistency:
        members |= _consistent(base, rl.consistency)
    return type("GRPOTrainer", (CheckpointMixin, base), members)


def _in_training_precision(base: Any) -> Any:
    """Answers are sampled in the precision in which the loss is computed."""

    def generate(self: Any, *args: Any, **options: Any) -> Any:
        # Weights are float32 under autocast; without it sampling would be slower and from
        # another distribution, and flash attention would refuse.
        with self.accelerator.autocast() if self.args.bf16 else contextlib.nullcontext():
            return base._generate_single_turn(self, *args, **options)

    return generate


def _consistent(base: Any, weight: float) -> dict[str, Any]:
    """Degraded views of clean trajectories, after ROMA (arXiv 2605.09262).

    Answers are sampled about the clean picture, so that damage cannot poison their rewards. The
    better ones of each group are then shown beside the degraded picture, and the model is pulled
    towards giving them the probability that it gives them beside the clean one: per token
    r - log r - 1 with r = p(degraded) / p(clean), Schulman's estimator of the KL divergence. TYPE
    and INFLUENCE are left out: they would teach to call a degraded picture clean.
    """
    import torch

    def generate(self: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        views = [row["view"] for row in inputs]
        made: dict[str, Any] = base._generate_and_score_completions(
            self, [{k: v for k, v in row.items() if k != "view"} for row in inputs]
        )
        return made | {"views": views}  # shuffled and cut into batches as the other values are

    def loss(self: Any, model: Any, inputs: dict[str, Any]) -> Any:
        whole = base._compute_loss(self, model, inputs)
        pictures = self.processing_class.image_processor(
            images=inputs["views"], return_tensors="pt"
        )
        shared = {
            name: inputs.get(name)
            for name in ("image_grid_thw", "num_images", "mm_token_type_ids", "token_type_ids")
        }
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        length = inputs["completion_ids"].size(1)

        def log_probabilities(pixels: Any) -> Any:
            return self._get_per_token_logps_and_entropies(
                model, ids, mask, length, pixel_values=pixels, **shared
            )[0]

        with torch.no_grad():
            clean = log_probabilities(inputs["pixel_values"])
        pixels = pictures["pixel_values"].to(inputs["pixel_values"])
        gap = log_probabilities(pixels) - clean
        said = inputs["completion_ids"].tolist()
        about = torch.tensor([about_the_scene(row, self.processing_class) for row in said])
        better = (inputs["advantages"] > 0).float().reshape(-1, 1) * inputs["completion_mask"]
        better = better * about.to(better)
        term = ((gap.exp() - gap - 1) * better).sum() / better.sum().clamp(min=1.0)
        shown = self.accelerator.gather(term.detach()).mean().item()
        self._metrics["train" if model.training else "eval"]["consistency"].append(shown)
        return whole + weight * term / self.current_gradient_accumulation_steps

    return {"_generate_and_score_completions": generate, "_compute_loss": loss}


def about_the_scene(ids: Sequence[int], processor: Any) -> list[bool]:
    """Which tokens of an answer come after its TYPE and INFLUENCE blocks; none in what has others.

    Args:
        ids: Of the answer.
        processor: Of the model.
    """
    opening = f"<{PARTS[2]}>"

    def opened(count: int) -> bool:
        return opening in processor.tokenizer.decode(ids[:count])

    first = bisect_left(range(len(ids) + 1), True, key=opened)
    return [position >= first for position in range(len(ids))]


# ---------------------------------------------------------------------------------------- vLLM


def _vllm(vllm: Vllm | None) -> dict[str, Any]:
    if vllm is None:
        return {"use_vllm": False}
    found: dict[str, Any] = {"use_vllm": True, "vllm_mode": vllm.mode}
    if vllm.url:
        return {**found, "vllm_server_base_url": vllm.url}
    return {**found, "vllm_gpu_memory_utilization": vllm.memory}


def require_vllm() -> None:
    """Raise :class:`UserError` where vLLM is missing."""
    from importlib.util import find_spec

    if find_spec("vllm") is None:
        raise UserError(
            "rl.vllm needs vLLM, which pins its own torch and transformers: install it in an "
            "environment of its own with pip install 'degrade[train]' 'vllm==0.31.0' "
            "'transformers==5.17.*', or leave rl.vllm out."
        )


def check_vllm(trainer: Any, rows: Any, count: int = 4) -> None:
    """Have vLLM read some prompts and compare with our own reading of them.

    Releases of TRL hand vLLM prompts whose places for the picture are expanded already; expanded
    twice, they are silently about something else.

    Args:
        trainer: A GRPOTrainer with vLLM.
        rows: To train on.
        count: How many prompts.

    Raises:
        UserError: vLLM reads other tokens than the processor makes.
    """
    first = [rows[i] for i in range(min(count, len(rows)))]
    prompts = [
        [
            {
                "role": "user",
                "content": [
                    {"type": "image", "image": row["image"]},
                    {"type": "text", "text": row["prompt"][0]["content"]},
                ],
            }
        ]
        for row in first
    ]
    ids, images, _ = trainer._tokenize_prompts(prompts)
    read = trainer.vllm_generation.generate(
        prompts=ids, images=images, num_generations=1, profiler=contextlib.nullcontext()
    )[0]
    for row, ours, theirs in zip(first, ids, read, strict=True):
        if list(ours) != list(theirs):
            raise UserError(
                f"vLLM reads another prompt than the processor makes, {len(theirs)} tokens for "
                f"{len(ours)} (row {row['id']}): answers would be about something else. Leave "
                "rl.vllm out."
            )
