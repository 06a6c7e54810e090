"""Every example runs as it stands, and the list of them is true."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotate.testing.faultserver import FaultServer, serving
from tests.conftest import API_KEY

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
LONGEST = 59
NEEDS = {"06_in_torchvision": "torchvision"}
"""What an example needs that degrade does not; it is not run where that is missing."""


def first_letter(body: dict[str, Any]) -> str:
    """What the model at the endpoint says to every question."""
    return "A"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST
    needed = NEEDS.get(path.stem)
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{path.name} needs {needed}, which is not installed here")
    hidden = ("OPENAI", "EVALUATED")  # nothing is ever asked of a real endpoint
    env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    with serving(FaultServer(first_letter)) as server:
        env |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": API_KEY}
        subprocess.run([sys.executable, str(path)], cwd=tmp_path, check=True, env=env)
        assert (server.requests > 0) == ("evaluate_an_endpoint" in path.stem)


def test_they_are_numbered_and_listed() -> None:
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    lines = []
    for path in EXAMPLES:
        told = ast.get_docstring(ast.parse(path.read_text())) or ""
        lines.append(
            f"- [{path.name}]({path.name}): {' '.join(told.split(chr(10) * 2)[0].split())}"
        )
    listed = re.findall(r"^- .*(?:\n  .*)*", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert [" ".join(one.split()) for one in listed] == lines, "\n".join(lines)
