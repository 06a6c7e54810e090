"""Evaluation of a local vision-language model: batched, resumable, without torch where it can."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from degrade.errors import StoppedError, UserError
from degrade.runs import WORK
from tests.evaluation_help import LEVELS, benchmark, chain_of, entry, write_benchmark
from trainer import answers, tiny
from trainer.evaluation import local
from trainer.evaluation.config import read_options
from trainer.evaluation.records import read_answers, read_judged
from trainer.evaluation.runner import Evaluation

ITEMS = 3


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark(tmp_path_factory.mktemp("bench"), items=ITEMS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trainer import hf

    hf.quiet()
    texts = [chain_of((), "red"), "What color is the door of house 3? A. red B. green C. blue"]
    return tiny.build(tmp_path_factory.mktemp("model") / "tiny", texts)


def planned(bench: Path, out: Path, model: Path, **options: Any) -> Evaluation:
    given = {"model": str(model), "max_tokens": 6, "resamples": 100, "device": "cpu", **options}
    return Evaluation(bench, out, read_options(given))


def test_a_local_model_answers_every_row_whatever_the_batch(
    bench: Path, model: Path, tmp_path: Path
) -> None:
    found = {}
    for batch in (1, 4):
        out = tmp_path / str(batch)
        summary = planned(bench, out, model, batch=batch, controls=["blind"]).run()
        assert summary
        assert summary["counts"]["questions"] == ITEMS * len(LEVELS) + ITEMS
        assert summary["counts"]["judged"] == 2 * ITEMS * len(LEVELS)
        found[batch] = {(a.id, a.control): a.text for a in read_answers(out)}
    assert found[1] == found[4]
    judged = list(read_judged(tmp_path / "1"))
    assert all(j.tokens and j.tokens <= 6 for j in judged)
    blind = {a.text for a in read_answers(tmp_path / "1") if a.control == "blind"}
    assert len(blind) <= ITEMS


def test_after_a_kill_only_the_batch_under_way_is_asked_again(
    bench: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from tests.test_evaluation_local import planned; from trainer import answers\n"
        "made = answers.generate\n"
        "def slow(*a, **k):\n    time.sleep(0.5); return made(*a, **k)\n"
        "answers.generate = slow\n"
        "planned(*map(Path, sys.argv[1:4]), batch=2).run()\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(bench), str(out), str(model)], env=environment
    )
    deadline = time.monotonic() + 120
    while not (out / WORK / "shard-000001.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    committed = len(list((out / WORK).glob("shard-*.json")))
    assert 2 <= committed < ITEMS * len(LEVELS) // 2
    asked = []
    made = answers.generate

    def counted(model: Any, processor: Any, part: Any, *rest: Any) -> Any:
        asked.extend(prompt for prompt, _ in part)
        return made(model, processor, part, *rest)

    monkeypatch.setattr(answers, "generate", counted)
    summary = planned(bench, out, model, batch=3).run()  # another batch goes on with it as well
    assert summary
    assert len(asked) == ITEMS * len(LEVELS) - 2 * committed
    planned(bench, tmp_path / "whole", model, batch=2).run()
    for name in ("answers.jsonl", "judged.jsonl", "scores.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_finished_evaluation_loads_no_model(
    bench: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(bench, tmp_path / "out", model).run()

    def never(self: Any) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(local.LocalModel, "_load", never)
    again = planned(bench, tmp_path / "out", model).run()
    assert again
    assert again["already_finished"]


def test_a_model_that_was_trained_on_is_another_model(
    bench: Path, model: Path, tmp_path: Path
) -> None:
    other = tiny.build(tmp_path / "tiny", ["red"], seed=1)
    before = planned(bench, tmp_path / "out", other).folder.fingerprint
    tiny.build(other, ["red"], seed=2)
    assert planned(bench, tmp_path / "out", other).folder.fingerprint != before


def test_a_training_run_is_asked_by_its_folder_the_last_stage_of_it(
    bench: Path, model: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "sft").mkdir(parents=True)
    with pytest.raises(UserError, match="has made no model yet"):
        planned(bench, tmp_path / "out", run)
    for stage in ("sft", "rl"):
        (run / stage).mkdir(exist_ok=True)
        (run / stage / "model").symlink_to(model)
        found = planned(bench, tmp_path / f"out-{stage}", run)
        assert found.model
        assert found.model.settings["model"] == str(run / stage / "model")
        assert found.model.settings["weights"] == local.digest(model)
    assert found.run()


def test_a_picture_that_does_not_open_is_a_failed_row(model: Path, tmp_path: Path) -> None:
    rows = [entry(n, 0.0) for n in range(2)]
    rows[0] = type(rows[0])(rows[0].row, b"no picture", rows[0].clean)
    bench = write_benchmark(tmp_path / "bench", rows)
    summary = planned(bench, tmp_path / "out", model).run()
    assert summary
    assert summary["counts"]["failures"] == {"picture_not_a_picture": 1}
    assert summary["counts"]["judged"] == 1


def test_a_question_that_the_processor_refuses_is_a_failed_row_and_the_others_are_answered(
    model: Path, tmp_path: Path
) -> None:
    rows = [entry(n, 0.0) for n in range(3)]
    asked = rows[1].row.model_copy(update={"question": "What is <|image_pad|> here?"})
    rows[1] = type(rows[1])(asked, rows[1].image, rows[1].clean)
    bench = write_benchmark(tmp_path / "bench", rows)
    summary = planned(bench, tmp_path / "out", model, batch=3).run()
    assert summary
    assert summary["counts"]["failures"] == {"prompt_refused": 1}
    assert summary["counts"]["judged"] == 2


def test_memory_that_does_not_suffice_says_what_to_do_and_keeps_what_is_answered(
    bench: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    made = answers.generate

    def short(model: Any, processor: Any, part: Any, *rest: Any) -> Any:
        if len(part) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return made(model, processor, part, *rest)

    monkeypatch.setattr(answers, "generate", short)
    with pytest.raises(StoppedError, match="give a smaller --batch"):
        planned(bench, tmp_path / "out", model, batch=4).run()
    assert planned(bench, tmp_path / "out", model, batch=2).run()


def test_what_is_no_model_is_refused(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot load the processor"):
        planned(bench, tmp_path / "out", tmp_path).run()
    assert not (tmp_path / "out" / WORK).exists()
    with pytest.raises(UserError, match="Unknown device 'gpu'"):
        planned(bench, tmp_path / "out2", tmp_path, device="gpu").run()
