"""Training end to end with TRL's own trainers, on a CPU and offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainingArguments

from degrade.errors import StoppedError, UserError
from degrade.schema import Chain
from tests.trainer_help import log, same, tiny, weights
from trainer import answers, data, models, rl, sft, stage
from trainer.callbacks import Log
from trainer.config import Config

SHORT: dict[str, Any] = {
    "sft__use": "",
    "rl__use": "",
    "rl__max_new_tokens": 64,
    "rl__start": "model",
    "rl__steps": 2,
    "watch__log_every": 1,
}


pytestmark = pytest.mark.usefixtures("training_cache")


@pytest.fixture(scope="module")
def trained(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose SFT of 50 steps is done."""
    out = tmp_path_factory.mktemp("run") / "out"
    sft.stage(fifty(rows), out).run()
    return out


def fifty(rows: Path) -> Config:
    changes = {**SHORT, "rl__start": "sft", "sft__steps": 50, "watch__answer_every": 50}
    return tiny(rows, **changes)


def cut_at(step: int, run: stage.Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a run after a step, before its checkpoint is written."""
    report = Log.report

    def interrupted(self: Log, state: Any) -> None:
        report(self, state)
        if state.global_step == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Log, "report", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.run()


# -------------------------------------------------------------------------------------- SFT


def test_fifty_steps_of_sft_halve_the_loss(trained: Path) -> None:
    losses = [entry["loss"] for entry in log(trained / "sft") if "loss" in entry]
    assert len(losses) == 50
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])


def test_after_sft_the_model_answers_in_the_form_it_learnt(trained: Path, rows: Path) -> None:
    config = fifty(rows)
    folder = str(trained / "sft" / "model")
    model = models.load_model(folder, config.model)
    processor = models.load_processor(folder)
    first = data.read(config.data, "validation")[0]
    asked = [(data.prompt(data.question(first), "chain"), data.picture(first, "stored"))]
    said = answers.generate(model, processor, asked * 3, 64, batch=2)
    found = answers.scores(said, [first] * 3)
    assert found["format"] == 1.0
    assert found["cut"] == 0.0
    (look,) = [entry for entry in log(trained / "sft") if "look/format" in entry]
    assert look["look/format"] == 1.0


def test_a_finished_stage_is_described_and_not_done_again(trained: Path, rows: Path) -> None:
    summary = json.loads((trained / "sft" / "train.json").read_text())
    assert summary["steps"] == 50
    assert summary["counts"] == {"rows": 24}
    assert summary["preflight"]["refused"] == {}
    card = (trained / "sft" / "model" / "README.md").read_text()
    assert "supervised fine-tuning" in card
    assert "learning_rate: 0.006" in card
    assert str(trained) not in card
    before = (trained / "sft" / "model" / "model.safetensors").stat().st_mtime_ns
    assert sft.stage(fifty(rows), trained).run()["already_finished"]
    assert (trained / "sft" / "model" / "model.safetensors").stat().st_mtime_ns == before


def test_another_configuration_over_a_stage_is_refused(trained: Path, rows: Path) -> None:
    other = tiny(rows, **{**SHORT, "sft__steps": 51})
    with pytest.raises(UserError, match="they differ in: sft"):
        sft.stage(other, trained).run()


# --------------------------------------------------------------------------------------- RL


def test_gated_reward_rises_and_format_does_not_fall(trained: Path, rows: Path) -> None:
    changes = {
        **SHORT,
        "rl__start": "sft",
        "sft__steps": 50,
        "rl__steps": 9,
        "rl__batch": 32,
        "rl__group": 8,
        "rl__learning_rate": 1e-3,
        "rl__temperature": 0.7,
    }
    rl.stage(tiny(rows, **changes), trained).run()
    steps = [entry for entry in log(trained / "rl") if "reward" in entry]
    assert len(steps) == 9
    first, last = steps[:3], steps[-3:]
    for name in ("reward", "rewards/format_reward/mean"):
        assert sum(e[name] for e in last) > sum(e[name] for e in first), name
    for name in ("answer", "degradation", "length"):
        assert f"rewards/{name}_reward/mean" in steps[0]
    for name in ("completions/clipped_ratio", "depth/spearman", "types/f1", "kl"):
        assert name in steps[0]
    assert steps[0]["kl"] == 0.0
    assert steps[-1]["kl"] > 0.0


def test_rl_without_its_sft_says_what_to_do(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train sft"):
        rl.stage(tiny(rows), tmp_path / "new").run()


def test_degraded_views_of_clean_answers_add_a_consistency_term(
    trained: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"model__path": str(trained / "sft/model"), "rl__temperature": 0.7, "rl__batch": 16}
    start |= {"rl__rewards": {"format": 1, "answer": 1, "degradation": 0}}
    config = tiny(rows, **SHORT, **start, rl__consistency=0.5)
    rl.stage(config, tmp_path / "out").run()
    steps = [entry for entry in log(tmp_path / "out" / "rl") if "reward" in entry]
    assert all(entry["consistency"] > 0.0 for entry in steps if entry["reward_std"] > 0.0)
    assert any(entry["reward_std"] > 0.0 for entry in steps)
    # what is not about the scene has no part in it
    monkeypatch.setattr(rl, "about_the_scene", lambda ids, processor: [False] * len(ids))
    rl.stage(config, tmp_path / "none").run()
    nothing = [entry for entry in log(tmp_path / "none" / "rl") if "reward" in entry]
    assert [entry["consistency"] for entry in nothing] == [0.0, 0.0]
    assert nothing[0]["reward"] == steps[0]["reward"]


def test_a_curriculum_is_trained_on_in_its_order(
    trained: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    watch = rl.reasoning_tokens

    def reasoning_tokens(completions: Any, *given: Any, **columns: Any) -> list[float]:
        seen.extend(columns["intensity_sum"])
        return watch(completions, *given, **columns)

    monkeypatch.setattr(rl, "reasoning_tokens", reasoning_tokens)
    changes = {**SHORT, "model__path": str(trained / "sft/model"), "rl__max_new_tokens": 4}
    rl.stage(tiny(rows, **changes, rl__curriculum="intensity"), tmp_path / "out").run()
    assert len(seen) == 2 * 8
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
    for curriculum, kind in (("intensity", "SequentialSampler"), (None, "RandomSampler")):
        config = tiny(rows, sft__use="", sft__curriculum=curriculum)
        table = data.selected(data.read(config.data, "train"), config, "sft")
        made = sft.trainer_class(config)
        trainer = made.__new__(made)
        trainer.train_dataset, trainer.args = table, TrainingArguments(use_cpu=True)
        assert type(trainer._get_train_sampler()).__name__ == kind


def test_consistency_is_asked_of_what_is_said_about_the_scene_alone(trained: Path) -> None:
    processor = models.load_processor(str(trained / "sft/model"))
    chain = Chain(
        types=(), influence="It hides.", reasoning="A door.", conclusion="So red.", answer="1"
    ).render()
    ids = processor.tokenizer(chain)["input_ids"]
    about = rl.about_the_scene(ids, processor)
    said = processor.tokenizer.decode([i for i, kept in zip(ids, about, strict=True) if kept])
    assert said == chain.partition("<REASONING>")[2]
    assert not any(rl.about_the_scene(ids[:5], processor))


# --------------------------------------------------------------------------- what is trained


def test_frozen_parts_stay_and_small_updates_are_not_lost_to_bfloat16(
    rows: Path, tmp_path: Path
) -> None:
    changes = {"model__freeze": ["vision", "projector"], "model__dtype": "bfloat16"}
    config = tiny(rows, **SHORT, **changes, sft__steps=1, sft__learning_rate=1e-6)
    sft.stage(config, tmp_path / "out").run()
    before, after = weights(tmp_path / "out/sft/base"), weights(tmp_path / "out/sft/model")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name].float())}
    assert {models.part_of(name) for name in changed} == {"language"}
    language = [name for name in before if models.part_of(name) == "language"]
    assert len(changed) == len(language)


def test_adapters_leave_vision_alone_merge_into_the_weights_and_go_on(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"model__freeze": ["vision", "projector"], "model__lora": {"rank": 4, "alpha": 8}}
    config = tiny(rows, **SHORT, **changes, sft__steps=2, watch__save_every=1)
    sft.stage(config, tmp_path / "out").run()
    folder = tmp_path / "out/sft"
    names = list(load_file(folder / "adapter/adapter_model.safetensors"))
    assert {models.part_of(name) for name in names} == {"language"}
    before, merged = weights(tmp_path / "out/sft/base"), weights(folder / "model")
    assert before.keys() == merged.keys()
    changed = {name for name in before if not torch.equal(before[name], merged[name])}
    adapted = {n.split("model.model.")[1].rsplit(".lora_", 1)[0] for n in names}
    assert {n.removesuffix(".weight").split("model.")[-1] for n in changed} == {
        n.split("language_model.")[-1] for n in adapted
    }
    trained = json.loads((folder / "train.json").read_text())["trainable"]
    assert trained["vision"]["trained"] == trained["projector"]["trained"] == 0
    assert trained["language"]["trained"] > 0
    cut_at(2, sft.stage(config, tmp_path / "cut"), monkeypatch)
    said: list[str] = []
    sft.stage(config, tmp_path / "cut", say=said.append).run()
    assert "Going on from checkpoint-1." in said
    assert same(merged, weights(tmp_path / "cut/sft/model"))


# -------------------------------------------------------------------------------- going on


def test_rl_goes_on_where_it_was_with_the_first_model_as_reference(
    trained: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"model__path": str(trained / "sft/model"), "rl__temperature": 0.7, "rl__batch": 16}
    changes = {**SHORT, **start, "rl__steps": 3, "rl__learning_rate": 1e-3}
    config = tiny(rows, **changes, watch__save_every=2)
    cut_at(3, rl.stage(config, tmp_path / "cut"), monkeypatch)
    rl.stage(config, tmp_path / "cut").run()
    rl.stage(config, tmp_path / "cut").run()
    rl.stage(config, tmp_path / "whole").run()
    assert same(weights(tmp_path / "cut/rl/model"), weights(tmp_path / "whole/rl/model"))
    ends = [[e for e in log(tmp_path / name / "rl") if "kl" in e][-1] for name in ("cut", "whole")]
    assert ends[0]["kl"] == ends[1]["kl"] > 0.0


def test_a_model_that_could_not_be_written_is_written_by_the_same_command(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    config = tiny(rows, sft__use="", sft__steps=2)
    with monkeypatch.context() as patch:
        patch.setattr(stage, "write_card", full)
        with pytest.raises(StoppedError, match="No space left"):
            sft.stage(config, tmp_path / "out").run()
    assert not (tmp_path / "out/sft/train.json").exists()
    assert sft.stage(config, tmp_path / "out").run()["steps"] == 2
    saved = weights(tmp_path / "out/sft/checkpoints/checkpoint-2")
    assert same(saved, weights(tmp_path / "out/sft/model"))
