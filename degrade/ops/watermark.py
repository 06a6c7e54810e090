"""The mark of an owner over a preview."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F

from degrade.kernels import grid, short_side
from degrade.kernels.lettering import lettering
from degrade.kernels.places import sample
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

_TEXTS = ("PREVIEW", "SAMPLE", "DRAFT", "PROOF", "© ARCHIVE", "© STUDIO 7", "COPY", "EXAMPLE")
_LAYOUTS = ("single", "repeated")
_INKS = ("white", "grey", "black")
_SINGLE = 2.6  # times the size of repeated marks
_RIM = 0.05  # of the height of the font


@operator(
    stage="postprocessing",
    family="overlay",
    refs=(
        "VLM-RobustBench, arXiv 2603.06148 (2026): watermark",
        "Dekel, Rubinstein, Liu & Freeman, CVPR 2017: J = (1 - a) I + a W",
    ),
    off_scale="A mark covers a part of the picture and shows it through.",
)
def watermark(
    x: Images,
    alpha: Annotated[PerImage, Severity(0.0, 0.9, unit="opacity", most=1.0)],
    size: Annotated[
        PerImage, Draw(0.1, 0.15, unit="px, height of the font", relative=True, least=1e-3)
    ],
    angle: Annotated[PerImage, Draw(-50.0, 50.0, unit="degrees")],
    right: Annotated[PerImage, Draw(-0.2, 0.2, unit="px, of the middle", relative=True)],
    down: Annotated[PerImage, Draw(-0.2, 0.2, unit="px, of the middle", relative=True)],
    text: Annotated[PerImage, Choice(_TEXTS)],
    layout: Annotated[PerImage, Choice(_LAYOUTS)],
    ink: Annotated[PerImage, Choice(_INKS)],
) -> Images:
    """Lay a semi-transparent text over the picture, once or all over: J = (1 - a) I + a W.

    Single marks are 2.6 times as large as repeated ones, which stand in rows, each shifted by half
    a mark. A thin rim of the opposite tone, half as opaque, keeps light marks visible on light
    ground. Place, angle and text are drawn, ``alpha`` alone follows the intensity.
    """
    u, v = (axis * short_side(x) for axis in grid(x))
    rows = []
    settings = (p.tolist() for p in (alpha, size, angle, right, down, text, layout, ink))
    for picture, a, em, degrees, dx, dy, t, kind, tone in zip(x, *settings, strict=True):
        repeated = _LAYOUTS[int(kind)] == "repeated"
        # Small letters are drawn larger than shown: the font has no size below a pixel.
        em *= 1.0 if repeated else _SINGLE
        zoom = max(1.0, 8.0 / em)
        drawn = em * zoom
        margin = max(1, round(_RIM * drawn))
        wide = torch.from_numpy(lettering(_TEXTS[int(t)], drawn, margin / drawn).copy())
        letters = torch.from_numpy(lettering(_TEXTS[int(t)], drawn).copy())
        masks = torch.zeros((2, *wide.shape))
        h, w = (min(m, n - margin) for m, n in zip(letters.shape, wide.shape, strict=True))
        masks[0, margin : margin + h, margin : margin + w] = letters[:h, :w]
        masks[1] = wide
        masks = F.pad(masks, (1, 1, 1, 1)).to(x.device)
        h, w = masks.shape[-2:]

        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        along = ((u - dx) * c + (v - dy) * s) * zoom
        across = ((v - dy) * c - (u - dx) * s) * zoom
        if repeated:
            pitch = (h + 1.2 * drawn, w + 0.8 * drawn)
            line = torch.floor(across / pitch[0] + 0.5)
            across = across - line * pitch[0]
            along = along + line * (0.5 * pitch[1])
            along = along - torch.floor(along / pitch[1] + 0.5) * pitch[1]
        where = torch.stack((along + w / 2, across + h / 2), -1)[None]
        front, back = sample(masks[None], where, padding="zeros")[0]
        level = (1.0, 0.5, 0.0)[int(tone)]
        front, rim = front * a, (back - front).clamp(min=0.0) * (0.5 * a)
        rows.append(picture * (1.0 - front - rim) + (front * level + rim * float(level < 0.5)))
    return torch.stack(rows) if rows else x
