"""Configurations: presets load, mistakes are refused with what to do instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from degrade.errors import UserError
from trainer import config
from trainer.config import load


@pytest.mark.parametrize("name", config.preset_names())
def test_presets_load_and_survive_being_written(name: str, tmp_path: Path) -> None:
    found = load(name)
    assert found.name == name
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(found.model_dump(mode="json")), "utf-8")
    assert load(str(path)) == found


def test_paper_preset_has_the_figures_of_the_paper() -> None:
    found = load("qwen2.5-vl-3b")
    assert found.model.path == "Qwen/Qwen2.5-VL-3B-Instruct"
    assert set(found.model.freeze) == {"vision", "projector"}
    assert found.model.lora is None
    assert (found.rl.group, found.rl.beta, found.rl.learning_rate) == (8, 0.04, 1e-6)
    assert (found.rl.epsilon, found.rl.temperature, found.rl.max_new_tokens) == (0.2, 1.0, 2048)
    assert (found.sft.use, found.rl.use) == ("sft", "rl")


def test_defaults_freeze_vision_and_projector() -> None:
    assert set(config.ModelConfig(path="x").freeze) == {"vision", "projector"}


def test_configurations_need_neither_torch_nor_the_extra() -> None:
    code = (
        "import sys, trainer.config as c; c.load('tiny');"
        "sys.exit(bool({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rl.groop": 4}, "Did you mean 'group'"),
        ({"models": {}}, "Did you mean 'model'"),
        ({"rl.group": 3}, "a group would be torn apart"),
        ({"rl.group": 1}, "greater than or equal to 2"),
        ({"rl.rewards": {"formt": 1}}, "Did you mean 'format'"),
        ({"rl.rewards": {"format": 0}}, "at least one reward"),
        ({"rl.rewards": {"format": -1}}, "greater than or equal to 0"),
        ({"rl.consistency": 1}, "weight of degradation, length in rewards to 0"),
        ({"rl.rewards.degradation": 0, "rl.consistency": 1}, "weight of length in rewards"),
        ({"model.freeze": ["vision"], "model.lora": {"rank": 4}}, "leave lora out"),
        ({"model.freeze": ["tower"]}, "'vision'"),
        ({"model.attention": "flash_attention_2", "machine.device": "auto"}, "bfloat16"),
        ({"model.attention": "flash_attention_2", "model.dtype": "bfloat16"}, "needs a GPU"),
        ({"model.min_pixels": 100000}, "above max_pixels"),
        ({"rl.vllm": {}}, "vllm needs a GPU"),
        ({"rl.vllm": {"mode": "server"}}, "url belongs to mode server"),
        ({"data.picture": "clean"}, "set data.target answer"),
        ({"data.refused": "ignore"}, "'drop'"),
        ({"sft.extra": {"max_length": 512}}, "max_tokens"),
        ({"rl.extra": {"report_to": "wandb"}}, "watch.trackers"),
        ({"sft.extra": {"save_strategy": "no"}}, "watch.save_every"),
        ({"sft.extra": {"save_only_model": True}}, "could not go on"),
        ({"sft.extra": {"hub_token": "hf_x"}}, "push the finished model yourself"),
        ({"rl.extra": {"deepspeed": "z.json"}}, "accelerate launch"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"model.path": ""}, "at least 1 character"),
        ({"watch.trackers": ["wandbb"]}, "'wandb'"),
        ({"sft.learning_rate": 0}, "greater than 0"),
    ],
)
def test_bad_combinations_are_refused_with_the_remedy(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        load("tiny", changes)
    assert said in str(caught.value)


def test_one_weight_can_be_changed_alone() -> None:
    found = load("tiny", {"rl.rewards.length": 0.5, "rl.rewards.r1_deg": 0}).rl.rewards
    ours = dict.fromkeys(("format", "answer", "degradation"), 1.0)
    assert found == {**ours, "length": 0.5, "r1_deg": 0.0}
    assert load("tiny", {"rl.rewards": {"format": 1}}).rl.rewards == {"format": 1.0}


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(UserError, match=r"sft\.batch.*watch\.keep"):
        load("tiny", {"sft.batch": 0, "watch.keep": 0})


def test_unknown_names_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean 'tiny'"):
        load("tinny")
    with pytest.raises(UserError, match="Cannot read"):
        load(str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match="holds a value"):
        load("tiny", {"name.x": 1})


def test_rl_is_refused_where_there_is_no_chain_to_judge() -> None:
    with pytest.raises(UserError, match=r"data\.target is answer"):
        load("tiny", {"data.target": "answer"}).for_rl()


@pytest.mark.parametrize(
    "path", sorted((Path(config.__file__).parent / "configs/accelerate").iterdir())
)
def test_files_for_accelerate_are_read_by_it(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(path))
    assert found.num_processes == 8
    assert path.stem in {"ddp", "fsdp", "zero3"}
