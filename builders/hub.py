"""Publishing a data set on the Hugging Face Hub.

Files go up in commits of bounded size, what identifies the data set first and the card last: a
repository without its card is one whose upload is still under way. What is there already, by size
and digest, is skipped, so the same command goes on wherever a connection broke.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from builders import rights
from builders.card import command_of, write_card
from builders.hub_client import Hub, Upload
from builders.recipe_file import TABLE, published, write_recipe
from builders.table import ASSETS, CARD, DATA, INFO, QUARANTINE, RECIPE, Dataset, fingerprint_of
from degrade import console
from degrade.errors import UserError
from degrade.runs import Progress, pretty, write_atomic

COMMIT_FILES, COMMIT_BYTES = 16, 2 << 30
"""A commit holds at most so many files or, beyond its first, bytes."""

_FIRST = (INFO, RECIPE, QUARANTINE)
_ROWS = re.compile(rf"{DATA}/[^/]+|{re.escape(TABLE)}")
_PLOTS = re.compile(rf"{ASSETS}/[^/]+")
_THEIRS = {".gitattributes", ".gitignore", "LICENSE", "LICENSE.md"}  # in a repository, left alone


def push(
    folder: Path,
    repo: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    recipe_only: bool = False,
    accept_licenses: bool = False,
    overwrite: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Publish a finished data set.

    Args:
        folder: The data set. Its card is written again, unless somebody has edited it.
        repo: ``name`` or ``owner/name``; made where it does not exist.
        private: Make it private; of no effect on one that exists.
        dry_run: Send nothing; say what would be sent.
        recipe_only: Publish the rows without pictures; see :mod:`builders.recipe_file`.
        accept_licenses: The caller has read the licenses whose names do not say enough.
        overwrite: Replace another data set or version that the repository holds: its data files
            and plots that are not of this one are deleted there.
        token: By default where `huggingface_hub` looks: HF_TOKEN, or what `hf auth login` stored.
        endpoint: By default HF_ENDPOINT or the public Hub.
        command: What made the data set, for the card.
        progress: Called with (files done, files in all).

    Returns:
        ``repo``, ``url``, ``private``, ``card`` (``written`` or ``kept``), ``files`` (each
        ``path``, ``bytes``, ``state``: ``sent``, ``there``, ``would be sent``), ``deleted`` and
        ``bytes`` sent.

    Raises:
        UserError: A license forbids it, the repository holds something else, or the token is
            missing, wrong or may not write there.
        StoppedError: No network, or the server fails; the same command goes on.
    """
    if not re.fullmatch(r"(?:[\w.-]+/)?[\w.-]+", repo):
        raise UserError(f"{repo!r} is no repository. Give owner/name, such as me/robust-r1-11k.")
    data = Dataset(folder)
    _require_whole(data)
    rights.require(data, accept_licenses, recipe_only)
    hub = None if dry_run else Hub(repo, token, endpoint)
    repo = hub.named() if hub else repo  # early: a wrong token is said before anything is made
    before = command_of(folder / CARD)
    kept = (folder / CARD).exists() and before is None and not recipe_only
    what = "benchmark" if data.benchmark else "dataset"
    command = command or before or f"degrade-cli build {what} {RECIPE} {data.name}"
    with tempfile.TemporaryDirectory(prefix="degrade-") as temporary:
        out = Path(temporary)
        write_atomic(out / INFO, pretty(published(data.info)))
        if recipe_only:
            table = write_recipe(folder, out / TABLE, progress=progress)
            write_card(folder, command, repo, out=out, table=table)
        elif not kept:
            write_card(folder, command, repo)
        groups = _groups(_uploads(folder, out, recipe_only))
        result: dict[str, Any] = {
            "repo": repo,
            "private": private,
            "dry_run": dry_run,
            "card": "kept" if kept else "written",
        }
        if hub is None:
            files = [_said(f, "would be sent") for group in groups for f in group]
            return result | {"url": "", "files": files, "deleted": [], "bytes": _bytes(files)}
        fingerprint = data.fingerprint
        return result | _send(hub, groups, private, fingerprint, overwrite, progress)


def _require_whole(data: Dataset) -> None:
    """Refuse to publish less than the summary says there is."""
    try:
        found = sum(pq.read_metadata(path).num_rows for path in data.files)
    except (OSError, ValueError) as error:  # ValueError: Arrow's
        raise UserError(f"A file of {data.folder} cannot be read: {error}") from None
    counted = data.info["counts"].get("rows")
    if found != counted:
        raise UserError(
            f"{data.folder / DATA} holds {found} rows, {INFO} counts {counted}: a file is missing "
            "or was changed. `degrade-cli validate` tells more; build the data set again."
        )


def show(result: dict[str, Any]) -> None:
    """Print what :func:`push` did or would do, a line per file."""
    where = f"datasets/{result['repo']}" + (" (private)" if result["private"] else "")
    table = Table(where, "bytes", "", box=None)
    table.columns[1].justify = "right"
    for file in result["files"]:
        table.add_row(Text(file["path"]), f"{file['bytes']:,}", file["state"])
    for path in result["deleted"]:
        table.add_row(Text(path), "", "deleted")
    console.out.print(table)
    verb = "would be sent" if result["dry_run"] else "sent"
    console.say(f"{len(result['files'])} files, {result['bytes']:,} bytes {verb}. {result['url']}")
    if result["card"] == "kept":
        console.say(f"{CARD} has been edited and was left as it is.")


def _uploads(folder: Path, out: Path, recipe_only: bool) -> list[Upload]:
    """What to publish, in the order to send it; ``out`` holds what is made for that alone."""
    shown = out if recipe_only else folder
    files = [Upload(out / INFO, INFO)]
    files += [Upload(folder / name, name) for name in (RECIPE, QUARANTINE)]
    if recipe_only:
        files.append(Upload(out / TABLE, TABLE))
    else:
        files += [
            Upload(path, f"{DATA}/{path.name}")
            for path in sorted((folder / DATA).glob("*.parquet"))
        ]
    files += [Upload(p, f"{ASSETS}/{p.name}") for p in sorted((shown / ASSETS).glob("*"))]
    files.append(Upload(shown / CARD, CARD))
    return [file for file in files if file.local.is_file()]


def _groups(files: Iterable[Upload]) -> list[list[Upload]]:
    """Commits: what identifies the data set; the rows in bounded pieces; card and plots."""
    groups: list[list[Upload]] = [[], []]
    last: list[Upload] = []
    room = COMMIT_BYTES
    for file in files:
        if file.path in _FIRST:
            groups[0].append(file)
        elif file.path == CARD or _PLOTS.fullmatch(file.path):
            last.append(file)
        else:
            if groups[-1] and (len(groups[-1]) == COMMIT_FILES or file.size > room):
                groups.append([])
                room = COMMIT_BYTES
            groups[-1].append(file)
            room -= file.size
    return [group for group in [*groups, last] if group]


def _said(file: Upload, state: str) -> dict[str, Any]:
    return {"path": file.path, "bytes": file.size, "state": state}


def _bytes(files: Iterable[dict[str, Any]]) -> int:
    return sum(file["bytes"] for file in files)


def _send(
    hub: Hub,
    groups: list[list[Upload]],
    private: bool,
    fingerprint: str,
    overwrite: bool,
    progress: Progress | None,
) -> dict[str, Any]:
    """Send what is missing, commit by commit."""
    url = hub.create(private)
    there = hub.files()
    ours = {file.path for group in groups for file in group}
    if not overwrite:
        _refuse_others(hub, set(there), ours, fingerprint)
    stale = sorted(p for p in set(there) - ours if _ROWS.fullmatch(p) or _PLOTS.fullmatch(p))
    files: list[dict[str, Any]] = []
    for group in groups:
        missing = [file for file in group if not file.same(there.get(file.path))]
        deleted = stale if group is groups[-1] else []
        if missing or deleted:
            hub.commit(missing, deleted)
        files += [_said(f, "sent" if f in missing else "there") for f in group]
        if progress:
            progress(len(files), len(ours))
    sent = _bytes(f for f in files if f["state"] == "sent")
    return {"repo": hub.repo, "url": url, "files": files, "deleted": stale, "bytes": sent}


def _refuse_others(hub: Hub, there: set[str], ours: set[str], fingerprint: str) -> None:
    """Do not mix with what a repository holds, unless it is this data set.

    Raises:
        UserError: It holds other files, another data set, or this one in its other form.
    """
    if not there - _THEIRS:
        return
    found = ""
    if INFO in there:
        try:
            found = fingerprint_of(json.loads(hub.read(INFO)))
        except (ValueError, AttributeError, KeyError, TypeError):
            found = "of another kind"
    replaced = sorted(p for p in there - ours if _ROWS.fullmatch(p))
    if found == fingerprint and not replaced:
        return
    what = f"data set {found}" if found else f"files such as {min(there - _THEIRS)}"
    if found == fingerprint:
        what = f"this data set as {', '.join(replaced[:3])}"
    raise UserError(
        f"{hub.repo} already holds {what}; this is {fingerprint}. Give another name, or replace "
        "what it holds with --overwrite."
    )
