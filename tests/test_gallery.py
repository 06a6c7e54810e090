"""The gallery: one page that needs nothing else, with all operators and all known of them."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from degrade import gallery, ops
from degrade.cli import app
from degrade.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def page() -> str:
    return gallery.page(PIXELS, ops.names(), intensities=(0.5, 1.0))


@pytest.mark.parametrize("name", ops.names())
def test_every_operator_is_shown_with_its_pictures_and_sources(name: str, page: str) -> None:
    op = ops.get(name)
    (card,) = re.findall(rf'<article id="{name}">.*?</article>', page, re.DOTALL)
    assert card.count("data:image/webp;base64,") == 3
    told = html.unescape(card)
    assert all(ref in told for ref in op.refs)
    assert all(f"<code>{a.name}</code> {a.span}" in told for a in op.arguments)
    paragraphs = re.findall("<p>(.*?)</p>", told.partition("<details>")[2], re.DOTALL)
    model = gallery.model(op).replace("``", "").split("\n\n")
    assert [re.sub("</?code>", "", shown) for shown in paragraphs[: len(model)]] == model
    assert "``" not in told
    assert op.stage in told
    assert op.license in told
    assert op.off_scale in told
    for param in op.sample(0.5, (0, "gallery"), 24).params:
        assert param.name in told
    assert f'href="#{name}"' in page


def test_the_page_asks_the_network_for_nothing(page: str) -> None:
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page
    assert "default-src 'none'; img-src data:" in page


def test_the_command_writes_a_folder_or_a_file(tmp_path: Path) -> None:
    for given, file in (("g", "g/index.html"), ("a/b.html", "a/b.html")):
        result = CliRunner().invoke(app, ["gallery", str(tmp_path / given), "--op", "lens blur"])
        assert result.exit_code == 0, result.output
        assert "lens blur" in (tmp_path / file).read_text("utf-8")


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    result = CliRunner().invoke(
        app, ["gallery", str(tmp_path / "g"), "--image", str(tmp_path / "x.png")]
    )
    assert isinstance(result.exception, UserError)
    assert "Cannot read" in str(result.exception)
