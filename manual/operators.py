"""The pages of the operators: one each, with pictures, and an index by family."""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from degrade import codecs, gallery, ops
from degrade.arguments import number
from degrade.families import families
from degrade.params import Choice, Draw, SeedMark, Severity
from degrade.registry import LICENSE, Operator
from degrade.schema import STAGES

FOLDER = "operators"
SIDE = 360
THUMBNAIL = 170
CACHE = Path(__file__).parents[1] / ".cache" / "manual"
STAGES_ARE = {
    "acquisition": "lens, shutter and sensor",
    "transmission": "coding, storage and transport",
    "environment": "what is between the scene and the lens, and its light",
    "postprocessing": "edits of the finished picture",
}


def by_family() -> dict[str, list[Operator]]:
    """All operators, in the order of degrade/families.yaml and by name."""
    return {
        family: [op for op in map(ops.get, ops.names()) if op.family == family]
        for kinds in families().values()
        for family in kinds
    }


def nav() -> list[Any]:
    """The part of the navigation: the index, then a section for each family."""
    sections = [
        {family.capitalize(): [{op.label: f"{FOLDER}/{op.name}.md"} for op in members]}
        for family, members in by_family().items()
    ]
    return [f"{FOLDER}/index.md", *sections]


def files(docs: Path) -> Iterator[tuple[str, str | bytes]]:
    """Pages and pictures, by their place in the site."""
    clean = codecs.from_pixels([gallery.shipped_photo(SIDE)], torch.device("cpu"))
    damage = _measured(docs / "calibration.md")
    thumbnails = {}
    for name in ops.names():
        op = ops.get(name)
        shots, fixed = _shots(op, clean)
        yield f"{FOLDER}/{name}.md", page(op, shots, fixed, damage[name])
        for shot in shots[1:]:
            yield f"{FOLDER}/img/{_file(name, shot)}", shot.data
        thumbnails[name] = f"img/{name}_small.webp"
        half = next(s for s in shots if s.intensity == 0.5)
        yield f"{FOLDER}/{thumbnails[name]}", _reduced(half.data)
    yield f"{FOLDER}/img/clean.webp", shots[0].data
    yield f"{FOLDER}/index.md", index()


def page(op: Operator, shots: list[gallery.Shot], fixed: str, damage: str) -> str:
    """The Markdown of one operator's page."""
    tags = "".join(f"<span>{html.escape(fact)}</span>" for fact in gallery.facts(op))
    parts = [
        f"# {op.label}",
        f"{op.summary}",
        f'<p class="tags" data-search-exclude>{tags}</p>',
        _figures(op, shots),
        f"Drawn alike at all intensities here: {fixed}." if fixed else "",
        "```bash\n"
        f"degrade-cli synth photos out --recipe single --op {op.name} --intensity 0.5\n```",
        "## Model" if gallery.model(op) else "",
        gallery.model(op),
        "## Parameters",
        parameters(op),
        "## Damage",
        damage,
        f"Off the common scale: {op.off_scale}" if op.off_scale else "",
        "[How it was measured](../calibration.md)",
        "## Sources",
        "\n".join(f"- {ref}" for ref in op.refs) or "None: the model is the project's own.",
        f"Licence of the model and of all that it draws with: {op.license}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def parameters(op: Operator) -> str:
    """The table of an operator's arguments: what each is, from where to where, in which unit."""
    rows = ["| parameter | how it gets its value | range | unit |", "|---|---|---|---|"]
    for argument in op.arguments:
        d = argument.declaration
        match d:
            case Severity():
                how, unit = "follows the intensity, 0 to 1", d.unit
                bounds = f"{number(d.mild)} to {number(d.severe)}"
            case Draw():
                how, unit = "drawn once per picture", d.unit
                bounds = f"{number(d.low)} to {number(d.high)}"
            case Choice():
                how, unit, bounds = "drawn once per picture", "", ", ".join(d.kinds)
            case SeedMark():
                how = "seeds a field, new in every frame" if d.per_frame else "seeds a field"
                unit, bounds = "", "32 bits"
        if isinstance(d, Severity | Draw):
            unit = f"x short side, {unit}" if d.relative else unit
            how += f"; {', '.join(d.only)} alone" if d.only else ""
        rows.append(f"| `{argument.name}` | {how} | {bounds} | {unit} |")
    return "\n".join(rows)


def index() -> str:
    """The Markdown of the first page: a picture of each, and a table by stage."""
    parts = [
        "# Operators",
        f"{len(ops.names())} operators, all on the same photograph at intensity 0.5. Each has a "
        "page with its model, parameters and sources. `degrade-cli ops NAME` prints the same, and "
        "`degrade-cli gallery OUT` draws such a page of a picture of yours. The families are in "
        "[two halves](../recipes.md#families), *common* and *uncommon*.",
    ]
    for half, kinds in families().items():
        for family, meaning in kinds.items():
            members = by_family()[family]
            parts.append(f"## {family.capitalize()}\n\n{meaning.capitalize()} ({half}).")
            parts.append(_thumbnails(members))
    parts += ["## By stage", "The stages follow a picture's way. " + _stages(), table()]
    parts.append(
        "Gradients flow to the input of all but those marked. The published formulas behind "
        "sixteen of these names saturate, jump, depend on resolution and record nothing; these "
        "operators are built from what the names mean. `mean_shift` keeps the paper's name for an "
        "edge-preserving flattening of colors. As released, they are the recipe "
        "[`robust-r1-published`](../published.md)."
    )
    return "\n\n".join(parts) + "\n"


def table() -> str:
    """All operators by stage, with what follows the intensity."""
    rows = ["| stage | operator | what follows the intensity, 0 to 1 | gradients | version |"]
    rows.append("|---|---|---|---|---|")
    for stage in STAGES:
        for op in map(ops.get, ops.names()):
            if op.stage != stage:
                continue
            spans = [
                f"{a.name} {a.span.replace(' -> ', ' to ')}"
                for a in op.arguments
                if isinstance(a.declaration, Severity)
            ]
            gradients = "yes" if op.differentiable else "no"
            licence = "" if op.license == LICENSE else f"; {op.license}"
            rows.append(
                f"| {stage} | [`{op.name}`]({op.name}.md) | {'; '.join(spans)} | {gradients} "
                f"| {op.version}{licence} |"
            )
    return "\n".join(rows)


def _stages() -> str:
    return "; ".join(f"**{stage}**: {STAGES_ARE[stage]}" for stage in STAGES) + "."


def _thumbnails(members: list[Operator]) -> str:
    cells = [
        f'<figure><a href="{op.name}.md"><img loading="lazy" src="img/{op.name}_small.webp" '
        f'alt="{html.escape(op.label)} at intensity 0.5"></a>'
        f'<figcaption><a href="{op.name}.md">{html.escape(op.label)}</a></figcaption></figure>'
        for op in members
    ]
    return f'<div class="shots small" data-search-exclude>{"".join(cells)}</div>'


def _figures(op: Operator, shots: list[gallery.Shot]) -> str:
    cells = []
    for shot in shots:
        name = f"{shot.intensity:g}" if shot.intensity else "clean"
        cells.append(
            f'<figure><img loading="lazy" src="img/{_file(op.name, shot)}" '
            f'alt="{html.escape(shot.alt(op))}">'
            f"<figcaption><b>{name}</b> {html.escape(shot.values)}</figcaption></figure>"
        )
    return f'<div class="shots" data-search-exclude>{"".join(cells)}</div>'


def _file(name: str, shot: gallery.Shot) -> str:
    return f"{name}_{round(shot.intensity * 100)}.webp" if shot.intensity else "clean.webp"


def _reduced(data: bytes) -> bytes:
    image = Image.open(io.BytesIO(data))
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "webp", quality=80)
    return file.getvalue()


def _measured(calibration: Path) -> dict[str, str]:
    """Of each operator, a table of the row that `benchmarks/calibration.py` wrote there."""
    text = calibration.read_text("utf-8")
    head = re.search(r"^\| operator \|(.*)\|\n\|[-|]+\|$", text, re.MULTILINE)
    if head is None:
        raise ValueError(f"{calibration} has no table of operators.")
    titles = [title.strip() for title in head[1].split("|")]
    rows = re.findall(r"^\| (\w+)(?: \\?\*)? \|(.*)\|$", text[head.end() :], re.MULTILINE)
    return {name: _transposed(titles, cells.split("|")) for name, cells in rows}


def _transposed(titles: list[str], cells: list[str]) -> str:
    """``1-SSIM at .1 / .25`` and ``0.1 / 0.2`` as a table with a row for each intensity."""
    columns: dict[str, dict[str, str]] = {}
    for title, cell in zip(titles, cells, strict=True):
        name, _, intensities = re.split(r" (at|of) (?=\.)", title)
        values = zip(intensities.split(" / "), cell.strip().split(" / "), strict=True)
        columns[name] = {f"{float(i):g}": value for i, value in values}
    rows = [f"| intensity | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for intensity in dict.fromkeys(i for column in columns.values() for i in column):
        row = [column.get(intensity, "") for column in columns.values()]
        rows.append(f"| {intensity} | {' | '.join(row)} |")
    return "\n".join(rows)


def _shots(op: Operator, clean: torch.Tensor) -> tuple[list[gallery.Shot], str]:
    """The pictures of an operator, from the cache where neither it nor what it calls changed."""
    file = CACHE / f"{op.name}-{_code()}.json"
    if file.exists():
        held = json.loads(file.read_text("utf-8"))
        shots = [gallery.Shot(i, values, b64decode(data)) for i, values, data in held["shots"]]
        return shots, held["fixed"]
    for old in CACHE.glob(f"{op.name}-*.json"):
        old.unlink()
    shots, fixed = gallery.shots(op, clean, 0, gallery.INTENSITIES)
    kept = [(s.intensity, s.values, b64encode(s.data).decode()) for s in shots]
    CACHE.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"shots": kept, "fixed": fixed}), "utf-8")
    return shots, fixed


@lru_cache
def _code() -> str:
    """Digest of the code that pictures depend on."""
    digest = hashlib.sha256(f"{SIDE} {torch.__version__}".encode())
    for path in sorted((Path(__file__).parents[1] / "degrade").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
