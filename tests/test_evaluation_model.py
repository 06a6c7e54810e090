"""A real model over real HTTP is asked about every picture and scored by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.testing import localmodel
from tests.evaluation_help import benchmark
from tests.local_model_help import needs_model, serving
from trainer.evaluation.config import read_options
from trainer.evaluation.options import FINDS, MISSES
from trainer.evaluation.records import read_answers, read_judged
from trainer.evaluation.runner import Evaluation

pytestmark = needs_model


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as base_url:
        yield base_url


def test_a_real_model_is_examined_with_and_without_pictures(tmp_path: Path, url: str) -> None:
    bench = benchmark(tmp_path / "bench", items=2, levels=(0.0, 1.0))
    options = read_options(
        {
            "model": localmodel.MODEL,
            "remote": True,
            "base_url": url,
            "max_tokens_field": "max_tokens",
            "max_tokens": 12,
            "controls": ["blind"],
            "concurrency": 2,
            "resamples": 100,
        }
    )
    summary = Evaluation(bench, tmp_path / "out", options).run()
    assert summary
    assert summary["counts"]["judged"] == 8
    bill = summary["bill"]["in_all"]
    assert bill["answers"] == 4 + 2  # without a picture both levels are one question
    assert bill["prompt_tokens"] > 4 * 64, "pictures become tokens"
    answers = list(read_answers(tmp_path / "out"))
    assert all(a.tokens and a.cut is not None for a in answers)
    assert {j.rule for j in read_judged(tmp_path / "out")} <= FINDS.keys() | MISSES.keys()
    found = summary["scores"]["controls"]["none"]["accuracy"]["all"]
    assert found["n"] == 4
    assert 0.0 <= found["value"] <= 1.0
