"""Promises of codecs, transport, resolution and overlays beyond those of every operator."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import numpy as np
import pytest
import torch
from PIL import Image

from degrade import ops
from degrade.codecs import Pixels, jpeg2000_encode, jpeg_encode, pillow_decode, webp_encode
from degrade.codecs.jpeg_stream import flip, intervals
from degrade.codecs.video import VideoCodec, intra, intra_bytes, predicted
from degrade.errors import UserError
from degrade.kernels.lettering import lines
from degrade.kernels.resample import resize
from degrade.ops.block_loss import lost_packets
from tests.conftest import load_photo


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return load_photo("coffee", 128)[None, :, :, :160].contiguous()


def pixels_of(x: torch.Tensor) -> Pixels:
    return np.asarray((x[0] * 255.0).round().to(torch.uint8).permute(1, 2, 0).contiguous())


def with_values(name: str, x: torch.Tensor, key: str = "k", **given: float | str) -> torch.Tensor:
    op = ops.get(name)
    return op.apply(x, [op.sample(0.5, key, min(x.shape[-2:]), given=given)])


def through_pillow(pixels: Pixels, format_: str, **options: object) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_, **options)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def test_webp_and_avif_are_to_the_bit_what_pillow_gives(photo: torch.Tensor) -> None:
    for quality in (5, 40, 90):
        y = with_values("webp_compression", photo, quality=quality)
        assert np.array_equal(
            pixels_of(y), through_pillow(pixels_of(photo), "WEBP", quality=quality)
        )
        y = with_values("avif_compression", photo, quality=quality)
        options = {"quality": quality, "speed": 9, "subsampling": "4:4:4"}
        assert np.array_equal(pixels_of(y), through_pillow(pixels_of(photo), "AVIF", **options))


@pytest.mark.parametrize("ratio", [12.0, 40.0, 120.0])
def test_jpeg2000_takes_the_bytes_that_the_ratio_leaves(ratio: float) -> None:
    pixels = pixels_of(load_photo("coffee", 384)[None])
    data = jpeg2000_encode(pixels, ratio)
    assert len(data) == pytest.approx(pixels.size / ratio, rel=0.03)
    assert data[:4] == b"\xff\x4f\xff\x51", "a codestream starts with SOC and SIZ"
    assert pillow_decode(data).shape == pixels.shape


@pytest.mark.parametrize(("codec", "format_"), [("h264", "h264"), ("h265", "hevc")])
def test_video_frames_are_streams_that_ffmpeg_reads(
    codec: VideoCodec, format_: str, photo: torch.Tensor
) -> None:
    pixels = pixels_of(photo)
    sizes = []
    for qp in (12, 24, 36, 48):
        data = intra_bytes(pixels, codec, qp)
        sizes.append(len(data))
        with av.open(io.BytesIO(data), format=format_) as file:
            frames = list(file.decode(video=0))
        assert len(frames) == 1
        assert frames[0].key_frame
        luma = frames[0].to_ndarray()[: pixels.shape[0]].astype(float)
        ours = intra(pixels, codec, qp).astype(float) @ (0.299, 0.587, 0.114)
        # Equal but for rounding and for colours that RGB has no room for.
        assert np.abs(luma - ours).mean() < 1.0
    assert all(a > 1.5 * b for a, b in pairwise(sizes)), "12 QP are a quarter of the precision"


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_predicted_frame_differs_from_an_intra_frame_and_is_as_near_the_picture(
    codec: VideoCodec, photo: torch.Tensor
) -> None:
    pixels = pixels_of(photo)
    for qp in (20, 38):
        made = [way(pixels, codec, qp).astype(float) for way in (intra, predicted)]
        assert not np.array_equal(*made)
        alone, group = (np.sqrt(np.square(m - pixels).mean()) for m in made)
        assert group == pytest.approx(alone, rel=0.25), "the frame of another moment, or none"


def test_h264_uses_the_quantiser_that_the_record_says(photo: torch.Tensor) -> None:
    data = intra_bytes(pixels_of(photo), "h264", 33)
    assert b"rc=cqp" in data
    assert b"qp=33 ip_ratio=1.00" in data


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("jpeg_compression", {"quality": 0}),
        ("webp_compression", {"quality": 101}),
        ("avif_compression", {"quality": -1}),
        ("jpeg2000_compression", {"ratio": 0.5}),
        ("video_compression", {"qp": 52}),
    ],
)
def test_settings_that_no_codec_has_are_refused(name: str, given: dict[str, float]) -> None:
    with pytest.raises(UserError, match="give a value from"):
        with_values(name, torch.zeros(1, 3, 16, 16), **given)


def test_codecs_say_which_side_is_too_long() -> None:
    with pytest.raises(UserError, match="16383"):
        webp_encode(np.zeros((1, 16_384, 3), np.uint8), 50)
    with pytest.raises(UserError, match="8192"):
        intra(np.zeros((1, 8_193, 3), np.uint8), "h264", 30)


def test_a_jpeg_has_a_restart_interval_per_row_of_macroblocks(photo: torch.Tensor) -> None:
    data = jpeg_encode(pixels_of(photo), 80, restart=10)
    assert len(intervals(data)) == 128 // 16
    assert data.count(b"\xff\xdd") == 1, "the interval is declared"
    assert len(intervals(jpeg_encode(pixels_of(photo), 80))) == 1


def test_flips_change_one_bit_each_and_no_marker(photo: torch.Tensor) -> None:
    data = jpeg_encode(pixels_of(photo), 80, restart=10)
    coded = np.concatenate(intervals(data))
    places = [(int(p), bit) for bit, p in enumerate(coded[:: len(coded) // 7][:8])]
    changed = flip(data, places)
    before, after = (np.frombuffer(d, np.uint8) for d in (data, changed))
    assert int(np.unpackbits(before ^ after).sum()) == len(places)
    assert np.array_equal(np.flatnonzero(before == 0xFF), np.flatnonzero(after == 0xFF))
    every = flip(data, [(int(p), 0) for p in coded])
    after = np.frombuffer(every, np.uint8)
    assert np.array_equal(np.flatnonzero(before == 0xFF), np.flatnonzero(after == 0xFF))


def test_no_bit_errors_make_the_decoder_raise(photo: torch.Tensor) -> None:
    op = ops.get("bit_error")
    for k in range(40):
        x = photo[..., : 8 + 3 * k, : 160 - 3 * k]
        assert torch.isfinite(op(x, [1.0], [k])[0]).all()


def test_bit_errors_stay_and_spare_what_they_do_not_hit(photo: torch.Tensor) -> None:
    op = ops.get("bit_error")
    less, more = (op(photo, [i], ["k"])[0] for i in (0.4, 0.8))
    hit = (less != photo).any(dim=1, keepdim=True).expand_as(photo)
    # The first rows of pixels of an interval show its neighbour too: chroma is interpolated.
    inner = hit & ((torch.arange(128) % 16)[:, None] % 15 > 0)
    assert bool(inner.any())
    assert torch.equal(more[inner], less[inner])
    assert 0.02 < float(hit.float().mean()) < float((more != photo).any(dim=1).float().mean())


def test_gilbert_loses_the_share_in_bursts_of_the_length() -> None:
    seed, share, burst = torch.arange(20), torch.full((20,), 0.2), torch.full((20,), 5.0)
    lost = lost_packets(seed, share, burst, 20_000)
    assert float(lost.float().mean()) == pytest.approx(0.2, abs=0.01)
    begins = (lost[:, 1:] & ~lost[:, :-1]).sum()
    assert float(lost.sum() / begins) == pytest.approx(5.0, rel=0.05)
    more = lost_packets(seed, share + 0.3, burst, 20_000)
    assert bool((more | ~lost).all()), "what is lost at a lower share is lost at a higher one"


def test_lost_blocks_are_concealed_as_the_kind_says() -> None:
    x = torch.linspace(0.0, 1.0, 96)[:, None].expand(1, 3, 96, 96).contiguous()
    given = {"block": 8.0, "run": 3.0, "share": 0.3}
    grey, copy, smear = (
        with_values("block_loss", x, concealment=kind, **given)
        for kind in ("grey", "copy above", "smear")
    )
    lost = grey != x
    lost = lost[:, :1].unfold(2, 8, 8).unfold(3, 8, 8).any(-1).any(-1).repeat_interleave(8, 2)
    lost = lost.repeat_interleave(8, 3).expand_as(x)
    assert bool((grey[lost] == 0.5).all())
    for y in (grey, copy, smear):
        assert torch.equal(y[~lost], x[~lost])
    # A block is lost below one that arrived: the one repeats it, the other its last row.
    edge = lost[0, 0, 8::8] & ~lost[0, 0, 7:-8:8]
    row, column = (int(v) for v in edge.nonzero()[0])
    top = 8 * (row + 1)
    assert torch.equal(copy[0, 0, top : top + 8, column], x[0, 0, top - 8 : top, column])
    assert bool((smear[0, 0, top : top + 8, column] == x[0, 0, top - 1, column]).all())


def test_area_resampling_is_a_mean_over_footprints() -> None:
    x = torch.rand((2, 3, 60, 45), generator=torch.Generator().manual_seed(0))
    y = resize(x, 20, 15, "area")
    assert torch.allclose(y, x.unfold(2, 3, 3).unfold(3, 3, 3).mean((-1, -2)), atol=1e-6)
    for size in ((7, 13), (61, 44), (200, 1)):
        assert torch.allclose(resize(x, *size, "area").mean((-1, -2)), x.mean((-1, -2)), atol=1e-5)


def test_pixelate_is_imagenet_c_where_blocks_are_whole_pixels(photo: torch.Tensor) -> None:
    y = with_values("pixelate", photo, scale=0.25)
    image = Image.fromarray(pixels_of(photo))
    small = image.resize((40, 32), Image.Resampling.BOX)
    theirs = np.asarray(small.resize(image.size, Image.Resampling.BOX)).astype(int)
    assert np.abs(pixels_of(y) - theirs).max() <= 1


@pytest.mark.parametrize("down", ["area", "bilinear", "bicubic"])
def test_low_resolution_loses_detail_and_keeps_the_mean(down: str) -> None:
    board = (torch.arange(96)[:, None] + torch.arange(96)) % 2
    x = board.float().expand(1, 3, 96, 96) * 0.4 + 0.3
    y = with_values("low_resolution", x, scale=0.25, down_filter=down)
    assert float((y - 0.5).abs()[..., 8:-8, 8:-8].max()) < 0.01


def test_text_covers_the_share_of_the_picture() -> None:
    x = torch.full((1, 3, 200, 300), 0.5)
    y = with_values("text_overlay", x, area=0.3, alpha=1.0, style="plain", ink="white")
    rows, columns = ((y != x)[0, 0].any(d).nonzero() for d in (1, 0))
    covered = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1) / 60_000
    assert float(covered) == pytest.approx(0.3, abs=0.02)
    assert float(y.max()) == 1.0


def test_text_is_broken_into_even_lines() -> None:
    assert lines("one two three four", 2) == "one two\nthree four"
    assert lines("one two", 5) == "one\ntwo"
    assert lines("one two", 1) == "one two"


def test_a_watermark_shows_the_picture_in_proportion(photo: torch.Tensor) -> None:
    mild, strong = (with_values("watermark", photo, alpha=a) - photo for a in (0.2, 0.8))
    assert float(strong.abs().max()) > 0.2
    assert torch.allclose(4.0 * mild, strong, atol=1e-5)


@pytest.mark.parametrize(
    ("sides", "covered"), [("frame", 1 - 0.9 * 0.8), ("letterbox", 0.4), ("pillarbox", 0.2)]
)
def test_a_border_covers_edges_and_moves_nothing(sides: str, covered: float) -> None:
    x = torch.full((1, 3, 100, 200), 0.4)
    y = with_values("border", x, width=10.0, sides=sides, colour="black")
    assert float((y == 0.0).float().mean()) == pytest.approx(covered, abs=1e-6)
    assert torch.equal(y[..., 20:80, 20:180], x[..., 20:80, 20:180])
    half = with_values("border", x, width=0.25, sides="frame", colour="black")
    assert float(half[0, 0, 50, 0]) == pytest.approx(0.3)
