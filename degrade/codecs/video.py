"""Video codecs: H.264 and H.265, by x264 and x265 in FFmpeg. The gateway to PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import cv2
import numpy as np

from degrade.codecs.batches import Pixels
from degrade.codecs.stills import within
from degrade.errors import UserError

VideoCodec = Literal["h264", "h265"]

FRAMES = 3
"""Frames of a short group."""

_ENCODERS = {"h264": ("libx264", "superfast"), "h265": ("libx265", "ultrafast")}
_SMALLEST = 64  # pixels a side: the largest coding block of H.265
_LONGEST = 8192  # pixels a side: level 6.2 of both, and where their encoders stop


def intra(pixels: Pixels, codec: VideoCodec, qp: int) -> Pixels:
    """The picture as a single intra frame (IDR) of a constant quantiser, coded and decoded.

    8 bits, 4:2:0, BT.601, full range as telephones record. The edges are repeated
    up to 64 pixels and to an even number, and cut off again.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        codec: Which.
        qp: Quantisation parameter, 0 to 51; the step of the quantiser doubles every six.

    Raises:
        UserError: ``qp`` is out of range, a side exceeds 8192 pixels, or this FFmpeg was built
            without the encoder.
    """
    return _last([pixels], codec, qp)


def predicted(pixels: Pixels, codec: VideoCodec, qp: int) -> Pixels:
    """The picture as the last frame of a short group: one intra frame, then predicted ones.

    Before it the camera pans to it, :data:`FRAMES` frames in all and 0.4 % of the width each, so
    that the predicted frames have motion to find and errors to carry along. See :func:`intra`.
    """
    step = max(1, round(0.004 * pixels.shape[1]))
    border = step * (FRAMES - 1)
    wide = cv2.copyMakeBorder(pixels, 0, 0, border, 0, cv2.BORDER_REFLECT_101)
    width = pixels.shape[1]
    frames = [wide[:, k * step : k * step + width] for k in range(FRAMES)]
    return _last(frames, codec, qp)


def _last(frames: Sequence[Pixels], codec: VideoCodec, qp: int) -> Pixels:
    """The last of some frames after coding and decoding all."""
    within(f"The quantisation parameter of {codec.upper()}", qp, 0, 51)
    height, width = frames[-1].shape[:2]
    if max(height, width) > _LONGEST:
        raise UserError(
            f"H.264 and H.265 hold at most {_LONGEST} pixels a side, the picture has {width} x "
            f"{height}. Tile it or resize it first."
        )
    below, right = (max(_SMALLEST, n + n % 2) - n for n in (height, width))
    whole = [cv2.copyMakeBorder(f, 0, below, 0, right, cv2.BORDER_REPLICATE) for f in frames]
    return _decode(_encode(whole, codec, qp), codec)[:height, :width]


def intra_bytes(pixels: Pixels, codec: VideoCodec, qp: int) -> bytes:
    """The coded bytes (Annex B) of a picture of even sides from 64 px; see :func:`intra`."""
    return b"".join(_encode([pixels], codec, qp))


def _encode(frames: Sequence[Pixels], codec: VideoCodec, qp: int) -> list[bytes]:
    """The packets of some frames: the first intra, the others predicted from those before."""
    import av

    name, preset = _ENCODERS[codec]
    if name not in av.codecs_available:
        raise UserError(
            f"This FFmpeg was built without {name}. Install av from PyPI, whose wheels have it, "
            "or leave video_compression out of the recipe."
        )
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = frames[0].shape[:2]
    encoder.pix_fmt = "yuv420p"
    encoder.color_range = 2  # full
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1  # the pool has a thread for every core
    encoder.options = {"preset": preset, "tune": "psnr", "bf": "0", "g": str(FRAMES)}
    # Rate control would give an I frame a lower QP than it was told.
    if codec == "h264":
        encoder.options |= {"qp": str(qp), "x264-params": "ipratio=1:scenecut=0"}
    else:
        pools = "pools=none:frame-threads=1:wpp=0"
        encoder.options |= {"x265-params": f"log-level=none:info=0:qp={qp}:ipratio=1:{pools}"}
    packets = []
    for number, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(_to_yuv(pixels), format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in (*packets, *encoder.encode(None))]


def _decode(packets: Sequence[bytes], codec: VideoCodec) -> Pixels:
    """The last frame."""
    import av

    decoder = av.CodecContext.create("h264" if codec == "h264" else "hevc", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    fed = [*map(av.Packet, packets), None]
    *_, frame = [frame for packet in fed for frame in decoder.decode(packet)]
    return _to_rgb(np.asarray(frame.to_ndarray(), np.uint8), frame.height)


# The conversion is here and not FFmpeg's, whose default takes every second sample of the chroma.


def _to_yuv(pixels: Pixels) -> Pixels:
    """(H, W, 3) sRGB -> (H * 3 / 2, W), planes Y, U and V of 4:2:0 in full range, BT.601."""
    height, width = pixels.shape[:2]
    y, v, u = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    half = (width // 2, height // 2)
    small = [cv2.resize(c, half, interpolation=cv2.INTER_AREA).ravel() for c in (u, v)]
    return np.concatenate((y.ravel(), *small)).reshape(-1, width)


def _to_rgb(planes: Pixels, height: int) -> Pixels:
    """The inverse, chroma interpolated as players do: bicubic."""
    width = planes.shape[1]
    y, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    u, v = (cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in chroma)
    rgb: Pixels = cv2.cvtColor(cv2.merge((y, v, u)), cv2.COLOR_YCrCb2RGB)
    return rgb
