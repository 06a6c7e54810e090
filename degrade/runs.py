"""How a long job commits: its files, then a marker per shard; the summary of all, last.

A job is cut into shards of consecutive items. A shard's files are written first, its marker (its
records and the fingerprint) last, each by renaming a finished temporary file, so that what exists
is whole. Resuming skips shards whose marker exists; finishing turns the markers into tables. On an
object store a put takes the place of the renaming, and a lease that of the lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ValidationError

from degrade.errors import UserError, stopped
from degrade.leases import check, held
from degrade.schema import Record
from degrade.storage import Place, concerned, publish, scratch
from degrade.threads import bounded_map

WORK, PLAN, LOCK = ".work", "plan.json", ".lock"
_REQUESTS = 16  # to a store at a time, where nothing is computed

Progress = Callable[[int, int], None]
"""Told how much is done and how much there is in all."""


def write_atomic(path: Place, data: bytes, durable: bool = False) -> None:
    """Write a whole file or none: to a temporary name beside it, then rename; or by one put."""
    if not isinstance(path, Path):
        path.write_bytes(data)
        return
    temporary = scratch(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def pretty(value: Any) -> bytes:
    """JSON for a file that people open."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def line(record: BaseModel) -> str:
    """One record as a line of JSON."""
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n"


class Marker(Record):
    """Base of what a shard's marker holds."""

    fingerprint: str
    index: int


S = TypeVar("S", bound=Marker)


class Run(Generic[S]):
    """The folder of a job: its plan while it is under way, its tables when it is done.

    Args:
        out: The folder.
        settings: What decides the content; the hash of all but ``source`` is the fingerprint.
        marker: Type of the markers.
        summary: File name of the summary, written last.
        tables: File name of each table -> the field of the markers whose records it holds.
        folders: What else the job writes: folders, or files beside the tables.
    """

    def __init__(
        self,
        out: Place,
        settings: dict[str, Any],
        marker: type[S],
        summary: str,
        tables: Mapping[str, str],
        folders: tuple[str, ...] = (),
    ) -> None:
        self.settings = settings
        decisive = {k: v for k, v in settings.items() if k != "source"}
        text = json.dumps(decisive, sort_keys=True)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._marker, self._tables, self._folders = marker, tables, folders
        self._summary_name = summary
        self._place(out)

    def at(self, out: Place) -> Self:
        """The same run by another name of its folder."""
        there = copy(self)
        there._place(out)
        return there

    def _place(self, out: Place) -> None:
        self.out: Place = out
        self.work: Place = out / WORK
        self._summary: Place = out / self._summary_name
        self._plan: Place = self.work / PLAN

    @contextmanager
    def opened(self, overwrite: bool, resume: bool) -> Iterator[bool]:
        """Hold the folder for the job; gives True where the same job is finished already.

        Raises:
            UserError: The folder holds something else or a job with another fingerprint, another
                process is at work in it, or there is nothing to resume.
            StoppedError: The disk is full, or the folder cannot be written.
        """
        if self.out.exists() and not self.out.is_dir():
            raise UserError(f"{self.out} is a file. Give a folder to write.")
        try:
            lineage = (self.out, *self.out.parents) if isinstance(self.out, Path) else ()
            created = [folder for folder in lineage if not folder.exists()]
            self.out.mkdir(parents=True, exist_ok=True)
            with held(self.out / LOCK):
                try:
                    yield self._open(overwrite, resume)
                except UserError:
                    self._forget()
                    raise
                finally:
                    if created:
                        (self.out / LOCK).unlink(missing_ok=True)
                    with suppress(OSError):  # up to the first that holds something
                        for folder in created:
                            folder.rmdir()
        except OSError as error:
            raise stopped(error, concerned(error, self.out)) from error

    def _open(self, overwrite: bool, resume: bool) -> bool:
        if overwrite and resume:
            raise UserError("--overwrite starts anew and --resume goes on: give one of them.")
        if overwrite and (self._summary.exists() or self._plan.exists()):
            self.refuse_foreign()
            self._clear()
        if self._summary.exists():
            self._same(self._summary, "a finished run")
            self._drop_work()
            return True
        if self._plan.exists():
            self._same(self._plan, "an unfinished run")
            return False
        if any(p.name not in {WORK, LOCK} for p in self.out.iterdir()):
            raise UserError(
                f"{self.out} is not empty and holds no run of degrade-cli. Give a new folder."
            )
        if resume:
            raise UserError(f"There is no unfinished run in {self.out} to resume.")
        self.work.mkdir(exist_ok=True)
        plan = {"fingerprint": self.fingerprint, "settings": self.settings}
        write_atomic(self._plan, pretty(plan), durable=True)
        return False

    def refuse_foreign(self) -> None:
        """Refuse a folder that holds something which no job of this kind writes.

        Raises:
            UserError: It does; named in the message.
        """
        ours = {WORK, LOCK, self._summary.name, *self._tables, *self._folders}
        found = sorted(p.name for p in self.out.iterdir()) if self.out.is_dir() else []
        # A kill may leave the temporary file of a write.
        foreign = [n for n in found if n not in ours and not (n[0] == "." and n.endswith(".tmp"))]
        if foreign:
            raise UserError(
                f"{self.out} holds {foreign[0]!r}, which is not of a run. Nothing was touched: "
                "move it away, or give another folder."
            )

    def _forget(self) -> None:
        """Drop the plan of a job that a mistake ended before anything of it was committed.

        So that the mended command is not refused as another job.
        """
        if self._plan.exists() and not self._committed():
            plan = read_json(self._plan)
            if plan.get("fingerprint") == self.fingerprint:
                self._clear()
                self._drop_work()

    def matches(self) -> bool:
        """Whether the folder holds this very job, finished or not."""
        for path in (self._summary, self._plan):
            if path.exists():
                return read_json(path).get("fingerprint") == self.fingerprint
        return False

    def _clear(self) -> None:
        """Remove what a job writes and nothing else; what says that it is ours goes last.

        Markers go before what they vouch for, as a kill in between must not leave them alone.
        """
        if self._summary.exists():
            self.work.mkdir(exist_ok=True)
            self._summary.replace(self._plan)  # type: ignore[arg-type]
        for path in self.work.iterdir():
            if path != self._plan:
                path.unlink()
        for path in self.out.iterdir():
            if path.name.startswith(".") and path.name.endswith(".tmp"):
                path.unlink()
        for name in self._folders:
            path = self.out / name
            if path.is_dir():
                _remove_tree(path)
            else:
                path.unlink(missing_ok=True)
        for name in self._tables:
            (self.out / name).unlink(missing_ok=True)
        self._plan.unlink()

    def _drop_work(self) -> None:
        with suppress(OSError):  # what is left there is not looked at any more
            _remove_tree(self.work, ignore_errors=True)

    def _same(self, path: Place, what: str) -> None:
        found = read_json(path)
        if found.get("fingerprint") == self.fingerprint:
            return
        other = found.get("settings", {})
        keys = [k for k in self.settings if other.get(k) != self.settings[k]]
        raise UserError(
            f"{self.out} holds {what} with fingerprint {found.get('fingerprint')}, this command "
            f"makes {self.fingerprint}; they differ in: {', '.join(keys) or 'unknown settings'}. "
            "Repeat the command as it was, give another folder, or replace it with --overwrite."
        )

    def _path(self, index: int) -> Place:
        return self.work / f"shard-{index:06d}.json"

    def _committed(self) -> set[str]:
        return {path.name for path in self.work.iterdir() if path.name.startswith("shard-")}

    def missing(self, count: int) -> list[int]:
        """Which of the first ``count`` shards are not done, by one look at the folder."""
        done = self._committed()
        return [index for index in range(count) if self._path(index).name not in done]

    def commit(self, marker: S) -> None:
        """Write a shard's marker: from now on it is done.

        Raises:
            StoppedError: Another process took over the folder.
        """
        check(self.out / LOCK)
        data = marker.model_dump_json().encode()
        write_atomic(self._path(marker.index), data, durable=True)

    def committed(self, index: int) -> bool:
        """Whether a shard is done."""
        return self._path(index).exists()

    def read(self, index: int) -> S:
        """A committed shard.

        Raises:
            UserError: The marker belongs to another job, or is damaged.
        """
        try:
            marker = self._marker.model_validate_json(self._path(index).read_bytes())
        except ValidationError:
            raise UserError(
                f"{self._path(index)} is damaged. Remove it and give the same command: that shard "
                "is made again."
            ) from None
        if marker.fingerprint != self.fingerprint:
            raise UserError(
                f"{self._path(index)} has fingerprint {marker.fingerprint}, the run is "
                f"{self.fingerprint}. Use --overwrite to start anew."
            )
        return marker

    def finish(
        self,
        count: int,
        counts: Callable[[Iterator[S]], dict[str, Any]],
        extra: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Merge the markers into the tables, write and return the summary, drop working files.

        Args:
            count: Number of shards, all committed.
            counts: Summarises the shards, which it must read to the end.
            extra: Further keys of the summary.

        Raises:
            StoppedError: Another process took over the folder.
        """
        check(self.out / LOCK)
        tables = {name: scratch(self.out / name) for name in self._tables}
        try:
            with ExitStack() as stack:
                files = {
                    field: stack.enter_context(tables[name].open("w", encoding="utf-8"))
                    for name, field in self._tables.items()
                }

                def written() -> Iterator[S]:
                    for marker in self._markers(count):
                        for field, file in files.items():
                            file.writelines(line(record) for record in getattr(marker, field))
                        yield marker

                counted = counts(written())
            for name, table in tables.items():
                publish(table, self.out / name)
        finally:
            for table in tables.values():
                table.unlink(missing_ok=True)
        summary = {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            **extra,
            "counts": counted,
        }
        write_atomic(self._summary, pretty(summary), durable=True)
        self._drop_work()
        return summary

    def _markers(self, count: int) -> Iterator[S]:
        """All markers in order; from a store, several are on their way at a time."""
        if isinstance(self.out, Path):
            yield from map(self.read, range(count))
            return
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from bounded_map(pool, self.read, range(count), window=2 * _REQUESTS)


def _remove_tree(folder: Place, ignore_errors: bool = False) -> None:
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=ignore_errors)
    else:
        folder.remove_tree()


def read_json(path: Place) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: Missing or damaged.
    """
    try:
        data: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"There is no {path.name} in {path.parent}: is it finished?") from None
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path}: {error}") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object.")
    return data


def split_counts(total: int, size: int) -> list[range]:
    """Cut 0..total into consecutive shards of ``size``."""
    return [range(i, min(i + size, total)) for i in range(0, total, size)]
