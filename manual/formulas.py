"""The table of the page on the paper: the released formulas beside the operators of their names."""

from __future__ import annotations

import re
from pathlib import Path

from degrade.schema import PUBLISHED

MARK = "<!-- formulas -->"


def table(docs: Path) -> str:
    """Joined from the tables of docs/published.md and docs/calibration.md.

    Raises:
        ValueError: One of them does not hold a formula or an operator.
    """
    formulas = _rows(docs / "published.md", rf"`{PUBLISHED}(\w+)`")
    operators = _rows(docs / "calibration.md", r"(\w+)(?: \\?\*)?")
    rows = [
        "| name | formula at .23 / .45 / .9 | operator at .25 / .5 / 1 | defects of the formula |"
    ]
    rows.append("|---|---|---|---|")
    for name, (_, here, _, _, defects) in formulas.items():
        if name not in operators:
            raise ValueError(f"docs/calibration.md has no row of {name}.")
        rmse = " / ".join(operators[name][0].split(" / ")[1:])
        rows.append(f"| [`{name}`](operators/{name}.md) | {here} | {rmse} | {defects} |")
    if len(rows) != 18:
        raise ValueError(f"docs/published.md has {len(rows) - 2} formulas, not sixteen.")
    return "\n".join(rows)


def _rows(page: Path, name: str) -> dict[str, list[str]]:
    found = re.findall(rf"^\| {name} \|(.*)\|$", page.read_text("utf-8"), re.MULTILINE)
    return {title: [cell.strip() for cell in cells.split("|")] for title, cells in found}
