"""A frame of a video at a low bit rate."""

from typing import Annotated

from degrade.codecs import Pixels, through
from degrade.codecs.video import VideoCodec, intra, predicted
from degrade.params import Choice, Images, PerImage, Severity
from degrade.registry import operator

_CODECS: tuple[VideoCodec, ...] = ("h264", "h265")


_FRAMES = ("intra", "predicted")


def _coded(pixels: Pixels, setting: tuple[float, float, float]) -> Pixels:
    qp, codec, frame = setting
    way = intra if _FRAMES[int(frame)] == "intra" else predicted
    return way(pixels, _CODECS[int(codec)], round(qp))


@operator(
    stage="transmission",
    family="compression",
    refs=(
        "ITU-T H.264 (2003): advanced video coding; ITU-T H.265 (2013): high efficiency video",
        "Kar et al., CVPR 2022, 3D Common Corruptions: H.264 and H.265",
    ),
    differentiable=False,
)
def video_compression(
    x: Images,
    qp: Annotated[
        PerImage,
        Severity(4, 51, unit="quantisation parameter", power=0.4, integer=True, most=51),
    ],
    codec: Annotated[PerImage, Choice(_CODECS)],
    frame: Annotated[PerImage, Choice(_FRAMES)],
) -> Images:
    """Code the picture as a frame of H.264 or H.265 and decode it.

    An ``intra`` frame stands for itself; a ``predicted`` one ends a short group in which the camera
    pans to the picture, and carries on the errors of the frames before.
    The codecs are x264 and x265, decoded by FFmpeg; 4:2:0 chroma, a quantiser of constant ``qp``,
    whose step doubles every six. At 51, the coarsest there is, blocks keep little but their
    direction. Sides up to 8192 px.
    """
    settings = zip(qp.tolist(), codec.tolist(), frame.tolist(), strict=True)
    return through(_coded, x, list(settings))
