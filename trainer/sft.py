"""Supervised fine-tuning on chains, with TRL's SFTTrainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer import hf
from trainer.checkpoints import CheckpointMixin
from trainer.config import Config
from trainer.stage import Parts, Stage


def stage(config: Config, out: Path, **shown: Any) -> Stage:
    """The stage, ready to run.

    Args:
        config: Of the run.
        out: The run's folder.
        shown: ``say`` and ``bars`` of :class:`trainer.stage.Stage`.

    Raises:
        UserError: The extra ``train`` is not installed.
    """
    trl = hf.module("trl")

    def make(parts: Parts) -> Any:
        given: dict[str, Any] = {
            **parts.arguments,
            "max_length": None,  # it would cut pictures' tokens; too long rows are refused before
            "completion_only_loss": True,
        }
        return trainer_class(config)(
            model=parts.model,
            processing_class=parts.processor,
            train_dataset=parts.rows,
            args=hf.arguments(trl.SFTConfig, given),
            peft_config=parts.lora,
            callbacks=parts.callbacks,
        )

    return Stage(config, "sft", out, make, **shown)


def trainer_class(config: Config) -> Any:
    """TRL's trainer with checkpoints that load, and rows in order where there is a curriculum."""
    torch_data = hf.module("torch.utils.data")

    def sampler(self: Any, train_dataset: Any = None) -> Any:
        return torch_data.SequentialSampler(train_dataset or self.train_dataset)

    members = {"_get_train_sampler": sampler} if config.sft.curriculum else {}
    return type("SFTTrainer", (CheckpointMixin, hf.module("trl").SFTTrainer), members)
