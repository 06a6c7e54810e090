"""Listing a folder: stable, complete, unharmed by strange names and links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from degrade.errors import UserError
from degrade.sources import OutputNames, Source, printable, scan


def touch(root: Path, *names: str | bytes) -> None:
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass


def test_order_is_by_bytes_and_folders_are_walked(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "a/z.PNG", "a/notes.txt", "A.jpg", ".hidden.jpg", "a.b/c.webp")
    listing = scan(tmp_path)
    assert [s.id for s in listing.sources] == ["A.jpg", "a.b/c.webp", "a/z.PNG", "b.jpg"]
    assert listing.ignored == 2


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    assert [s.id for s in scan(tmp_path).sources] == ["a/x.jpg", "self.jpg"]


def test_names_that_are_not_utf8_are_escaped_and_stay_apart(tmp_path: Path) -> None:
    touch(tmp_path, b"caf\xe9.jpg", "caf%E9.jpg", "caf\u00e9.jpg")
    ids = [s.id for s in scan(tmp_path).sources]
    assert len(set(ids)) == 3
    assert all(i.encode("utf-8") for i in ids)
    assert printable(os.fsdecode(b"caf\xe9.jpg")) == "caf%E9.jpg"


def test_one_picture_is_a_source(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    assert [s.id for s in scan(tmp_path / "b.jpg").sources] == ["b.jpg"]


def test_missing_and_empty_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder or picture"):
        scan(tmp_path / "none")
    touch(tmp_path, "notes.txt")
    with pytest.raises(UserError, match="no pictures"):
        scan(tmp_path)


def test_output_names_never_collide() -> None:
    ids = ["a.jpg", "a.png", "A.jpg", "a.png.jpg", "x~2.jpg", "x.jpg", "b/a.jpg"]
    sources = [Source(i, i) for i in ids]
    suffixes = ["", "~2"]
    names = list(OutputNames(sources, suffixes))
    assert names[0] == "a"
    assert names[-1] == "b/a"
    written = [f"{n}{s}".casefold() for n in names for s in suffixes]
    assert len(set(written)) == len(written)


def test_keys_of_a_store_become_names_below_the_folder_each_its_own(tmp_path: Path) -> None:
    ids = ["../../up.jpg", "a/../b.jpg", "a/./b.jpg", "a//b.jpg", "a/b.jpg", "b.jpg", "/b.jpg"]
    ids += [f"{i[:-4]}.png" for i in ids] + ["a/..jpg", "...a/b..jpg"]
    folder = tmp_path / "out"
    written = [
        (folder / f"{name}.png").resolve()
        for name in OutputNames([Source(i, i) for i in ids], [""])
    ]
    assert len({str(path).casefold() for path in written}) == len(ids)
    assert all(path.is_relative_to(folder) for path in written)
    assert list(OutputNames([Source("a/b.jpg", "a/b.jpg")], [""])) == ["a/b"]
