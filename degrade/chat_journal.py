"""The journal of requests: one SQLite file that says what was sent, answered and paid.

Every attempt is written down before it is sent and again, with the raw answer, before that is
parsed. One thread owns the file and commits (WAL, ``synchronous=FULL``) all that has queued up
meanwhile at once. It holds answers and digests: no key, no picture, no prompt.

A lock keeps a second process out; the kernel drops it when its holder dies. A ballast file beside
the journal is deleted when the disk is full, so that answers already paid for can still be written.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from filelock import FileLock, Timeout

from degrade.chat_request import Usage
from degrade.errors import StoppedError, UserError

JOURNAL_VERSION = 1
BALLAST_BYTES = 8 << 20
SPENT = """coalesce(sum(
    CASE state WHEN 'got' THEN cost WHEN 'failed' THEN 0 ELSE cost_max END
), 0)"""
"""Micro-dollars of some attempts, those open or of unknown outcome at their upper bound."""

State = Literal["intent", "got", "failed", "unknown"]
T = TypeVar("T")

_TABLES = """
CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL, n INTEGER NOT NULL, mode TEXT NOT NULL,
    stage TEXT NOT NULL, model TEXT NOT NULL, shard TEXT, state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '', status INTEGER, request_id TEXT NOT NULL DEFAULT '',
    prompt INTEGER, completion INTEGER, cached INTEGER, estimated INTEGER,
    cost INTEGER, cost_max INTEGER, headers TEXT, body BLOB, started REAL NOT NULL, ended REAL,
    UNIQUE (key, n)
) STRICT;
CREATE INDEX by_shard ON attempts (shard, state) WHERE shard IS NOT NULL;
CREATE TABLE batches (
    shard TEXT PRIMARY KEY, file_id TEXT, batch_id TEXT, status TEXT NOT NULL,
    collected INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '', created REAL NOT NULL
) STRICT;
"""


class Intent(NamedTuple):
    """An attempt about to be sent. ``cost_max`` in micro-dollars, ``None`` without a price."""

    key: str
    model: str
    stage: str
    cost_max: int | None
    started: float
    mode: Literal["chat", "batch"] = "chat"
    shard: str | None = None


class Outcome(NamedTuple):
    """How an attempt ended: ``reason`` is empty for an answer, else a short code."""

    state: State
    reason: str
    ended: float
    status: int | None = None
    request_id: str = ""
    usage: Usage | None = None
    cost: int | None = None
    headers: dict[str, str] | None = None
    body: bytes | None = None


class Stored(NamedTuple):
    """A stored answer."""

    n: int
    body: bytes
    usage: Usage
    cost: int | None
    request_id: str


class Journal:
    """Opens, or makes, the journal and holds it until :meth:`close`.

    Args:
        path: The file.
        ballast: Bytes kept free for answers in flight when the disk is full; no request is begun
            with less than that free besides.
        redact: Removes secrets from what is about to be stored.

    Raises:
        UserError: Another process holds it, or it is no journal of this version.
        StoppedError: The disk is full.
    """

    def __init__(
        self,
        path: Path,
        ballast: int = BALLAST_BYTES,
        redact: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        self.path, self._redact = path, redact
        self._ballast = path.with_name(path.name + ".ballast")
        self._ballast_bytes = ballast
        self._pid = path.with_name(path.name + ".pid")
        # Not per thread: it is released by whichever thread closes the journal.
        self._lock = FileLock(path.with_name(path.name + ".lock"), thread_local=False)
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]
        self._queue = queue.SimpleQueue()
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(self._held()) from None
        try:
            self._pid.write_text(f"{os.getpid()}\n")
            self._fill_ballast()
            self._db = self._open()
        except BaseException:
            self._lock.release()
            raise
        self.first = 1 + int(self._one("SELECT coalesce(max(seq), 0) FROM attempts"))
        self._thread = threading.Thread(target=self._work, name="chat-journal", daemon=True)
        self._thread.start()

    def _held(self) -> str:
        try:
            pid = self._pid.read_text().strip() or "unknown"
        except OSError:
            pid = "unknown"
        return (
            f"{self.path} is in use by process {pid}. Wait for it, stop it, or use another "
            "journal: two processes would pay twice."
        )

    def _fill_ballast(self) -> None:
        if self._ballast.exists() and self._ballast.stat().st_size == self._ballast_bytes:
            return
        try:
            # Not zeros: a file system that compresses would set nothing aside.
            self._ballast.write_bytes(os.urandom(self._ballast_bytes))
        except OSError as error:
            self._ballast.unlink(missing_ok=True)
            raise StoppedError(f"{self._ballast}: {error.strerror}. Free some space.") from None

    def _open(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables == 0:
                db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={JOURNAL_VERSION}; COMMIT;")
            elif version != JOURNAL_VERSION:
                db.close()
                raise UserError(
                    f"{self.path} has journal version {version}, this program writes "
                    f"{JOURNAL_VERSION}. Use another journal, or the program that wrote it."
                )
            # Whoever began them is dead, for we hold the lock. Batches live on at the provider.
            db.execute(
                "UPDATE attempts SET state='unknown', reason='killed' "
                "WHERE state='intent' AND mode='chat'"
            )
        except sqlite3.OperationalError as error:
            raise StoppedError(f"{self.path}: {error}.") from None
        except sqlite3.DatabaseError as error:
            raise UserError(f"{self.path} is no journal of requests: {error}.") from None
        return db

    # ------------------------------------------------------------------------ the thread

    def _submit(self, job: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(StoppedError(f"{self.path} is closed."))
        else:
            self._queue.put((job, future))
        return future

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            items = [item]
            while len(items) < 256:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._queue.put(None)
                    break
                items.append(more)
            self._group(items)

    def _group(self, items: list[tuple[Callable[[], Any], Future[Any]]]) -> None:
        """Run jobs and commit them together; on a full disk once more without the ballast."""
        items = [item for item in items if item[1].set_running_or_notify_cancel()]
        for last in (False, True):
            results: list[tuple[Any, BaseException | None]] = []
            try:
                self._db.execute("BEGIN")
                for job, _ in items:
                    results.append(self._job(job))
                self._db.execute("COMMIT")
                break
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                self._ballast.unlink(missing_ok=True)
                if last:
                    stopped = StoppedError(f"{self.path} cannot be written: {error}.")
                    results = [(None, stopped)] * len(items)
        for (_, future), (value, failure) in zip(items, results, strict=True):
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)

    def _job(self, job: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        self._db.execute("SAVEPOINT job")
        try:
            value = job()
        except sqlite3.OperationalError:  # full or failing disk: for the group to handle
            raise
        except Exception as error:
            self._db.execute("ROLLBACK TO job")
            self._db.execute("RELEASE job")
            return None, error
        self._db.execute("RELEASE job")
        return value, None

    def close(self) -> None:
        """Write what is queued, give the ballast and the lock back."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._db.close()
        self._ballast.unlink(missing_ok=True)
        self._pid.unlink(missing_ok=True)
        self._lock.release()

    def _one(self, sql: str, *args: Any) -> Any:
        row = self._db.execute(sql, args).fetchone()
        return None if row is None else row[0]

    # ------------------------------------------------------------------------ what can be done

    def run(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run statements in the journal's thread and commit them."""
        return self._submit(lambda: job(self._db))

    def stored(self, key: str) -> Future[Stored | None]:
        """The answer to a key, if there is one."""
        return self._submit(lambda: self._stored(key))

    def _stored(self, key: str) -> Stored | None:
        row = self._db.execute(
            "SELECT n, body, prompt, completion, cached, estimated, cost, request_id FROM attempts "
            "WHERE key=? AND state='got' AND reason='' ORDER BY n LIMIT 1",
            (key,),
        ).fetchone()
        if row is None:
            return None
        n, body, prompt, completion, cached, estimated, cost, request_id = row
        usage = Usage(
            prompt=prompt, completion=completion, cached=cached, estimated=bool(estimated)
        )
        return Stored(n, zlib.decompress(body), usage, cost, request_id)

    def look_up(self, key: str) -> Future[tuple[Stored | None, bool]]:
        """The answer to a key, and whether it is in a batch that is not collected."""
        return self._submit(lambda: (self._stored(key), self._in_batch(key)))

    def _in_batch(self, key: str) -> bool:
        sql = "SELECT 1 FROM attempts WHERE key=? AND state='intent' AND mode='batch'"
        return self._one(sql, key) is not None

    def begin(self, intents: Iterable[Intent]) -> Future[list[int]]:
        """Write attempts down before they are sent; their numbers, per key from 1.

        The future raises StoppedError where the disk has no room for the answers.
        """
        listed = list(intents)
        return self._submit(lambda: [self._begin(i) for i in listed])

    def _begin(self, intent: Intent) -> int:
        free = shutil.disk_usage(self.path.parent).free
        if free < self._ballast_bytes or not self._ballast.exists():
            raise StoppedError(
                f"{self.path}: {free >> 20} MiB are free, {self._ballast_bytes >> 20} MiB are "
                "needed to keep answers safe. Free some space and run the command again."
            )
        n = 1 + int(self._one("SELECT coalesce(max(n), 0) FROM attempts WHERE key=?", intent.key))
        self._db.execute(
            "INSERT INTO attempts (key, n, mode, stage, model, shard, state, cost_max, started) "
            "VALUES (?, ?, ?, ?, ?, ?, 'intent', ?, ?)",
            (
                *(intent.key, n, intent.mode, intent.stage, intent.model, intent.shard),
                *(intent.cost_max, intent.started),
            ),
        )
        return n

    def finish(self, key: str, n: int, outcome: Outcome) -> Future[bool]:
        """Write an outcome down; False where the attempt had one already."""
        headers = None
        if outcome.headers is not None:
            headers = self._redact(json.dumps(outcome.headers).encode()).decode()
        body = None if outcome.body is None else zlib.compress(self._redact(outcome.body), 6)
        u = outcome.usage
        counted = (u.prompt, u.completion, u.cached, int(u.estimated)) if u else (None,) * 4
        values = (
            *(outcome.state, outcome.reason, outcome.status, outcome.request_id, *counted),
            *(outcome.cost, headers, body, outcome.ended, key, n),
        )
        return self._submit(
            lambda: (
                self._db.execute(
                    "UPDATE attempts SET state=?, reason=?, status=?, request_id=?, prompt=?, "
                    "completion=?, cached=?, estimated=?, cost=?, headers=?, body=?, ended=? "
                    "WHERE key=? AND n=? AND state='intent'",
                    values,
                ).rowcount
                == 1
            )
        )

    def spent(self) -> int:
        """Micro-dollars of all attempts, see :data:`SPENT`."""
        sql = f"SELECT {SPENT} FROM attempts"
        return int(self.run(lambda db: db.execute(sql).fetchone()[0]).result())

    def answers(self) -> int:
        """How many answers it holds."""
        sql = "SELECT count(*) FROM attempts WHERE state='got' AND reason=''"
        return int(self.run(lambda db: db.execute(sql).fetchone()[0]).result())

    def mean_completion(self, stage: str, model: str) -> Future[float | None]:
        """Mean tokens of the answers to a stage by a model."""
        sql = "SELECT avg(completion) FROM attempts WHERE state='got' AND stage=? AND model=?"
        return self._submit(lambda: self._one(sql, stage, model))
