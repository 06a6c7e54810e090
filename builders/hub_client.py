"""The one gateway to `huggingface_hub`: patient with servers, plain with people.

The client tries single requests several times; steps that it does not repeat are repeated here.
Where `hf_xet` is installed, the client sends large files through it unless HF_HUB_DISABLE_XET is
set; the tests do without, as a loopback server speaks LFS alone.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from degrade.errors import StoppedError, UserError

ATTEMPTS = 4
"""Of each step."""

_LONGEST_WAIT = 60.0  # seconds; a server that asks for more is left alone

T = TypeVar("T")


@dataclass(frozen=True)
class Remote:
    """A file of a repository: size in bytes; SHA-256, or git's name of the content if small."""

    size: int
    digest: str


@dataclass(frozen=True)
class Upload:
    """A file to publish: where it is, and its path in the repository."""

    local: Path
    path: str

    @property
    def size(self) -> int:
        """In bytes."""
        return self.local.stat().st_size

    def same(self, remote: Remote | None) -> bool:
        """Whether a file of the repository has this content."""
        if remote is None or remote.size != self.size:
            return False
        with self.local.open("rb") as file:
            if len(remote.digest) == 64:
                return hashlib.file_digest(file, "sha256").hexdigest() == remote.digest
            blob = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
            blob.update(file.read())
            return blob.hexdigest() == remote.digest


class Hub:
    """A data set's repository.

    Args:
        repo: ``name``, of the token's owner, or ``owner/name``.
        token: By default where the client looks.
        endpoint: By default HF_ENDPOINT or the public Hub.

    Every method raises ``UserError`` for what the caller can mend (token, rights, name) and
    ``StoppedError`` where the server or the connection fails for good.
    """

    def __init__(self, repo: str, token: str | None, endpoint: str | None) -> None:
        try:
            from huggingface_hub import HfApi
        except ImportError:
            raise UserError(
                "Publishing needs huggingface_hub. Install it: pip install 'degrade[hub]'"
            ) from None
        self.repo = repo
        self._api = HfApi(token=token, endpoint=endpoint, library_name="degrade")

    def named(self) -> str:
        """The repository's full name; a name alone is the token's owner's."""
        if "/" not in self.repo:
            self.repo = f"{self._patiently(self._api.whoami)['name']}/{self.repo}"
        return self.repo

    def create(self, private: bool) -> str:
        """Make the repository where it does not exist; its address."""
        from huggingface_hub import errors

        def make() -> None:
            with suppress(errors.HfUriError):  # of an address that is not the public Hub's
                self._api.create_repo(
                    self.repo, repo_type="dataset", private=private, exist_ok=True
                )

        self._patiently(make)
        return f"{self._api.endpoint}/datasets/{self.repo}"

    def files(self) -> dict[str, Remote]:
        """The files that it holds, by path."""
        from huggingface_hub import RepoFile

        def listed() -> dict[str, Remote]:
            tree = self._api.list_repo_tree(self.repo, repo_type="dataset", recursive=True)
            found = (item for item in tree if isinstance(item, RepoFile))
            return {f.path: Remote(f.size, f.lfs.sha256 if f.lfs else f.blob_id) for f in found}

        return self._patiently(listed)

    def read(self, path: str) -> bytes:
        """The content of a small file."""

        def download() -> bytes:
            with tempfile.TemporaryDirectory(prefix="degrade-") as folder:
                found = self._api.hf_hub_download(
                    self.repo, path, repo_type="dataset", local_dir=folder
                )
                return Path(found).read_bytes()

        return self._patiently(download)

    def commit(self, add: Sequence[Upload], delete: Sequence[str]) -> None:
        """Add, replace and delete files in one commit; large ones are streamed from the disk."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        parts = []
        if add:
            parts.append(f"Add {add[0].path}" + (f" and {len(add) - 1} more" if add[1:] else ""))
        if delete:
            parts.append(f"remove {len(delete)} of an earlier version")

        def send() -> None:  # new operations each time: the client marks those that it has seen
            self._api.create_commit(
                self.repo,
                [
                    *(CommitOperationAdd(f.path, str(f.local)) for f in add),
                    *(CommitOperationDelete(path) for path in delete),
                ],
                commit_message=", ".join(parts),
                repo_type="dataset",
                num_threads=2,
            )

        self._patiently(send)

    def _patiently(self, step: Callable[[], T]) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                with _quiet():
                    return step()
            except Exception as error:
                cause = _cause(error)
                wait = _pause(cause, 2.0**attempt)
                if wait is None:
                    raise self._explained(cause) from None
                time.sleep(wait)
        try:
            with _quiet():
                return step()
        except Exception as error:
            raise self._explained(_cause(error)) from None

    def _explained(self, error: Exception) -> Exception:
        """The same for people, without the token; what is none of the Hub's stays as it is."""
        from huggingface_hub import errors, get_token

        status, where = _status(error), self._api.endpoint
        detail = " ".join(str(error).split())[:400]
        for secret in (self._api.token, get_token()):
            if isinstance(secret, str) and secret:
                detail = detail.replace(secret, "***")
        users = {
            400: f"{where} refused the request for {self.repo}: {detail}",
            401: f"{where} does not accept the token, or there is none. Log in with `hf auth "
            "login`, or set HF_TOKEN to a token that may write.",
            403: f"The token may not write to {self.repo}: use one with write access to its "
            f"owner, or give a repository of your own. {detail}",
            404: f"{where} knows no data set {self.repo}: {detail}",
        }
        if isinstance(error, errors.LocalTokenNotFoundError):
            status = 401
        if isinstance(error, errors.HFValidationError):
            status = 400
        if isinstance(error, errors.OfflineModeIsEnabled):
            return UserError(f"HF_HUB_OFFLINE is set. Unset it to publish. {detail}")
        if status in users:
            return UserError(users[status])
        if status is not None:
            said = f"{where} asks to wait" if status == 429 else f"{where} answered {status}"
        elif _is_network(error):
            said = f"no connection to {where}"
        elif isinstance(error, OSError):
            said = "a file cannot be read"
        else:
            return error
        return StoppedError(
            f"Stopped: {said}: {detail} What has been sent stays; give the same command to go on."
        )


def _cause(error: Exception) -> Exception:
    """What lies under the client's own wrapping of failed transfers."""
    wrapping = {"RuntimeError", "LocalEntryNotFoundError"}
    while type(error).__name__ in wrapping and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def _status(error: Exception) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _is_network(error: Exception) -> bool:
    """A broken or impossible connection, whichever HTTP library the client is built on."""
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "TimeoutError"})


def _pause(error: Exception, usual: float) -> float | None:
    """Seconds to wait before another attempt; None where none would help."""
    status = _status(error)
    if status is None:
        return usual if _is_network(error) else None
    if status != 429 and status < 500:
        return None
    asked = getattr(error, "response").headers.get("Retry-After", "")  # noqa: B009
    wait = float(asked) if asked.isdigit() else usual
    return wait if wait <= _LONGEST_WAIT else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's progress bars: the command shows its own."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()
