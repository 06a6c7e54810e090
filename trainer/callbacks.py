"""What happens beside training: the log, the bar, and looks at what the model says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from degrade import images
from degrade.runs import Progress, write_atomic
from trainer import answers, hf, reports


class Log:
    """``log.jsonl``: one line per report, each with its ``step``; and what people see of it.

    Args:
        path: The file.
        note: Told the figures of each report in a line.

    Attributes:
        progress: Told how many steps are done of how many.
    """

    def __init__(self, path: Path, note: Callable[[str], None] = lambda text: None) -> None:
        self._path, self._note = path, note
        self.progress: Progress | None = None

    def write(self, step: int, figures: Mapping[str, Any]) -> None:
        """Add a line."""
        if hf.main_process():
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **figures}) + "\n")
            if told := reports.figures_line(figures):
                self._note(f"step {step}: {told}")

    def since(self, step: int) -> None:
        """Forget what a run wrote after the checkpoint from which this one goes on."""
        if not hf.main_process() or not self._path.exists():
            return
        lines = self._path.read_text("utf-8").splitlines()
        kept = []
        for text in lines:
            try:
                known = json.loads(text)["step"] <= step
            except ValueError:  # the line at which it was killed
                continue
            if known:
                kept.append(text + "\n")
        write_atomic(self._path, "".join(kept).encode())

    def callback(self) -> Any:
        """For a Trainer."""
        log = self

        def begin(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
            log.since(state.global_step)
            log.report(state)

        def step(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
            log.report(state)

        def write(self: Any, args: Any, state: Any, control: Any, logs: Any, **rest: Any) -> None:
            log.write(state.global_step, logs)

        return _callback("Log", on_train_begin=begin, on_step_end=step, on_log=write)

    def report(self, state: Any) -> None:
        """Move the bar."""
        if self.progress:
            self.progress(state.global_step, state.max_steps)


class Look:
    """Has the model answer the same few rows every so often, greedily, and logs how it did.

    Args:
        processor: Of the model.
        rows: Of the data set.
        asked: Their prompts and pictures.
        max_new_tokens: Of an answer.
        every: Steps.
        log: To write to, as ``look/format``, ``look/answer`` ...
        target: What is asked for.
    """

    def __init__(
        self,
        processor: Any,
        rows: Sequence[Mapping[str, Any]],
        asked: Sequence[tuple[str, images.Pixels]],
        max_new_tokens: int,
        every: int,
        log: Log,
        target: str = "chain",
    ) -> None:
        self._processor, self._rows, self._asked = processor, rows, asked
        self._max, self._every, self._log = max_new_tokens, every, log
        self._target = target

    def look(self, model: Any, step: int) -> dict[str, float]:
        """Answer, and log the scores."""
        said = answers.generate(model, self._processor, self._asked, self._max)
        found = answers.scores(said, self._rows, self._target)
        self._log.write(step, {f"look/{name}": round(value, 4) for name, value in found.items()})
        return found

    def callback(self) -> Any:
        """For a Trainer whose process has all of the weights."""
        looker = self

        def step(self: Any, args: Any, state: Any, control: Any, model: Any, **rest: Any) -> None:
            due = state.global_step % looker._every == 0
            if due and hf.main_process():
                looker.look(getattr(model, "module", model), state.global_step)

        return _callback("Look", on_step_end=step)


def _callback(name: str, **methods: Any) -> Any:
    """A TrainerCallback, whose class is only known once transformers is loaded."""
    base = hf.module("transformers").TrainerCallback
    return type(name, (base,), methods)()
