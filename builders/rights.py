"""Which licenses the rows of a data set have, and whether it may be published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from builders import licenses
from builders.table import Dataset
from degrade import shards
from degrade.errors import UserError


def used(data: Dataset) -> dict[str, dict[str, int]]:
    """Rows per source and license, names in order.

    Raises:
        UserError: A file is damaged.
    """
    found: dict[str, dict[str, int]] = {}
    for row in _columns(data, "source", "license"):
        counts = found.setdefault(row["source"], {})
        counts[row["license"]] = counts.get(row["license"], 0) + 1
    return {source: dict(sorted(found[source].items())) for source in sorted(found)}


def require(data: Dataset, accept_unsure: bool = False, recipe_only: bool = False) -> None:
    """Refuse to publish what a license does not allow.

    Args:
        data: What is to be published.
        accept_unsure: The caller has read the licenses that the name alone does not explain.
        recipe_only: No pictures are published; then a license must only be stated.

    Raises:
        UserError: Naming the sources, rows and what to do.
    """
    table = used(data)
    verdict = licenses.check(table)
    if verdict.missing:
        ids = list(_first(data, "", 3))
        raise UserError(
            f"No license is stated for {_said(verdict.missing)}, such as {', '.join(ids)}. State "
            "it: 'license' of the source in the recipe, or a license column mapped in it, then "
            "build again. Where it is known to exist but has no name, write 'other'."
        )
    if recipe_only:
        return
    if verdict.forbidden:
        raise UserError(
            f"{_said(verdict.forbidden)} must not be passed on changed, and degraded pictures are. "
            "Publish the recipe instead, from which anyone with the source makes the same pictures "
            "(degrade-cli replay): --recipe-only. Or leave that source out."
        )
    if verdict.unsure and not accept_unsure:
        raise UserError(
            "Whether these may be published cannot be told from the name of the license: "
            f"{_said(verdict.unsure)}. Read their terms; give --accept-licenses where they allow "
            "it, or --recipe-only to publish the table without pictures."
        )


def _said(group: Mapping[str, Mapping[str, int]]) -> str:
    parts = [
        f"{rows:,} row{'s' if rows > 1 else ''} of source {source!r}"
        + (f" ({license})" if license else "")
        for source, counts in group.items()
        for license, rows in counts.items()
    ]
    return ", ".join(parts)


def _first(data: Dataset, license: str, number: int) -> Iterator[str]:
    for row in _columns(data, "id", "license"):
        if licenses.canonical(row["license"]) == license and number > 0:
            number -= 1
            yield row["id"]


def _columns(data: Dataset, *names: str) -> Iterator[dict[str, Any]]:
    for path in data.files:
        try:
            yield from shards.parquet_rows(path, names)
        except (OSError, ValueError) as error:  # ValueError: Arrow's
            raise UserError(f"Cannot read {path}: {error}") from None
