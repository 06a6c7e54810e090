"""The commands as a user gives them: exit codes, messages, `kill -9` and again."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
RECIPE = """
name: little
summary: A little data set.
sources:
  - {{kind: folder, name: photos, path: {photos}, license: CC0-1.0}}
  - {{kind: scenes, name: scenes, rows: fill, size: [224, 168]}}
splits:
  train: {{rows: 16, use: {{sft: 0.25, rl: 0.75}}}}
  validation: {{rows: 4}}
pictures: {{max_side: 128}}
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "degrade.cli", *map(str, arguments)]


def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "little.yaml"
    path.write_text(RECIPE.format(photos=PHOTOS))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "little.yaml").write_text(RECIPE.format(photos=PHOTOS))
    run("build", "dataset", folder / "little.yaml", folder / "out")
    return folder / "out"


@pytest.mark.parametrize("after", ["pool/rows.jsonl", "train-degraded/images", "train-chains"])
def test_a_build_killed_in_any_stage_goes_on_to_the_same_bytes(
    recipe: Path, whole: Path, tmp_path: Path, after: str
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        command("build", "dataset", recipe, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "out.build" / after).exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "dataset.json").exists()
    run("build", "dataset", recipe, out)
    assert digests(out) == digests(whole)
    again = run("build", "dataset", recipe, out)
    assert "is finished already: 20 rows. Nothing to do." in again.stdout


def test_a_built_data_set_is_valid_and_goes_to_every_format(whole: Path, tmp_path: Path) -> None:
    assert json.loads(run("validate", whole, "--json").stdout)["ok"]
    names = json.loads(run("formats", "--json").stdout)
    assert set(names) == {
        "llamafactory",
        "vlm-r1",
        "trl-sft",
        "trl-grpo",
        "webdataset",
        "imagefolder",
        "vlmevalkit",
        "lmms-eval",
    }
    for name in names:
        run("export", whole, tmp_path / name, "--to", name)
        assert json.loads(run("validate", tmp_path / name, "--json").stdout)["ok"], name
    assert (
        "Did you mean 'trl-sft'"
        in run("export", whole, tmp_path / "x", "--to", "sft", code=2).stderr
    )


def test_a_damaged_data_set_exits_1_and_says_where(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "bad")
    victim = next((tmp_path / "bad" / "data").glob("validation*"))
    data = bytearray(victim.read_bytes())
    at = data.find(b"IDAT") + 40
    data[at : at + 8] = b"\0" * 8
    victim.write_bytes(data)
    done = run("validate", tmp_path / "bad", code=1)
    assert "validation-00000-of-00001.parquet" in done.stdout.replace("\n", "")


def test_the_demo_ends_with_a_page_and_a_valid_data_set(tmp_path: Path) -> None:
    done = run("demo", tmp_path / "out", "--rows", "24")
    page = (tmp_path / "out" / "card.html").read_text("utf-8")
    assert "<img" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "card.html" in done.stdout.replace("\n", "")
    run("validate", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "dataset", "robust-r1-11", "OUT"), "Did you mean 'robust-r1-11k'"),
        (("build", "dataset", "demo", "OUT", "--source", "folder"), "KIND:PATH"),
        (("build", "dataset", "demo", "OUT", "--source", "folders:x"), "Did you mean 'folder'"),
        (("build", "dataset", "demo", "OUT", "--source", "folder:nowhere"), "nowhere"),
        (("build", "dataset", "demo", "OUT", "--scale", "inf"), "less than or equal"),
        (("build", "dataset", "demo", __file__), "is a file"),
        (("export", "nowhere", "OUT", "--to", "trl-sft"), "There is no folder"),
        (("validate", "nowhere"), "nowhere"),
        (("push", "nowhere", "me/it", "--dry-run"), "There is no folder"),
        (("replay", "no.parquet", "OUT", "--source", "folder:nowhere"), "no.parquet"),
    ],
)
def test_mistakes_exit_2_and_say_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [tmp_path / "out" if a == "OUT" else a for a in arguments]
    assert message in run(*given, code=2).stderr.replace("\n", " ")
