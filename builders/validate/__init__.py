"""Whether a data set, or an export of one, is what it says it is.

    report = validate(Path("data"))
    report.ok, report.counts, report.facts

Everything that is wrong is a counted problem with its file and row: damaged input raises nothing.
"""

from __future__ import annotations

from pathlib import Path

from builders import export
from builders.export.base import EXPORT
from builders.table import DATA, INFO
from builders.validate.dataset import DatasetValidation
from builders.validate.exports import ExportValidation, detect
from builders.validate.report import CODES, Report, report_table
from degrade.errors import UserError
from degrade.runs import Progress
from degrade.runtime import resolve_device, tuned
from degrade.threads import host_threads

__all__ = ["CODES", "SAMPLE", "Report", "report_table", "validate"]

SAMPLE = 64
"""Rows that are replayed unless told otherwise."""


def validate(
    folder: Path,
    *,
    sample: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a data set that was built, or an export in any format.

    Args:
        folder: With ``dataset.json``, or with an export's files.
        sample: Rows of a data set to replay, spread evenly; None: :data:`SAMPLE`, 0: all.
        device: To replay on: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: Host threads; None: all cores.
        progress: Told rows done and in all.

    Raises:
        UserError: The folder is missing or holds neither, or the device is not there.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.")
    where = resolve_device(device)
    count = host_threads(workers)
    with tuned(one_thread_per_picture=True):
        if not (folder / INFO).exists():
            found = detect(folder)
            if found is not None:
                checked = ExportValidation(folder, found, count, progress).run()
                return checked.report(folder, found.name)
            if not any((folder / DATA).glob("*.parquet")):
                raise UserError(
                    f"{folder} holds no data set ({INFO}) and no export ({EXPORT}, or the files "
                    f"of one of {', '.join(export.formats())})."
                )
        rows = SAMPLE if sample is None else sample or None
        checked = DatasetValidation(folder, rows, where, count, progress).run()
        return checked.report(folder, "dataset")
