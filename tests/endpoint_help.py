"""The command of evaluations in this process."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner, Result

from annotate.testing.faultserver import FaultServer
from trainer.evaluation.cli import evaluate

app = typer.Typer()
app.command()(evaluate)


def call(*given: str) -> Result:
    result = CliRunner().invoke(app, [*given, "--resamples", "100"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(bench: Path, out: Path, server: FaultServer, *more: str) -> Result:
    return call(str(bench), str(out), "--model", "gpt-4o-mini", "--base-url", server.url, *more)


def pictures_of(body: Any) -> list[tuple[str, bytes]]:
    urls = [
        part["image_url"]["url"]
        for message in body["messages"]
        for part in message["content"]
        if not isinstance(message["content"], str) and part["type"] == "image_url"
    ]
    return [(u[5 : u.index(";")], base64.b64decode(u.split(",", 1)[1])) for u in urls]
