"""Which licenses let pictures be passed on, and degraded pictures made from them.

Names are read as SPDX or the Hub write them. This sorts licenses; it is no legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Used = Mapping[str, Mapping[str, int]]
"""Source -> license -> rows."""

PUBLIC_DOMAIN = "public domain"

_SAME = {
    "": "",
    "cc0": "cc0-1.0",
    "apache 2.0": "apache-2.0",
    "apache2.0": "apache-2.0",
    "publicdomain": PUBLIC_DOMAIN,
    "public-domain": PUBLIC_DOMAIN,
    "pdm-1.0": PUBLIC_DOMAIN,
    "cc-pddc": PUBLIC_DOMAIN,
    "unknown": "other",
}

_OPEN = {PUBLIC_DOMAIN} | set(
    "cc0-1.0 mit apache-2.0 bsd-2-clause bsd-3-clause 0bsd isc unlicense zlib pddl odc-by "
    "odbl cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 wtfpl artistic-2.0 "
    "gfdl c-uda".split()
)
_CC = re.compile(r"cc-by(-nc)?(-sa|-nd)?(-\d\.\d)?(-[a-z]{2})?")


def canonical(license: str) -> str:
    """A license's name in lower case, as the Hub lists it where it does: ``cc-by-4.0``."""
    name = " ".join(license.casefold().replace("_", "-").split())
    name = re.sub(r"^cc[ -]by", "cc-by", name.removeprefix("license: "))
    if name.startswith("cc-by"):
        name = name.replace(" ", "-")
    return _SAME.get(name, name)


def on_hub(license: str) -> str:
    """The identifier for the ``license`` key of a card; ``other`` for what the Hub has no name."""
    name = canonical(license)
    return name if name in _OPEN - {PUBLIC_DOMAIN} or _CC.fullmatch(name) else "other"


def derivatives(license: str) -> bool | None:
    """Whether changed pictures may be passed on; None where the name alone does not say.

    Noncommercial and share-alike licenses do allow it, under their conditions.
    """
    name = canonical(license)
    if found := _CC.fullmatch(name):
        return found[2] != "-nd"
    if re.search(r"\b(nd|no[ -]?deriv\w*)\b", name):
        return False
    return True if name in _OPEN else None


@dataclass(frozen=True)
class Verdict:
    """Rows by what their license says, each source -> license -> rows.

    Attributes:
        missing: No license is stated.
        forbidden: Changed pictures may not be passed on.
        unsure: The name does not say: ``other``, or one that is not known here.
    """

    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    forbidden: dict[str, dict[str, int]] = field(default_factory=dict)
    unsure: dict[str, dict[str, int]] = field(default_factory=dict)


def check(table: Used) -> Verdict:
    """Sort the rows of a data set by what may be done with their pictures."""
    verdict = Verdict()
    for source, counts in table.items():
        for license, rows in counts.items():
            allowed = derivatives(license)
            group = verdict.unsure if allowed is None else verdict.forbidden
            group = group if canonical(license) else verdict.missing
            if not allowed:
                group.setdefault(source, {})[license] = rows
    return verdict
