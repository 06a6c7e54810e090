"""``degrade-cli studio``. Heavy imports stand inside the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from degrade.console import ENDPOINT, AsJson, BaseUrl, KeyEnv, err, print_json, say
from degrade.errors import UserError

if TYPE_CHECKING:
    from degrade.images import Pixels
    from degrade.schema import Question

    Ask = Callable[[Pixels, Question], tuple[str, int]]

_LIMITS = "Server and limits"


def studio_command(
    asker: Callable[[str, str | None, bool, str, int], Ask], report: Callable[[Path], str]
) -> Callable[..., None]:
    """The command, with what it may not import handed in.

    Args:
        asker: Makes what asks a model; see ``trainer.cli``.
        report: Makes the page of an evaluation.
    """

    def studio(
        paths: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="PATH ...",
                help="What to show: pictures, folders of pictures, runs of `synth`, chains of "
                "`annotate`, data sets of `build`, evaluations, reports. Nothing else is opened.",
            ),
        ] = None,
        host: Annotated[
            str,
            typer.Option(help="Address to listen on; others reach it there.", **_panel(_LIMITS)),
        ] = "127.0.0.1",
        port: Annotated[
            int, typer.Option(min=0, max=65535, help="0 takes a free one.", **_panel(_LIMITS))
        ] = 7860,
        max_upload_mb: Annotated[
            float, typer.Option(min=0.1, help="Largest file to upload, MiB.", **_panel(_LIMITS))
        ] = 32.0,
        max_pixels: Annotated[
            int, typer.Option(min=1, help="Refuse larger pictures.", **_panel(_LIMITS))
        ] = 50_000_000,
        password_env: Annotated[
            str | None,
            typer.Option(
                help="Environment variable with a password that visitors must give, with any name.",
                **_panel(_LIMITS),
            ),
        ] = None,
        browser: Annotated[
            bool, typer.Option("--browser/--no-browser", help="Open the page there.")
        ] = True,
        model: Annotated[
            str | None,
            typer.Option(
                help="To ask: folder of a run or a model, or name at the endpoint.",
                **_panel(ENDPOINT),
            ),
        ] = None,
        base_url: BaseUrl = None,
        endpoint: Annotated[
            bool,
            typer.Option("--endpoint", help="Ask OpenAI, or OPENAI_BASE_URL.", **_panel(ENDPOINT)),
        ] = False,
        key_env: KeyEnv = "OPENAI_API_KEY",
        max_tokens: Annotated[
            int, typer.Option(min=1, help="Longer answers are cut off.", **_panel(ENDPOINT))
        ] = 1024,
        as_json: AsJson = False,
    ) -> None:
        """Open a page to degrade pictures by eye, and to browse runs, data sets and reports.

        Examples:
            degrade-cli studio

            degrade-cli studio photos out out-chains data --no-browser
        """
        from degrade.studio import gateway, shelf

        if (base_url or endpoint) and not model:
            raise UserError("Whom shall the endpoint be asked for? Give --model NAME.")
        password = os.environ.get(password_env, "") if password_env else ""
        if password_env and not password:
            raise UserError(
                f"{password_env} is not set: put the password into it, or leave out --password-env."
            )
        given = shelf.sorted_out(paths or ())
        if given.left_out:
            err.print(f"{given.left_out} pictures are left out of the list.", style="yellow")
        port = gateway.port_to_use(host, port)
        gateway.gradio()
        from degrade.studio import app
        from degrade.studio.ask_tab import Model
        from degrade.studio.guard import LOOPBACK

        asked = None
        if model:
            asked = Model(model, asker(model, base_url, endpoint, key_env, max_tokens))
        limits = app.Limits(max_upload_mb, max_pixels, password)
        parts = app.Parts(report, asked)
        if host not in LOOPBACK:
            who = "whoever has the password" if password else "without --password-env whoever comes"
            err.print(
                f"Listening on {host}: {who} can use the page and see what it was given. What is "
                "sent can be read on the way: put a proxy with TLS before it outside your network.",
                style="yellow",
            )
        with app.served(given, limits, parts, host, port, browser) as address:
            if as_json:
                print_json({"address": address})
            else:
                say(f"The studio is at {address}  (Ctrl-C ends it)")
            sys.stdout.flush()
            app.wait()

    return studio


def _panel(name: str) -> dict[str, Any]:
    return {"rich_help_panel": name}
