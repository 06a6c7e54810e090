"""Checks across rows: duplicates, and pictures that stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from builders import neardup
from builders.export.base import Problem


def key(*parts: str) -> bytes:
    """A short name for texts, to remember that they were seen."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).digest()


@dataclass
class Across:
    """Remembers what must not come twice: some hundred bytes a row, a thumbnail a picture.

    Args:
        near: Whether nearly the same pictures in two splits are a problem, too.
    """

    near: bool = True
    _ids: list[str] = field(default_factory=list)
    _seen: dict[str, dict[bytes, int]] = field(default_factory=dict)
    _sides: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    _thumbnails: list[neardup.Fingerprint] = field(default_factory=list)
    _shown: list[tuple[str, int]] = field(default_factory=list)

    def add(
        self,
        where: str,
        identity: str,
        split: str | None,
        group: str | None,
        clean_sha256: str,
        thumbnail: neardup.Fingerprint | None,
    ) -> Iterator[Problem]:
        """Take a row in; gives what is wrong with it beside the rows before.

        Args:
            where: For messages.
            identity: The row's id.
            split: Its split, where the format has them.
            group: Its group, where the format has it.
            clean_sha256: Of its clean picture; empty where that is unknown.
            thumbnail: Of its clean picture.
        """
        number = len(self._ids)
        self._ids.append(identity)
        yield from self._once("duplicate_id", where, number, identity)
        if split is None:
            return
        new = clean_sha256 not in self._sides.get("picture_leak", {})
        for code, name in (("group_leak", group), ("picture_leak", clean_sha256)):
            if not name:
                continue
            side, first = self._sides.setdefault(code, {}).setdefault(name, (split, number))
            if side != split:
                yield Problem(code, where, f"in {split!r}; {self._ids[first]!r} is in {side!r}")
        if new and clean_sha256 and thumbnail is not None:
            self._thumbnails.append(thumbnail)
            self._shown.append((split, number))

    def repeated(self, where: str, pairs: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
        """What the last row taken in repeats.

        Args:
            where: For messages.
            pairs: Code -> texts that together must be new.
        """
        for code, texts in pairs.items():
            yield from self._once(code, where, len(self._ids) - 1, *texts)

    def _once(self, code: str, where: str, number: int, *texts: str) -> Iterator[Problem]:
        first = self._seen.setdefault(code, {}).setdefault(key(*texts), number)
        if first != number:
            yield Problem(code, where, f"as row {first + 1} of the set, {self._ids[first]!r}")

    def near_duplicates(self) -> Iterator[Problem]:
        """Pictures that are nearly the same and in two splits, once all rows are in."""
        if not self.near or len({split for split, _ in self._shown}) < 2:
            return
        for i, j in neardup.similar_pairs(np.stack(self._thumbnails)):
            (left, first), (right, second) = self._shown[i], self._shown[j]
            if left != right:
                detail = f"nearly the picture of {self._ids[first]!r} in {left!r}"
                yield Problem("near_duplicate_leak", f"{self._ids[second]} in {right!r}", detail)
