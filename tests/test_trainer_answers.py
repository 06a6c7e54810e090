"""What is measured of answers, and what is written down during training."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from degrade.errors import UserError
from degrade.schema import Chain
from trainer import answers, reports, rl
from trainer.callbacks import Log

numbers = st.integers(0, 6)


def chain(words: int = 3, types: tuple[Any, ...] = (), answer: str = "1") -> str:
    return Chain(
        types=types,
        influence="Edges are soft.",
        reasoning=" ".join(f"w{i}" for i in range(words)),
        conclusion="So red.",
        answer=answer,
    ).render()


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=20))
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    found = answers.spearman(pairs)
    if any(len({p[i] for p in pairs}) < 2 for i in (0, 1)):
        assert found == 0.0
    else:
        assert found == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic, abs=1e-9)


def test_depth_follows_damage_over_the_chains_alone() -> None:
    texts = [chain(2), "nonsense " * 50, chain(5), chain(9)]
    assert answers.depth(texts, [0.1, 0.0, 0.5, 2.0]) == pytest.approx(1.0)
    assert answers.depth(texts, [2.0, 0.0, 0.5, 0.1]) == pytest.approx(-1.0)
    assert answers.depth(["nonsense"] * 3, [0.1, 0.2, 0.3]) == 0.0


def test_what_is_watched_in_rl_is_counted_over_all_answers() -> None:
    logged: dict[str, float] = {}
    blur, noise = ({"label": label, "intensity": 0.5} for label in ("lens blur", "gaussian noise"))
    said = [chain(4, types=({**blur, "intensity": 0.7}, noise)), "no chain", chain(2)]
    lengths = rl.reasoning_tokens(
        said, [[blur], [noise], []], [0.5, 0.5, 0.0], log_metric=logged.__setitem__
    )
    assert lengths == [4.0, 0.0, 2.0]
    # of two named and two applied one is right: 2 x 1 / (2 + 2)
    assert logged["types/f1"] == 0.5
    assert logged["types/mae"] == pytest.approx(0.2)
    assert logged["depth/spearman"] == pytest.approx(1.0)


def test_bare_answers_are_judged_as_they_stand() -> None:
    row = {
        "question": "Color?",
        "choices": ["blue", "red"],
        "answer": "1",
        "answer_as": "index",
        "types": [],
        "depth_target": 5,
        "intensity_sum": 0.0,
    }
    said = [answers.Said("1", 2, False), answers.Said("0", 2, True)]
    assert answers.scores(said, [row] * 2, "answer")["answer"] == 0.5
    assert answers.scores(said, [row] * 2)["answer"] == 0.0
    assert answers.scores(said, [row] * 2)["cut"] == 0.5


def test_the_log_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    told: list[str] = []
    log = Log(tmp_path / "log.jsonl", told.append)
    for step in (1, 2, 3):
        log.write(step, {"loss": 1.0 / step})
    assert told[1] == "step 2: loss 0.5"
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    log.since(2)
    log.write(3, {"loss": 0.3})
    lines = [json.loads(text) for text in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(entry["step"], entry["loss"]) for entry in lines] == [(1, 1.0), (2, 0.5), (3, 0.3)]


def test_people_are_shown_rewards_truncation_format_and_depth() -> None:
    figures = {
        "loss": 0.1,
        "reward": 1.5,
        "reward_std": 0.2,
        "rewards/format_reward/mean": 0.9,
        "rewards/r1_deg_reward/mean": -0.5,
        "rewards/reasoning_tokens/mean": 41.0,
        "completions/clipped_ratio": 0.25,
        "depth/spearman": 0.5,
        "types/f1": 0.75,
        "epoch": 0.1,
    }
    assert reports.figures_line(figures) == (
        "loss 0.1, reward 1.5, format 0.9, r1_deg -0.5, reasoning_tokens 41, clipped 0.25, "
        "depth 0.5, types/f1 0.75"
    )
    assert reports.figures_line({"train_runtime": 3.0}) == ""


def test_vllm_that_reads_another_prompt_is_refused() -> None:
    rows = [{"id": f"r{i}", "image": None, "prompt": [{"content": "?"}]} for i in range(3)]
    ids = [[1, 2, 3], [1, 2, 3, 4], [5]]

    def trainer(read: list[list[int]]) -> Any:
        generation = SimpleNamespace(generate=lambda **asked: (read, None, None, None))
        return SimpleNamespace(
            _tokenize_prompts=lambda prompts: (ids, None, {}), vllm_generation=generation
        )

    rl.check_vllm(trainer(ids), rows)
    with pytest.raises(UserError, match=r"6 tokens for 4 \(row r1\)"):
        rl.check_vllm(trainer([ids[0], [1, 2, 2, 2, 3, 4], ids[2]]), rows)
