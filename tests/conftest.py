"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from annotate.testing.faultserver import FaultServer, serving

if TYPE_CHECKING:
    from tests.s3_help import Store
    from tests.shell_help import Shell

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"

settings.register_profile("degrade", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("degrade")
torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden")


def load_photo(name: str, short_side: int) -> torch.Tensor:
    """An example photograph as (3, H, W) float32 in [0, 1]."""
    with Image.open(PHOTOS / f"{name}.jpg") as image:
        k = short_side / min(image.size)
        size = (round(image.width * k), round(image.height * k))
        pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=np.float32)
    return torch.from_numpy(pixels / 255.0).permute(2, 0, 1).contiguous()


@pytest.fixture(scope="session")
def photos() -> torch.Tensor:
    """Three different photographs as a (3, 3, 96, 120) batch."""
    crops = [load_photo(name, 96)[:, :96, :120] for name in ("coffee", "cat", "house")]
    return torch.stack(crops)


API_KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for endpoints in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)


@pytest.fixture
def server(api_key: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A server of models that fails as told, and a key for it in the environment."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def store_server() -> Iterator[Store]:
    from tests.s3_help import store  # moto and boto3 take seconds to load

    with store() as running:
        yield running


@pytest.fixture
def s3(store_server: Store) -> Iterator[Store]:
    """An S3 server with an empty bucket and a line that holds."""
    store_server.empty()
    yield store_server
    store_server.line.mend()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    from tests.shell_help import Shell

    return Shell(monkeypatch, capsys)


@pytest.fixture
def knowing(api_key: None) -> Iterator[FaultServer]:
    """A model that knows the right letter."""
    from tests.evaluation_help import right_letter

    with serving(FaultServer(right_letter)) as running:
        yield running


@pytest.fixture(scope="module")
def training_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of data sets of a test file's own, and no way to the Hub."""
    from tests.trainer_help import cached_in

    with cached_in(tmp_path_factory.mktemp("cache")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def rows(training_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set to train on, each chain a few words long."""
    from tests.trainer_help import short_dataset

    return short_dataset(tmp_path_factory.mktemp("rows") / "data")
