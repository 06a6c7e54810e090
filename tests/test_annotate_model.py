"""A real model over real HTTP. What so small a model writes freely must be refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.annotator import Annotator, read_chains
from annotate.ask import LlmOptions
from annotate.gateway import Gateway
from annotate.llm import LlmWriter
from annotate.rows import Rows
from annotate.testing import localmodel
from degrade import recipe
from degrade.chat import Endpoint, Limits
from degrade.executor import Options, Synth
from degrade.schema import Chain
from tests.conftest import PHOTOS
from tests.local_model_help import needs_model, serving

pytestmark = needs_model


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as base_url:
        yield base_url


def annotated(tmp_path: Path, url: str, options: LlmOptions, count: int) -> dict[str, int]:
    chosen = recipe.load("robust-r1")
    Synth(PHOTOS, tmp_path / "run", chosen, 2, Options(limit=count, max_side=128)).run()
    rows = Rows(tmp_path / "run", PHOTOS / "questions.jsonl", None)
    endpoint = Endpoint(base_url=url, max_tokens_field="max_tokens")
    gateway = Gateway(endpoint, tmp_path / "paid.sqlite", Limits(concurrency=2), None)
    writer = LlmWriter(options, gateway.open, 2)
    summary = Annotator(rows, tmp_path / "chains", writer).run()
    bill: dict[str, int] = gateway.bill()["in_all"]
    assert summary["counts"]["rows"] == count
    return bill


def test_free_chains_of_a_tiny_model_are_paid_for_and_refused(tmp_path: Path, url: str) -> None:
    options = LlmOptions(model=localmodel.MODEL, attempts=1, temperature=0.0)
    bill = annotated(tmp_path, url, options, 1)
    written = list(read_chains(tmp_path / "chains"))
    assert all(a.status != "ok" and (a.findings or a.detail) for a in written)
    # Pictures become prompt tokens: two for the influence, one for the reasoning.
    assert bill["prompt_tokens"] > 3 * 64
    assert bill["completion_tokens"] > 0
    assert bill["requests"] == bill["answers"] >= 2


def test_chains_chosen_among_offered_phrases_are_accepted(tmp_path: Path, url: str) -> None:
    options = LlmOptions(model=localmodel.MODEL, structured="slots", temperature=0.0)
    annotated(tmp_path, url, options, 2)
    for written in read_chains(tmp_path / "chains"):
        assert written.status == "ok", written.findings
        assert Chain.parse(written.text) == written.chain
