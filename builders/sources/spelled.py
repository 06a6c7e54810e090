"""Sources as a command line spells them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from builders.sources.base import SourceSpec, kinds, read_spec
from degrade.errors import UserError
from degrade.storage import Place

_PATHS = (Path, Path | None, Place, Place | None)


def spelled(text: str, beside: Path | None = None) -> SourceSpec:
    """``KIND:PATH[,key=value ...]`` as a source; its name is that of the path unless given.

    Kinds without a path are spelled ``scenes:rows=200``. Commas inside a value are written ``;``.

    Args:
        text: As given.
        beside: Folder that paths, relative to the working directory, are to be relative to.

    Raises:
        UserError: It is not of that form, or not a valid source.
    """
    kind, _, rest = text.partition(":")
    known = kinds().get(kind)
    pathless = known is not None and "path" not in known.model_fields
    path, *settings = ["", *filter(None, rest.split(","))] if pathless else rest.split(",")
    if not (path or pathless) or any("=" not in setting for setting in settings):
        raise UserError(
            f"Source {text!r} is not KIND:PATH[,key=value ...]. Kinds: "
            f"{', '.join(sorted(kinds()))}."
        )
    name = re.sub(r"[^a-z0-9_-]+", "-", Path(path).stem.lower()).strip("-_") or kind
    given: dict[str, Any] = {"kind": kind, "name": name} | ({} if pathless else {"path": path})
    for setting in settings:
        key, _, value = setting.partition("=")
        inner = given
        *outer, last = key.strip().split(".")
        for part in outer:  # columns.question=frage
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UserError(f"Source {text!r}: {part!r} is given twice.")
        inner[last] = value.replace(";", ",")
    for key, of in known.model_fields.items() if beside and known else ():
        named = given.get(key) if key == "path" or of.annotation in _PATHS else None
        if isinstance(named, str) and named and Path(named).exists():
            given[key] = named if Path(named).is_absolute() else os.path.relpath(named, beside)
    return read_spec(given)


def shown(text: str) -> str:
    """The same without folders that are this machine's."""
    kind, _, rest = text.partition(":")
    parts = []
    for part in rest.split(","):
        key, equals, value = part.rpartition("=")
        parts.append(f"{key}{equals}{Path(value).name if Path(value).is_absolute() else value}")
    return f"{kind}:{','.join(parts)}"
