"""Files anywhere: local paths as ever, and object stores (``s3://``, ``gs://``, ...) by fsspec.

The one gateway to fsspec. A :class:`Remote` has the part of :class:`pathlib.Path`'s interface that
runs need. What differs from a disk: an object appears whole or not at all, so that nothing needs a
temporary name; folders exist by what is in them; and a connection may break, so that every request
is repeated for a while before the run stops.
"""

from __future__ import annotations

import errno
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from degrade.errors import StoppedError, UserError, stopped
from degrade.urls import local, protocol_of

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for which a request that fails is repeated before the run stops."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 8.0
_LONGEST_KEY = 1024  # bytes; of S3 and of GCS
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "hub"}
_OPTIONS: dict[str, dict[str, Any]] = {
    # Repeated here, not there as well; and no question for the size before every read.
    "s3": {"config_kwargs": {"retries": {"total_max_attempts": 1}}, "max_concurrency": 1},
}
_FINAL = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # of this machine's disk; no store says them
_FINAL_ERRNOS = {errno.EINVAL, errno.EPERM, errno.ENAMETOOLONG, errno.EMSGSIZE, errno.ENOSYS}
_FINAL_ERRNOS |= _NO_ROOM
_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, NotImplementedError)
_NO_KEYS = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"}


@dataclass(frozen=True)
class Remote:
    """A file or folder of an object store, used as a Path is.

    Attributes:
        protocol: As in the URL.
        path: What the file system calls it: bucket and key.
        patience: Seconds for which a request that fails is repeated.
    """

    protocol: str
    path: str
    patience: float = PATIENCE

    def __str__(self) -> str:
        head = f"{self.protocol}://"  # which http keeps in its paths
        return self.path if self.path.startswith(head) else head + self.path.lstrip("/")

    def __truediv__(self, name: str) -> Remote:
        return replace(self, path=f"{self.path.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def parent(self) -> Remote:
        """All but the last part."""
        return replace(self, path=self.path.rstrip("/").rpartition("/")[0])

    def with_name(self, name: str) -> Remote:
        """Another file beside it."""
        return self.parent / name

    def resolve(self) -> Remote:
        """Itself: there are no links."""
        return self

    def exists(self) -> bool:
        """Whether it is a file or holds one."""
        return self._kind() is not None

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether it holds a file."""
        return self._kind() == "directory"

    def _kind(self) -> str | None:
        try:
            return str(self._call("info", self.path)["type"])
        except FileNotFoundError:
            return None

    def iterdir(self) -> Iterator[Remote]:
        """What stands in it; nothing where it does not exist."""
        try:
            found = self._call("ls", self.path, detail=False)
        except FileNotFoundError:
            return
        paths = {str(path).rstrip("/") for path in found}
        paths.discard(self.path.rstrip("/"))  # itself: a file, or the object of an empty folder
        yield from (self / path.rsplit("/", 1)[-1] for path in sorted(paths))

    def walk(self) -> Iterator[str]:
        """All files below it by their names from here, in no order."""
        head = len(self.path.rstrip("/")) + 1
        for path in self._call("find", self.path):
            if len(path) > head and not path.endswith("/"):
                yield path[head:]

    def size(self) -> int:
        """Bytes of the file.

        Raises:
            FileNotFoundError: There is none.
        """
        return int(self._call("info", self.path)["size"] or 0)

    def usage(self) -> tuple[int, int]:
        """Files below it and their bytes together."""
        found = self._call("find", self.path, detail=True).values()
        return len(found), sum(int(one.get("size") or 0) for one in found)

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder is there when something is in it."""

    def read_bytes(self) -> bytes:
        """The whole file.

        Raises:
            FileNotFoundError: There is none.
        """
        return bytes(self._call("cat_file", self.path))

    def write_bytes(self, data: bytes) -> None:
        """Put the whole file, or nothing.

        Raises:
            OSError: The name is too long.
        """
        if len(self.path.encode()) > _LONGEST_KEY:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        self._call("pipe_file", self.path, data)

    def create(self, data: bytes) -> bool:
        """Put the file unless there is one; whether it was put.

        The store decides where it can (S3, GCS and others); else there is a moment between asking
        and writing.
        """
        try:
            self._call("pipe_file", self.path, data, mode="create")
        except FileExistsError:
            return False
        except (TypeError, ValueError, NotImplementedError):
            if self.exists():
                return False
            self.write_bytes(data)
        return True

    def upload(self, local: Path) -> None:
        """Put a local file here, whole or not at all, in parts where it is large."""
        self._call("put_file", str(local), self.path)

    def download(self, local: Path) -> None:
        """Write its content to a local file.

        Raises:
            FileNotFoundError: There is none.
            StoppedError: This machine has no room for it.
        """
        try:
            self._call("get_file", self.path, str(local))
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise stopped(error, concerned(error, self)) from error

    def open(self, mode: str = "r", encoding: str | None = None) -> Any:
        """Read it as a stream, of a local copy: so that no connection breaks in the middle.

        Raises:
            FileNotFoundError: There is none.
        """
        if mode not in {"r", "rb"}:
            raise ValueError(f"mode {mode!r}: streams of a store are read")
        copy = scratch(self)
        try:
            self.download(copy)
            return copy.open(mode, encoding=encoding)
        finally:
            copy.unlink()  # what is open stays readable

    def replace(self, target: Remote) -> None:
        """Copy it to another name, then remove it."""
        self._call("cp_file", self.path, target.path)
        self.unlink()

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            self._call("rm_file", self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_tree(self) -> None:
        """Remove all that is below it."""
        try:
            self._call("rm", self.path, recursive=True)
        except FileNotFoundError:
            return

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.patiently(lambda: getattr(_filesystem(self.protocol), method)(*args, **kwargs))

    def patiently(self, request: Callable[[], T]) -> T:
        """A request, repeated with growing pauses while the store does not answer as it should.

        Raises:
            OSError: What no repetition changes: not there, a name that is none.
            StoppedError: The store refuses, or patience is at its end.
        """
        deadline, pause = time.monotonic() + self.patience, _FIRST_PAUSE
        while True:
            try:
                return request()
            except Exception as error:
                if _archived(error):
                    raise
                if isinstance(error, PermissionError) or type(error).__name__ in _NO_KEYS:
                    raise StoppedError(
                        f"{self} was refused: {error}. Check the keys and rights that the "
                        "environment gives, and give the same command again: nothing already "
                        "written is lost."
                    ) from error
                if _final(error):
                    raise
                if time.monotonic() + pause > deadline:
                    raise StoppedError(
                        f"{self} could not be reached for {self.patience:g} s "
                        f"({type(error).__name__}: {error}). Nothing already written is lost: give "
                        "the same command to go on; where it has --patience, with more of it."
                    ) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)


Place = Path | Remote
"""Where something is read or written."""


def _archived(error: Exception) -> bool:
    """Whether one object is in an archive of S3 and must be restored: it alone cannot be read."""
    answer = getattr(error.__cause__, "response", None) or {}
    return bool(answer.get("Error", {}).get("Code") == "InvalidObjectState")


def _final(error: Exception) -> bool:
    """Whether asking again would give the same."""
    if isinstance(error, OSError):
        return isinstance(error, _FINAL) or error.errno in _FINAL_ERRNOS
    return isinstance(error, (*_MISTAKES, StoppedError)) or "ParamValidation" in repr(type(error))


def place(text: str | Path, patience: float = PATIENCE) -> Place:
    """A path or URL as given -> what to work with. ``file://`` and plain names are local paths.

    Raises:
        UserError: No known kind of storage, one that is not installed, or a pattern.
    """
    url = str(text)
    protocol = protocol_of(url)
    if not protocol:
        return local(url)
    url = protocol + url[len(protocol) :]  # fsspec knows them in small letters alone
    if re.search(r"[*?\[]", url):
        raise UserError(f"{url} is a pattern. Give a folder; all below it is taken.")
    path = str(_class(protocol)._strip_protocol(url)).rstrip("/")
    if not path.strip("/"):
        raise UserError(f"{url} names no bucket: give {protocol}://BUCKET/FOLDER.")
    return Remote(protocol, path, patience)


def _class(protocol: str) -> Any:
    import fsspec

    extra = _EXTRAS.get(protocol)
    try:
        return fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        what = f'pip install "degrade[{extra}]"' if extra else str(error)
        raise UserError(f"{protocol}:// needs a package that is not installed: {what}") from None
    except ValueError:
        known = ", ".join(f"{name}://" for name in ("s3", "gs", "hf"))
        raise UserError(
            f"Unknown storage {protocol}://. Give a path or one of {known}, or another that fsspec "
            "knows."
        ) from None


@lru_cache
def _filesystem(protocol: str) -> Any:
    """The process's connection. Listings are not kept: others write too, and they are large."""
    options = _OPTIONS.get(_EXTRAS.get(protocol, protocol), {})
    found = _class(protocol)(use_listings_cache=False, **options)
    if protocol in {"s3", "s3a"}:
        found.retries = 2  # here, too, they are repeated
    if getattr(found, "async_impl", False):
        found.loop.set_exception_handler(_tell_of_mistakes)
    return found


def _tell_of_mistakes(loop: Any, context: dict[str, Any]) -> None:
    """Keep quiet about tasks that died with their connection: the request itself reports that."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


def inside(one: Place, other: Place) -> bool:
    """Whether a place is another or below it."""
    if isinstance(one, Remote) or isinstance(other, Remote):
        if isinstance(one, Path) or isinstance(other, Path):
            return False
        same = _EXTRAS.get(one.protocol, one.protocol) == _EXTRAS.get(
            other.protocol, other.protocol
        )
        return same and f"{one.path}/".startswith(f"{other.path.rstrip('/')}/")
    return one.resolve().is_relative_to(other.resolve())


def absolute(one: Place) -> Place:
    """The same place, whatever the working directory."""
    return one.absolute() if isinstance(one, Path) else one


def scratch(target: Place) -> Path:
    """A local name to write a file under, before :func:`publish` makes it the target."""
    if isinstance(target, Path):
        return target.with_name(f".{target.name}.tmp")
    short = re.sub(r"[^\w.-]", "_", target.name, flags=re.ASCII)[-60:]  # no longer in bytes
    handle, name = tempfile.mkstemp(prefix="degrade-", suffix=f"-{short}")
    os.close(handle)
    return Path(name)


def concerned(error: OSError, target: Place) -> str:
    """What a file that could not be read or written is about, in words.

    What goes to or comes from a store lies on this machine first, so that its disk may be full.
    """
    if isinstance(target, Remote) and error.errno in _NO_ROOM:
        return f"{tempfile.gettempdir()}, through which {target} goes; TMPDIR sets another folder"
    return str(target)


def publish(written: Path, target: Place) -> None:
    """Make a whole local file the target: by renaming it, or by an upload."""
    if isinstance(target, Path):
        written.replace(target)
        return
    target.upload(written)
    written.unlink()
