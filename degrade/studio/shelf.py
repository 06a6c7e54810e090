"""What the studio was given: pictures, runs and data sets, reports. Nothing else is ever opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from degrade.errors import UserError
from degrade.images import EXTENSIONS
from degrade.runs import PLAN, WORK
from degrade.shards import DATASET, RUN
from degrade.sources import printable, scan

CHAINS = "annotate.json"
REPORT, EVALUATION = "report.html", "evaluation.json"
MOST_PICTURES = 1000
"""Pictures of a folder that are offered; more would be no list for people."""


@dataclass(frozen=True)
class Shelf:
    """What may be shown, by the name that a visitor picks.

    Attributes:
        pictures: Name -> file.
        tables: Name -> folder of a run or a data set.
        chains: Folders of chains, each shown with the run that it was written for.
        reports: Name -> page of a report, or folder of an evaluation.
        folders: Folders of pictures, in which the clean pictures of a run are looked for.
        left_out: Pictures beyond :data:`MOST_PICTURES`.
    """

    pictures: dict[str, Path] = field(default_factory=dict)
    tables: dict[str, Path] = field(default_factory=dict)
    reports: dict[str, Path] = field(default_factory=dict)
    chains: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    left_out: int = 0


def sorted_out(paths: Sequence[Path]) -> Shelf:
    """What each path is: a picture, a folder of pictures, a run, a data set, a report.

    Raises:
        UserError: A path is missing, or nothing that can be shown.
    """
    shelf = Shelf()
    folders: list[Path] = []
    chains: list[Path] = []
    left_out = 0
    for path in paths:
        name = printable(str(path))
        if path.is_file() and path.suffix.lower() in EXTENSIONS:
            shelf.pictures[name] = path
        elif path.is_file() and path.suffix.lower() in {".html", ".htm"}:
            shelf.reports[name] = path
        elif not path.is_dir():
            what = "is no picture and no report" if path.exists() else "does not exist"
            raise UserError(
                f"{name} {what}. Give pictures, folders of pictures, runs of `synth`, chains "
                "of `annotate`, data sets of `build`, evaluations or reports."
            )
        elif (path / WORK / PLAN).is_file():
            raise UserError(
                f"{name} holds an unfinished job. Give the command that began it once more, then "
                "this one."
            )
        elif (path / RUN).is_file() or (path / DATASET).is_file():
            shelf.tables[name] = path
        elif (path / CHAINS).is_file():
            chains.append(path)
        elif (path / REPORT).is_file() or (path / EVALUATION).is_file():
            shelf.reports[name] = path
        else:
            sources = scan(path).sources
            folders.append(path)
            for source in sources[:MOST_PICTURES]:
                shelf.pictures[printable(f"{path}/{source.path}")] = path / source.path
            left_out += max(0, len(sources) - MOST_PICTURES)
    return replace(shelf, chains=tuple(chains), folders=tuple(folders), left_out=left_out)


def inside(root: Path, name: str) -> Path | None:
    """The file below a folder that a row names; None where it is missing or lies outside.

    Links are followed first, so that neither ``..`` nor a link leads out of the folder.
    """
    try:
        real = root.resolve(strict=True)
        path = (real / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # ValueError: a zero byte in the name
        return None
    return path if path.is_relative_to(real) and path.is_file() else None
