"""Every preset runs on photographs, and what it made replays."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from degrade import recipe
from degrade.executor import Options, Synth
from degrade.recipe import Recipe
from degrade.runs import read_json
from degrade.verify import Verifier
from tests.conftest import PHOTOS

TABLES = {"imagenet-c": (19, 5), "kadid": (25, 5), "vlm-robustbench": (49, 3)}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name in ("coffee", "boats"):
        with Image.open(PHOTOS / f"{name}.jpg") as image:
            image.convert("RGB").resize((72, 56)).save(folder / f"{name}.png")
    return folder


def ready(name: str) -> Recipe:
    found = recipe.load(name)
    return found.narrowed(["lens_blur"], 0.5) if found.needs else found


@pytest.mark.parametrize("name", recipe.preset_names())
def test_a_preset_runs_and_replays(name: str, photographs: Path, tmp_path: Path) -> None:
    chosen = ready(name)
    if name == "robust-r1-published":  # the published formulas refuse pictures as small as these
        chosen = chosen.narrowed(["published:lens_blur", "published:gaussian_noise"])
    result = Synth(photographs, tmp_path / "run", chosen, 3, Options(device="cpu")).run()
    assert result["counts"]["failed"] == 0
    assert result["counts"]["rows"] == 2 * len(chosen.variants)
    verifier = Verifier(tmp_path / "run", None, "cpu", 2)
    assert [d for d in verifier.check(24) if d is not None] == []
    assert read_json(tmp_path / "run" / "run.json")["settings"]["recipe"]["name"] == name


@pytest.mark.parametrize("name", TABLES)
def test_tables_hold_the_types_and_severities_of_their_source(name: str) -> None:
    table = recipe.load(name)
    assert (len(table.types), len(table.severities)) == TABLES[name]
    assert table.each


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("side", [224, 700])
def test_severities_do_not_get_milder(name: str, side: int) -> None:
    published = {"saturate", "mean_shift", "contrast_change", "elastic_transform", "fog"}
    for kind in recipe.load(name).types:
        (made,) = [recipe.load(name).narrowed([kind]).draw("x", 0, side)]
        strengths = [max((a.intensity for a in v.applied), default=0.0) for v in made]
        if kind not in published:  # these turn round in the source too
            assert strengths == sorted(strengths), kind
        assert strengths[-1] > 0.0
