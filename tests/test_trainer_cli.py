"""The commands: what they print, how they end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from huggingface_hub import constants
from huggingface_hub.utils import close_session
from typer.testing import CliRunner, Result

from annotate.testing.faultserver import FaultServer, serving
from builders import hub as publishing
from degrade import images
from degrade.errors import UserError
from degrade.schema import Chain, Degradation
from tests.dataset_help import WORDS, picture, small_dataset
from tests.hubserver import TOKEN, hub
from tests.trainer_help import short_dataset
from trainer import tiny
from trainer.checkpoints import is_complete
from trainer.cli import ask, train

app = typer.Typer()
app.add_typer(train, name="train")
app.command()(ask)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


pytestmark = pytest.mark.usefixtures("training_cache")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_dataset(tmp_path_factory.mktemp("rows") / "data", rows=12)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(images.encode(picture(1), "png", None))
    return path


SAID = Chain(
    types=(Degradation(label="lens blur", intensity=0.5),),
    influence="It hides edges.",
    reasoning="The door looks red.",
    conclusion="So red.",
    answer="1",
)


# ------------------------------------------------------------------------------------- train


def test_both_stages_run_from_the_command_line_and_the_model_answers(
    rows: Path, photo: Path, tmp_path: Path
) -> None:
    few = ["--set", "sft.steps=50", "--set", "sft.use=", "--set", "rl.steps=1"]
    few += ["--set", "rl.max_new_tokens=48", "--data", str(rows)]
    out = str(tmp_path / "out")
    told = run("train", "sft", "tiny", out, *few).output
    assert "12 rows to train on, 0 refused" in told
    assert "Trained parameters: vision" in told
    assert re.search(r"^step 5: loss \d", told, re.MULTILINE)
    assert "50 steps" in told
    assert "Nothing to do" in run("train", "sft", "tiny", out, *few).output
    found = json.loads(run("train", "rl", "tiny", out, *few, "--json").stdout)
    assert found["steps"] == 1
    assert found["preflight"]["rows"] == 9
    options = [part for word in WORDS for part in ("--choice", word)]
    asked = ("ask", str(photo), "What color is the door of house 1?", *options)
    result = run(*asked, "--model", out, "--max-tokens", "64")  # the model of the run's last stage
    assert result.exit_code == 0, result.output
    assert re.search(r"Degradations\n.*\nInfluence\n.*Answer\n  \d", result.stdout, re.DOTALL)


def test_two_processes_train_one_model(rows: Path, tmp_path: Path) -> None:
    code = "from tests.test_trainer_cli import app; app()"
    (tmp_path / "main.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", str(tmp_path / "main.py"), "train", "sft", "tiny"]
    command += [str(tmp_path / "out"), "--data", str(rows)]
    for change in ("sft.steps=2", "sft.use=", "watch.save_every=1", "sft.batch=2"):
        command += ["--set", change]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment |= {"OMP_NUM_THREADS": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("12 rows to train on") == ended.stdout.count("2 steps.") == 1
    checkpoint = tmp_path / "out/sft/checkpoints/checkpoint-2"
    assert is_complete(checkpoint)
    assert {p.name for p in checkpoint.glob("rng_state_*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }


def test_check_looks_at_the_rows_and_trains_nothing(rows: Path, tmp_path: Path) -> None:
    result = run("train", "sft", "tiny", str(tmp_path / "o"), "--data", str(rows), "--check")
    assert not (tmp_path / "o").exists()
    assert "3 rows to train on, 0 refused" in result.stdout


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_a_data_set_on_the_hub_is_read_as_its_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_dataset(tmp_path / "small", rows=8)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub() as server:
        publishing.push(folder, "me/small", endpoint=server.url)
        close_session()
        (tmp_path / "main.py").write_text("from tests.test_trainer_cli import app; app()", "utf-8")
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        environment |= {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")}
        environment |= {"HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
        asked = ["train", "rl", "tiny", str(tmp_path / "out"), "--set", "rl.start=model", "--check"]
        command = [sys.executable, str(tmp_path / "main.py"), *asked, "--data", "me/small"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "6 rows to train on, 0 refused" in done.stdout
    assert run(*asked, "--data", str(folder)).stdout == done.stdout


def test_mistakes_are_refused(rows: Path, tmp_path: Path) -> None:
    for given, said in (
        (["--set", "rl.beta"], "key=value"),
        (["--set", "rl.bta=1"], "Did you mean 'beta'"),
        (["--set", "rl.beta=[1"], "no YAML"),
        ([], "--data"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            run("train", "sft", "tiny", str(tmp_path), *given)


def test_ready_configurations_are_listed_shown_and_start_ones_own(tmp_path: Path) -> None:
    assert "qwen2.5-vl-3b-lora-24gb" in run("train", "configs").stdout
    shown = run("train", "configs", "tiny").stdout
    (tmp_path / "mine.yaml").write_text(shown, "utf-8")
    assert run("train", "configs", str(tmp_path / "mine.yaml")).stdout == shown
    assert Path(run("train", "accelerate", "zero3").stdout.strip()).is_file()
    with pytest.raises(UserError, match="Did you mean 'zero3'"):
        run("train", "accelerate", "zero2")


# --------------------------------------------------------------------------------------- ask


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving(FaultServer(answer=lambda body: SAID.render())) as server:
        yield server


def test_an_endpoint_is_asked_and_its_chain_shown_by_parts(
    endpoint: FaultServer, photo: Path
) -> None:
    asked = ("ask", str(photo), "Color?", "--choice", "blue", "--choice", "red", "--model", "m")
    shown = run(*asked, "--base-url", endpoint.url).stdout
    assert "lens blur 0.50" in shown
    assert "1. red" in shown
    lettered = run(*asked, "--answers", "letter", "--base-url", endpoint.url).stdout
    assert lettered.endswith("Answer\n  1\n")  # no letter
    assert "B. red" in str(endpoint.bodies[-1])
    found = json.loads(run(*asked, "--base-url", endpoint.url, "--json").stdout)
    assert Chain.model_validate(found["chain"]) == SAID
    assert found["answer"] == "1"


def test_what_is_no_chain_is_shown_as_it_is_and_exits_3(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving(FaultServer(answer=lambda body: "It is red.")) as server:
        result = run("ask", str(photo), "Color?", "--model", "m", "--base-url", server.url)
    assert result.exit_code == 3
    assert "It is red." in result.output


def test_pictures_and_models_that_do_not_open_are_refused(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read"):
        run("ask", str(tmp_path / "none.png"), "?", "--model", "m")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="no known picture format"):
        run("ask", str(tmp_path / "text.png"), "?", "--model", "m")
    with pytest.raises(UserError, match="Cannot load the processor"):
        run("ask", str(photo), "?", "--model", str(tmp_path))
    (tmp_path / "sft/checkpoints").mkdir(parents=True)
    with pytest.raises(UserError, match="has made no model yet"):
        run("ask", str(photo), "?", "--model", str(tmp_path))


def test_what_a_model_cannot_be_asked_or_loaded_from_is_told_without_a_traceback(
    photo: Path, tmp_path: Path
) -> None:
    folder = tiny.build(tmp_path / "model", [SAID.render(), "Color?"])
    asked = ("--model", str(folder), "--max-tokens", "2")
    (tmp_path / "thin.png").write_bytes(images.encode(np.zeros((2, 900, 3), np.uint8), "png", None))
    with pytest.raises(UserError, match=r"cannot be asked this.*aspect ratio"):
        run("ask", str(tmp_path / "thin.png"), "?", *asked)
    with pytest.raises(UserError, match=r"cannot be asked this.*image_pad"):
        run("ask", str(photo), "What is <|image_pad|>?", *asked)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="Cannot load the model"):
        run("ask", str(photo), "?", *asked)
    with pytest.raises(UserError, match=r"base URL must look like"):
        run("ask", str(photo), "?", *asked, "--base-url", "localhost")
