"""A chain drawn from a recipe for the picture, as ``synth`` with that seed draws it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from degrade import recipe
from degrade.sources import printable
from degrade.studio import pieces, texts
from degrade.studio.edit_tab import EditTab
from degrade.studio.photos import Photo

_SEEDS = 2**31


class DrawPanel:
    """Recipe, seed and version to draw by, within the tab that edits.

    Args:
        gr: From :func:`degrade.studio.gateway.gradio`, within ``gr.Blocks``.
        edit: The tab whose chain it replaces.
    """

    def __init__(self, gr: Any, edit: EditTab) -> None:
        self.gr, self.edit = gr, edit
        # A recipe that needs an operator or an intensity says nothing that the list does not.
        names = [n for n in recipe.preset_names() if not recipe.load(n).needs]
        first = "robust-r1"
        self.about = gr.HTML(self._about(first))
        with gr.Row(elem_classes="dg-row"):
            self.preset = gr.Dropdown(names, value=first, label="Recipe", min_width=140, scale=2)
            self.version = gr.Dropdown(
                self._versions(first), label="Version", visible=False, min_width=120, scale=2
            )
            self.seed = gr.Number(
                0, precision=0, minimum=0, maximum=_SEEDS, label="Seed", min_width=90, scale=1
            )
        with gr.Row(elem_classes="dg-row"):
            self.draw = gr.Button("Draw", variant="primary", min_width=90)
            self.more = gr.Button("Draw with the next seed", min_width=160)
        self.command = gr.HTML()
        self._wire()

    @staticmethod
    def _about(name: str) -> str:
        return pieces.note(recipe.load(name).summary)

    @staticmethod
    def _versions(name: str) -> list[str]:
        return list(recipe.load(name).variants)

    def _wire(self) -> None:
        gr, edit = self.gr, self.edit

        def chosen(name: str) -> Any:
            versions = self._versions(name)
            several = len(versions) > 1
            return self._about(name), gr.Dropdown(versions, value=versions[0], visible=several)

        self.preset.input(chosen, self.preset, [self.about, self.version], **edit.options)
        seen = [*edit.seen, self.preset, self.version, self.seed]
        outputs = [self.seed, self.command, *edit.structural]
        self.draw.click(partial(self._draw, 0), seen, outputs, **edit.options)
        self.more.click(partial(self._draw, 1), seen, outputs, **edit.options)

    def _draw(
        self,
        by: int,
        photo: Photo,
        chain: Any,
        full: bool,
        everything: bool,
        preset: str,
        version: str | None,
        seed: int | None,
    ) -> tuple[Any, ...]:
        number = min(int(seed or 0) + by, _SEEDS)
        variants = recipe.load(preset).draw(identity(photo), number, photo.side)
        drawn = next((v for v in variants if v.name == version), variants[0])
        command = texts.preset_command(photo.name, preset, number)
        told = pieces.note("The same by the command line, where the picture is:")
        shown = self.edit.changed(
            photo, chain, full, everything, lambda c: c.of(drawn.applied, number)
        )
        return number, told + pieces.takeaway("Copy command", command), *shown


def identity(photo: Photo) -> str:
    """The id that ``synth`` gives the picture where it is the one source."""
    return printable(Path(photo.name).name)
