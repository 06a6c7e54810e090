"""Pieces of HTML: pictures within the page, texts to copy, messages. No torch, no gradio."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from degrade import images
from degrade.images import Pixels
from degrade.pages import data_uri


def text(value: object) -> str:
    """Text for HTML, in it and in attributes."""
    return html.escape(str(value))


def exact_uri(pixels: Pixels) -> str:
    """A picture, lossless."""
    return data_uri(images.encode(pixels, "png", None), "image/png")


def feed(target: str, **attributes: object) -> str:
    """Hands attributes to the viewer of that id; see ``assets/studio.js``."""
    told = "".join(f' {k}="{text(v)}"' for k, v in attributes.items())
    return f'<degrade-feed for="{text(target)}"{told}></degrade-feed>'


def viewer(name: str, label: str, **attributes: object) -> str:
    """A picture before and after, with a divider and zoom."""
    told = "".join(f' {k}="{text(v)}"' for k, v in attributes.items())
    return f'<degrade-compare id="{text(name)}" label="{text(label)}"{told}></degrade-compare>'


def alert(message: str) -> str:
    """A mistake and what to do about it."""
    return f'<p class="dg-alert" role="alert">{text(message)}</p>'


def note(message: str) -> str:
    """A remark."""
    return f'<p class="dg-note">{text(message)}</p>'


def figures(entries: Sequence[tuple[str, str, str]]) -> str:
    """Figures in a row: name, value, what it means."""
    items = "".join(
        f'<div title="{text(meaning)}"><dt>{text(name)}</dt><dd>{text(value)}</dd></div>'
        for name, value, meaning in entries
    )
    return f'<dl class="dg-figures">{items}</dl>'


def takeaway(label: str, content: str, file: str = "") -> str:
    """A text with a button that copies it, and one that saves it where a file name is given."""
    save = f'<button type="button" data-save="{text(file)}">Save {text(file)}</button>'
    return (
        '<div class="dg-text"><div class="dg-buttons">'
        f'<button type="button" data-copy>{text(label)}</button>{save if file else ""}'
        f'</div><pre tabindex="0" aria-label="{text(label)}">{text(content)}</pre></div>'
    )


def decibels(value: float) -> str:
    """PSNR for people."""
    return "∞ dB" if math.isinf(value) else f"{value:.1f} dB"


def small_uri(pixels: Pixels) -> str:
    """A picture to look at among many, WebP of quality 85."""
    return data_uri(images.webp(pixels, 85, method=2), "image/webp")
