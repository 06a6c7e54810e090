"""``degrade-cli report`` of runs and data sets. Heavy imports stand inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from degrade.console import print_json, say
from degrade.errors import StoppedError
from degrade.places import beside
from degrade.storage import Place

RUN = "Runs and data sets"

Samples = Annotated[
    int,
    typer.Option(min=0, max=24, help="Pairs of pictures to show.", rich_help_panel=RUN),
]
Source = Annotated[
    str | None,
    typer.Option(help="Where the clean pictures of a run are, if they moved.", rich_help_panel=RUN),
]


def report(
    folder: Place, to: Path | None, samples: int, source: Place | None, as_json: bool, quiet: bool
) -> None:
    """Write the page of a run or data set.

    Args:
        folder: What ``synth`` or ``build`` wrote.
        to: A folder for report.html, or an .html file; by default ``<folder>-report.html`` beside
            it, as a run holds nothing but what its command wrote; of a store, here.
        samples: How many pairs to show.
        source: Where the clean pictures are, if they moved.
        as_json: Print JSON.
        quiet: Print nothing else.

    Raises:
        UserError: Nothing to report on.
        StoppedError: The page cannot be written.
    """
    from degrade.report.page import made
    from degrade.runs import write_atomic

    page, counts = made(folder, samples, source)
    usual = beside(folder, "-report.html")
    path = to or (usual if isinstance(usual, Path) else Path(usual.name))
    if path.suffix.lower() not in {".html", ".htm"}:
        path = path / "report.html"
    data = page.encode("utf-8", "backslashreplace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise StoppedError(f"Stopped: {error.strerror or error} ({path}).") from None
    if as_json:
        print_json({"kind": "run", "html": str(path), "bytes": len(data), **counts})
    elif not quiet:
        say(
            f"Open {path}: {counts['rows']:,} pictures, {counts['samples']} of them shown, "
            f"{len(data) / 1e6:.1f} MB."
        )
