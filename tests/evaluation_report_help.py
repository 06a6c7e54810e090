"""Evaluations to report on, and what a page of a report holds."""

from __future__ import annotations

import html.parser
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from builders.table import Dataset
from degrade.cli import app
from degrade.pages import Table
from degrade.schema import Degradation
from tests.evaluation_help import benchmark, chain_of, write_answers
from trainer.evaluation.config import read_options
from trainer.evaluation.report import page
from trainer.evaluation.report.read import benchmark_of, read
from trainer.evaluation.runner import Evaluation

EVIL = '</pre><script>alert("x")</script><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202eabc\x07 é'


def says(bench: Path, out: Path, say: Any, chain: bool = False) -> Path:
    """An evaluation of answers that a function of the row makes."""
    lines = []
    for one in Dataset(bench).entries(pictures=False):
        text = say(one.row)
        lines.append({"id": one.row.id, "answer": text, "tokens": len(text), "cut": False})
    answers = write_answers(out.parent / f"{out.name}.jsonl", lines)
    options = read_options({"resamples": 100, "prompt": "chain" if chain else "plain"})
    assert Evaluation(bench, out, options, [answers]).run()
    return out


def fails_when_strong(row: Any) -> str:
    """Right but for graffiti from 0.5 on and all damage at 1."""
    strong = row.level and (row.level == 1 or (row.level == 0.5 and "graffiti" in row.degradations))
    return row.choices[(row.answer_index + bool(strong)) % 4]  # type: ignore[no-any-return]


def never_knew_three(row: Any) -> str:
    """Wrong about the first three items always; at 1 about graffiti, and half of the lens blur."""
    number = int(row.item[-3:])
    lost = "graffiti" in row.degradations or ("lens blur" in row.degradations and number > 5)
    wrong = number < 3 or (row.level == 1 and lost)
    return row.choices[(row.answer_index + wrong) % 4]  # type: ignore[no-any-return]


def sees(row: Any) -> str:
    """A chain, always right, that names what is there a tenth too weak; alarms on clean ones."""
    types = [Degradation(label=t.label, intensity=t.intensity - 0.1) for t in row.types]
    return chain_of(types or [Degradation(label="rain", intensity=0.3)], row.answer)


def evaluated(folder: Path) -> dict[str, Path]:
    """A benchmark, and what models of different weaknesses said about it."""
    bench = benchmark(folder / "bench", items=12)
    return {
        "bench": bench,
        "weak": says(bench, folder / "weak", fails_when_strong),
        "sees": says(bench, folder / "sees", sees, chain=True),
        "odd": says(bench, folder / "odd", never_knew_three),
        "evil": says(bench, folder / "evil", lambda row: EVIL),
    }


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def shown(*folders: Path, failures: int = 4, unseen: tuple[str, ...] = ()) -> dict[str, Any]:
    models = read(folders)
    bench = benchmark_of(models, None) if failures else None
    return page.content(models, bench, unseen, failures)


def line_of(table: Table, heading: str) -> list[Any]:
    return next(cells for name, cells in table.rows if name == heading)


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and whether they close in order."""

    VOID = frozenset(("meta", "img", "br", "link", "input"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]
