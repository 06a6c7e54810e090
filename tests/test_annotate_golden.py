"""Golden chains and verdicts: a text or a verdict that changed must be a new version.

A finished annotation is told from another by these versions; stored answers are judged again when
the checks' is raised. `pytest tests/test_annotate_golden.py --update-golden` rewrites the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate.checks import CHECKS_VERSION, check
from annotate.depth import target
from annotate.offline import GRAMMAR_VERSION, write
from annotate.testing.cases import Case, plain_chain, rows
from annotate.testing.mutants import KINDS, mutants
from degrade.schema import Chain
from tests.chains_help import cases

GOLDEN = Path(__file__).parent / "data" / "golden_chains.json"
TEXTS = 12


def texts() -> list[str]:
    """Chains of fixed rows by the offline writer."""
    return [write(row, question, seen).render() for row, question, seen in cases(TEXTS, seed=7)]


def verdicts() -> dict[str, list[str]]:
    """The codes found in fixed chains with one planted fault each."""
    found = {}
    for kind in KINDS:
        source: Iterator[Case] = (Case(plain_chain(r, q), r, q) for r, q in rows(500, seed=3))
        codes: set[str] = set()
        for case, text in mutants(kind, source, 2, plain_chain):
            chain = Chain.parse(text)
            codes |= {f.code for f in check(chain, case.row, case.question, case.target)}
        found[kind] = sorted(codes)
    return found


def stored() -> dict[str, Any]:
    assert GOLDEN.exists(), "run pytest tests/test_annotate_golden.py --update-golden"
    found = json.loads(GOLDEN.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("name", "version", "made"),
    [("grammar", GRAMMAR_VERSION, texts), ("checks", CHECKS_VERSION, verdicts)],
)
def test_a_change_of_texts_or_verdicts_is_a_new_version(
    name: str, version: int, made: Any, request: pytest.FixtureRequest
) -> None:
    now = {"version": version, "golden": made()}
    name_of_it = f"{name.upper()}_VERSION"
    if request.config.getoption("--update-golden"):
        before = stored() if GOLDEN.exists() else {}
        old = before.get(name)
        changed = old is not None and old["golden"] != now["golden"]
        assert not changed or version > old["version"], f"raise {name_of_it} first"
        GOLDEN.write_text(json.dumps(before | {name: now}, indent=1) + "\n", "utf-8")
    before = stored()[name]
    assert now["golden"] == before["golden"], (
        f"raise {name_of_it}, then pytest tests/test_annotate_golden.py --update-golden"
    )
    assert version == before["version"], "run pytest tests/test_annotate_golden.py --update-golden"


def test_golden_chains_are_accepted_and_vary() -> None:
    golden = stored()["grammar"]["golden"]
    assert len(set(golden)) == TEXTS
    for text, (row, question, _) in zip(golden, cases(TEXTS, seed=7), strict=True):
        assert check(Chain.parse(text), row, question, target(row.applied)) == ()
