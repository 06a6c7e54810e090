"""How a long job commits: its files, then a marker per shard; the summary of all, last.

A job is cut into shards of consecutive items. A shard's files are written first, its marker (its
records and the fingerprint) last, each by renaming a finished temporary file, so that what exists
is whole. Resuming skips shards whose marker exists; finishing turns the markers into tables.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from degrade.errors import StoppedError, UserError
from degrade.schema import Record

WORK, PLAN, LOCK = ".work", "plan.json", ".lock"

Progress = Callable[[int, int], None]
"""Told how much is done and how much there is in all."""


def host_threads(asked: int | None = None) -> int:
    """Threads to work with: as many as were asked for, else one for each core that is ours."""
    return asked or len(os.sched_getaffinity(0))


def write_atomic(path: Path, data: bytes, durable: bool = False) -> None:
    """Write a whole file or none: to a temporary name beside it, then rename."""
    temporary = path.with_name(f".{path.name}.tmp")
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
T = TypeVar("T")
R = TypeVar("R")


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
        out: Path,
        settings: dict[str, Any],
        marker: type[S],
        summary: str,
        tables: Mapping[str, str],
        folders: tuple[str, ...] = (),
    ) -> None:
        self.out, self.work = out, out / WORK
        self.settings = settings
        decisive = {k: v for k, v in settings.items() if k != "source"}
        text = json.dumps(decisive, sort_keys=True)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._marker, self._tables, self._folders = marker, tables, folders
        self._summary, self._plan = out / summary, self.work / PLAN

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
            created = not self.out.exists()
            self.out.mkdir(parents=True, exist_ok=True)
            with FileLock(str(self.out / LOCK)).acquire(timeout=0):
                try:
                    yield self._open(overwrite, resume)
                except UserError:
                    self._forget()
                    raise
                finally:
                    (self.out / LOCK).unlink(missing_ok=True)
                    if created and not any(self.out.iterdir()):
                        self.out.rmdir()
        except Timeout:
            raise UserError(f"Another process is at work in {self.out}.") from None
        except OSError as error:
            raise StoppedError(
                f"Stopped: {error.strerror or error} ({self.out}). Nothing already written is "
                "lost; mend that and give the same command to go on."
            ) from error

    def _open(self, overwrite: bool, resume: bool) -> bool:
        if overwrite and resume:
            raise UserError("--overwrite starts anew and --resume goes on: give one of them.")
        if overwrite and (self._summary.exists() or self._plan.exists()):
            self.refuse_foreign()
            self._clear()
        if self._summary.exists():
            self._same(self._summary, "a finished run")
            shutil.rmtree(self.work, ignore_errors=True)
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
        if self._plan.exists() and not any(self.work.glob("shard-*.json")):
            plan = read_json(self._plan)
            if plan.get("fingerprint") == self.fingerprint:
                self._clear()
                shutil.rmtree(self.work, ignore_errors=True)

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
            self._summary.replace(self._plan)
        for path in self.work.iterdir():
            if path != self._plan:
                path.unlink()
        for temporary in self.out.glob(".*.tmp"):
            temporary.unlink()
        for name in self._folders:
            path = self.out / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for name in self._tables:
            (self.out / name).unlink(missing_ok=True)
        self._plan.unlink()

    def _same(self, path: Path, what: str) -> None:
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

    def _path(self, index: int) -> Path:
        return self.work / f"shard-{index:06d}.json"

    def commit(self, marker: S) -> None:
        """Write a shard's marker: from now on it is done."""
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
        """
        with ExitStack() as stack:
            files = {
                field: stack.enter_context((self.work / name).open("w", encoding="utf-8"))
                for name, field in self._tables.items()
            }

            def written() -> Iterator[S]:
                for index in range(count):
                    marker = self.read(index)
                    for field, file in files.items():
                        file.writelines(line(record) for record in getattr(marker, field))
                    yield marker

            counted = counts(written())
        for name in self._tables:
            (self.work / name).replace(self.out / name)
        summary = {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            **extra,
            "counts": counted,
        }
        write_atomic(self._summary, pretty(summary), durable=True)
        shutil.rmtree(self.work, ignore_errors=True)
        return summary


def bounded_map(
    pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], window: int
) -> Iterator[R]:
    """Ordered ``pool.map`` that keeps at most ``window`` items in flight."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: Missing or damaged.
    """
    try:
        data: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"There is no {path.name} in {path.parent}: is it a finished run?"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path}: {error}") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} is damaged: it holds no JSON object.")
    return data


def split_counts(total: int, size: int) -> list[range]:
    """Cut 0..total into consecutive shards of ``size``."""
    return [range(i, min(i + size, total)) for i in range(0, total, size)]
