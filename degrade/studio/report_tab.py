"""The tab that shows a report of an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from degrade.errors import StoppedError, UserError
from degrade.studio import pieces
from degrade.studio.shelf import REPORT, Shelf

MOST_BYTES = 32 << 20

MakePage = Callable[[Path], str]
"""An evaluation's folder -> the page that ``report`` makes of it."""


class ReportTab:
    """The tab's components and what they do.

    Args:
        gr: From :func:`degrade.studio.gateway.gradio`, within ``gr.Blocks``.
        shelf: What was given.
        make: Makes the page of an evaluation that has none yet.
    """

    def __init__(self, gr: Any, shelf: Shelf, make: MakePage | None) -> None:
        self.shelf, self.make = shelf, make
        if not shelf.reports:
            gr.HTML(
                pieces.note(
                    "No report was given. Start the studio with a folder that `evaluate` wrote, or "
                    "a page that `report` made: degrade-cli studio eval"
                )
            )
            return
        names = list(shelf.reports)
        self.which = gr.Dropdown(names, value=names[0], label="Report")
        self.page = gr.HTML()
        self.options = {"show_progress": "minimal", "api_visibility": "private"}
        self.which.input(self.show, self.which, self.page, **self.options)

    def start(self, tab: Any) -> None:
        """Show the first report when the tab is looked at."""
        if self.shelf.reports:
            tab.select(self.show, self.which, self.page, **self.options)

    def show(self, which: str) -> str:
        """A report in a frame of its own, which reaches neither this page nor the network."""
        path = self.shelf.reports.get(which)
        try:
            if path is None:
                raise UserError("That report was not given to the studio.")
            page = self._page(path)
        except (UserError, StoppedError) as error:
            return pieces.alert(str(error))
        except (OSError, UnicodeDecodeError) as error:
            return pieces.alert(f"Cannot read {which}: {error}")
        return (
            f'<iframe class="dg-report" title="Report {pieces.text(which)}" '
            f'sandbox="allow-scripts" srcdoc="{pieces.text(page)}"></iframe>'
        )

    def _page(self, path: Path) -> str:
        file = path / REPORT if path.is_dir() else path
        if not file.is_file():
            if self.make is None or not path.is_dir():
                raise UserError(f"There is no {file.name} in {path.parent} any more.")
            return self.make(path)
        if (size := file.stat().st_size) > MOST_BYTES:
            raise UserError(f"{file} has {size / 2**20:.0f} MiB; open it in the browser itself.")
        return file.read_text("utf-8")
