"""LLaMA-Factory: ShareGPT conversations in JSON, pictures as files, ``dataset_info.json``.

Its loader refuses a row whose texts hold another number of ``<image>`` than it has pictures, drops
one whose speakers do not alternate, and reads an entry's file as a whole, which is why every split
has an entry of its own: ``dataset: NAME_train_sft`` with ``dataset_dir`` this folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from builders.export.base import Format, Found
from builders.export.reading import BROKEN, Seen, unreadable
from builders.export.writing import PICTURES, PerPart, Writer, save, stem
from builders.table import Entry, Example
from degrade.runs import pretty
from degrade.schema import Chain

INFO = "dataset_info.json"
IMAGE = "<image>"
MEDIA = (IMAGE, "<video>", "<audio>")
"""What its loader takes for a picture, film or sound, wherever it stands in a text."""


def speaks_of_media(row: Example) -> str:
    """Why a row cannot be told from one with more pictures; empty where it can."""
    texts = (Chain.request(row.asked), row.chain)
    return "placeholder_in_text" if any(m in text for m in MEDIA for text in texts) else ""


def conversation(row: Example) -> list[dict[str, str]]:
    """The request with its picture, and the chain."""
    asked, answered = IMAGE + Chain.request(row.asked), row.chain
    return [{"from": "human", "value": asked}, {"from": "gpt", "value": answered}]


def said(seen: Seen) -> tuple[str, ...]:
    """The texts of a conversation in order; those that a loader would drop are problems."""
    turns = seen.item.get("conversations")
    if not isinstance(turns, list) or not turns or len(turns) % 2:
        seen.wrong("conversation", "not an even number of turns: the row is silently dropped")
        return ()
    texts = []
    for turn, who in zip(turns, ("human", "gpt") * len(turns), strict=False):
        if not isinstance(turn, dict) or turn.get("from") != who:
            seen.wrong("conversation", f"not a turn of {who!r} where one belongs: silently dropped")
            return ()
        if not isinstance(turn.get("value"), str):
            seen.wrong("conversation", f"a turn of {who!r} without text")
            return ()
        texts.append(turn["value"])
    return tuple(texts)


class _Array(Writer):
    """A JSON array written row by row."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._before = "[\n"

    def add(self, row: dict[str, Any]) -> None:
        self._file.write(self._before + json.dumps(row, ensure_ascii=False))
        self._before = ",\n"

    def finish(self) -> None:
        self._file.write("\n]\n")

    def close(self) -> None:
        self._file.close()


class LlamaFactory(Format):
    """See the module."""

    name: ClassVar[str] = "llamafactory"
    summary: ClassVar[str] = "SFT with LLaMA-Factory: JSON, pictures as files, dataset_info.json"

    def left_out(self, row: Example) -> str:
        """Rows whose text speaks of ``<image>`` would be refused by the loader."""
        return speaks_of_media(row)

    def write(self, entries: Iterable[Entry], folder: Path, name: str) -> None:
        """A JSON file and an entry for each split."""
        pictures = folder / PICTURES
        pictures.mkdir()
        with PerPart(lambda part: _Array(folder / f"{name}_{part}.json")) as parts:
            for entry in entries:
                row = entry.row
                picture = save(pictures, stem(row.id), entry.image)
                made = {"id": row.id, "split": row.split, "conversations": conversation(row)}
                parts[row.part].add({**made, "images": [picture]})
            columns = {"messages": "conversations", "images": "images"}
            info = {
                f"{name}_{part}": {
                    "file_name": f"{name}_{part}.json",
                    "formatting": "sharegpt",
                    "columns": columns,
                }
                for part in parts
            }
        (folder / INFO).write_bytes(pretty(info))

    def detect(self, folder: Path) -> bool:
        """By its index."""
        return (folder / INFO).is_file()

    def read(self, folder: Path) -> Iterator[Found]:
        """Every entry of ``dataset_info.json``, its pictures looked up beside it."""
        try:
            info = json.loads((folder / INFO).read_bytes())
        except BROKEN as error:
            yield unreadable(INFO, error)
            return
        for name, entry in info.items() if isinstance(info, dict) else ():
            yield from self._entry(folder, name, entry)

    def _entry(self, folder: Path, name: str, entry: Any) -> Iterator[Found]:
        where = f"{INFO} {name}"
        columns = entry.get("columns") if isinstance(entry, dict) else None
        wanted = {"messages": "conversations", "images": "images"}
        if not isinstance(columns, dict) or columns != wanted:
            yield unreadable(where, f"'columns' is {columns!r}, not {wanted}", "entry")
            return
        if entry.get("formatting") != "sharegpt":
            yield unreadable(where, "'formatting' is not 'sharegpt'", "entry")
            return
        path = folder / str(entry.get("file_name"))
        try:
            rows = json.loads(path.read_bytes())
        except BROKEN as error:
            yield unreadable(path.name, error)
            return
        if not isinstance(rows, list):
            yield unreadable(path.name, "no JSON array")
            return
        for number, item in enumerate(rows):
            yield self._row(folder, Seen(f"{path.name}[{number}]", item), name)

    def _row(self, folder: Path, seen: Seen, name: str) -> Found:
        texts = said(seen)
        listed = seen.item.get("images")
        names = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
        data = seen.file(folder, names[0] if names else None)
        if any(media in text for media in MEDIA[1:] for text in texts):
            seen.wrong("placeholder", "a text holds <video> or <audio>, the row has neither")
        return seen.found(
            seen.text("id", needed=False),
            seen.text("split", needed=False) or name,
            image=data,
            placeholders=sum(text.count(IMAGE) for text in texts) if texts else None,
            pictures=len(names),
            prompt=texts[0].replace(IMAGE, "") if texts else None,
            chain=texts[1] if texts else None,
        )
