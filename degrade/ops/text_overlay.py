"""Captions, subtitles and dates over the picture."""

import math
from typing import Annotated

import cv2
import numpy as np
import torch

from degrade.kernels.lettering import Mask, lettering, lines
from degrade.params import Choice, Draw, Images, PerImage, Severity
from degrade.registry import operator

_TEXTS = (
    "The train leaves at half past nine", "See you on Monday morning then",
    "Photo taken on 14 March 2019", "2021-07-12 18:45:06 camera 2", "Open daily from nine to five",
    "Chapter two: the road to the north", "Thank you for watching this video",
    "Please read the notes below first", "Where did you leave the keys?",
    "I will call you back tomorrow", "Weather report for the weekend",
    "Live from the city centre today", "New arrivals in the second week",
    "Scene 4, take 2, camera A", "Evening news at eight o'clock", "Recipe of the day: lentil soup",
    "What a day it has been, she said", "To be continued in part three",
)  # fmt: skip
_STYLES = ("plain", "outline", "plate")
_INKS = {"white": (1, 1, 1), "yellow": (1, 0.9, 0.1), "black": (0, 0, 0), "red": (0.8, 0, 0)}
_EM = 64.0  # of the layout, in pixels
_FULL = 0.96  # of the sides may be covered
_OUTLINE, _PLATE = 0.06, 0.35  # of the height of the font, on each side
_MOST_LINES = 6


def _layout(text: str, height: int, width: int) -> tuple[str, int, int, float]:
    """Lines that can grow largest in this picture; their height and width; how often they fit."""
    best: tuple[str, int, int, float] = ("", 1, 1, 0.0)
    for count in range(1, _MOST_LINES + 1):
        rows = lines(text, count)
        h, w = lettering(rows, _EM).shape
        fits = _FULL * min(height / h, width / w)
        if h * w * fits**2 > best[1] * best[2] * best[3] ** 2:
            best = (rows, h, w, fits)
    return best


def _placed(mask: Mask, corner: tuple[float, float], picture: torch.Tensor) -> torch.Tensor:
    """(H, W): the mask with its corner (y, x) on the nearest pixel, cut where it leaves."""
    height, width = picture.shape[-2:]
    canvas = np.zeros((height, width), np.float32)
    y, x = (round(c) for c in corner)
    part = mask[max(0, -y) : height - y, max(0, -x) : width - x]
    canvas[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]] = part
    return torch.from_numpy(canvas).to(picture.device)


@operator(
    stage="postprocessing",
    family="overlay",
    refs=("VLM-RobustBench, arXiv 2603.06148 (2026): text overlay",),
    off_scale="Letters cover a part of the picture and leave the rest alone.",
)
def text_overlay(
    x: Images,
    area: Annotated[
        PerImage, Severity(0.0, 0.5, unit="share of the picture under the text", most=1.0)
    ],
    alpha: Annotated[PerImage, Draw(0.75, 1.0, unit="opacity", most=1.0)],
    left: Annotated[PerImage, Draw(0.0, 1.0, unit="of the room to the left")],
    top: Annotated[PerImage, Draw(0.0, 1.0, unit="of the room above")],
    text: Annotated[PerImage, Choice(_TEXTS)],
    style: Annotated[PerImage, Choice(_STYLES)],
    ink: Annotated[PerImage, Choice(tuple(_INKS))],
) -> Images:
    """Write a line of everyday text over the picture, the larger the stronger.

    The rectangle around the letters covers ``area`` of the picture, or what fits into it. The text
    is broken into the lines that can grow largest in this picture, and stands where ``left`` and
    ``top`` of the room around it are before it. ``outline`` gives dark letters a light rim and
    light ones a dark one, ``plate`` puts a plate under them, ``plain`` neither.
    """
    height, width = x.shape[-2:]
    rows = []
    settings = (v.tolist() for v in (area, alpha, left, top, text, style, ink))
    for picture, share, opacity, u, v, t, s, c in zip(x, *settings, strict=True):
        words, h, w, fits = _layout(_TEXTS[int(t)], height, width)
        scale = min(math.sqrt(share * height * width / (h * w)), fits)
        em = scale * _EM
        rim = round(_OUTLINE * em) if _STYLES[int(s)] == "outline" else 0.0
        letters = _sized(lettering(words, em), scale * h, scale * w)
        place = (v * (height - scale * h), u * (width - scale * w))
        tone = list(_INKS.values())[int(c)]
        colour = x.new_tensor(tone)[:, None, None]
        under = x.new_tensor(float(sum(tone) < 1.5))
        # Letters of less than a pixel fade.
        opacity *= min(1.0, em) ** 2
        out = picture
        if _STYLES[int(s)] == "plate":
            plate = np.ones([round(scale * n + 2 * _PLATE * em) for n in (h, w)], np.float32)
            back = _placed(plate, (place[0] - _PLATE * em, place[1] - _PLATE * em), picture)
            out = torch.lerp(out, under, back * (0.75 * opacity))
        elif rim:
            wide = lettering(words, em, rim / em)
            wide = _sized(wide, scale * h + 2 * rim, scale * w + 2 * rim)
            back = _placed(wide, (place[0] - rim, place[1] - rim), picture)
            out = torch.lerp(out, under, back * opacity)
        front = _placed(letters, place, picture)
        rows.append(torch.lerp(out, colour, front * opacity))
    return torch.stack(rows) if rows else x


def _sized(mask: Mask, height: float, width: float) -> Mask:
    """The mask at a size; fonts give sizes of their own where letters are tiny or huge."""
    size = (max(1, round(width)), max(1, round(height)))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
