"""What SFT and RL share: the run's folder, the way to the trainer, and what is left at the end.

A stage's folder holds ``model/`` (and ``adapter/`` for LoRA), ``checkpoints/``, ``log.jsonl``,
``preflight.json`` and, written last, ``train.json``; rows that were refused are listed beside it.
The same command goes on with an unfinished stage and does nothing to a finished one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from degrade import __version__
from degrade.errors import StoppedError, UserError
from degrade.runs import WORK, Marker, Progress, Run, line, pretty, read_json, write_atomic
from degrade.threads import host_threads
from trainer import checkpoints, data, hf, machine, models, preflight, reports, tiny
from trainer.callbacks import Log, Look
from trainer.card import write_card
from trainer.config import TINY, Config

SUMMARY, LOG, PREFLIGHT = "train.json", "log.jsonl", "preflight.json"
MODEL, ADAPTER, CHECKPOINTS, BASE = "model", "adapter", "checkpoints", "base"
VOCABULARY_ROWS = 2000

Say = Callable[[str], None]

Bars = Callable[[str], AbstractContextManager[Progress | None]]
"""Opens a progress bar for what it is told."""


@dataclass(frozen=True)
class Parts:
    """What a trainer is made of."""

    model: Any
    processor: Any
    rows: Any
    lora: Any
    arguments: dict[str, Any]
    callbacks: list[Any]


@contextmanager
def _written(what: str, where: Path) -> Iterator[None]:
    """Whatever the libraries raise where a disk is full ends as one thing to mend."""
    try:
        yield
    except (UserError, StoppedError):
        raise
    except Exception as error:  # safetensors, torch and the system each have their own
        raise StoppedError(
            f"Stopped: {what} could not be written to {where} ({error}; "
            f"{checkpoints.room(where)}). What is complete is kept; mend that and give the same "
            "command to go on."
        ) from error


class Stage:
    """One stage of a training run.

    Args:
        config: Of the run.
        kind: ``sft`` or ``rl``.
        out: The run's folder; the stage's is in it.
        make: Makes the trainer of TRL from its parts.
        say: Told what is going on, a line at a time.
        bars: Shows progress.
        note: Told the figures of training as they come, a line at a time, beside the bar.
    """

    def __init__(
        self,
        config: Config,
        kind: data.Kind,
        out: Path,
        make: Callable[[Parts], Any],
        say: Say = lambda text: None,
        bars: Bars = lambda what: nullcontext(),
        note: Say = lambda text: None,
    ) -> None:
        self.config, self.kind, self.out, self._make = config, kind, out, make
        self.folder = out / kind
        self.refused = out / f"refused-{kind}.jsonl"
        self.options = config.sft if kind == "sft" else config.rl
        self._say = say if hf.main_process() else lambda text: None
        self._bars = bars if hf.main_process() else lambda what: nullcontext()
        self._note = note

    # ---------------------------------------------------------------------------- the run

    def run(self, overwrite: bool = False, check_only: bool = False) -> dict[str, Any]:
        """Train, or go on, or do nothing where it is done.

        Args:
            overwrite: Start anew.
            check_only: Stop after the pre-flight.

        Returns:
            What ``train.json`` holds; after ``check_only`` what ``preflight.json`` does.

        Raises:
            UserError: The configuration, the data or the model do not do.
            StoppedError: The disk is full.
        """
        hf.quiet()
        machine.has_trackers(self.config)
        if not check_only:
            machine.has_device(self.config)
        start = self._start()
        table = data.selected(
            data.read(self.config.data, self.config.data.split), self.config, self.kind
        )
        settings = self._settings(table)
        run = Run(
            self.folder,
            settings,
            Marker,
            SUMMARY,
            {},
            (BASE, MODEL, ADAPTER, CHECKPOINTS, LOG, PREFLIGHT),
        )
        with self._opened(run, overwrite) as finished:
            if finished:
                return {**read_json(self.folder / SUMMARY), "already_finished": True}
            try:
                base = self._base(start, table)
                processor = models.load_processor(base, self.config.model)
                report = self._preflight(table, processor, base)
                if check_only:
                    self._forget(run)
                    return report
                log = Log(self.folder / LOG, self._note)
                trainer = self._trainer(base, processor, table.select(report["kept"]), log)
                trained = models.trainable(trainer.model)
                self._say(reports.parameters_line(trained))
                end = self._train(trainer, log)
                result = self._finish(run, end, base, processor, report, trained)
            except UserError:
                self._forget(run)
                raise
        return {**result, "already_finished": False}

    @contextmanager
    def _opened(self, run: Run[Marker], overwrite: bool) -> Iterator[bool]:
        """The folder, held by the main process; the others follow it."""
        if hf.main_process():
            with run.opened(overwrite, resume=False) as finished:
                self._wait()
                yield finished
        else:
            self._wait()
            yield (self.folder / SUMMARY).exists()

    def _forget(self, run: Run[Marker]) -> None:
        """Leave nothing of a run that came to no checkpoint: another configuration may follow."""
        if hf.main_process() and not checkpoints.found(self.folder / CHECKPOINTS):
            for path in (self.folder / WORK, *(self.folder / n for n in (BASE, CHECKPOINTS))):
                shutil.rmtree(path, ignore_errors=True)
            for name in (PREFLIGHT, LOG):
                (self.folder / name).unlink(missing_ok=True)

    def _wait(self) -> None:
        hf.wait(self.config.machine.device == "cpu")

    def _settings(self, table: Any) -> dict[str, Any]:
        """What decides the outcome; paths, machine and what is shown do not."""
        config = self.config.model_dump(mode="json")
        other = "rl" if self.kind == "sft" else "sft"
        for name in ("watch", "machine", "name", "summary", other):
            config.pop(name)
        source = config["data"].pop("path")
        for name in ("watch_split", "revision"):
            config["data"].pop(name)
        settings = {"kind": self.kind, **config, "rows": data.identity(table), "source": source}
        if self._from_sft():
            settings["start"] = read_json(self.out / "sft" / SUMMARY).get("fingerprint")
        return settings

    def _from_sft(self) -> bool:
        return self.kind == "rl" and self.config.rl.start == "sft"

    def _start(self) -> str:
        """Where the weights come from."""
        if not self._from_sft():
            return self.config.model.path
        if not (self.out / "sft" / SUMMARY).exists():
            raise UserError(
                f"RL goes on from SFT, and {self.out / 'sft'} holds no finished SFT: run "
                "`degrade-cli train sft` with the same folder first, or set rl.start to model."
            )
        return str(self.out / "sft" / MODEL)

    def _base(self, start: str, table: Any) -> str:
        """The model to load; the tiny one is made where it is wanted."""
        if start != TINY:
            return start
        folder = self.folder / BASE
        if hf.main_process() and not (folder / "config.json").exists():
            target = self.config.data.target
            rows = table.select(range(min(VOCABULARY_ROWS, len(table)))).remove_columns(
                ["image", "clean_image"]
            )
            texts = [
                f"{data.prompt(data.question(row), target)}\n{data.completion(row, target)}"
                for row in rows
                if not data.misfit(row)  # the pre-flight refuses it
            ]
            part = folder.with_name(f".{BASE}.tmp")
            with _written(f"the {TINY} model", part):
                shutil.rmtree(part, ignore_errors=True)
                tiny.build(part, texts, self.config.seed)
                part.replace(folder)
        self._wait()
        return str(folder)

    # -------------------------------------------------------------------------- pre-flight

    def _preflight(self, table: Any, processor: Any, base: str) -> dict[str, Any]:
        path = self.folder / PREFLIGHT
        if hf.main_process() and not path.exists():
            limit = preflight.context(models.load_config(base, self.config.model))
            looker = preflight.Preflight(self.config, self.kind, processor, limit)
            workers = host_threads()
            with self._bars("looking at rows") as progress:
                report = looker.check(table, workers, progress)
            self.refused.unlink(missing_ok=True)
            if report.refused:
                write_atomic(self.refused, "".join(map(line, report.refused)).encode())
            if self.config.data.refused == "stop":
                report.stop(str(self.refused))
            if not report.kept:
                raise UserError(f"All rows are refused; see {self.refused}.")
            write_atomic(path, pretty({**report.summary(), "kept": report.kept}))
        self._wait()
        found = read_json(path)
        self._say(reports.lengths_line(found))
        return found

    # ---------------------------------------------------------------------------- training

    def _trainer(self, base: str, processor: Any, rows: Any, log: Log) -> Any:
        import torch

        if self.config.machine.threads:
            torch.set_num_threads(self.config.machine.threads)
        lora = self.config.model.lora
        callbacks = [log.callback()]
        if self.config.watch.answer_every and hf.sharded():
            self._say("Sharded weights cannot answer during training: no looks at answers.")
        elif self.config.watch.answer_every:
            callbacks.append(self._look(base, processor, log).callback())
        parts = Parts(
            model=models.load_model(base, self.config.model, train=True),
            processor=processor,
            rows=rows.with_transform(data.converter(self.config, self.kind)),
            lora=models.adapters(lora) if lora else None,
            arguments=self._arguments(base),
            callbacks=callbacks,
        )
        with hf.refusals(self.kind, self.options.extra):
            trainer = self._make(parts)
        transformers = hf.module("transformers")
        for shown in (transformers.PrinterCallback, transformers.ProgressCallback):
            trainer.remove_callback(shown)  # the log and the bar are ours
        trainer.keep = self.config.watch.keep
        return trainer

    def _look(self, base: str, processor: Any, log: Log) -> Look:
        config = self.config
        limit = preflight.context(models.load_config(base, config.model))
        looker = preflight.Preflight(config, "rl", processor, limit)  # prompts, and room to answer
        rows = list(looker.watched(data.read(config.data, config.data.watch_split)))
        asked = [
            (
                data.prompt(data.question(r), config.data.target),
                data.picture(r, config.data.picture),
            )
            for r in rows
        ]
        return Look(
            processor,
            rows,
            asked,
            config.rl.max_new_tokens,
            config.watch.answer_every,
            log,
            config.data.target,
        )

    def _arguments(self, base: str) -> dict[str, Any]:
        """Of TRL's configuration, those that both trainers have."""
        config, options = self.config, self.options
        half = config.model.dtype == "bfloat16"
        return {
            "output_dir": str(self.folder / CHECKPOINTS),
            "seed": config.seed,
            "use_cpu": config.machine.device == "cpu",
            "bf16": half,
            "num_train_epochs": options.epochs,
            "max_steps": options.steps or -1,
            "per_device_train_batch_size": options.batch,
            "gradient_accumulation_steps": options.accumulation,
            "learning_rate": options.learning_rate,
            "lr_scheduler_type": options.schedule,
            "warmup_steps": options.warmup,
            "weight_decay": options.weight_decay,
            "gradient_checkpointing": options.checkpointing,
            "logging_steps": config.watch.log_every,
            "save_steps": config.watch.save_every,
            "save_total_limit": None,  # ours rotates once the new one is complete
            "report_to": list(config.watch.trackers) or "none",
            "remove_unused_columns": False,  # rows are made of columns that trainers do not know
            "run_name": f"{config.name}-{self.kind}",
            "disable_tqdm": True,
            "dataloader_num_workers": config.machine.workers,
            "dataloader_pin_memory": config.machine.device != "cpu",
            **dict(options.extra),
        }

    def _train(self, trainer: Any, log: Log) -> Path:
        """Train, from the last checkpoint where there is one, up to that of the last step."""
        folder = self.folder / CHECKPOINTS
        last = checkpoints.latest(folder) if hf.main_process() else None
        self._wait()
        if not hf.main_process():
            last = next(reversed(checkpoints.found(folder)), None)
        if last and checkpoints.is_last(last):
            return last  # going on from there, Trainer would take a step more
        if last:
            self._say(f"Going on from {last.name}.")
        with self._bars("training") as log.progress:
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        return folder / f"checkpoint-{trainer.state.global_step}"

    # -------------------------------------------------------------------------------- end

    def _finish(
        self,
        run: Run[Marker],
        end: Path,
        base: str,
        processor: Any,
        report: dict[str, Any],
        trained: dict[str, Any],
    ) -> dict[str, Any]:
        if not hf.main_process():
            self._wait()  # for the summary
            return read_json(self.folder / SUMMARY)
        part = self.folder / f".{MODEL}.tmp"
        with _written("the model", part):
            shutil.rmtree(part, ignore_errors=True)
            if self.config.model.lora:
                checkpoints.export(end, self.folder / ADAPTER)
                models.merge(base, self.folder / ADAPTER, part, self.config.model)
                processor.save_pretrained(str(part))
            else:
                checkpoints.export(end, part)
            reports.bring_along(base, part)
            shutil.rmtree(self.folder / MODEL, ignore_errors=True)
            extra = {
                "degrade": __version__,
                "versions": reports.versions(),
                "config": self.config.model_dump(mode="json"),
                "preflight": {k: v for k, v in report.items() if k != "kept"},
                "trainable": trained,
                "steps": checkpoints.step_of(end),
                "last": reports.last_figures(self.folder / LOG),
            }
            write_card(part, self.config, self.kind, base, extra)
            part.replace(self.folder / MODEL)
        result = run.finish(0, lambda shards: {"rows": report["rows"]}, extra)
        self._wait()
        return result
