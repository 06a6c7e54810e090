"""Files of rows: the same however they are read, in bounded memory."""

from __future__ import annotations

import base64
import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.sources import readers
from builders.sources.readers import Table
from degrade.errors import UserError
from tests.sources_help import (
    folder,
    hard,
    items,
    jpeg,
    problems,
)


@pytest.mark.parametrize("text", ["", "[1, 2", "nothing\nof it\n", "[]", "\x00\x01", "3"])
def test_a_file_that_is_no_json_is_refused_whole(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(UserError, match=r"rows\.json"):
        items(tmp_path, kind="llava", path="rows.json")
    with pytest.raises(UserError, match=r"none\.json"):
        items(tmp_path, kind="llava", path="none.json")


rows = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.lists(rows, max_size=5), st.integers(1, 40), st.booleans(), st.booleans())
def test_an_array_is_the_same_wherever_it_is_cut_while_it_is_read(
    wanted: list[Any], piece: int, ascii: bool, wide: bool
) -> None:
    wanted = [{"row": 0}, *wanted]  # no object at all is another error
    with folder() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "_PIECE", piece)
        path = root / "rows.json"
        text = json.dumps(wanted, ensure_ascii=ascii, indent=3 if wide else None)
        path.write_text(text, "utf-8", "surrogatepass")
        found = list(readers.json_rows(path))
        fine = [r for r in wanted if isinstance(r, dict)]
        assert [r for r in found if isinstance(r, dict)] == fine
        assert len(found) == len(wanted)
        for broken in (text[:-1], text + ",", text[:-1] + ",]", text[:-1] + "nul]"):
            path.write_text(broken, "utf-8", "surrogatepass")
            with pytest.raises(UserError, match="no valid JSON"):
                list(readers.json_rows(path))


@pytest.mark.parametrize("kind", ["array", "lines", "tsv", "csv"])
def test_files_of_rows_are_read_in_bounded_memory(tmp_path: Path, kind: str) -> None:
    cell, count = "x" * 50_000, 400
    path = tmp_path / f"rows.{kind.replace('array', 'json').replace('lines', 'jsonl')}"
    with path.open("w") as file:
        for i in range(count):
            if kind in {"array", "lines"}:
                row = json.dumps({"id": i, "image": cell})
                file.write(row + "\n" if kind == "lines" else ("," if i else "[") + row)
            else:
                file.write("" if i else f"id{',' if kind == 'csv' else chr(9)}image\n")
                file.write(f"{i}{',' if kind == 'csv' else chr(9)}{cell}\n")
        file.write("]" if kind == "array" else "")
    tracemalloc.start()
    assert sum(len(row["image"]) for row in readers.tabular(path)) == count * len(cell)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6 < path.stat().st_size / 9


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", '[{"id": 0}, {"id": "' + "x" * 9000, "entry 1 does not end within"),
        ("a.json", '[{"id": ' + "[" * 500 + "1" + "," * 9000, "entry 0: Expecting value"),
        ("a.jsonl", '{"id": 0}\n{"id": "' + "x" * 9000, "line at byte 10 does not end within"),
        ("a.tsv", "id\timage\n0\t" + "x" * 9000, "line at byte 9 does not end within"),
        ("a.tsv", 'id\timage\n0\t"' + "x\n" * 9000, "byte 9 .* Is a quote not closed"),
    ],
)
def test_rows_without_an_end_are_refused_before_they_fill_the_memory(
    tmp_path: Path, name: str, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LARGEST", 4096)
    monkeypatch.setattr(readers, "_PIECE", 512)
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        list(readers.tabular(path))


def test_lines_that_are_no_rows_cost_only_themselves(tmp_path: Path) -> None:
    image = base64.b64encode(jpeg(0)).decode()
    good = f'"{{}}"\t"{image}"\t"?"\n'
    path = tmp_path / "b.tsv"
    path.write_text(
        '"index"\t"image"\t"question"\n'
        + good.format(0)
        + '"1"\t"short"\n'
        + '"2"x\t"y"\t"z"\n'
        + "\n"
        + good.format(3)
        + f'"4"\t"{image}"\t"never closed\n'
        + good.format(5)[1:-3]
    )
    found = items(tmp_path, kind="vlmevalkit", path="b.tsv")
    assert problems(found) == ["", "malformed_line", "malformed_line", "", "malformed_line"]
    for text, words in {
        "": "column names",
        "a\tb\n1\t2\n": "'index'",
        "a\ta\n": "one name",
    }.items():
        path.write_text(text)
        with pytest.raises(UserError, match=words):
            items(tmp_path, kind="vlmevalkit", path="b.tsv")


@given(rows=st.lists(st.tuples(hard, hard), min_size=1, max_size=6))
def test_a_row_can_be_read_again_from_where_it_begins(rows: list[tuple[str, str]]) -> None:
    with folder() as root:
        path = root / "t.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerows([("a", "b"), *rows])
        table = Table(path, ",")
        found = list(table.rows())
        assert [f.cells for f in found] == [{"a": a, "b": b} for a, b in rows]
        assert [next(table.rows(f.offset)) for f in reversed(found)] == found[::-1]
