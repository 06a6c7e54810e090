"""WebDataset: tars whose samples are ``<key>.jpg``, ``<key>.clean.jpg`` and ``<key>.json``.

A key ends at the first dot and must have none. `datasets` demands the same files in the first five
samples and takes all columns from them, so both pictures are called ``.jpg`` whatever they are:
`datasets`, the webdataset library and Pillow tell a picture's kind by its bytes, and ``encoding``
in the JSON says it. For the same reason that JSON has no values of changing type; see
:func:`builders.export.writing.flat`.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from builders.export import writing
from builders.export.base import Format, Found
from builders.export.reading import BROKEN, Seen, parted, unreadable
from builders.export.writing import Numbered, PerPart, Writer, flat, stem
from builders.table import DATA, Entry

MEMBERS = ("jpg", "clean.jpg", "json")


class _Tars(Writer):
    """Writes the samples of one split."""

    def __init__(self, folder: Path, part: str) -> None:
        self._files = Numbered(folder, part, "tar")
        self._tar: tarfile.TarFile | None = None
        self._size = 0

    def add(self, key: str, members: dict[str, bytes]) -> None:
        if self._tar is None:
            self._tar = tarfile.TarFile(self._files.next(), "w", format=tarfile.USTAR_FORMAT)
        for name, data in members.items():
            info = tarfile.TarInfo(f"{key}.{name}")  # no time, no owner: the same bytes always
            info.size = len(data)
            self._tar.addfile(info, io.BytesIO(data))
            self._size += len(data)
        self._tar.members.clear()  # type: ignore[attr-defined]  # it would remember all of them
        if self._size >= writing.SHARD_BYTES:
            self.close()

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
        self._tar, self._size = None, 0

    def finish(self) -> None:
        self.close()
        self._files.finish()


class WebDataset(Format):
    """See the module."""

    name: ClassVar[str] = "webdataset"
    summary: ClassVar[str] = "Streaming training: tars with both pictures and all columns"
    chains_only: ClassVar[bool] = False

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """Tars for each split."""
        with PerPart(lambda part: _Tars(folder, part)) as parts:
            for entry in entries:
                told = json.dumps(flat(entry.row), ensure_ascii=False).encode()
                members = dict(zip(MEMBERS, (entry.image, entry.clean, told), strict=True))
                parts[entry.row.part].add(stem(entry.row.id), members)

    def detect(self, folder: Path) -> bool:
        """By its tars."""
        return any((folder / DATA).glob("*.tar"))

    def read(self, folder: Path) -> Iterator[Found]:
        """The samples as they come in the tars."""
        for item in parted(folder, "tar"):
            if isinstance(item, Found):
                yield item
                continue
            path, part = item
            key = ""
            try:
                for key, members in _samples(path):
                    yield _row(Seen(f"{path.name}:{key}", {}), members, part)
            except (*BROKEN, tarfile.TarError, EOFError) as error:
                yield unreadable(f"{path.name} beyond {key or 'its beginning'}", error)


def _samples(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    with path.open("rb") as file:
        file.seek(-min(1024, path.stat().st_size), io.SEEK_END)
        if file.read().strip(b"\0"):
            raise ValueError("the tar's end is missing: it is cut off")
    with tarfile.open(path, "r:") as tar:
        key, members = "", dict[str, bytes]()
        for info in tar:
            found, _, name = info.name.partition(".")
            if members and found != key:
                yield key, members
                members = {}
            key = found
            if member := tar.extractfile(info):
                members[name] = member.read()
        if members:
            yield key, members
        # A reader takes anything that is no header for the end, silently.
        if path.stat().st_size - tar.offset > 2 * tarfile.RECORDSIZE:
            raise ValueError(f"what stands at byte {tar.offset} is no member of a tar")


def _row(seen: Seen, members: dict[str, bytes], part: str) -> Found:
    if set(members) != set(MEMBERS):
        seen.wrong("members", f"the sample has {sorted(members)}, not {sorted(MEMBERS)}")
    told: object = {}
    try:
        told = json.loads(members.get("json", b"{}"))
    except ValueError as error:
        seen.wrong("broken_row", f"no JSON: {error}")
    if isinstance(told, dict):
        seen.item.update(told)
    for name in MEMBERS[:2]:
        if not members.get(name):
            seen.wrong("missing_picture", f"no {name}")
    return flat_found(seen, part, members.get(MEMBERS[0]), members.get(MEMBERS[1]))


def flat_found(seen: Seen, part: str, image: bytes | None, clean: bytes | None) -> Found:
    """A row of :func:`builders.export.writing.flat` columns."""
    choices, known = None, bool(seen.item)
    if known and isinstance(listed := seen.parsed("choices"), list):
        choices = tuple(str(choice) for choice in listed)
    return seen.found(
        seen.text("id", needed=known),
        seen.text("split", needed=known) or part,
        image=image,
        clean=clean,
        prompt=seen.text("question", needed=known),
        chain=(seen.text("chain") if known else None) or None,
        choices=choices,
        answer=seen.text("answer", needed=known),
        types=seen.types(seen.parsed("types")) if known else None,
    )
