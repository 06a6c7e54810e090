"""The border between float batches and 8-bit pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from degrade import codecs, pipeline
from degrade.codecs import batches

CPU = torch.device("cpu")


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (33, 64)])
def test_pixels_and_batches_convert_as_torch_would(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(2)]
    batch = codecs.from_pixels(pictures, CPU)
    expected = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    assert torch.equal(batch, pipeline.to_float(expected))
    back = codecs.to_pixels(batch)
    assert all(np.array_equal(a, b) for a, b in zip(back, pictures, strict=True))


def test_rounding_is_to_the_nearest_even_level_as_in_torch() -> None:
    x = torch.cat((torch.arange(511) / 510.0, torch.rand(513))).reshape(1, 1, 32, 32)
    x = x.expand(1, 3, 32, 32)
    expected = pipeline.to_uint8(x)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(codecs.to_pixels(x)[0], expected)


def test_what_is_sent_as_levels_arrives_as_the_same_batch() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
    batch = codecs.from_pixels(list(levels), CPU)
    sent = batches.upload(list(levels), CPU)
    assert torch.equal(sent, batch)
    assert sent.is_contiguous()
