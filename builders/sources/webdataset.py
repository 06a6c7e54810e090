"""WebDataset: tar files whose members with one name make one sample, streamed."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

from builders.sources.base import Here, Item, Mapped, SourceSpec
from builders.sources.files import check_size, matching, stem
from builders.sources.mapping import mapped, unusable, watched
from builders.sources.values import RowError
from degrade.errors import UserError
from degrade.images import EXTENSIONS

_PICTURE, _KEY, _PROBLEM = "__picture__", "__key__", "__problem__"
_Sample = dict[str, bytes | RowError]
_TARS = (".tar", ".tar.gz", ".tgz")


class WebDataset(SourceSpec):
    """Samples ``000001.jpg`` with ``000001.json``; what is before the first dot is the key.

    The picture is the member ``columns.image`` names by its extension (``clean.jpg``); else the
    one that begins with ``clean.``, as ours are written; else the one picture. The JSON holds the
    columns; a ``.txt`` is the caption where no column is.

    Attributes:
        path: A tar file, a folder of them or a pattern such as ``train-*.tar``.
        columns: Which key of the JSON holds what. Ids are by default ``<shard>/<key>``.
    """

    kind: Literal["webdataset"] = "webdataset"
    path: Here
    columns: Mapped = Mapped()

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        root, files = matching(base, self.path, _TARS)
        chosen = self.columns.image if "image" in self.columns.model_fields_set else ""
        rest = {k: getattr(self.columns, k) for k in self.columns.model_fields_set - {"image"}}
        columns = Mapped(**rest)
        rows = (
            {**_row(sample, chosen), _KEY: f"{_shard(root, file)}/{key}"}
            for file in files
            for key, sample in _samples(file)
        )
        for row in watched(rows, columns, str(self.path), wanted):
            if isinstance(row.get(_PROBLEM), RowError):
                yield unusable(row[_KEY], row[_PROBLEM])
                continue
            name = f"{row[_KEY].rpartition('/')[2]}.{row[_PICTURE][0]}"
            yield mapped(row, columns, row[_KEY], partial(_picture, row[_PICTURE], name), name)


class _Header(tarfile.TarInfo):
    """A member's header. The library takes a broken one for the end, which would hide the rest."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error or 'no end mark'}") from None


def _shard(root: Path, file: Path) -> str:
    return stem(root, file).removesuffix(".tar")


def _samples(file: Path) -> Iterator[tuple[str, _Sample]]:
    """Key and members by extension, of members that stand together.

    Raises:
        UserError: The file is no tar file, or breaks off.
    """
    key, sample = "", _Sample()
    try:
        with tarfile.open(file, "r|*", tarinfo=_Header) as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # else the list of all is kept
                path = PurePosixPath(member.name)
                head, dot, extension = path.name.partition(".")
                if member.isdir() or not head or not dot:
                    continue  # folders, hidden files and files without an extension are no members
                name = str(path.with_name(head)).removeprefix("./")
                if sample and (name != key or extension in sample):
                    yield key, sample
                    sample = {}
                key, sample[extension.lower()] = name, _content(tar, member)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        after = f" after the sample {key!r}" if key else ""
        raise UserError(f"{file} is no whole tar file: {error}{after}.") from None
    if sample:
        yield key, sample


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | RowError:
    """The bytes of a member; those of one that is too large are passed over."""
    try:
        check_size(member.name, member.size)
    except RowError as error:
        return error
    content = tar.extractfile(member) if member.isfile() else None
    return content.read() if content else b""


def _row(sample: _Sample, chosen: str) -> dict[str, Any]:
    """A sample as columns, with its picture's extension and bytes."""
    members = dict[str, bytes]()
    for extension, content in sample.items():
        if isinstance(content, RowError):
            return {_PROBLEM: content}
        members[extension] = content
    try:
        return {**_columns(members), _PICTURE: _chosen(members, chosen)}
    except RowError as error:
        return {_PROBLEM: error}


def _columns(sample: Mapping[str, bytes]) -> dict[str, Any]:
    row: Any = {}
    if "json" in sample:
        try:
            row = json.loads(sample["json"])
        except (ValueError, RecursionError) as error:
            raise RowError("malformed_row", f"its JSON: {error}") from None
        if not isinstance(row, dict):
            raise RowError("malformed_row", "its JSON is no object")
    if "txt" in sample and "caption" not in row:
        try:
            row["caption"] = sample["txt"].decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise RowError("malformed_row", f"its text: {error}") from None
    return {**row}


def _chosen(sample: Mapping[str, bytes], extension: str) -> tuple[str, bytes]:
    """The picture's extension and bytes."""
    pictures = [e for e in sample if f".{e.rpartition('.')[2]}" in EXTENSIONS]
    if extension:
        found = [e for e in sample if e == extension.lower()]
    else:
        found = [e for e in pictures if e.startswith("clean.")] or [
            e for e in pictures if "." not in e
        ]
        found = found or pictures
    if not found:
        wanted = f".{extension} member" if extension else "picture"
        raise RowError("missing_picture", f"no {wanted} among {', '.join(sorted(sample))}")
    if len(found) > 1:
        raise RowError("several_pictures", f"{', '.join(found)}: name one as 'columns.image'")
    return found[0], sample[found[0]]


def _picture(found: tuple[str, bytes], name: str) -> tuple[bytes, str]:
    return found[1], name
