"""Writes a data set in a format: choosing rows, counting what is left out, committing at the end.

An export is written into a folder beside its own and renamed when it is whole, so that what has
the final name can be used. It holds, beside the format's files, ``export.json`` (what was exported
and how many rows) and ``pictures.jsonl`` (the hashes of each row's pictures).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from builders.export import Format, get
from builders.export.base import EXPORT, LISTED
from builders.export.writing import Lines
from builders.table import BENCHMARK, OK, Dataset, Entry
from degrade.errors import StoppedError, UserError, unknown
from degrade.runs import Progress, pretty, read_json, write_atomic

MADE = "made"

NO_CHAIN = "no_chain"
"""Reason for leaving out a row whose chain was refused or not written."""


def export(
    data: Dataset,
    to: str,
    out: Path,
    *,
    splits: Sequence[str] = (),
    use: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Export a data set.

    Args:
        data: The data set.
        to: Name of the format.
        out: Folder to write.
        splits: Only these; empty: all.
        use: Of the splits that are parted by use, only the rows for this one; such a split then
            keeps its name, ``train``, instead of ``train_sft`` and ``train_rl``.
        overwrite: Replace an export of something else.
        progress: Told rows looked at and rows in all.

    Returns:
        What ``export.json`` holds: ``format``, ``dataset`` (name), ``fingerprint`` (of the data
        set), ``splits`` and ``use`` as chosen, ``rows``, ``counts`` (split -> rows), ``left_out``
        (reason -> rows); and ``already_finished``.

    Raises:
        UserError: Unknown format, split or use; the folder holds something else; the data set is
            damaged, or none of its rows can be exported.
        StoppedError: The disk is full, or the folder cannot be written.
    """
    fmt = get(to)
    for split in splits:
        if split not in data.splits:
            raise unknown("split", split, data.splits)
    uses = {name for found in data.info["counts"]["splits"].values() for name in found["uses"]}
    if use is not None and use not in uses:
        raise unknown("use", use, uses)
    job = _Job(data, fmt, tuple(s for s in data.splits if s in splits), use)
    out = out.resolve()
    temporary, old = (out.with_name(f".{out.name}.{end}") for end in ("exporting", "replaced"))
    lock = out.with_name(f".{out.name}.lock")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(lock)).acquire(timeout=0):
            try:
                for left in (temporary, old):  # by a run that was killed
                    shutil.rmtree(left, ignore_errors=True)
                if done := _finished(out, job.settings, overwrite):
                    return {**done, "already_finished": True}
                temporary.mkdir()
                summary = job.write(temporary, progress)
                if out.exists():
                    out.rename(old)
                (temporary / MADE).rename(out)
            finally:
                for left in (temporary, old):
                    shutil.rmtree(left, ignore_errors=True)
                lock.unlink(missing_ok=True)
    except Timeout:
        raise UserError(f"Another process is exporting to {out}.") from None
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoppedError(
            f"Stopped: {reason} ({out}). Nothing is left of this export; mend that and give the "
            "same command again."
        ) from error
    return {**summary, "already_finished": False}


def _finished(out: Path, settings: dict[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """The summary of the same export, where it is finished."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file. Give a folder to write.")
    if not out.exists() or not any(out.iterdir()):
        return None
    if not (out / EXPORT).exists():
        raise UserError(f"{out} is not empty and holds no export. Give a new folder.")
    if overwrite:
        return None
    found = read_json(out / EXPORT)
    differ = [key for key, value in settings.items() if found.get(key) != value]
    if not differ:
        return found
    told = ", ".join(f"{key} {found.get(key)!r}, now {settings[key]!r}" for key in differ)
    raise UserError(
        f"{out} holds another export: {told}. Give another folder, or replace it with --overwrite."
    )


class _Job:
    """One export: which rows, and what became of them."""

    def __init__(
        self, data: Dataset, fmt: Format, splits: tuple[str, ...], use: str | None
    ) -> None:
        self._data, self._format = data, fmt
        self._splits, self._use = splits or data.splits, use
        self.settings: dict[str, Any] = {
            "format": fmt.name,
            "dataset": data.name,
            "fingerprint": data.fingerprint,
            "splits": list(splits),
            "use": use,
        }
        if data.benchmark:
            self.settings["kind"] = BENCHMARK
        self._counts, self._left_out = Counter[str](), Counter[str]()

    def write(self, folder: Path, progress: Progress | None) -> dict[str, Any]:
        """Write everything into ``MADE`` of an empty folder."""
        name = re.sub(r"[^a-z0-9]+", "-", self._data.name.lower()).strip("-") or "data"
        made = folder / MADE
        made.mkdir()
        with Lines(folder / LISTED) as listed:
            self._format.write(self._chosen(listed, progress), made, name)
        if not self._counts.total():
            self._nothing()
        (folder / LISTED).replace(made / LISTED)
        summary = {
            **self.settings,
            "rows": self._counts.total(),
            "counts": {split: self._counts[split] for split in self._splits},
            "left_out": dict(sorted(self._left_out.items())),
        }
        write_atomic(made / EXPORT, pretty(summary), durable=True)
        return summary

    def _chosen(self, listed: Lines, progress: Progress | None) -> Iterator[Entry]:
        total = int(self._data.info["counts"].get("rows") or 0)
        for done, entry in enumerate(self._data.entries(), 1):
            row = entry.row
            if row.split in self._splits and (self._use is None or row.use in ("", self._use)):
                if reason := self._refused(entry):
                    self._left_out[reason] += 1
                else:
                    yield self._checked(entry, listed)
                    self._counts[row.split] += 1
            if progress:
                progress(done, total)

    def _refused(self, entry: Entry) -> str:
        row = entry.row
        if self._format.chains_only and not (row.status == OK and row.chain):
            return NO_CHAIN
        return self._format.left_out(row)

    def _checked(self, entry: Entry, listed: Lines) -> Entry:
        """The entry as the format gets it, listed, its bytes those that were recorded."""
        row = entry.row
        digests = [hashlib.sha256(data).hexdigest() for data in (entry.image, entry.clean)]
        if digests != [row.image_sha256, row.clean_sha256]:
            raise UserError(
                f"The pictures of row {row.id!r} are not those that were recorded: the data set "
                f"in {self._data.folder} is damaged. `degrade-cli validate` says where; build it "
                "again."
            )
        listed.add({"id": row.id, "image": digests[0], "clean": digests[1]})
        if self._use is None:
            return entry
        return Entry(row.model_copy(update={"use": ""}), entry.image, entry.clean)

    def _nothing(self) -> None:
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(self._left_out.items()))
        raise UserError(
            f"No row of {', '.join(self._splits)} can be exported to {self._format.name}"
            f"{f' ({why})' if why else ''}. Choose other splits, or another format."
        )
