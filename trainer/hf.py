"""The one gateway to the Hugging Face stack: loaded when first used, told to stay quiet."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any

from degrade.errors import UserError, unknown

_PATIENCE = timedelta(hours=6)
"""The others wait while the first looks at all rows; NCCL would give up after ten minutes."""

INSTALL = "Training needs {name}. Install it: pip install 'degrade[train]'"


def module(name: str) -> Any:
    """A module of transformers, trl, peft, accelerate or datasets.

    Telemetry is off: TRL would report every run to its makers. Set HF_HUB_DISABLE_TELEMETRY=0 to
    have it on.

    Raises:
        UserError: It is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Threads of one torch operator spin while they wait; beside any other busy process that costs
    # a factor of twenty on a CPU.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        # Transformers imports its models lazily and what they lack turns up here as well.
        raise UserError(INSTALL.format(name=error.name or name)) from None


def quiet() -> None:
    """No bars of libraries in between ours, and warnings only where something is wrong."""
    logging = module("transformers").utils.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    module("datasets").disable_progress_bars()
    # Names that transformers gave up and that TRL and peft of the supported releases still use.
    for name in ("gradient_checkpointing", "is_gradient_checkpointing"):
        warnings.filterwarnings("ignore", f"`{name}` is deprecated", FutureWarning)


def main_process() -> bool:
    """Whether this is the one process, or the first of those that a launcher started."""
    return int(os.environ.get("RANK", "0")) == 0


def half_on_gpu() -> bool:
    """Whether there is a GPU that computes in bfloat16."""
    return bool(module("transformers.utils").is_torch_bf16_gpu_available())


def deepspeed() -> bool:
    """Whether `accelerate launch` set up DeepSpeed."""
    return os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"


def sharded() -> bool:
    """Whether no process has all of the weights."""
    return deepspeed() or os.environ.get("ACCELERATE_USE_FSDP") == "true"


def wait(cpu: bool) -> None:
    """Until all processes of the launcher are here; at once where there is one.

    Args:
        cpu: The run does without the GPUs that may be there; they would be set up otherwise.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        state = module("accelerate").PartialState(
            cpu=cpu or not module("torch").cuda.is_available(), timeout=_PATIENCE
        )
        state.wait_for_everyone()


def arguments(kind: Any, given: dict[str, Any]) -> Any:
    """A configuration of TRL from keywords.

    Raises:
        UserError: One of them does not exist in the installed release, or does not fit.
    """
    known = inspect.signature(kind).parameters
    for name in given:
        if name not in known:
            raise unknown(f"key of {kind.__name__} in extra", name, known)
    try:
        return kind(**given)
    except (ValueError, TypeError) as error:
        raise UserError(f"{kind.__name__} refuses the configuration: {error}") from None


@contextmanager
def refusals(kind: str, extra: Mapping[str, Any]) -> Iterator[None]:
    """Tell what TRL finds wrong with ``extra`` only once it has the model and the rows.

    Raises:
        UserError: TRL raised, and there is something in ``extra``.
    """
    try:
        yield
    except UserError:
        raise
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        if not extra:
            raise
        raise UserError(f"With {kind}.extra TRL does not start: {error}") from error
