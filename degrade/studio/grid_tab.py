"""The tab with one operator at a row of intensities."""

from __future__ import annotations

from typing import Any

from degrade import ops
from degrade.errors import UserError
from degrade.images import reduced
from degrade.pages import coded
from degrade.sheet import INTENSITIES
from degrade.studio import pieces, pixels
from degrade.studio.chain import Chain, fixed
from degrade.studio.edit_tab import EditTab
from degrade.studio.photos import Photo
from degrade.studio.texts import quoted, values

_SIDE = 480
_MOST = 12


class GridTab:
    """The tab's components and what they do.

    Args:
        gr: From :func:`degrade.studio.gateway.gradio`, within ``gr.Blocks``.
        edit: The tab whose picture and draws it takes.
    """

    def __init__(self, gr: Any, edit: EditTab) -> None:
        gr.HTML(
            pieces.note(
                "The picture of the first tab under one operator alone. All cells share every draw "
                "but strength; an operator of the chain keeps the draws that it has there."
            )
        )
        with gr.Row(elem_classes="dg-row", equal_height=True):
            operator = gr.Dropdown(
                edit.operators(),
                value="motion_blur",
                label="Operator",
                scale=3,
                min_width=180,
                elem_classes="dg-search",
            )
            listed = ", ".join(f"{i:g}" for i in INTENSITIES)
            intensities = gr.Textbox(listed, label="Intensities", scale=3, min_width=180)
            make = gr.Button("Make the grid", variant="primary", scale=1, min_width=120)
        grid = gr.HTML()
        seen = [edit.photo, edit.chain, operator, intensities]
        for event in (make.click, operator.input, intensities.submit):
            event(_grid, seen, grid, show_progress="minimal", api_visibility="private")
        self.seen, self.grid = seen, grid

    def start(self, tab: Any) -> None:
        """Make the grid whenever the tab is looked at: the picture may be another one."""
        tab.select(_grid, self.seen, self.grid, show_progress="minimal", api_visibility="private")


def _grid(photo: Photo, chain: Chain, name: str, listed: str) -> str:
    try:
        return grid(photo, chain, name, numbers(listed))
    except UserError as error:
        return pieces.alert(str(error))


def numbers(listed: str) -> list[float]:
    """Intensities from a text such as ``0.1, 0.5, 1``.

    Raises:
        UserError: They are no numbers in [0, 1], none, or too many.
    """
    try:
        found = [float(part) for part in listed.replace(",", " ").split()]
    except ValueError:
        found = []
    if not 0 < len(found) <= _MOST or not all(0.0 <= i <= 1.0 for i in found):
        raise UserError(
            f"Intensities are {listed!r}; give 1 to {_MOST} numbers from 0 to 1, such as "
            "0.1, 0.5, 1."
        )
    return found


def grid(photo: Photo, chain: Chain, name: str, intensities: list[float]) -> str:
    """The picture at these intensities of an operator, with the values that follow them.

    Raises:
        UserError: No such operator, or it refuses the picture.
    """
    op = ops.get(name)
    drawn = next((fixed(s.record) for s in chain.steps if s.record.operator == op.name), {})
    cells = [_cell(reduced(photo.preview, _SIDE), f"{op.label}: the clean picture", "<b>clean</b>")]
    for intensity in intensities:
        record = op.sample(intensity, (chain.seed, "preview"), photo.side, drawn)
        made = pixels.degraded(photo.preview, [record])
        told = f"<b>{intensity:g}</b> {pieces.text('; '.join(values(record)))}"
        alt = f"{op.label} at intensity {intensity:g}"
        cells.append(_cell(reduced(made, _SIDE), alt, told))
    size = f" at {photo.preview.shape[1]} x {photo.preview.shape[0]} px" if photo.reduced else ""
    command = (
        f"degrade-cli preview {quoted(photo.name)} sheet.png --op {op.name} --seed {chain.seed}\n"
    )
    return (
        f'<p class="dg-note">{coded(op.summary)} Made{size or " at full size"}; values are '
        f'for the whole picture.</p><div class="dg-grid">{"".join(cells)}</div>'
        + ("" if drawn else pieces.takeaway("Copy as command", command))
    )


def _cell(shown: Any, alt: str, caption: str) -> str:
    uri = pieces.small_uri(shown)
    return (
        f'<figure><img alt="{pieces.text(alt)}" src="{uri}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
