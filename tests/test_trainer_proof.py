"""The experiment of benchmarks/proof.py asks what it says it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import proof
from benchmarks import proof_scenes as world
from benchmarks.proof_coverage import GAIN, covered, simulated
from benchmarks.proof_table import table
from degrade.errors import UserError
from degrade.runs import pretty
from degrade.schema import tokens
from trainer.rewards import answer_reward, degradation_reward, format_reward, length_reward


@pytest.mark.parametrize("task", world.TASKS)
def test_every_cell_asks_the_same_about_the_same_scenes_in_other_states(task: str) -> None:
    cells = world.cells(12, task)
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


@pytest.mark.parametrize("task", world.TASKS)
def test_training_uses_the_same_scenes_clean_and_degraded_and_none_of_the_tests(task: str) -> None:
    clean, damaged = (world.training(40, damaged=d, task=task) for d in (False, True))
    assert [i.question for i in clean] == [i.question for i in damaged]
    assert not any(i.applied for i in clean)
    used = {i.applied[0].operator for i in damaged if i.applied}
    assert used <= set(world.SEEN)
    assert 0 < sum(not i.applied for i in damaged) < 20
    tested = [i.picture.tobytes() for i in world.cells(8)["clean"]]
    assert not set(tested) & {i.picture.tobytes() for i in clean}


def test_where_a_shape_belongs_is_told_by_color_and_form_together_and_by_neither_alone() -> None:
    asked = [i for i in world.training(400, damaged=False, task="place") if i.asked == world.PLACE]
    assert 100 < len(asked) < 220
    assert all(i.asked == world.PLACE for i in world.cells(5, "place")["clean"])
    known: dict[tuple[str, ...], set[str]] = {}
    for item in asked:
        color, form = item.facts["color"], item.facts["form"]
        for key in ((color,), (form,), (color, form)):
            known.setdefault(key, set()).add(item.question.answer)
        assert item.chain.reasoning == f"The shape looks {color}. It is a {form}."
        assert item.chain.answer in item.chain.conclusion
    for key, places in known.items():
        assert len(places) == (1 if len(key) == 2 else 4), key


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


def write(out: Path, arm: str, seed: int, cells: dict[str, Any]) -> None:
    folder = out / f"seed-{seed}"
    folder.mkdir(exist_ok=True, parents=True)
    count = {name: len(cell["right"]) for name, cell in cells.items()}
    filled = {
        name: {"form": None, "type_f1": None, "mae": None, "reasoning": None, "tokens": 2.0}
        | {"seconds": 0.004, "damage": [0.0] * count[name]}
        | cell
        for name, cell in cells.items()
    }
    (folder / f"{arm}.json").write_bytes(pretty(filled))


def shown(out: Path, start: str) -> list[str]:
    lines = table(out, proof.ARMS, proof.REFERENCES).splitlines()
    (found,) = [line for line in lines if line.startswith(start)]
    return [part.strip() for part in found.strip("|").split("|")]


def interval(text: str) -> tuple[float, float, float]:
    point, low, high = text.replace("(", " ").replace(",", " ").strip(") ").split()
    return float(point), float(low), float(high)


def test_the_table_pairs_arms_by_scene_and_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.random((2, 200)) < 0.5
    better = base | (rng.random((2, 200)) < 0.5)
    for arm, right in ((proof.REFERENCES[0], base), (proof.REFERENCES[1], better)):
        for seed in (1, 0):
            write(tmp_path, arm, seed, {"clean": {"right": right[seed].astype(int).tolist()}})
    write(tmp_path, proof.REFERENCES[1], 7, {"clean": {"right": [0] * 200}})  # has no partner
    point, low, high = interval(shown(tmp_path, f"| {proof.REFERENCES[1]} | +")[1])
    assert point == pytest.approx(100 * (better.mean() - base.mean()), abs=0.05)
    assert low < point < high
    # of unpaired draws the interval would be wider by far
    assert high - low < 2 * 1.96 * 100 * np.sqrt(2 * 0.25 / 200)


def test_what_seeds_disagree_about_is_not_certain(tmp_path: Path) -> None:
    for seed, gain in enumerate((0.0, 0.0, 0.3)):
        for arm, share in ((proof.REFERENCES[0], 0.5), (proof.REFERENCES[1], 0.5 + gain)):
            right = (np.arange(400) < 400 * share).astype(int).tolist()
            write(tmp_path, arm, seed, {"clean": {"right": right}})
    point, low, _ = interval(shown(tmp_path, f"| {proof.REFERENCES[1]} | +")[1])
    assert point == pytest.approx(10.0)
    assert low <= 0.0


def test_intervals_are_wide_enough_where_seeds_agree_and_known_not_to_be_where_they_do_not() -> (
    None
):
    rng = np.random.default_rng(0)
    assert simulated(rng, 3000, 0.06).mean() == pytest.approx(GAIN, abs=0.005)
    agreed, scattered = (covered(rng, 3, scatter, 60) for scatter in (0.01, 0.2))
    assert agreed >= 0.95
    assert scattered < 0.95


def test_types_are_judged_where_there_are_some(tmp_path: Path) -> None:
    # One invented type on clean pictures makes their F1 0: no part of the mean over degraded ones.
    cells = {
        "clean": {"right": [1, 1], "type_f1": 0.0, "r_deg": 0.5, "form": 0.9},
        "seen 50%": {"right": [1, 0], "type_f1": 0.8, "r_deg": 0.7},
        "unseen 50%": {"right": [1, 0], "type_f1": 0.1, "r_deg": 0.1},
    }
    write(tmp_path, proof.REFERENCES[2], 0, cells)
    found = shown(tmp_path, f"| {proof.REFERENCES[2]} | 0.9000")
    assert found[2:6] == ["0.8000", "-", "0.7000", "0.5000"]


def test_a_folder_is_held_to_one_plan(tmp_path: Path) -> None:
    proof._same_plan(tmp_path, proof.Plan.scaled(1.0))
    proof._same_plan(tmp_path, proof.Plan.scaled(1.0))
    with pytest.raises(UserError, match="another folder"):
        proof._same_plan(tmp_path, proof.Plan.scaled(0.02))


def test_the_table_says_what_rewards_were_at_first_and_at_last(tmp_path: Path) -> None:
    arm = "RL without r_deg"
    write(tmp_path, arm, 0, {"clean": {"right": [1, 0]}})
    steps = [
        {"reward": r, "rewards/format_reward/mean": r, "rewards/format_reward/std": 0.0}
        for r in (0.25, 0.5, 0.875)
    ]
    log = [{"loss": 1.0}, *steps, {"train_runtime": 1.0}]
    folder = tmp_path / "seed-0" / arm
    folder.mkdir()
    (folder / "log.json").write_bytes(pretty(log))
    lines = table(tmp_path, proof.ARMS, proof.REFERENCES).splitlines()
    assert lines[-1] == f"| {arm} | 0.250 → 0.875 |"
    assert lines[-3] == "| arm | format |"
