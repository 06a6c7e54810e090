"""What is a URL and what is a path of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from degrade.errors import UserError

_LOCAL = re.compile(r"^(file|local)://", re.IGNORECASE)


def protocol_of(text: str) -> str:
    """The kind of storage that a path or URL names, in small letters; empty: this machine."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    return found[1].lower() if found and not _LOCAL.match(text) else ""


def local(text: str | Path) -> Path:
    """A path of this machine, as people give it; ``file://`` is one.

    Raises:
        UserError: A URL, which as a path would be the name of a folder here.
    """
    if protocol_of(str(text)):
        raise UserError(
            f"{text} is on a store, and this is read or written on this machine. Give a path here, "
            "and copy to or from the store, for example with `aws s3 cp --recursive`."
        )
    return Path(_LOCAL.sub("", str(text)))
