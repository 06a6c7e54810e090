"""One evaluation from beginning to end: what ``degrade-cli evaluate`` does, to be called.

A folder holds ``answers.jsonl``, ``judged.jsonl``, ``scores.json`` and, written last,
``evaluation.json``. Every answer is committed before the next are asked for; an endpoint's are in
its journal even before that. So a run that was killed goes on where it was, and asks nothing twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, Protocol

from degrade import __version__
from degrade.errors import UserError
from degrade.runs import Progress, Run, line, pretty, read_json, write_atomic
from degrade.schema import SCHEMA_VERSION
from degrade.storage import Place
from trainer.evaluation import external, plan
from trainer.evaluation.config import EvaluateOptions
from trainer.evaluation.endpoint import EndpointModel
from trainer.evaluation.items import Benchmark, Chosen, identity
from trainer.evaluation.judge import Case, Judge
from trainer.evaluation.judging import How, Reading
from trainer.evaluation.options import RULES_VERSION
from trainer.evaluation.plan import Ask, Use
from trainer.evaluation.prompts import Style, style
from trainer.evaluation.records import (
    ANSWERS,
    CONTROLS,
    JUDGED,
    SCORES,
    SUMMARY,
    TASKS,
    Answer,
    Judged,
    Said,
    Shard,
)
from trainer.evaluation.score import score

REPORTS = ("report.html", "report.md")
"""What ``degrade-cli report`` writes into the same folder."""

Bars = Callable[[str], AbstractContextManager[Progress | None]]
"""Opens a progress bar for what it is told."""


class Model(Protocol):
    """What answers."""

    settings: dict[str, Any]
    """What decides the answers: part of the fingerprint."""

    def answers(self, asks: Iterator[tuple[Ask, bytes]]) -> Generator[list[Said]]:
        """What is said to questions, a few at a time; each list is committed when it comes."""


class Evaluation:
    """A planned evaluation.

    Args:
        bench: Folder of a benchmark or data set.
        out: Folder to write.
        options: How.
        answers: Files of answers that were made elsewhere; then no model is asked.
        tell: Called with what a person who waits should know.
        bars: Shows progress.

    Raises:
        UserError: The benchmark, the options or the answers do not do.
    """

    def __init__(
        self,
        bench: Place,
        out: Path,
        options: EvaluateOptions,
        answers: Sequence[Path] = (),
        tell: Callable[[str], None] = lambda text: None,
        bars: Bars = lambda what: nullcontext(),
    ) -> None:
        if bool(options.model) == bool(answers):
            raise UserError("Give --model, or --answers with what a model said elsewhere.")
        self.out, self.options, self._tell, self._bars = out, options, tell, bars
        self.bench = Benchmark(bench)
        self.chosen: Chosen = self.bench.items(options.splits, options.tasks, options.limit)
        self.style: Style = style(options.prompt)
        self._judged_tasks = self._check_judge()
        self.elsewhere: external.Elsewhere | None = None
        self.model: Model | None = None
        self.asks: dict[str, Ask] = {}
        controls = options.all_controls
        if answers:
            self.elsewhere = self._read(answers)
            controls = tuple(
                c for c in CONTROLS if any(u.control == c for u in self.elsewhere.said)
            )
        else:
            self.asks = plan.plan(self.chosen.items, self.style, controls, options.circular)
            self.model = self._model()
        self.how = How(
            labels=(self.elsewhere and self.elsewhere.labels) or self.style.labels,
            chain=self.style.chain,
            controls=controls,
            circular=options.circular,
            judged=self._judged_tasks,
        )
        self.name = options.model or answers[0].stem
        """What is examined, for tables."""
        self.settings = self._settings(answers)
        self.folder: Run[Shard] = Run(
            out, self.settings, Shard, SUMMARY, {}, (ANSWERS, JUDGED, SCORES, *REPORTS)
        )

    def _check_judge(self) -> frozenset[str]:
        """The tasks that the judge judges."""
        options = self.options
        tasks = Counter(item.task for item in self.chosen.items)
        if not options.judge:
            if tasks["caption"]:
                others = [f"--task {t}" for t in TASKS if t != "caption" and tasks[t]]
                raise UserError(
                    f"{tasks['caption']} rows want a caption, which only a model can judge: give "
                    "--judge MODEL" + (f", or choose {' '.join(others)}." if others else ".")
                )
            return frozenset()
        judged = {"vqa", "caption"} | ({"mcq"} if options.mcq == "judge" else set())
        if not judged & tasks.keys():
            raise UserError(
                f"There is nothing for the judge {options.judge!r}: multiple choice is read by "
                "rules. Leave it out, or give --mcq judge."
            )
        return frozenset(judged)

    def _read(self, answers: Sequence[Path]) -> external.Elsewhere:
        if self.options.controls:
            raise UserError(
                "With --answers the controls are those that the file has: leave out --control."
            )
        return external.read(
            answers, self.bench.rows, self.chosen.items, self.style, self.options.circular
        )

    def _model(self) -> Model:
        if self.options.remote:
            return EndpointModel(self.options, self.out, self._tell)
        from trainer.evaluation.local import LocalModel

        return LocalModel(self.options)

    def _settings(self, answers: Sequence[Path]) -> dict[str, Any]:
        options = self.options
        return {
            "source": str(self.bench.folder).encode("utf-8", "replace").decode(),
            "benchmark": self.bench.name,
            "rows": identity(self.chosen.items),
            "model": self.model.settings if self.model else {},
            "answers": [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in answers],
            "prompt": [self.style.name, self.style.version],
            "controls": list(self.how.controls),
            "circular": options.circular,
            "rules": RULES_VERSION,
            "judge": Judge.settings(options),
            "bootstrap": [options.resamples, options.seed],
            "degrade": __version__,
            "schema": SCHEMA_VERSION,
        }

    # ---------------------------------------------------------------------------- the run

    def run(self, overwrite: bool = False, resume: bool = False) -> dict[str, Any] | None:
        """Do what is left to do.

        Returns:
            What ``evaluation.json`` holds, with ``already_finished`` and ``scores``. None where a
            batch is still pending: call again later.

        Raises:
            UserError: The folder holds something else.
            StoppedError: The endpoint, the budget, the device or the disk; what is answered stays.
        """
        with self.folder.opened(overwrite, resume) as finished:
            if not finished:
                shards = self._answer()
                if shards is None:
                    return None
                self._finish(shards)
        return {
            **read_json(self.out / SUMMARY),
            "scores": read_json(self.out / SCORES),
            "already_finished": finished,
        }

    def _committed(self) -> Iterator[Shard]:
        index = 0
        while self.folder.committed(index):
            yield self.folder.read(index)
            index += 1

    def _answer(self) -> int | None:
        """Ask what is not answered; the number of committed shards, None where a batch pends."""
        if self.model is None:
            return 0
        done, index = set[str](), 0
        for shard in self._committed():
            # What failed is asked once more where a run goes on; the later answer counts.
            done.update(said.key for said in shard.said if said.status != "failed")
            index += 1
        todo = [ask for key, ask in self.asks.items() if key not in done]
        if not todo:
            return index
        if self.options.batch_api and isinstance(self.model, EndpointModel):
            pending = not self.model.batch(lambda: plan.with_pictures(self.bench, todo))
            if pending:
                return None
        asked = set(done)
        with self._bars("asking") as progress:
            told = progress or (lambda done, total: None)
            told(len(done), len(self.asks))
            # Closed whatever happens, and not when the garbage is collected: answers may be in
            # flight that are paid for.
            stream = self.model.answers(plan.with_pictures(self.bench, todo))
            with closing(stream):
                for said in stream:
                    self.folder.commit(
                        Shard(fingerprint=self.folder.fingerprint, index=index, said=tuple(said))
                    )
                    asked.update(one.key for one in said)
                    index += 1
                    told(len(asked), len(self.asks))
        if len(asked) < len(self.asks):
            raise UserError(f"{self.bench.folder} holds fewer pictures than rows: validate it.")
        return index

    def _finish(self, shards: int) -> None:
        answers = self._answers()
        write_atomic(self.out / ANSWERS, _lines(answers))
        said = {Use(a.id, a.control, a.rotation): a for a in answers}
        reading = Reading(self.chosen.items, said, self.how)
        bills: dict[str, Any] = {}
        if isinstance(self.model, EndpointModel):
            bills["bill"] = self.model.session.bill()
        if self.options.judge:
            judge = self._judge(bills.get("bill"))
            with self._bars("judging") as progress:
                verdicts = judge.rate(list(reading.cases()), progress or (lambda d, t: None))
            reading = Reading(self.chosen.items, said, self.how, verdicts)
            bills["judge_bill"] = judge.session.bill()
        judged, left_out = reading.judged()
        if not judged:
            reason = next((a.detail for a in answers if a.status == "failed"), str(left_out))
            raise UserError(
                f"Not one row has an answer: {reason}. Mend that and start anew with --overwrite; "
                "what an endpoint answered is in its journal."
            )
        write_atomic(self.out / JUDGED, _lines(judged))
        texts = {(a.id, a.control): a.text for a in answers if a.rotation == 0}
        found = score(judged, self.options.resamples, self.options.seed, texts)
        write_atomic(self.out / SCORES, pretty(found))

        def counts(read: Iterator[Shard]) -> dict[str, Any]:
            for _ in read:  # to the end, as it must be
                pass
            return self._counts(answers, judged, left_out)

        self.folder.finish(shards, counts, {"name": self.name, **bills})

    def _answers(self) -> list[Answer]:
        if self.elsewhere:
            return sorted(self.elsewhere.said.values(), key=lambda a: (a.id, a.control, a.rotation))
        said = {one.key: one for shard in self._committed() for one in shard.said}
        return plan.answers(self.asks.values(), said)

    def _judge(self, bill: Mapping[str, Any] | None) -> Judge:
        line_of = (bill or {}).get("in_all", {})
        names = ("cost_micro_usd", "unknown_max_micro_usd")
        spent = sum(line_of.get(name, 0) for name in names) / 1e6
        return Judge(self.options, self.out, spent, self._tell)

    def _counts(
        self, answers: Sequence[Answer], judged: Sequence[Judged], left_out: Mapping[str, int]
    ) -> dict[str, Any]:
        rules: dict[str, Counter[str]] = {}
        for row in judged:
            rules.setdefault(row.control, Counter())[row.rule] += 1
        statuses = Counter(answer.status for answer in answers)
        failures = Counter(a.detail.partition(":")[0] for a in answers if a.status == "failed")
        return {
            "rows": len(self.chosen.items),
            "items": len({item.item for item in self.chosen.items}),
            "pictures": len({item.group for item in self.chosen.items}),
            "questions": len(self.asks) or len(answers),
            "answers": len(answers),
            "judged": len(judged),
            "unaskable": self.chosen.left_out,
            "left_out": dict(left_out),
            "ignored_answers": self.elsewhere.ignored if self.elsewhere else 0,
            "statuses": dict(sorted(statuses.items())),
            "failures": dict(sorted(failures.items())),
            "rules": {control: dict(sorted(found.items())) for control, found in rules.items()},
        }

    # ---------------------------------------------------------------------------- beforehand

    def estimate(self) -> dict[str, Any]:
        """What :meth:`run` would ask for, and its cost; sends nothing.

        Returns:
            ``answers`` and, with a judge, ``judge``: :class:`degrade.chat.Estimate` of each. The
            judge's is of answers with as many words as fit into half of ``max_tokens``, each asked
            for once.

        Raises:
            UserError: No endpoint is to be asked.
        """
        if not isinstance(self.model, EndpointModel) and not self.options.judge:
            raise UserError(
                "A dry run counts what an endpoint would be asked, and none is: give --base-url or "
                "--endpoint."
            )
        found = {}
        if isinstance(self.model, EndpointModel):
            asks = self.asks.values()
            found["answers"] = self.model.estimate(lambda: plan.with_pictures(self.bench, asks))
        if self.options.judge:
            found["judge"] = self._judge(None).estimate(self._rehearsed())
        return found

    def _rehearsed(self) -> Iterable[Case]:
        if self.elsewhere:
            said: Mapping[Use, Answer] = self.elsewhere.said
        else:
            words = " ".join(["word"] * (self.options.max_tokens // 2))
            uses = [use for ask in self.asks.values() for use in ask.uses]
            said = {
                u: Answer(id=u.id, control=u.control, rotation=u.rotation, text=words) for u in uses
            }
        return Reading(self.chosen.items, said, self.how).cases()


def _lines(records: Iterable[Answer | Judged]) -> bytes:
    return "".join(map(line, records)).encode()
