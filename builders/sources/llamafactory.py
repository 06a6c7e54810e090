"""LLaMA-Factory's data: an entry of ``dataset_info.json``, or one of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from builders.sources.base import Here, HereOrNone, Item, SourceSpec
from builders.sources.conversations import Tags, items_of, tags_of
from builders.sources.files import Folder, located
from builders.sources.mapping import unusable
from builders.sources.readers import tabular
from builders.sources.values import RowError, text
from degrade.configs import validated
from degrade.errors import UserError, unknown
from degrade.runs import read_json

INFO = "dataset_info.json"
_FILES = {".json", ".jsonl", ".csv", ".parquet"}


class Names(BaseModel):
    """Names of columns in an entry, with LLaMA-Factory's defaults."""

    model_config = ConfigDict(extra="ignore")

    messages: str = "conversations"
    images: str = "images"
    prompt: str = "instruction"
    query: str = "input"
    response: str = "output"


class Spelling(BaseModel):
    """Tags of an entry, with LLaMA-Factory's defaults."""

    model_config = ConfigDict(extra="ignore")

    role_tag: str = "from"
    content_tag: str = "value"
    user_tag: str = "human"
    assistant_tag: str = "gpt"


class Entry(BaseModel):
    """What an entry of ``dataset_info.json`` says that matters here; the rest is the trainer's."""

    model_config = ConfigDict(extra="ignore")

    file_name: str | None = None
    formatting: Literal["alpaca", "sharegpt", "openai"] = "alpaca"
    ranking: bool = False
    columns: Names = Names()
    tags: Spelling | None = None

    def turns(self, row: dict[str, Any]) -> tuple[Any, Tags]:
        """The conversation of a row and how it is spelled."""
        names = self.columns
        if self.formatting == "alpaca":
            parts = [text(row.get(n)) for n in (names.prompt, names.query)]
            said = ["\n".join(p for p in parts if p), text(row.get(names.response))]
            return [
                {"from": who, "value": what}
                for who, what in zip(("human", "gpt"), said, strict=True)
            ], Tags()
        messages = row.get(names.messages)
        if not self.tags:
            return messages, tags_of(messages)
        t = self.tags
        return messages, Tags(t.role_tag, t.content_tag, t.user_tag, t.assistant_tag)


class LlamaFactory(SourceSpec):
    """Conversations as LLaMA-Factory trains on them: ``sharegpt``, ``openai`` or ``alpaca`` rows.

    Items are made as by the kind ``llava``. ``num_samples`` and what else an entry says for
    training is not applied; take fewer with ``rows``.

    Attributes:
        path: ``dataset_info.json``, its folder, or a data file, whose form is then found out.
        dataset: Name of the entry.
        images: Folder of the pictures (``media_dir``); by default that of ``path``.
        id: Key that identifies a row, where rows have one; else ``row-<number from 0>``.
        absolute_paths: Read pictures outside of ``images`` too.
    """

    kind: Literal["llamafactory"] = "llamafactory"
    path: Here
    dataset: str = ""
    images: HereOrNone = None
    id: str = "id"
    absolute_paths: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        path = located(base, self.path)
        path = path / INFO if path.is_dir() else path
        if path.name == INFO:
            entry, files = self._entry(path)
        elif self.dataset:
            raise UserError(f"{path} has no entries: leave 'dataset' out, or name {INFO}.")
        else:
            entry, files = None, [path]
        folder = Folder(located(base, self.images) if self.images else path.parent)
        folder.anywhere = self.absolute_paths
        number = 0
        for file in files:
            if file.suffix.lower() not in _FILES:
                raise UserError(f"{file} is none of {', '.join(sorted(_FILES))}.")
            for row in tabular(file):
                yield from self._row(row, f"row-{number}", entry, folder)
                number += 1

    def _entry(self, path: Path) -> tuple[Entry, list[Path]]:
        """An entry of ``dataset_info.json`` and its files."""
        if not path.is_file():
            raise UserError(f"There is no {path}: name it, its folder, or one of its data files.")
        info = read_json(path)
        if self.dataset not in info:
            raise unknown(f"'dataset' of {path}", self.dataset, info)
        if not isinstance(info[self.dataset], dict):
            raise UserError(f"{path}: the entry {self.dataset!r} is no object.")
        entry = validated(Entry, info[self.dataset], f"{path}, entry {self.dataset!r}")
        if not entry.file_name:
            raise UserError(
                f"The entry {self.dataset!r} of {path} names no file. Data on the Hub has the "
                "kind 'huggingface'."
            )
        if entry.ranking:
            raise UserError(f"The entry {self.dataset!r} of {path} ranks replies: none is correct.")
        place = path.parent / entry.file_name
        files = sorted(p for p in place.iterdir() if p.is_file()) if place.is_dir() else [place]
        return entry, files

    def _row(
        self, row: dict[str, Any] | RowError, identity: str, entry: Entry | None, folder: Folder
    ) -> Iterator[Item]:
        try:
            if isinstance(row, RowError):
                raise row
            identity = (text(row.get(self.id)) if self.id else "") or identity
            entry = entry or _guessed(row)
            messages, tags = entry.turns(row)
        except RowError as error:
            yield unusable(identity, error)
            return
        yield from items_of(identity, messages, tags, row.get(entry.columns.images), folder)


def _guessed(row: dict[str, Any]) -> Entry:
    """The form of a row of which no entry tells."""
    for name in ("conversations", "messages"):
        if name in row:
            return Entry(formatting="sharegpt", columns=Names(messages=name))
    if "instruction" in row:
        return Entry()
    raise RowError("malformed_row", "neither 'conversations' nor 'messages' nor 'instruction'")
