"""Promises of transmission operators beyond those of every operator."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from degrade import ops
from degrade.codecs import Pixels, jpeg_decode, jpeg_encode, through
from degrade.errors import UserError
from degrade.kernels import to_linear
from degrade.params import Severity
from degrade.schema import Applied, Param
from tests.conftest import load_photo


def pixels_of(x: torch.Tensor) -> Pixels:
    return np.asarray((x * 255.0).round().to(torch.uint8).permute(1, 2, 0).contiguous())


def pillow_jpeg(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.parametrize("quality", [1, 4, 5, 11, 23, 50, 75, 95, 100])
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (7, 5), (16, 16), (17, 33), (149, 224)])
def test_jpeg_is_to_the_bit_what_pillow_gives(quality: int, size: tuple[int, int]) -> None:
    x = load_photo("coffee", 224)[:, : size[0], : size[1]][None].contiguous()
    pixels = pixels_of(x[0])
    data, other = jpeg_encode(pixels, quality), pillow_jpeg(pixels, quality)
    with Image.open(io.BytesIO(data)) as ours, Image.open(io.BytesIO(other)) as theirs:
        assert ours.quantization == theirs.quantization
        assert ours.layer == theirs.layer, "another subsampling"
        expected = np.asarray(theirs)
        assert np.array_equal(np.asarray(ours), expected)
    assert np.array_equal(jpeg_decode(data), expected)

    record = ops.get("jpeg_compression").sample(0.5, "k", min(size))
    quality_param = Param(name="quality", value=quality, unit="JPEG quality")
    record = record.model_copy(update={"params": (quality_param,)})
    y = ops.get("jpeg_compression").apply(x, [record])
    assert torch.equal(y[0].permute(1, 2, 0), torch.from_numpy(expected.copy()).float() / 255.0)


def test_jpeg_of_a_batch_is_that_of_its_pictures(photos: torch.Tensor) -> None:
    op = ops.get("jpeg_compression")
    y, records = op(photos, [0.9, 0.1, 0.4], ["a", "b", "c"])
    alone = [op.apply(photos[i : i + 1], records[i : i + 1]) for i in range(3)]
    assert torch.equal(y, torch.cat(alone))


def test_codec_border_clips_rounds_and_carries_no_gradient() -> None:
    x = torch.tensor([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 1.0, 2.0]).reshape(1, 1, 1, 6)
    y = through(lambda pixels, _: pixels, x.expand(1, 3, 1, 6).clone().requires_grad_(), [0.0])
    assert torch.equal(y[0, 0, 0] * 255.0, torch.tensor([0.0, 0.0, 0.0, 1.0, 255.0, 255.0]))
    assert not y.requires_grad


def test_jpeg_says_which_side_is_too_long() -> None:
    with pytest.raises(UserError, match="65500"):
        jpeg_encode(np.zeros((1, 65_501, 3), np.uint8), 50)


def test_reciprocal_severity_is_linear_in_the_inverse() -> None:
    s = Severity(100.0, 4.0, unit="x", curve="reciprocal")
    assert [s.at(i, 512) for i in (0.0, 1.0)] == [100.0, 4.0]
    assert s.at(0.5, 512) == pytest.approx(2.0 / (1 / 100 + 1 / 4), rel=1e-5)


def test_size_correction_leaves_intensity_zero_alone() -> None:
    s = Severity(100.0, 4.0, unit="x", curve="geometric", size_power=0.3)
    assert [s.at(0.0, side) for side in (64, 512, 4096)] == [100.0] * 3
    assert s.at(1.0, 256) > s.at(1.0, 512) == 4.0 > s.at(1.0, 1024)


def replay(name: str, record: Applied, x: torch.Tensor, **values: float) -> torch.Tensor:
    params = [p.model_copy(update={"value": values.get(p.name, p.value)}) for p in record.params]
    return ops.get(name).apply(x, [record.model_copy(update={"params": tuple(params)})])


def test_exchanged_blocks_stay_exchanged(photos: torch.Tensor) -> None:
    op = ops.get("block_exchange")
    x = photos[:1]
    quarter, half, full = (op(x, [i], ["k"])[0] for i in (0.25, 0.5, 1.0))
    for less, more in ((quarter, half), (half, full)):
        moved = (less != x).any(dim=1, keepdim=True).expand_as(x)
        assert bool(moved.any())
        assert torch.equal(more[moved], less[moved])


def test_exchanging_whole_blocks_keeps_every_pixel() -> None:
    x = torch.arange(3 * 64 * 96, dtype=torch.float32).reshape(1, 3, 64, 96) / (3 * 64 * 96)
    record = ops.get("block_exchange").sample(1.0, "k", 64)
    y = replay("block_exchange", record, x, block=4.0, share=1.0)
    assert torch.equal(y.flatten().sort().values, x.flatten())
    assert not bool((x == y).any()), "with all blocks exchanged none stays"


def test_mean_shift_flattens_areas_and_keeps_edges() -> None:
    noise = torch.randn((1, 3, 128, 192), generator=torch.Generator().manual_seed(0))
    step = torch.full((1, 3, 128, 192), 0.3)
    step[..., 96:] = 0.7
    y, _ = ops.get("mean_shift")(step + 0.03 * noise, [1.0], ["k"])
    for area in (y[..., :90], y[..., 102:]):
        assert float(area.std(dim=(-1, -2)).max()) < 0.01
    across = y[..., 96:98].mean() - y[..., 94:96].mean()
    assert float(across) == pytest.approx(0.4, abs=0.02)


def test_scan_lines_take_half_their_depth_of_the_light() -> None:
    x = torch.full((1, 3, 240, 320), 0.8)
    y, (record,) = ops.get("scan_lines")(x, [0.7], ["k"])
    depth = next(p.value for p in record.params if p.name == "depth")
    lost = 1.0 - float(to_linear(y).mean() / to_linear(x).mean())
    assert lost == pytest.approx(depth / 2, abs=0.01)
    assert torch.equal(y, y[..., :1].expand_as(y)), "lines run across"
