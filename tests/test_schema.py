"""The vocabulary: frozen, strict, torch-free."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from degrade.schema import Applied, Param, SeedValue, describe

RECORD = Applied(
    operator="lens_blur",
    version=1,
    stage="acquisition",
    intensity=0.47,
    short_side=512,
    params=(Param(name="radius", value=7.2, unit="px"),),
    seeds=(SeedValue(name="seed", value=1),),
)


def test_labels_are_the_papers() -> None:
    jpeg = RECORD.model_copy(update={"operator": "jpeg_compression", "intensity": 0.5})
    assert describe([RECORD, jpeg]) == "lens blur(0.47), jpeg compression(0.5)"
    assert describe([]) == ""


def test_records_are_frozen_and_refuse_unknown_keys() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RECORD.intensity = 0.5  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        Applied.model_validate(RECORD.model_dump() | {"severity": 3})


@pytest.mark.parametrize(
    "change",
    [
        {"intensity": 1.01},
        {"intensity": float("nan")},
        {"version": 0},
        {"stage": "capture"},
        {"seeds": [{"name": "seed", "value": 2**32}]},
    ],
)
def test_impossible_values_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Applied.model_validate(RECORD.model_dump() | change)


@pytest.mark.parametrize("module", ["degrade.schema", "degrade.cli"])
def test_importing_it_loads_no_torch_and_no_extra(module: str) -> None:
    code = (
        f"import {module}, sys; heavy = {{'torch', 'kornia', 'cv2', 'pyarrow', 'openai', 'ray', "
        "'gradio', 'trl', 'transformers', 'datasets', 'huggingface_hub'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
