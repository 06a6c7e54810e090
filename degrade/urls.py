"""What is a URL and what is a path of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from degrade.errors import UserError

_ONE_SLASH = re.compile(r"(s3a?|gs|gcs|hf|https?|file):/+", re.IGNORECASE)
_LOCAL = re.compile(r"^(file|local)://", re.IGNORECASE)


def protocol_of(text: str) -> str:
    """The kind of storage that a path or URL names, in small letters; empty: this machine."""
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    return found[1].lower() if found and not _LOCAL.match(text) else ""


def local(text: str | Path) -> Path:
    """A path of this machine, as people give it; ``file://`` is one.

    Raises:
        UserError: A URL, also one that lost a slash: as a path it would be a folder's name here.
    """
    if protocol_of(str(text)):
        raise UserError(
            f"{text} is on a store, and this is read or written on this machine. Give a path here, "
            "and copy to or from the store, for example with `aws s3 cp --recursive`."
        )
    lost = _ONE_SLASH.match(str(text))
    if lost and not _LOCAL.match(str(text)) and not Path(f"{lost[1]}:").exists():
        slashes = "///" if lost[1].lower() == "file" else "//"
        meant = f"{lost[1]}:{slashes}{str(text)[lost.end() :]}"
        raise UserError(f"{text} lacks a slash: give {meant}, or ./{text} for what is named so.")
    return Path(_LOCAL.sub("", str(text)))
