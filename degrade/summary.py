"""Opening what a finished job wrote, whichever command it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from degrade.errors import UserError
from degrade.runs import PLAN, WORK, read_json
from degrade.storage import Place


def read_summary(folder: Place, writers: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """What a finished job says of itself: ``settings``, ``counts`` and more.

    Args:
        folder: Of the job.
        writers: File name of each summary that will do -> the command that writes it.

    Returns:
        The name of the file that is there, and what it holds.

    Raises:
        UserError: There is none, the job is not finished, or the file is damaged.
    """
    name = next((name for name in writers if (folder / name).exists()), None)
    if name is None:
        commands = " or ".join(f"`degrade-cli {command}`" for command in writers.values())
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}. Give what {commands} wrote.")
        if (folder / WORK / PLAN).exists():
            raise UserError(
                f"{folder} is not finished. Give the command that began it once more: it goes on "
                "where it was."
            )
        raise UserError(f"{folder} holds no finished run of {commands}. Give what it wrote.")
    found = read_json(folder / name)
    if not all(isinstance(found.get(key), dict) for key in ("settings", "counts")):
        raise UserError(f"{folder / name} is damaged: 'settings' or 'counts' is missing.")
    return name, found
