"""A model as judge: what it is asked, how its verdicts are read, R-Bench's scores by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.testing.faults import prompt_of
from annotate.testing.faultserver import FaultServer, serving
from degrade.errors import StoppedError, UserError
from degrade.runs import read_json
from tests.evaluation_help import entry, write_answers, write_benchmark
from trainer.evaluation.config import EvaluateOptions, read_options
from trainer.evaluation.judge import Case, Judge, verdict
from trainer.evaluation.records import SCORES, SUMMARY, read_judged
from trainer.evaluation.runner import Evaluation

CAPTIONS = ("A red door.", "A house with a red door.")


pytestmark = pytest.mark.usefixtures("api_key")


@pytest.fixture
def judging() -> Iterator[Callable[[Callable[[str], str]], FaultServer]]:
    """Starts a judge that says what a function says to its prompt."""
    running = []

    def start(says: Callable[[str], str]) -> FaultServer:
        context = serving(FaultServer(lambda body: says(prompt_of(body))))
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


def options(server: FaultServer, **more: Any) -> EvaluateOptions:
    given = {"judge": "gpt-4o-mini", "judge_base_url": server.url, "resamples": 100}
    return read_options({**given, **more})


def field(prompt: str, name: str) -> Any:
    """What a prompt quotes."""
    found = re.search(rf"^{name}: (.*)$", prompt, re.MULTILINE)
    assert found, prompt
    return json.loads(found[1])


# ---------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("text", "task", "rating"),
    [
        ("The score is 1 out of 2.", "vqa", 1),
        ("Score: 1 (of 2)", "vqa", 1),
        ("1", "mcq", 1), ("0.", "mcq", 0), ("Score: 2", "vqa", 2), ("**1**", "vqa", 1),
        ("2/2", "vqa", 2), ("I give it 1 out of 2: 1", "caption", 1), ("2", "mcq", None),
        ("", "vqa", None), ("no number", "vqa", None), ("3", "caption", None), ("1.5", "vqa", None),
        ("It says the same as 12 others.\n2", "vqa", 2),
    ],
)  # fmt: skip
def test_verdicts_are_the_last_whole_number_on_the_scale(
    text: str, task: str, rating: int | None
) -> None:
    assert verdict(text, task) == rating


@given(st.text(), st.text(), st.text())
def test_what_is_judged_is_quoted_and_cannot_leave_its_place(
    question: str, truth: str, answer: str
) -> None:
    judge = Judge(EvaluateOptions(judge="j", ratings=3), Path("/nowhere/out"), 0.0, print)
    case = Case("k", "vqa", question, (), (truth,), answer)
    requests = judge.requests(case)
    assert len({r.key for r in requests}) == 3
    prompt = requests[0].messages[0].content[0].text  # type: ignore[union-attr]
    assert (field(prompt, "Question"), field(prompt, "Reply")) == (question, answer)
    assert field(prompt, "Right answer") == truth


# ------------------------------------------------------------------------------------ R-Bench


def r_bench(folder: Path) -> Path:
    """One question of each task at each strength, as R-Bench comes."""
    entries = []
    for number, task in enumerate(("mcq", "vqa", "caption")):
        for step, level in enumerate((0.33, 0.67, 1.0)):
            tags = (f"distortion={5 + step}", "step=Camera", "group=Blur", f"strength={step + 1}")
            entries.append(
                entry(
                    number, level,
                    task=task,
                    id=f"r/{task}{step}@{level}", item=f"r/{task}{step}",
                    group=f"r/{step}", split=f"level_{round(100 * level):03d}",
                    applied=(), types=(), intensity_sum=0.0, source_tags=tags,
                    references=CAPTIONS if task == "caption" else (),
                )
            )  # fmt: skip
    return write_benchmark(folder, entries)


def said(folder: Path) -> Path:
    """Answers about the degraded and the clean pictures, by task and strength.

    House 0 is red (A), house 1 green, house 2 has the captions.
    """
    degraded = {
        "mcq": ("A", "B", "B"), "vqa": ("green", "lime", "no idea"),
        "caption": ("2 1", "1 1", "0 0"),
    }  # fmt: skip
    clean = {"mcq": ("A", "A", "B"), "vqa": ("green", "green", "green"), "caption": ("2 2",) * 3}
    rows = [
        {"id": f"r/{task}{step}@{level}", "answer": answers[task][step], "control": control}
        for control, answers in (("none", degraded), ("clean", clean))
        for task in answers
        for step, level in enumerate((0.33, 0.67, 1.0))
    ]
    return write_answers(folder / "said.jsonl", rows)


def judge_by_hand(prompt: str) -> str:
    """Rates questions by a table, and captions by the digit that stands for the reference."""
    answer = field(prompt, "Reply")
    if "Right description" in prompt:
        truth = field(prompt, "Right description")
        if truth not in CAPTIONS:  # against the model's own: "2 1" and "2 2" agree in the first
            return "2" if truth == answer else "1" if truth[0] == answer[0] else "0"
        return str(answer.split()[CAPTIONS.index(truth)])
    truth = field(prompt, "Right answer")
    return {(truth, truth): "2", ("green", "lime"): "1"}.get((truth, answer), "0")


def cells_of(scores: Any) -> dict[str, list[float]]:
    strengths = ("low", "mid", "high")
    return {task: [c[s]["value"] for s in strengths] for task, c in scores["cells"].items()}


def test_r_bench_scores_agree_with_hand_worked_ones(
    tmp_path: Path, judging: Callable[..., FaultServer]
) -> None:
    server = judging(judge_by_hand)
    bench, answers = r_bench(tmp_path / "bench"), said(tmp_path)
    chosen = options(server, prompt="r-bench")
    Evaluation(bench, tmp_path / "out", chosen, [answers]).run()
    found = read_json(tmp_path / "out" / SCORES)["rbench"]
    # Absolute: mean of what the degraded picture's answer is worth.
    cells = {
        t: [c[s]["value"] for s in ("low", "mid", "high")]
        for t, c in found["absolute"]["cells"].items()
    }
    assert cells == {
        "mcq": [1.0, 0.0, 0.0],  # A, then B twice
        "vqa": [1.0, 0.5, 0.0],  # 2 / 2, 1 / 2, 0 / 2
        "caption": [0.75, 0.5, 0.0],  # (2 + 1) / 4, (1 + 1) / 4, 0
    }
    assert found["absolute"]["overall"]["value"] == pytest.approx(3.75 / 9)
    # Relative: agreement with the own answer about the clean picture, times what that is worth.
    cells = {
        t: [c[s]["value"] for s in ("low", "mid", "high")]
        for t, c in found["relative"]["cells"].items()
    }
    assert cells == {
        "mcq": [1.0, 0.0, 0.0],  # 1 x 1; B is not A; B is B, but wrong: 1 x 0
        "vqa": [1.0, 0.5, 0.0],
        "caption": [0.5, 0.0, 0.0],  # "2 1" agrees with "2 2" in part: 1/2 x 1
    }
    assert found["relative"]["overall"]["value"] == pytest.approx(3.0 / 9)
    rules = read_json(tmp_path / "out" / SUMMARY)["counts"]["rules"]["none"]
    assert rules == {"exact": 3, "judge": 6}


def test_multiple_choice_can_be_judged_with_five_ratings(
    tmp_path: Path, judging: Callable[..., FaultServer]
) -> None:
    votes = iter([1, 1, 0, 1, 0] * 100)
    server = judging(lambda prompt: str(next(votes)) if "Right option" in prompt else "0")
    bench, answers = r_bench(tmp_path / "bench"), said(tmp_path)
    chosen = options(server, mcq="judge", ratings=5, tasks=["mcq"], concurrency=1)
    Evaluation(bench, tmp_path / "out", chosen, [answers]).run()
    judged = [j for j in read_judged(tmp_path / "out") if j.control == "none"]
    assert {(j.correct, j.rule) for j in judged} == {(1.0, "judge")}
    assert {j.chosen for j in judged} == {"red", "green"}, "what was chosen is read by the rules"


def test_a_verdict_that_cannot_be_read_is_asked_for_again_then_left_out(
    tmp_path: Path, judging: Callable[..., FaultServer]
) -> None:
    asked: dict[str, int] = {}

    def mumbling(prompt: str) -> str:
        answer = field(prompt, "Reply")
        asked[answer] = asked.get(answer, 0) + 1
        return {"lime": "well", "no idea": ["hm", "2"][min(1, asked[answer] - 1)]}.get(answer, "1")

    server = judging(mumbling)
    bench = r_bench(tmp_path / "bench")
    rows = [json.loads(line) for line in said(tmp_path).read_text().splitlines()]
    only = [r for r in rows if r["control"] == "none" and "vqa" in r["id"]]
    path = write_answers(tmp_path / "vqa.jsonl", only)
    summary = Evaluation(bench, tmp_path / "out", options(server, tasks=["vqa"]), [path]).run()
    assert summary
    assert asked == {"green": 1, "lime": 3, "no idea": 2}
    assert summary["counts"]["left_out"] == {"unjudged": 1}
    assert {j.id: j.correct for j in read_judged(tmp_path / "out")} == {
        "r/vqa0@0.33": 0.5, "r/vqa2@1.0": 1.0,
    }  # fmt: skip


def test_verdicts_are_paid_once_and_share_the_limit_of_cost(
    tmp_path: Path, judging: Callable[..., FaultServer]
) -> None:
    server = judging(judge_by_hand)
    bench, answers = r_bench(tmp_path / "bench"), said(tmp_path)
    Evaluation(bench, tmp_path / "out", options(server), [answers]).run()
    sent = server.requests
    again = Evaluation(bench, tmp_path / "out", options(server), [answers]).run(overwrite=True)
    assert again
    assert server.requests == sent
    assert again["judge_bill"]["in_all"]["answers"] == sent
    with pytest.raises(StoppedError, match="Raise the maximal cost"):
        Evaluation(bench, tmp_path / "poor", options(server, max_cost=0.0), [answers]).run()
    found = Evaluation(bench, tmp_path / "dry", options(server), [answers]).estimate()
    assert found["judge"]["to_send"] == sent
    assert server.requests == sent


def test_refusals_are_not_shown_to_the_judge(
    tmp_path: Path, judging: Callable[..., FaultServer]
) -> None:
    server = judging(lambda prompt: "2")
    bench = write_benchmark(tmp_path / "bench", [entry(n, 0.0, task="vqa") for n in range(2)])
    rows = [
        {"id": "scenes/000@0.00", "status": "refused", "text": "I cannot."},
        {"id": "scenes/001@0.00", "status": "ok", "text": "It is green."},
    ]
    path = write_answers(tmp_path / "answers.jsonl", rows)
    Evaluation(bench, tmp_path / "out", options(server), [path]).run()
    assert server.requests == 1
    found = {j.id: (j.correct, j.rule) for j in read_judged(tmp_path / "out")}
    assert found == {"scenes/000@0.00": (0.0, "refused"), "scenes/001@0.00": (1.0, "judge")}


def test_captions_need_a_judge_and_a_judge_needs_something_to_judge(tmp_path: Path) -> None:
    bench = r_bench(tmp_path / "bench")
    with pytest.raises(UserError, match=r"3 rows want a caption.* --task mcq --task vqa"):
        Evaluation(bench, tmp_path / "out", read_options({"model": "m"}))
    with pytest.raises(UserError, match="There is nothing for the judge 'j'"):
        Evaluation(
            bench, tmp_path / "out", read_options({"model": "m", "judge": "j", "tasks": ["mcq"]})
        )
