"""Checkpoints that are whole or do not count, and whose weights are really loaded.

A checkpoint counts once its marker is there, which lists every file with its size and is written
last; older ones go only after that. What a kill or a full disk leaves behind is swept away.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from degrade.errors import StoppedError, UserError
from degrade.runs import pretty, read_json, write_atomic

MARKER = "complete.json"
_NAME = re.compile(r"checkpoint-(\d+)")


def step_of(folder: Path) -> int:
    """The optimizer step of a checkpoint."""
    match = _NAME.fullmatch(folder.name)
    if not match:
        raise UserError(f"{folder} is no checkpoint: its name must be checkpoint-<step>.")
    return int(match[1])


def mark(folder: Path) -> None:
    """Declare a checkpoint complete: from now on it counts, also after a crash of the machine."""
    sizes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MARKER:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            sizes[str(path.relative_to(folder))] = path.stat().st_size
    write_atomic(folder / MARKER, pretty({"files": sizes}), durable=True)


def is_complete(folder: Path) -> bool:
    """Whether a checkpoint is marked and all its files are as they were then."""
    if not (folder / MARKER).is_file():
        return False
    sizes = read_json(folder / MARKER).get("files", {})
    paths = {folder / name: size for name, size in sizes.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def found(folder: Path) -> list[Path]:
    """All checkpoints, complete or not, in order of their steps."""
    paths = [p for p in folder.glob("checkpoint-*") if p.is_dir() and _NAME.fullmatch(p.name)]
    return sorted(paths, key=step_of)


def latest(folder: Path) -> Path | None:
    """The last complete checkpoint; incomplete ones are removed."""
    complete = None
    for path in found(folder):
        if is_complete(path):
            complete = path
        else:
            shutil.rmtree(path)
    return complete


def rotate(folder: Path, keep: int) -> None:
    """Remove all but the last complete checkpoints."""
    complete = [path for path in found(folder) if is_complete(path)]
    for path in complete[:-keep]:
        (path / MARKER).unlink()  # first, so that a kill in between leaves nothing half there
        shutil.rmtree(path)


def room(path: Path) -> str:
    """How much the disk of a path has left: errors of libraries do not say that it is full."""
    there = next(p for p in (path, *path.parents) if p.exists())
    return f"{shutil.disk_usage(there).free / 2**20:,.0f} MiB free"


def is_last(folder: Path) -> bool:
    """Whether a checkpoint is that of the last step."""
    state = read_json(folder / "trainer_state.json")
    return int(state["global_step"]) >= int(state["max_steps"])


def export(folder: Path, out: Path) -> None:
    """Copy model and processor of a checkpoint, without what only training needs."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for path in folder.iterdir():
        kept = path.suffix in (".safetensors", ".json", ".jinja", ".txt", ".model")
        if path.is_file() and kept and path.name not in (MARKER, "trainer_state.json"):
            shutil.copy(path, out / path.name)


class CheckpointMixin:
    """Goes before a Trainer of transformers; ``keep`` is the number of checkpoints to keep."""

    keep = 2

    def create_model_card(self, *args: Any, **options: Any) -> None:
        """TRL's own card is not written; the model gets one of ours at the end."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        me: Any = self
        folder = Path(me.args.output_dir) / f"checkpoint-{me.state.global_step}"
        try:
            if me.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            me.accelerator.wait_for_everyone()
            if me.args.should_save:
                mark(folder)
                rotate(folder.parent, self.keep)
        except Exception as error:  # safetensors, torch and the system each have their own
            if me.args.should_save:
                shutil.rmtree(folder, ignore_errors=True)
            left = latest(folder.parent)
            kept = f"{left.name} is complete" if left else "there is none before it"
            raise StoppedError(
                f"Stopped: the checkpoint of step {me.state.global_step} could not be written "
                f"({error}; {room(folder)}); {kept}. Mend that and give the same command to go on."
            ) from error

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load the weights.

        Trainer loads the file's names into the model as they are, not strictly; those of
        vision-language models differ from the model's own, and nothing would be loaded.
        """
        me: Any = self
        folder = Path(resume_from_checkpoint)
        adapter = (folder / "adapter_config.json").is_file()
        if adapter or me.is_fsdp_enabled or me.is_deepspeed_enabled:
            # Adapters keep their names; sharded runs load their own files, by their own names.
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
            return
        base = me.accelerator.unwrap_model(model or me.model)
        saved = type(base).from_pretrained(str(folder), dtype=base.dtype)
        base.load_state_dict(saved.state_dict(), strict=True)
