"""The experiment of benchmarks/proof.py asks what it says it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import proof
from benchmarks import proof_scenes as world
from degrade.runs import pretty
from degrade.schema import tokens
from trainer.rewards import answer_reward, degradation_reward, format_reward, length_reward


def test_every_cell_asks_the_same_about_the_same_scenes_in_other_states() -> None:
    cells = world.tests(12)
    clean = cells["clean"]
    assert len(cells) == 7
    for name, items in cells.items():
        for item, before in zip(items, clean, strict=True):
            assert item.question == before.question
            if name != "clean":
                (applied,) = item.applied
                assert applied.operator in (world.UNSEEN if "unseen" in name else world.SEEN)
                assert f"{applied.intensity:.0%}" == name.split()[1]
                assert not np.array_equal(item.picture, before.picture)
    assert set(world.SEEN).isdisjoint(world.UNSEEN)


def test_training_uses_the_same_scenes_clean_and_degraded_and_none_of_the_tests() -> None:
    clean, damaged = (world.training(40, damaged=d) for d in (False, True))
    assert [i.question for i in clean] == [i.question for i in damaged]
    assert not any(i.applied for i in clean)
    used = {i.applied[0].operator for i in damaged if i.applied}
    assert used <= set(world.SEEN)
    assert 0 < sum(not i.applied for i in damaged) < 20
    tested = [i.picture.tobytes() for i in world.tests(8)["clean"]]
    assert not set(tested) & {i.picture.tobytes() for i in clean}


def test_the_chains_taught_earn_every_reward_and_grow_with_damage() -> None:
    items = world.training(60, damaged=True)
    for item in items:
        said = [item.chain.render()]
        types = [[t.model_dump() for t in item.chain.types]]
        row: dict[str, Any] = {
            "answer": [item.question.answer],
            "choices": [item.question.choices],
            "answer_as": ["text"],
            "degradations": types,
            "depth_target": [len(tokens(item.chain.reasoning))],
            "prompts": [proof.prompt(item, True)],
        }
        for reward in (format_reward, answer_reward, degradation_reward, length_reward):
            assert reward(said, **row) == [1.0]
    items.sort(key=lambda item: item.damage)
    lengths = [len(tokens(item.chain.reasoning)) for item in items]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) == 3


def test_no_option_is_right_by_its_place() -> None:
    places = [i.question.answer_index for i in world.training(400, damaged=False)]
    assert all(60 < places.count(place) < 140 for place in range(4))


def test_the_table_pairs_arms_by_scene_and_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.random((2, 200)) < 0.5
    better = base | (rng.random((2, 200)) < 0.5)
    for arm, right in ((proof.REFERENCE, base), (proof.RIVAL, better)):
        for seed in range(2):
            folder = tmp_path / f"seed-{seed}"
            folder.mkdir(exist_ok=True)
            cell = {"right": right[seed].astype(int).tolist(), "form": None, "type_f1": None}
            cell |= {"mae": None, "reasoning": None, "damage": [0.0] * 200}
            cell |= {"tokens": 2.0, "seconds": 0.004}
            (folder / f"{arm}.json").write_bytes(pretty({"clean": cell}))
    shown = proof.table(tmp_path)
    gap = 100 * (better.mean() - base.mean())
    (row,) = [line for line in shown.splitlines() if line.startswith(f"| {proof.RIVAL} | +")]
    point, low, high = (
        float(part)
        for part in row.split("|")[2].replace("(", " ").replace(",", " ").strip(") ").split()
    )
    assert point == pytest.approx(gap, abs=0.05)
    assert low < point < high
    # of unpaired draws the interval would be wider by far
    assert high - low < 2 * 1.96 * 100 * np.sqrt(2 * 0.25 / 200)
