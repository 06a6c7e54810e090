"""What training refuses, and what it says then."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import accelerate
import pytest

from degrade.errors import UserError
from tests.trainer_help import tiny
from trainer import hf, models, rl, sft
from trainer.config import Vllm
from trainer.owned import OWNED
from trainer.tiny import build

SHORT: dict[str, Any] = {"sft__use": "", "rl__use": "", "rl__start": "model"}


pytestmark = pytest.mark.usefixtures("training_cache")


def test_refused_rows_stop_training_before_it_starts_and_can_be_dropped(
    rows: Path, tmp_path: Path
) -> None:
    config = tiny(rows, sft__use="", sft__steps=1, sft__max_tokens=180)
    with pytest.raises(UserError, match=r"drawn/\d+: \d+ tokens are more") as caught:
        sft.stage(config, tmp_path / "out").run()
    listed = [json.loads(x) for x in (tmp_path / "out/refused-sft.jsonl").read_text().splitlines()]
    assert listed[0]["id"] in str(caught.value)
    assert not (tmp_path / "out/sft").exists()
    dropped = config.model_copy(update={"data": config.data.model_copy(update={"refused": "drop"})})
    result = sft.stage(dropped, tmp_path / "out").run()
    refused = result["preflight"]["refused"]
    assert refused == {"length": len(listed)}
    assert result["counts"]["rows"] == 24 - len(listed) > 0


def test_unknown_arguments_of_trl_are_refused_by_name(rows: Path, tmp_path: Path) -> None:
    config = tiny(rows, sft__extra={"max_grad_nrom": 1.0})
    with pytest.raises(UserError, match="Did you mean 'max_grad_norm'"):
        sft.stage(config, tmp_path / "out").run()


def test_what_trl_refuses_once_it_has_the_model_is_told_without_a_traceback(
    rows: Path, tmp_path: Path
) -> None:
    config = tiny(rows, sft__extra={"padding_free": True})
    with pytest.raises(UserError, match=r"With sft\.extra TRL does not start: .*[Pp]adding.free"):
        sft.stage(config, tmp_path / "out").run()
    assert not list(tmp_path.glob("out/sft/*"))


@pytest.mark.parametrize("kind", ["sft", "rl"])
def test_nothing_that_is_set_here_can_be_set_through_extra(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    given: dict[str, Any] = {}

    def caught(kind: Any, arguments: dict[str, Any]) -> Any:
        given.update(arguments)
        raise UserError("enough")

    monkeypatch.setattr(hf, "arguments", caught)
    config = tiny(rows, **{**SHORT, "model__revision": "main"})
    with pytest.raises(UserError, match="enough"):
        (sft if kind == "sft" else rl).stage(config, tmp_path / "out").run()
    server = Vllm(mode="server", url="http://localhost")
    given |= {**rl._vllm(server), **rl._vllm(Vllm())}
    assert len(given) > 20
    assert given.keys() - OWNED.keys() == set()


def test_what_the_machine_lacks_is_told_with_the_remedy(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half: dict[str, Any] = {**SHORT, "model__dtype": "bfloat16", "machine__device": "auto"}
    monkeypatch.setattr(hf, "half_on_gpu", lambda: False)
    config = tiny(tmp_path / "not read yet", **half)
    with pytest.raises(UserError, match=r"set machine\.device to cpu"):
        sft.stage(config, tmp_path / "out").run()
    assert sft.stage(tiny(rows, **half), tmp_path / "out").run(check_only=True)["rows"]
    flash = config.model.model_copy(update={"attention": "flash_attention_2"})
    with pytest.raises(UserError, match=r"set model\.attention to sdpa"):
        models.load_model(str(build(tmp_path / "model", ["red"])), flash)


def test_other_processes_wait_as_long_as_the_pre_flight_of_many_rows_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[dict[str, Any]] = []

    class State:
        def __init__(self, **options: Any) -> None:
            given.append(options)

        def wait_for_everyone(self) -> None:
            given.append({})

    monkeypatch.setattr(accelerate, "PartialState", State)
    hf.wait(cpu=True)
    assert given == []  # there is one process
    monkeypatch.setenv("WORLD_SIZE", "2")
    hf.wait(cpu=True)
    assert given[0]["cpu"] is True
    assert given[0]["timeout"] >= timedelta(hours=1)
    assert len(given) == 2


def test_trackers_and_vllm_that_are_not_installed_are_named(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pip install swanlab"):
        sft.stage(tiny(rows, watch__trackers=["swanlab"]), tmp_path / "out").run()
    with pytest.raises(UserError, match=r"vllm==0\.31\.0"):
        rl.require_vllm()


def test_a_missing_extra_is_named(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(UserError, match=r"pip install 'degrade\[train\]'"):
        sft.stage(tiny(rows), rows)
