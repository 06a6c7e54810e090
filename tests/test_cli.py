"""The command line: exit codes, messages, listings that match the registry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from degrade import ops, recipe
from tests.conftest import PHOTOS


def cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "degrade.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_ops_lists_the_registry() -> None:
    done = cli("ops", "--json")
    assert done.returncode == 0
    assert sorted(o["name"] for o in json.loads(done.stdout)) == ops.names()
    table = cli("ops").stdout
    assert all(name in table for name in ops.names())


def test_one_operator_in_full() -> None:
    done = cli("ops", "motion blur")
    assert "angle" in done.stdout
    assert "degrees" in done.stdout
    told, written = done.stdout.splitlines(), ops.get("motion_blur").doc.split("\n\n")[1]
    start = next(i for i, line in enumerate(told) if line.startswith("The line is `length`"))
    flowed = told[start : told.index("", start)]
    assert " ".join(" ".join(flowed).split()) == " ".join(written.replace("``", "`").split())
    assert all(len(line) > 60 for line in flowed[:-1]), "lines end where the terminal does"


def test_recipes_lists_the_presets_and_prints_one_to_start_from(tmp_path: Path) -> None:
    assert [r["name"] for r in json.loads(cli("recipes", "--json").stdout)] == recipe.preset_names()
    mine = tmp_path / "mine.yaml"
    mine.write_text(cli("recipes", "robust-r1").stdout)
    assert recipe.load(str(mine)) == recipe.load("robust-r1")


def test_the_main_job_on_real_photographs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("synth", PHOTOS, out, "--max-side", "160", "--seed", "4")
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    assert "6 pictures" in done.stdout
    assert done.stderr == "", "quiet where stderr is no terminal"
    again = cli(*arguments)
    assert again.returncode == 0
    assert "finished already" in " ".join(again.stdout.split())
    good = cli("verify", out)
    assert (good.returncode, good.stdout) == (0, "6 of 6 rows replay.\n")
    Image.new("RGB", (160, 107)).save(out / "images" / "coffee.png")
    bad = cli("verify", out, "--json")
    assert bad.returncode == 1
    assert [d["id"] for d in json.loads(bad.stdout)["differences"]] == ["coffee.jpg"]


def test_names_are_printed_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "photos [copy] [" / "x]"  # what rich would take for tags, one of them closing
    done = cli("synth", PHOTOS / "cat.jpg", out, "--max-side", "32")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"1 pictures (0 left clean) in {out}, fingerprint" in done.stdout


def test_quarantine_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "broken.jpg").touch()
    done = cli("synth", tmp_path / "src", tmp_path / "out")
    assert done.returncode == 3
    assert "empty_file" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ops", "lensblur"), "Did you mean 'lens_blur'"),
        (("synth", "nowhere", "out"), "no folder or picture nowhere"),
        (("synth", str(PHOTOS), "out", "--recipe", "robustr1"), "Did you mean 'robust-r1'"),
        (("synth", str(PHOTOS), "out", "--recipe", "single"), "--op and --intensity"),
        (("synth", str(PHOTOS), str(PHOTOS / "out")), "inside the source"),
        (("synth", str(PHOTOS), "out", "--copies", "0"), "greater than or equal to 1"),
        (("synth", str(PHOTOS), "out", "--encode", "bmp"), "png"),
        (("verify", str(PHOTOS)), "finished run"),
        (("preview", str(PHOTOS / "cat.jpg"), "out.txt"), ".png"),
        (("preview", str(PHOTOS / "LICENSES.md"), "out.png"), "no known picture format"),
    ],
)
def test_mistakes_exit_with_2_and_no_traceback(arguments: tuple[str, ...], message: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_preview_draws_a_sheet(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    done = cli("preview", PHOTOS / "cat.jpg", out, "--op", "lens_blur", "--cell", "64")
    assert done.returncode == 0, done.stderr
    with Image.open(out) as sheet:
        assert sheet.width > 6 * 64
