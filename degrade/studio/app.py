"""The page: its tabs put together, and the server that shows it."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from degrade import __version__, pages
from degrade.runtime import keep_freed_memory
from degrade.studio import gateway, pieces
from degrade.studio.ask_tab import AskTab, Model
from degrade.studio.browse_tab import BrowseTab
from degrade.studio.draw_panel import DrawPanel
from degrade.studio.edit_tab import EditTab
from degrade.studio.grid_tab import GridTab
from degrade.studio.guard import LOOPBACK, Guard
from degrade.studio.report_tab import MakePage, ReportTab
from degrade.studio.shelf import Shelf
from degrade.threads import host_threads

SESSIONS = 64
"""Visitors whose pictures are kept; the oldest is forgotten first."""

_CLEANING = 300, 600
"""Every so many seconds, uploads of that age that nothing was made of are deleted."""


@dataclass(frozen=True)
class Limits:
    """What a visitor may ask for.

    Attributes:
        upload_mb: Of a file, in MiB.
        pixels: Of a picture.
        password: That a visitor must give; empty: none.
    """

    upload_mb: float = 32.0
    pixels: int = 50_000_000
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Parts:
    """What the studio shows but may not know: handed in by the command line.

    Attributes:
        report: Makes the page of an evaluation.
        model: Whom to ask.
    """

    report: MakePage | None = None
    model: Model | None = None


def build(shelf: Shelf, limits: Limits, parts: Parts) -> Any:
    """The page, not yet served."""
    gr = gateway.gradio()
    with gr.Blocks(
        title="degrade studio", analytics_enabled=False, fill_width=True, delete_cache=_CLEANING
    ) as blocks:
        gr.HTML(
            f'<header class="dg-head"><h1>degrade studio</h1><p>degrade {pieces.text(__version__)}'
            "</p></header>"
        )
        with gr.Tabs():
            with gr.Tab("Degrade"):
                edit = EditTab(gr, shelf, limits.pixels)
                with edit.drawing:
                    DrawPanel(gr, edit)
            with gr.Tab("Grid") as tab:
                GridTab(gr, edit).start(tab)
            with gr.Tab("Browse") as tab:
                BrowseTab(gr, shelf, limits.pixels).start(tab)
            with gr.Tab("Report") as tab:
                ReportTab(gr, shelf, parts.report).start(tab)
            with gr.Tab("Ask"):
                AskTab(gr, edit, parts.model)
        edit.start(blocks)
    return blocks


def theme(gr: Any) -> Any:
    """Fonts of the system and neutral greys, which a picture is judged against."""
    fonts = ("system-ui", "sans-serif")
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="zinc",
        font=fonts,
        font_mono=("ui-monospace", "monospace"),
        radius_size="sm",
        spacing_size="sm",
    )


@contextmanager
def served(
    shelf: Shelf, limits: Limits, parts: Parts, host: str, port: int, browser: bool
) -> Iterator[str]:
    """Serve the page within the context; gives its address.

    Args:
        shelf: What was given.
        limits: For uploads and pictures.
        parts: What the page shows besides.
        host: Address to listen on.
        port: From :func:`degrade.studio.gateway.port_to_use`.
        browser: Open it there.

    Raises:
        UserError: The port was taken meanwhile.
    """
    gr = gateway.gradio()
    keep_freed_memory()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="degrade-studio-") as folder:
        # Uploads go there on their way, and nowhere else: components ask for it when they are made.
        os.environ["GRADIO_TEMP_DIR"] = folder
        blocks = build(shelf, limits, parts)
        hosts = LOOPBACK if host in LOOPBACK else ()
        guard = gateway.middleware(
            Guard, upload_mb=limits.upload_mb, hosts=hosts, password=limits.password
        )
        blocks.queue(default_concurrency_limit=host_threads())
        try:
            _, address, _ = blocks.launch(
                server_name=host,
                server_port=port,
                inbrowser=browser,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                footer_links=[],
                show_error=False,
                enable_monitoring=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                strict_cors=True,
                max_file_size=int(limits.upload_mb * 2**20),
                state_session_capacity=SESSIONS,
                app_kwargs={"middleware": guard},
                theme=theme(gr),
                css=str(pages.asset("studio.css")),
                head=f"<script>{pages.asset('studio.js')}</script>",
            )
        except OSError as error:
            raise gateway.cannot_listen(host, port, error) from None
        try:
            yield str(address)
        finally:
            blocks.close(verbose=False)


def wait() -> None:
    """Sleep until interrupted or told to end; uploads are removed then."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
