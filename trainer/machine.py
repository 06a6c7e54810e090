"""What a run needs of the machine, looked at before its rows are."""

from __future__ import annotations

from importlib.util import find_spec

from degrade.errors import UserError
from trainer import hf
from trainer.config import Config


def has_device(config: Config) -> None:
    """Raise :class:`UserError` where there is no device that computes as the configuration says."""
    half = config.model.dtype == "bfloat16"
    if config.machine.device == "auto" and half and not hf.half_on_gpu():
        raise UserError(
            "There is no GPU that computes in bfloat16: set machine.device to cpu, or model.dtype "
            "to float32."
        )


def has_trackers(config: Config) -> None:
    """Raise :class:`UserError` where a tracker is not installed."""
    for name in config.watch.trackers:  # named as their packages are
        if find_spec(name) is None:
            raise UserError(
                f"The tracker {name} is not installed: pip install {name}, or take it out of "
                "watch.trackers."
            )
