"""The pages that are made from the code: complete, true to it, and nothing is fetched by them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from degrade import gallery, ops
from manual import formulas, hooks, operators, reference, remote
from tests.pages_help import ROOT, blocks
from tests.pages_shell import commands, parse

CLEAN = torch.linspace(0, 1, 3 * 24 * 36).reshape(1, 3, 24, 36)
MEASURED = operators._measured(ROOT / "docs" / "calibration.md")


@pytest.mark.parametrize("name", ops.names())
def test_an_operators_page_tells_all_that_is_declared(name: str) -> None:
    op = ops.get(name)
    shots, fixed = gallery.shots(op, CLEAN, 0, (0.5, 1.0))
    page = operators.page(op, shots, fixed, MEASURED[name])
    assert page.count("<img ") == 3
    assert all(f"- {ref}" in page for ref in op.refs)
    assert all(f"| `{argument.name}` |" in page for argument in op.arguments)
    assert all(fact in page for fact in gallery.facts(op))
    assert op.off_scale in page
    assert gallery.model(op) in page
    assert re.search(r"^\| 0\.5 \| [\d.]+ \| [\d.]+ \|", page, re.MULTILINE)


def test_the_index_and_the_navigation_have_every_operator_once() -> None:
    text, nav = operators.index(), str(operators.nav())
    for name in ops.names():
        assert text.count(f'href="{name}.md"') == 2  # the picture and its name
        assert text.count(f"[`{name}`]({name}.md)") == 1
        assert nav.count(f"/{name}.md'") == 1


def test_short_code_stays_on_one_line() -> None:
    nothing: Any = None
    made = hooks.on_page_content(
        "<p><code>--overwrite</code> <code>degrade-cli synth photos out</code></p>",
        nothing,
        nothing,
        nothing,
    )
    assert '<code class="short">--overwrite</code>' in made
    assert "<code>degrade-cli synth photos out</code>" in made


def test_the_navigation_has_every_page() -> None:
    nav = (ROOT / "mkdocs.yml").read_text("utf-8") + str(reference.nav())
    for path in (ROOT / "docs").glob("*.md"):
        assert re.search(rf"[ '\"]{re.escape(path.name)}\b", nav), path.name


def test_the_command_line_is_told_in_full() -> None:
    text = reference.command_line()
    headings = re.findall(r"^#+ `(degrade-cli .*)`$", text, re.MULTILINE)
    assert {"degrade-cli synth", "degrade-cli build benchmark"} <= set(headings)
    assert "# All commands" in text
    assert not re.findall(r"^\* `\w+`: .*\.\.\.$", text, re.MULTILINE), "a summary is cut"
    examples = [b.text for b in blocks(text) if b.language == "bash"]
    assert len(examples) > 5
    for command in (c for example in examples for c in commands(example)):
        parse(command.words, loosely=True)


def test_the_formulas_stand_beside_the_operators_of_their_names(tmp_path: Path) -> None:
    table = formulas.table(ROOT / "docs")
    assert len(re.findall(r"^\| \[`\w+`\]", table, re.MULTILINE)) == 16
    for name in ("published.md", "calibration.md"):
        (tmp_path / name).write_text((ROOT / "docs" / name).read_text("utf-8"), "utf-8")
    text = (tmp_path / "calibration.md").read_text("utf-8")
    (tmp_path / "calibration.md").write_text(text.replace("| graffiti", "| graffito"), "utf-8")
    with pytest.raises(ValueError, match="graffiti"):
        formulas.table(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.html", '<img src="https://far/x.png">', True),
        ("a.html", '<link rel="stylesheet" href="//far/x.css">', True),
        ("a.html", "<style>@import 'https://far/x.css'</style>", True),
        ("a.css", "p { background: url(http://far/x.png) }", True),
        ("a.html", '<a href="https://far">far</a><img src="near.png">', False),
    ],
)
def test_what_a_page_would_fetch_is_found(
    name: str, text: str, found: bool, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    assert bool(list(remote.fetched(tmp_path))) == found
