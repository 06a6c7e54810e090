"""Commands that show what there is: operators, families, recipes, and pictures of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from degrade import completion
from degrade.console import AsJson, Quiet, flowed, out, path, print_json, progress_bar, say
from degrade.errors import UserError

if TYPE_CHECKING:
    from degrade.images import Pixels
    from degrade.recipe import Recipe
    from degrade.registry import Operator
    from degrade.storage import Place


def summary(dest: Place, result: dict[str, Any]) -> None:
    """Print what a run did: operators by stage, what failed."""
    from degrade import ops
    from degrade.schema import STAGES

    counts = result["counts"]
    table = Table("stage", "operator", box=None)
    table.add_column("pictures", justify="right")
    for stage in STAGES:
        names = [n for n in counts["operators"] if ops.get(n).stage == stage]
        if names:
            table.add_row(f"[bold]{stage}[/]", "", f"[bold]{counts['stages'][stage]}[/]")
        for name in names:
            table.add_row("", name, str(counts["operators"][name]))
    out.print(table)
    say(
        f"{counts['rows']} pictures ({counts['clean']} left clean) in {dest}, "
        f"fingerprint {result['fingerprint']}"
    )
    if result["ignored_files"]:
        say(f"{result['ignored_files']} other files in the source were ignored.")
    for reason, number in counts["failures"].items():
        say(f"{number} in quarantine: {reason} (see {dest / 'quarantine.jsonl'})", "yellow")


Shown = Annotated[
    list[str] | None,
    typer.Option(
        help="Operators to show; may be repeated. (default: all)",
        autocompletion=completion.operators,
    ),
]


def list_operators(
    name: Annotated[
        str | None,
        typer.Argument(help="One operator, in full.", autocompletion=completion.operators),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="List the formulas of robust-r1-published instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the operators, or show one with its parameters, units and sources.

    Examples:
        degrade-cli ops

        degrade-cli ops motion_blur
    """
    from degrade import ops
    from degrade import published as formulas
    from degrade.schema import STAGES

    if name and published:
        raise UserError(f"Leave --published out to show one: its full name says it, {name!r}.")
    listed = formulas.names() if published else ops.names()
    chosen = [ops.get(n) for n in ([name] if name else listed)]
    chosen.sort(key=lambda op: (STAGES.index(op.stage), op.name))
    if as_json:
        print_json([_operator_json(op) for op in chosen])
    elif name:
        _show_operator(chosen[0])
    elif published:
        title = f"{len(chosen)} formulas as Robust-R1 released them, for comparison alone"
        table = Table(title=title, title_justify="left", box=None)
        for heading in ("stage", "operator", "seed", "formula"):
            table.add_column(heading, overflow="fold")
        for op in chosen:
            table.add_row(op.stage, op.name, "yes" if op.arguments else "no", _plain(op.summary))
        out.print(table)
    else:
        table = Table(title=f"{len(chosen)} operators", title_justify="left", box=None)
        for heading in ("stage", "operator", "parameters at intensity 0 -> 1", "gradients"):
            table.add_column(heading, overflow="fold")
        for op in chosen:
            spans = [f"{a.name}: {a.span}" for a in op.arguments if "seed" not in a.span]
            table.add_row(op.stage, op.name, "\n".join(spans), "yes" if op.differentiable else "no")
        out.print(table)


def _operator_json(op: Operator) -> dict[str, Any]:
    return {
        "name": op.name,
        "label": op.label,
        "stage": op.stage,
        "family": op.family,
        "off_scale": op.off_scale,
        "license": op.license,
        "moves_pixels": op.comes_from is not None,
        "version": op.version,
        "summary": op.summary,
        "doc": op.doc,
        "refs": list(op.refs),
        "gradients": op.differentiable,
        "arguments": [{"name": a.name, "span": a.span} for a in op.arguments],
    }


def _plain(doc: str) -> str:
    """A docstring's text as a terminal shows code: between single backticks."""
    return doc.replace("``", "`")


def _show_operator(op: Operator) -> None:
    out.print(f"[bold]{op.name}[/]  {op.stage}, {op.family}, version {op.version}")
    out.print(Text(f"\n{_plain(flowed(op.doc))}\n"))
    table = Table("argument", "range and unit", box=None)
    for argument in op.arguments:
        table.add_row(argument.name, argument.span)
    if op.arguments:
        out.print(table)
    if op.off_scale:
        out.print(Text(f"\nOff the common scale of severity: {_plain(op.off_scale)}"))
    out.print(f"\nGradients to the input: {'yes' if op.differentiable else 'no'}")
    for ref in op.refs:
        out.print(Text(f"- {ref}"))


def list_recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            help="One recipe, in full: name or file.", autocompletion=completion.recipes
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the recipes, or show one as the YAML to start your own from.

    Examples:
        degrade-cli recipes

        degrade-cli recipes robust-r1 > mine.yaml
    """
    import yaml

    from degrade import recipe as recipes

    chosen = [recipes.load(n) for n in ([name] if name else recipes.preset_names())]
    data = [r.model_dump(mode="json", exclude_none=True) for r in chosen]
    if as_json:
        print_json(data)
    elif name:
        typer.echo(yaml.safe_dump(data[0], sort_keys=False, allow_unicode=True, width=96), nl=False)
    else:
        table = Table("recipe", "what it does", "operators", "per picture", box=None)
        for r in chosen:
            table.add_row(r.name, r.summary, str(len(r.operators) or "any"), _per_picture(r))
        out.print(table)


def _per_picture(recipe: Recipe) -> str:
    """How many operators a picture gets, and how many versions of it there are."""
    if recipe.types:
        text = f"{len(recipe.types)} types"
    elif recipe.steps:
        least = sum(step.probability == 1.0 for step in recipe.steps)
        text = f"{least} to {len(recipe.steps)} in a chain"
    else:
        text = ", ".join(str(n) for n in recipe.count)
    versions = len(recipe.variants)
    return text if versions == 1 else f"{text}; {versions} versions"


def list_families(as_json: AsJson = False) -> None:
    """List the families of damage and their operators, in two halves that do not resemble.

    Examples:
        degrade-cli families --json
    """
    from degrade import ops
    from degrade.families import families

    table = Table("half", "family", "what it is", "operators", box=None)
    found = []
    for half, kinds in families().items():
        for family, meaning in kinds.items():
            members = [n for n in ops.names() if ops.get(n).family == family]
            found.append({"half": half, "family": family, "is": meaning, "operators": members})
            table.add_row(half, family, meaning, ", ".join(members))
    if as_json:
        print_json(found)
    else:
        out.print(table)


@contextmanager
def _files(dest: Path) -> Iterator[None]:
    """Turns what the system says of files, or of the one to write, into a message."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or dest}: {error.strerror or error}.") from None


def _picture(path: Path, max_side: int | None = None) -> Pixels:
    from degrade import images

    try:
        return images.decode(path.read_bytes(), 100_000_000, max_side=max_side).pixels
    except images.UnreadableError as error:
        raise UserError(f"Cannot read {path}: {error.detail}.") from None


def preview(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture.", parser=path)],
    dest: Annotated[
        Path, typer.Argument(metavar="OUT.png", help="The sheet to write.", parser=path)
    ],
    op: Shown = None,
    seed: Annotated[int, typer.Option(help="Root seed of all draws.")] = 0,
    cell: Annotated[int, typer.Option(min=32, help="Longer side of a cell, in pixels.")] = 224,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Draw one contact sheet of a picture: operators down, intensities across.

    Examples:
        degrade-cli preview photo.jpg sheet.png

        degrade-cli preview photo.jpg sheet.png --op motion_blur --op fog
    """
    from degrade import ops, sheet
    from degrade.schema import STAGES

    if dest.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"}:
        raise UserError(f"Cannot write {dest}: the name must end in .png, .jpg or .webp.")
    chosen = [ops.get(n) for n in (op or ops.names())]
    if not op:
        chosen.sort(key=lambda o: (STAGES.index(o.stage), o.name))
    with _files(dest):
        pixels = _picture(image)
        made = sheet.contact_sheet(pixels, [o.name for o in chosen], seed=seed, cell=cell)
        made.save(dest)
    _wrote(dest, [o.name for o in chosen], as_json, quiet)


def _wrote(path: Path, names: list[str], as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json({"wrote": str(path), "operators": names})
    elif not quiet:
        say(f"Wrote {path}: {len(names)} operators")


def gallery(
    dest: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Folder for index.html, or the .html file.", parser=path
        ),
    ],
    image: Annotated[
        Path | None,
        typer.Option(help="Picture to degrade. (default: one that is shipped)", parser=path),
    ] = None,
    op: Shown = None,
    seed: Annotated[int, typer.Option(help="Root seed of all draws.")] = 0,
    side: Annotated[int, typer.Option(min=32, help="Longer side of the picture, pixels.")] = 360,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write one page with every operator at five intensities, its parameters and sources.

    Examples:
        degrade-cli gallery gallery

        degrade-cli gallery noise.html --op gaussian_noise --image photo.jpg
    """
    from degrade import gallery as made
    from degrade import ops
    from degrade.runs import write_atomic

    path = dest if dest.suffix.lower() in {".html", ".htm"} else dest / "index.html"
    names = [ops.get(n).name for n in (op or ops.names())]
    with _files(path):
        pixels = made.shipped_photo(side) if image is None else _picture(image, side)
        with progress_bar("degrading", quiet or as_json) as progress:
            page = made.page(pixels, names, seed=seed, progress=progress)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, page.encode())
    _wrote(path, names, as_json, quiet)
