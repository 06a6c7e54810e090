"""One process at a time: a file lock on a disk, a lease that is renewed on an object store.

A store knows no locks. The holder of a lease puts an object that must not exist yet, and puts it
again with another number while it works. A newcomer takes over what no longer changes: at once
where the holder ran on this machine and is gone, else after watching it for three beats. Two
newcomers at the same moment are told apart by reading back who was last; whom that comes too late
for, or who slept, finds out at the next beat and commits no more. Work is made so that even two
holders of the same command would write the same bytes.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from degrade.errors import StoppedError, UserError
from degrade.storage import Place, Remote

BEAT = 10.0
"""Seconds between renewals of a lease."""

# Tokens of this process; one that could not be taken back is not among them.
_HELD: set[str] = set()
_LOST: set[str] = set()  # locks that this process held and another took over


@contextmanager
def held(lock: Place) -> Iterator[None]:
    """Hold a lock for the block.

    Raises:
        UserError: Another process holds it.
    """
    if isinstance(lock, Remote):
        with _leased(lock):
            yield
        return
    try:
        with FileLock(str(lock)).acquire(timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise _taken(lock.parent) from None


def check(lock: Place) -> None:
    """See that a lock which this process holds, if it does, was not taken over.

    Raises:
        StoppedError: It was.
    """
    if str(lock) in _LOST:
        raise StoppedError(
            f"Another process took over {lock.parent}, as this one gave no sign for a while. "
            "Nothing already written is lost: give the same command when that one is done."
        )


def _taken(folder: Place, holder: str = "") -> UserError:
    return UserError(f"Another process is at work in {folder}{holder}.")


@contextmanager
def _leased(lock: Remote) -> Iterator[None]:
    lease: dict[str, Any] = {
        "host": socket.gethostname(),
        "space": _space(),
        "pid": os.getpid(),
        "token": uuid.uuid4().hex,
        "beat": 0,
    }
    while not lock.create(_bytes(lease)):
        _wait_for_its_end(lock)
    found = _read(lock)
    if found is None or found["token"] != lease["token"]:
        raise _taken(lock.parent)
    ended, soon = threading.Event(), replace(lock, patience=min(BEAT, lock.patience))

    def ours() -> bool:
        found = _read(soon)
        return found is not None and found["token"] == lease["token"]

    def renew() -> None:
        while not ended.wait(BEAT):
            lease["beat"] += 1
            # What goes wrong here the work itself meets as well, and says so.
            with suppress(OSError, StoppedError):
                if not ours():
                    _LOST.add(str(lock))
                    return
                soon.write_bytes(_bytes(lease))

    beating = threading.Thread(target=renew, name="lease", daemon=True)
    beating.start()
    _HELD.add(lease["token"])
    try:
        yield
    finally:
        _HELD.discard(lease["token"])
        ended.set()
        beating.join()
        _LOST.discard(str(lock))
        with suppress(OSError, StoppedError):
            if ours():
                soon.unlink(missing_ok=True)


def _bytes(lease: dict[str, Any]) -> bytes:
    return json.dumps(lease).encode()


def _read(lock: Remote) -> dict[str, Any] | None:
    try:
        found = json.loads(lock.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {"host": "?", "pid": 0, "token": "", "beat": 0}
    return dict(found)


def _wait_for_its_end(lock: Remote) -> None:
    """Return when the lease that stands there is over, and remove it.

    Raises:
        UserError: Its holder is at work.
    """
    first = _read(lock)
    if first is None:
        return
    here = (first["host"], first.get("space")) == (socket.gethostname(), _space())
    if not (here and _gone(first["pid"], first["token"])):
        for _ in range(6):
            time.sleep(BEAT / 2)
            now = _read(lock)
            if now is None:
                return
            if now != first:
                raise _taken(lock.parent, f" ({now['host']}, process {now['pid']})")
    if _read(lock) == first:  # another newcomer may have been quicker
        lock.unlink(missing_ok=True)


def _space() -> str:
    """What process numbers count in: containers and machines of one name have their own."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _gone(pid: int, token: str) -> bool:
    """Whether a process of this machine is no more, or this one has ended that lease."""
    if pid == os.getpid():
        return token not in _HELD
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
