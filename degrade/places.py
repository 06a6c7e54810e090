"""What jobs ask of the places that they read and write, beyond single files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from degrade.errors import StoppedError, UserError
from degrade.storage import Place, Remote, concerned

_REQUESTS = 16  # at a time, where whole files are fetched
_WAITING = 4  # threads a core where pictures come from or go to a store: most of them wait for it


def writable(out: Place) -> Place:
    """The same place, where a job may write its files one by one.

    Raises:
        UserError: Every file would be a commit.
    """
    if isinstance(out, Remote) and out.protocol == "hf":
        raise UserError(
            f"{out}: every file written there is a commit of its own. Write to a folder or another "
            "store and publish it whole with `degrade-cli push`."
        )
    return out


def beside(folder: Place, ending: str) -> Place:
    """A place beside a folder, called as it with an ending; also where that is ``.`` or ``..``."""
    named = folder.resolve() if folder.name in {"", ".."} else folder
    return named.parent / (folder.resolve().name + ending)


def threads_between(cores: int, *places: Place) -> int:
    """Threads for so many cores, where a job reads and writes these places."""
    return cores * (_WAITING if any(isinstance(one, Remote) for one in places) else 1)


@contextmanager
def fetched(folder: Place) -> Iterator[Path]:
    """All that a folder holds, on this machine: itself, or a copy that goes when the block ends.

    For what looks at every file in ways that a store has not.

    Raises:
        UserError: A name leads out of the folder.
        StoppedError: The store cannot be reached, or the disk is full.
    """
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="degrade-") as scratch:
        # Under its own name, which what is made of it may say.
        whole = Path(scratch, folder.name if folder.name not in {".", ".."} else "copy")

        def fetch(file: str) -> None:
            if file.startswith("/") or {"", ".", ".."} & set(file.split("/")):
                raise UserError(f"{folder / file} is no name of a file on a disk: rename it.")
            copy = whole / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            (folder / file).download(copy)

        try:
            with ThreadPoolExecutor(_REQUESTS) as pool:
                for _ in pool.map(fetch, folder.walk()):
                    pass
        except OSError as error:
            raise StoppedError(
                f"Stopped: {error.strerror or error} ({concerned(error, folder)})."
            ) from error
        whole.mkdir(exist_ok=True)
        yield whole
