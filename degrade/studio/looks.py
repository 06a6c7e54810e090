"""What the page shows of a picture and a chain: pixels, figures, texts. No gradio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from degrade.errors import UserError
from degrade.pages import coded
from degrade.schema import describe
from degrade.studio import pieces, pixels, texts
from degrade.studio.chain import Chain
from degrade.studio.photos import PREVIEW_SIDE, Photo

FULL_PIXELS = 12_000_000
"""Largest picture that is shown at its full size; the page carries it without loss."""

VIEWER = "degrade-view"


@dataclass(frozen=True)
class Look:
    """What a chain does to a picture, as HTML.

    Attributes:
        after: The degraded picture, for the viewer.
        figures: How far it is from the clean one, or why there is none.
        record, data, recipe, command, python: To read and take away.
    """

    after: str
    figures: str
    record: str
    data: str
    recipe: str
    command: str
    python: str

    def __iter__(self):  # type: ignore[no-untyped-def]  # in the order of the fields
        return iter(vars(self).values())


def offered(photo: Photo) -> bool:
    """Whether the picture may be shown at its full size, whatever an event asks for."""
    return photo.reduced and photo.width * photo.height <= FULL_PIXELS


def before(photo: Photo, full: bool = False) -> str:
    """The clean picture, for the viewer."""
    shown = photo.full() if full and offered(photo) else photo.preview
    height, width = shown.shape[:2]
    uri = pieces.exact_uri(shown)
    return pieces.feed(VIEWER, width=width, height=height, before=uri)


def look(
    photo: Photo, chain: Chain, full: bool = False, everything: bool = True, problem: str = ""
) -> Look:
    """What the chain does to the picture.

    Args:
        photo: The picture.
        chain: For it.
        full: At its full size, where it is offered; else its preview.
        everything: Fix all draws in the recipe; see :func:`degrade.studio.texts.recipe`.
        problem: A mistake to tell of.
    """
    full = full and offered(photo)
    clean = photo.full() if full else photo.preview
    try:
        made = pixels.degraded(clean, chain.records)
    except UserError as error:
        made, problem = clean, str(error)
    exact = full or not photo.reduced
    file = "degraded.png" if exact else "degraded-preview.png"
    height, width = clean.shape[:2]
    after = pieces.feed(VIEWER, width=width, height=height, file=file, after=pieces.exact_uri(made))
    found = pixels.distance(clean, made)
    ssim = "none" if found.ssim is None else f"{found.ssim:.3f}"
    told = pieces.figures(
        [
            ("PSNR", pieces.decibels(found.psnr), "Peak signal-to-noise ratio; higher is nearer"),
            ("SSIM", ssim, "Structural similarity, Gaussian window; 1 is equal"),
            ("Size", f"{photo.width} x {photo.height} px", "Upright, as it would be degraded"),
            ("Picture", Path(photo.name).name, photo.name),
        ]
    )
    if photo.reduced:
        told += pieces.note(_size_note(photo, width, height, full))
    told = (pieces.alert(problem) if problem else "") + told
    return Look(after, told, *_texts(photo, chain, everything))


def _size_note(photo: Photo, width: int, height: int, full: bool) -> str:
    if full:
        return "Shown and measured at full size: these are the pixels that the recipe makes."
    return (
        f"Shown and measured at {width} x {height} px, reduced to {PREVIEW_SIDE} px so that "
        "controls answer at once. Record, recipe, command and program are for the whole picture. "
        "Noise and fine detail look weaker or stronger there; turn on full size to see it."
    )


def _texts(photo: Photo, chain: Chain, everything: bool) -> list[str]:
    record = pieces.takeaway("Copy record", texts.record_text(chain.records))
    if not chain.steps:
        empty = pieces.note("Add an operator first.")
        return [record, empty, empty, empty, empty]
    recipe = texts.recipe(chain, everything)
    command = texts.command(chain, photo.name, everything)
    python = texts.python(chain, photo.name, photo.max_pixels)
    return [
        record,
        pieces.takeaway("Copy JSON", texts.record_json(chain), "record.json"),
        pieces.takeaway("Copy as recipe", recipe, texts.RECIPE_FILE),
        pieces.takeaway("Copy as command", command),
        pieces.takeaway("Copy as Python", python, "degrade_picture.py"),
    ]


def title(number: int, chain: Chain) -> str:
    """The heading of a step's card."""
    step = chain.steps[number - 1]
    op = step.operator
    return (
        f'<div class="dg-step-head"><h3><span>{number}</span> {pieces.text(op.label)}'
        f" <small>{pieces.text(op.stage)}</small></h3>"
        f'<p class="dg-note">{coded(op.summary)}</p></div>'
    )


def summary(chain: Chain) -> str:
    """The chain in a line."""
    return describe(chain.records) or "nothing: the picture is clean"
