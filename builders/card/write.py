"""README.md of a data set: its sections, each from what the data set says of itself."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path
from string import Template

from builders import plots
from builders.card import sample, texts
from builders.card.front import front_matter
from builders.rights import used
from builders.table import ASSETS, CARD, Dataset
from degrade import ops
from degrade.runs import write_atomic
from degrade.schema import STAGES

_TEMPLATE = resources.files("builders") / "templates" / "card.md"
_SHOWN = 5  # pictures of the overview
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
        UserError: Not a finished data set, a file of it is damaged, or matplotlib is missing.
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
    if names:
        plots.operators(bars, rows, names, assets / "operators.png")
        plots.intensities(tenths, names, assets / "intensities.png")
    whole, overview = sample.choose(data, _SHOWN)
    gallery, shown = "", None
    if table is None:
        shown = sample.save(whole, assets)
        decoded = [
            (sample.thumbnail(e.clean), sample.thumbnail(e.image), e.row.degradations)
            for e in overview
        ]
        plots.pairs(decoded, assets / "examples.png")
        gallery = f"![Clean pictures above, degraded below]({ASSETS}/examples.png)"
    where = repo or f"path/to/{out.resolve().name}"
    title = texts.title(data)
    text = Template(_TEMPLATE.read_text("utf-8")).substitute(
        yaml=front_matter(data, licenses, title, table),
        title=title,
        lead=texts.lead(data, table is None),
        gallery=gallery,
        load=texts.load(data, where, table is None),
        splits=texts.splits(data),
        degraded=texts.degraded(data, names),
        sample=texts.sample(whole.row, shown and (shown[0].name, shown[1].name)),
        made=texts.made(data, command),
        columns=texts.columns(table is None),
        licenses=texts.licenses(data, licenses),
        limits=texts.limits(data),
    )
    text = re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
    path = out / CARD
    sign = f"<!-- written by degrade-cli: {_digest(text)} -->"  # see command_of
    write_atomic(path, f"{text}\n{sign}\n".encode())
    return path


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
