"""Golden values: a formula that changed must be a new version, and deliberately so.

`make golden` rewrites the files. Properties do not notice a sigma that is off by a factor of two.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from degrade import ops, pipeline
from degrade.schema import Applied
from tests.conftest import load_photo

GOLDEN = Path(__file__).parent / "golden"
KEY, INTENSITY = "golden", 0.5


def made(name: str) -> tuple[np.ndarray, Applied]:
    x = load_photo("coffee", 48)[None]
    y, (record,) = ops.get(name)(x, [INTENSITY], [KEY])
    return pipeline.to_uint8(y)[0].permute(1, 2, 0).numpy(), record


@pytest.mark.parametrize("name", ops.names())
def test_pictures_and_records_are_as_they_were(name: str, request: pytest.FixtureRequest) -> None:
    picture, record = made(name)
    png, text = GOLDEN / f"{name}.png", GOLDEN / f"{name}.json"
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        Image.fromarray(picture).save(png, optimize=True)
        text.write_text(json.dumps(record.model_dump(mode="json"), indent=1) + "\n")
    assert png.exists(), f"no golden picture of {name}: run `make golden`"
    stored = Applied.model_validate_json(text.read_text())
    hint = f"{name} draws or looks different: raise its version, then `make golden`"
    assert record == stored, hint
    with Image.open(png) as image:
        gap = np.abs(np.asarray(image).astype(int) - picture)
    # One grey level of rounding between machines; a few pixels more where a codec amplifies it.
    assert (gap <= 1).mean() > 0.999, hint


def test_no_golden_file_is_left_of_an_operator_that_is_gone() -> None:
    assert {p.stem for p in GOLDEN.iterdir()} == set(ops.names()), "run `make golden`, remove old"


def test_golden_records_replay() -> None:
    for text in GOLDEN.glob("*.json"):
        record = Applied.model_validate_json(text.read_text())
        x = load_photo("coffee", record.short_side)[None]
        assert torch.isfinite(pipeline.run(x, [[record]])).all()
