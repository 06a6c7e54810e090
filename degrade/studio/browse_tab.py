"""The tab that pages through a finished run or data set."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from degrade.errors import UserError
from degrade.schema import STAGES
from degrade.studio import cells, pieces
from degrade.studio.shelf import Shelf
from degrade.studio.tables import Filters, Table, stamp_of

ANY = "any"
PAGE_SIZES = (6, 12, 24)


@lru_cache(maxsize=8)
def _table(folder: Path, chains: tuple[Path, ...], stamp: object) -> Table:
    return Table(folder, chains)


def opened(folder: Path, chains: tuple[Path, ...] = ()) -> Table:
    """The index of a folder, made anew where its files have changed.

    Args:
        folder: Of a run or a data set.
        chains: Folders of chains that may belong to it.

    Raises:
        UserError: It is gone, or no finished run or data set.
    """
    there = tuple(path for path in chains if path.is_dir())
    return _table(folder, there, tuple(map(stamp_of, (folder, *there))))


class BrowseTab:
    """The tab's components and what they do.

    Args:
        gr: From :func:`degrade.studio.gateway.gradio`, within ``gr.Blocks``.
        shelf: What was given.
        max_pixels: Of a picture.
    """

    def __init__(self, gr: Any, shelf: Shelf, max_pixels: int) -> None:
        self.gr, self.shelf, self.max_pixels = gr, shelf, max_pixels
        if not shelf.tables:
            gr.HTML(
                pieces.note(
                    "Nothing to browse was given. Start the studio with a run of `synth` or a data "
                    "set of `build`: degrade-cli studio out data photos"
                )
            )
            return
        names = list(shelf.tables)
        with gr.Row(elem_classes="dg-row dg-filters"):
            self.which = gr.Dropdown(names, value=names[0], label="Run or data set", min_width=200)
            self.stage = gr.Dropdown([ANY, *STAGES], value=ANY, label="Stage", min_width=130)
            self.operator = gr.Dropdown([ANY], value=ANY, label="Operator", min_width=150)
            self.status = gr.Dropdown([ANY], value=ANY, label="Status", min_width=110)
            self.split = gr.Dropdown([ANY], value=ANY, label="Split", min_width=110)
        with gr.Row(elem_classes="dg-row dg-filters", equal_height=True):
            self.low = gr.Slider(0, 1, 0, step=0.01, label="Intensity from", min_width=150)
            self.high = gr.Slider(0, 1, 1, step=0.01, label="Intensity to", min_width=150)
            self.page = gr.Number(1, precision=0, minimum=1, label="Page", min_width=90)
            self.size = gr.Dropdown(
                list(PAGE_SIZES), value=PAGE_SIZES[0], label="Rows a page", min_width=100
            )
            self.back = gr.Button("Previous", min_width=90)
            self.on = gr.Button("Next", min_width=90)
        self.count = gr.HTML()
        self.rows = gr.HTML(elem_classes="dg-rows")
        self._wire()

    def _wire(self) -> None:
        filters = [self.stage, self.operator, self.low, self.high, self.status, self.split]
        seen = [self.which, *filters, self.size, self.page]
        shown = [self.count, self.rows, self.page]
        options: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}

        def first(*given: Any) -> Any:
            return self.show(*[*given[:-1], 1])

        def step(by: int) -> Any:
            def run(*given: Any) -> Any:
                return self.show(*[*given[:-1], (given[-1] or 1) + by])

            return run

        for part in (*filters, self.size):
            event = part.release if part in (self.low, self.high) else part.input
            event(first, seen, shown, **options)
        self.page.submit(self.show, seen, shown, **options)
        self.back.click(step(-1), seen, shown, **options)
        self.on.click(step(+1), seen, shown, **options)
        self.choices = [self.operator, self.status, self.split]
        self.which.input(self.switched, self.which, [*filters, *shown], **options)
        self.seen, self.shown = seen, shown
        self.options = options
        self.filters = filters

    def start(self, tab: Any) -> None:
        """Show the first page when the tab is first looked at."""
        if self.shelf.tables:
            tab.select(self.switched, self.which, [*self.filters, *self.shown], **self.options)

    def switched(self, which: str) -> tuple[Any, ...]:
        """Another run: its own choices in the filters, and its first page."""
        gr = self.gr
        try:
            table = self._opened(which)
            choices = (table.operators, table.status.names, table.splits)
        except UserError:
            choices = ([], [], [])
        operator, status, split = (gr.Dropdown([ANY, *names], value=ANY) for names in choices)
        shown = self.show(which, ANY, ANY, 0.0, 1.0, ANY, ANY, PAGE_SIZES[0], 1)
        return ANY, operator, 0.0, 1.0, status, split, *shown

    def _opened(self, which: str) -> Table:
        folder = self.shelf.tables.get(which)
        if folder is None:
            raise UserError("That folder was not given to the studio.")
        return opened(folder, self.shelf.chains)

    def show(
        self,
        which: str,
        stage: str,
        operator: str,
        low: float,
        high: float,
        status: str,
        split: str,
        size: int,
        page: int | None,
    ) -> tuple[str, str, int]:
        """How many rows match, a page of them, and its number."""
        try:
            table = self._opened(which)
            if low > high:
                raise UserError(f"Intensity from {low:g} to {high:g} is no range: swap them.")
            stage, operator, status, split = (
                "" if v == ANY else v for v in (stage, operator, status, split)
            )
            wanted = Filters(stage, operator, low, high, status, split)
            rows = table.matching(wanted)
            size = size if size in PAGE_SIZES else PAGE_SIZES[0]
            pages = max(1, -(-len(rows) // size))
            page = min(max(int(page or 1), 1), pages)
            here = [int(r) for r in rows[(page - 1) * size : page * size]]
            items = table.read(here)
        except UserError as error:
            return pieces.alert(str(error)), "", 1
        except OSError as error:
            return pieces.alert(f"Cannot read {which}: {error.strerror}."), "", 1
        told = "".join(pieces.alert(p) for p in table.problems)
        if len(rows):
            first = (page - 1) * size + 1
            told += (
                f"<p class=dg-count><b>{len(rows):,}</b> of {len(table):,} rows; "
                f"{first:,} to {first + len(here) - 1:,}, page {page:,} of {pages:,}</p>"
            )
        else:
            told += pieces.note(f"None of {len(table):,} rows matches. Widen a filter.")
        body = "".join(
            cells.row_cells(table, row + 1, item, self.shelf.folders, self.max_pixels)
            for row, item in zip(here, items, strict=True)
        )
        return told, body, page
