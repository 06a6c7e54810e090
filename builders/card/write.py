"""README.md of a data set: its sections, each from what the data set says of itself."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from builders import sheets
from builders.card import levels, sample, texts
from builders.card.front import front_matter
from builders.rights import used
from builders.table import ASSETS, CARD, Dataset, Entry
from degrade import ops, plots
from degrade.runs import write_atomic
from degrade.schema import STAGES

_TEMPLATE = resources.files("builders") / "templates" / "card.md"
_SHOWN = 5  # pictures of the overview
_OPERATORS, _EXAMPLES = "operators.png", "examples.png"
_COMMAND = re.compile(r"^## How it was made\n\n`{3,}sh\n(.*?)\n`{3,}$", re.MULTILINE | re.DOTALL)
_SIGNED = re.compile(r"\n<!-- written by degrade-cli: ([0-9a-f]{16}) -->\n$")


def write_card(
    folder: Path,
    command: str,
    repo: str | None = None,
    *,
    out: Path | None = None,
    table: Path | None = None,
) -> Path:
    """Write the card of a finished data set, with its plots and samples under ``assets/``.

    Args:
        folder: The data set.
        command: The command that made it.
        repo: Where on the Hub it is or will be; by default the card loads it from its folder.
        out: Folder to write to; by default the data set's own.
        table: ``recipe.parquet``, where the card is to speak of that instead of pictures. No
            picture is shown then.

    Returns:
        The path of README.md.

    Raises:
        UserError: Not a finished data set, or a file of it is damaged.
    """
    data, out = Dataset(folder), out or folder
    licenses = used(data)
    assets = out / ASSETS
    assets.mkdir(parents=True, exist_ok=True)
    names = _operators(data)
    counts = data.info["counts"]["splits"]
    rows = {split: c["rows"] for split, c in counts.items()}
    bars = {split: c["operators"] for split, c in counts.items()}
    tenths = {split: c["intensities"] for split, c in counts.items()}
    if names and data.benchmark:  # the levels have the same
        last = data.splits[-1]
        drawn = plots.operators({"items": bars[last]}, {"items": rows[last]}, names)
        plots.png(drawn, assets / _OPERATORS)
    elif names:
        plots.png(plots.operators(bars, rows, names), assets / _OPERATORS)
        plots.png(plots.intensities(tenths, names), assets / "intensities.png")
    shown, gallery, whole = (_levels if data.benchmark else _pairs)(data, assets, table is None)
    sections: Any = levels if data.benchmark else texts
    where = repo or f"path/to/{out.resolve().name}"
    title = texts.title(data)
    text = Template(_TEMPLATE.read_text("utf-8")).substitute(
        yaml=front_matter(data, licenses, title, table),
        title=title,
        lead=sections.lead(data, table is None),
        gallery=gallery,
        load=sections.load(data, where, table is None),
        splits=sections.splits(data),
        degraded=sections.degraded(data, names),
        sample=sections.sample(whole.row, shown and (shown[0].name, shown[1].name)),
        made=texts.made(data, command),
        columns=texts.columns(table is None),
        licenses=texts.licenses(data, licenses),
        limits=sections.limits(data),
        citation=sections.citation(),
    )
    text = re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
    path = out / CARD
    sign = f"<!-- written by degrade-cli: {_digest(text)} -->"  # see command_of
    write_atomic(path, f"{text}\n{sign}\n".encode())
    return path


def _pairs(
    data: Dataset, assets: Path, pictures: bool
) -> tuple[tuple[Path, Path] | None, str, Entry]:
    """The pictures of a data set's card: files of the one row, the overview, the row."""
    whole, overview = sample.choose(data, _SHOWN)
    if not pictures:
        return None, "", whole
    decoded = [
        (sample.thumbnail(e.clean), sample.thumbnail(e.image), e.row.degradations) for e in overview
    ]
    sheets.pairs(decoded, assets / _EXAMPLES)
    gallery = f"![Clean pictures above, degraded below]({ASSETS}/{_EXAMPLES})"
    return sample.save(whole, assets), gallery, whole


def _levels(
    data: Dataset, assets: Path, pictures: bool
) -> tuple[tuple[Path, Path] | None, str, Entry]:
    """The same of a benchmark's: items from left to right, their levels from top to bottom."""
    items = sample.items(data, _SHOWN)
    whole = items[0][len(items[0]) // 2]
    if not pictures:
        return None, "", whole
    shown = [
        [(sample.thumbnail(e.image), sample.named(e.row)) for e in entries] for entries in items
    ]
    sheets.ladders(shown, assets / _EXAMPLES)
    gallery = f"![Items from left to right, their levels downwards]({ASSETS}/{_EXAMPLES})"
    return sample.save(whole, assets), gallery, whole


def command_of(path: Path) -> str | None:
    """The command that a card names, if it is as :func:`write_card` left it.

    None where there is no card, or where somebody has edited it: that one is theirs.
    """
    if not path.exists():
        return None
    text = path.read_text("utf-8", errors="replace")
    signed, made = _SIGNED.search(text), _COMMAND.search(text)
    ours = signed is not None and _digest(text[: signed.start()]) == signed[1]
    return made[1] if made and ours else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _operators(data: Dataset) -> plots.Operators:
    """The operators that occur, by stage, in the order in which stages are applied."""
    found = {name for c in data.info["counts"]["splits"].values() for name in c["operators"]}
    known = [(op.name, op.stage) for op in map(ops.get, sorted(found))]
    return sorted(known, key=lambda pair: (STAGES.index(pair[1]), pair[0]))
