"""Rows of a run or data set as HTML: clean, degraded, record and chain side by side. No torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from degrade import images
from degrade.images import UnreadableError, reduced
from degrade.schema import Applied, Chain, describe
from degrade.sources import find
from degrade.studio import pieces
from degrade.studio.shelf import inside
from degrade.studio.tables import Table

_SIDE = 560
_PARTS = ("influence", "reasoning", "conclusion", "answer")


def row_cells(
    table: Table, number: int, row: dict[str, Any], folders: Sequence[Path], max_pixels: int
) -> str:
    """One row.

    Args:
        table: Which it is of.
        number: Of the row, from 1, as people count.
        row: From :meth:`Table.read`.
        folders: Where clean pictures of a run may be looked for.
        max_pixels: Larger pictures are not opened.
    """
    name = str(row.get("id") or row.get("source_path") or "?")
    tags = [t for t in (row.get("part"), row.get("status")) if t]
    head = (
        f"<header><b>{number:,}</b> <span>{pieces.text(name)}</span> "
        + "".join(f"<small>{pieces.text(t)}</small>" for t in tags)
        + "</header>"
    )
    if problem := row.get("problem"):
        return f'<article class="dg-item">{head}{pieces.alert(problem)}</article>'
    if "reason" in row and "applied" not in row:
        return f'<article class="dg-item">{head}{pieces.note(str(row.get("detail")))}</article>'
    clean, degraded = _pictures(table, row, folders)
    return (
        f'<article class="dg-item">{head}<div class="dg-cells">'
        f"{_picture(clean, 'Clean', name, max_pixels)}"
        f"{_picture(degraded, 'Degraded', name, max_pixels)}"
        f'<section aria-label="Record" tabindex="0">{_record(row)}</section>'
        f'<section aria-label="Chain" tabindex="0">{_chain(row)}</section></div></article>'
    )


def _pictures(
    table: Table, row: dict[str, Any], folders: Sequence[Path]
) -> tuple[bytes | str, bytes | str]:
    """Both pictures as bytes, or why there are none."""
    if "image" in row:
        clean, degraded = ((row.get(n) or {}).get("bytes") for n in ("clean_image", "image"))
        return clean or "not in the file", degraded or "not in the file"
    degraded = _read(inside(table.folder, str(row.get("file_name")))) or "not in the run any more"
    for folder in folders:
        source = str(row.get("source_path"))
        recorded = os.path.relpath(str(find(folder, source)), folder)
        if data := _read(inside(folder, recorded)):
            return data, degraded
    return "not in a folder that the studio was given: give the run's source beside it", degraded


def _read(path: Path | None) -> bytes | str:
    """A file, or why it cannot be read; empty where there is none."""
    try:
        return path.read_bytes() if path else ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _picture(data: bytes | str, what: str, name: str, max_pixels: int) -> str:
    shown = f"<span>{pieces.text(data)}</span>"
    if isinstance(data, bytes):
        try:
            pixels = reduced(images.decode(data, max_pixels).pixels, _SIDE)
            alt = f"{what} picture of {name}"
            shown = f'<img alt="{pieces.text(alt)}" src="{pieces.small_uri(pixels)}">'
        except UnreadableError as error:
            shown = f"<span>cannot be opened: {pieces.text(error.detail)}</span>"
    return f"<figure>{shown}<figcaption>{what}</figcaption></figure>"


def _record(row: dict[str, Any]) -> str:
    try:
        applied = [Applied.model_validate(a) for a in row.get("applied") or ()]
    except ValidationError as error:
        return pieces.alert(f"The record is damaged: {error.errors()[0]['msg']}.")
    if not applied:
        return pieces.note("Nothing was done.")
    items = []
    for a in applied:
        told = "; ".join(f"{p.name} {p.value:g} {p.unit}" for p in a.params)
        items.append(
            f"<li><b>{pieces.text(a.label)}</b> {a.intensity:.2f} "
            f"<small>{a.stage}</small><br><small>{pieces.text(told)}</small></li>"
        )
    return f'<p class="dg-note">{pieces.text(describe(applied))}</p><ol>{"".join(items)}</ol>'


def _chain(row: dict[str, Any]) -> str:
    note = row.get("annotation") or {}
    told = str(row.get("chain") or note.get("text") or "")
    asked = str(row.get("question") or "")
    head = f"<p><b>{pieces.text(asked)}</b></p>" if asked else ""
    detail = str(row.get("detail") or note.get("detail") or "")
    if not told:
        return head + pieces.note(detail or "No chain, or its folder was not given.")
    return head + chain_parts(told)


def chain_parts(told: str) -> str:
    """A chain by its parts, or the text as it is where it is none."""
    chain = Chain.parse(told)
    if not isinstance(chain, Chain):
        return (
            f"{pieces.note(f'This is no chain: {chain.reason}.')}"
            f'<p class="dg-raw">{pieces.text(told)}</p>'
        )
    types = ", ".join(f"{t.label} {t.intensity:.2f}" for t in chain.types) or "none"
    parts = [("degradations", types), *((name, getattr(chain, name)) for name in _PARTS)]
    items = "".join(f"<dt>{name}</dt><dd>{pieces.text(value)}</dd>" for name, value in parts)
    return f'<dl class="dg-chain">{items}</dl>'
