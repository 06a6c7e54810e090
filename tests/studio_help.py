"""The studio as its command serves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from annotate.testing.faultserver import FaultServer, serving
from degrade import recipe
from degrade.executor import Options, Synth
from degrade.schema import Chain, Degradation
from tests import browser_help as help_
from tests.dataset_help import picture, small_dataset

SAID = Chain(
    types=(Degradation(label="lens blur", intensity=0.5),),
    influence="It hides edges.",
    reasoning="The door looks red.",
    conclusion="So it is red.",
    answer="red",
)


@dataclass(frozen=True)
class Studio:
    address: str
    folder: Path


@contextmanager
def serving_studio(folder: Path) -> Iterator[Studio]:
    """The real command with pictures, a run, a data set, a report and a model to ask."""
    (folder / "photos").mkdir()
    (folder / "tmp").mkdir()
    for number in range(30):
        Image.fromarray(picture(number)).save(folder / "photos" / f"Bild ü{number:02}.png")
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    Image.fromarray(picture(99)).save(folder / "secret.png")
    robust = recipe.load("robust-r1")
    Synth(folder / "photos", folder / "run", robust, 1, Options(workers=1)).run()
    small_dataset(folder / "data", rows=12)
    (folder / "report.html").write_text("<!doctype html><title>R</title><h1>Curves</h1>")
    shown = ["photos", "run", "data", "report.html"]
    with serving(FaultServer(answer=lambda body: SAID.render())) as model:
        asks = ["--model", "m", "--base-url", model.url]
        limits = ["--max-pixels", "2000000", "--max-upload-mb", "2"]
        options = ["--no-browser", "--port", "0", *asks, *limits]
        with help_.command(
            "studio",
            *shown,
            *options,
            cwd=folder,
            OPENAI_API_KEY="sk-test",
            TMPDIR=str(folder / "tmp"),
        ) as address:
            yield Studio(address, folder)
