"""Data sets of the Hub, or local ones, through `datasets`: the one file that loads it here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

from builders.sources.base import Item, Mapped, SourceSpec
from builders.sources.files import Folder, called, located, shown
from builders.sources.mapping import fields, mapped, missing, require, value_of
from builders.sources.values import RowError
from degrade import urls
from degrade.errors import UserError, unknown
from degrade.storage import Place

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
_LOADERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv"}
_LOADERS |= {".arrow": "arrow", ".tar": "webdataset"}


class HuggingFace(SourceSpec):
    """A data set as `datasets` loads it; pictures keep their original bytes.

    Attributes:
        path: Name on the Hub, a local folder (also of ``save_to_disk``) or one local file.
        config: Which of its configurations.
        split: Which split; also in the Hub's slices, ``train[:1000]``, unless it is streamed.
        revision: Commit, tag or branch on the Hub. A commit makes the data set repeatable.
        data_files: Only these files, relative to ``path``.
        streaming: Read rows as they are wanted; else the data set is downloaded and kept first.
        columns: Which column holds what. Ids are by default ``<split>-<row number from 0>``.
        absolute_paths: Read pictures that rows name outside of a local data set's folder.

    The library keeps about one Parquet file in memory; the kind ``parquet`` reads local ones in
    less, and without it.
    """

    gateway: ClassVar[str] = "datasets"

    kind: Literal["huggingface"] = "huggingface"
    path: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    data_files: str | tuple[str, ...] | None = None
    streaming: bool = True
    columns: Mapped = Mapped()
    absolute_paths: bool = False

    def items(self, base: Path, wanted: int | None) -> Iterator[Item]:
        """See the base class."""
        library = _library()
        local = located(base, urls.local(self.path))
        try:
            table = self._load(library, local)
            features = dict(table.features)
        except UserError:
            raise
        except Exception as error:
            # The library's errors are of no one family: of the network, of Arrow, of scripts.
            raise UserError(
                f"Cannot load {self.path!r} (config {self.config!r}, split {self.split!r}): {error}"
            ) from None
        here = f"the data set {self.path!r}"
        require(self.columns, partial(_has, features), features, here)
        top = self.columns.image.split(".")[0]
        if not _has(features, self.columns.image):
            raise missing(self.columns.image, "image", features, here)
        named = {n for names in fields(self.columns).values() for n in names}
        kept = [n for n in features if n in named or n in {m.split(".")[0] for m in named}]
        column = self.columns.image if self.columns.image in features else top
        table = table.select_columns(kept)
        table = table.cast_column(column, _undecoded(library, features[column], column))
        names = {n: f.names for n, f in features.items() if isinstance(f, library.ClassLabel)}
        folder = _Cache(library, local, self.path, self.absolute_paths)
        for number, row in enumerate(self._rows(table)):
            row = {k: _label(names.get(k), v) for k, v in row.items()}
            identity = f"{self.split}-{number}"
            image = value_of(row, self.columns.image)
            load = partial(folder.picture, image, identity)
            yield mapped(row, self.columns, identity, load, called(image))

    def _rows(self, table: Any) -> Iterator[dict[str, Any]]:
        rows, count = iter(table), 0
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except Exception as error:  # as above: a lost connection, a damaged file ...
                raise UserError(f"Cannot read {self.path!r} beyond row {count}: {error}") from None
            count += 1
            yield row

    def _load(self, library: Any, local: Path) -> Any:
        """The split, streamed or not, with its features known.

        Raises:
            UserError: Neither a local path nor a name of the Hub.
        """
        path, files = str(local), self.data_files
        if local.is_dir() and any(
            (local / n).exists() for n in ("state.json", "dataset_dict.json")
        ):
            table = library.load_from_disk(path)
            if not isinstance(table, Mapping):
                table = {str(table.split or self.split): table}
            if self.split not in table:
                raise unknown(f"split of {local}", self.split, table)
            return table[self.split]
        if local.is_file():
            if local.suffix.lower() not in _LOADERS:
                raise UserError(f"{local} is none of {', '.join(_LOADERS)}.")
            # Slices of the one file's rows are slices of what the library calls train.
            path, files = _LOADERS[local.suffix.lower()], path
        elif not local.exists():
            path = self.path
            if not _HUB_NAME.fullmatch(path):
                raise UserError(f"There is no file or folder {local}, nor has the Hub such names.")
        table = library.load_dataset(
            path,
            self.config,
            data_files=list(files) if isinstance(files, tuple) else files,
            split=self.split,
            revision=self.revision,
            streaming=self.streaming,
        )
        # Files without a schema, such as JSON lines, tell their columns by their first rows.
        return table if table.features is not None else table._resolve_features()


class _Cache(Folder):
    """Pictures that rows name: below a local data set, on the Hub or in what was downloaded."""

    def __init__(self, library: Any, local: Path, name: str, anywhere: bool) -> None:
        hub = Path(import_module("huggingface_hub.constants").HF_HUB_CACHE)
        own = hub / f"datasets--{name.replace('/', '--')}"
        config = library.config
        caches = (config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH, own)
        self._caches = [Folder(Path(cache)) for cache in caches]
        self._library = library
        super().__init__(local if local.is_dir() else local.parent if local.is_file() else own)
        self.anywhere = anywhere

    def place(self, name: str) -> tuple[Place, str]:
        """As of the base class; the caches lie inside too."""
        for cache in self._caches if Path(name).is_absolute() else []:
            if cache.below(name) is not None:
                return cache.place(name)
        return super().place(name)

    def read(self, name: str) -> tuple[bytes, str]:
        """As of the base class; files inside archives and on the Hub too."""
        if "::" in name or "://" in name:
            return self._remote(name)
        return super().read(name)

    def _remote(self, name: str) -> tuple[bytes, str]:
        parts = name.split("::")
        member, origin = parts[0], parts[-1]
        if "://" not in origin:
            self.place(origin)  # an archive must lie inside as a picture must
        elif not origin.startswith((f"{self._library.config.HF_ENDPOINT}/", "hf://")):
            raise RowError("remote_picture", f"{name}: download it and name the file")
        try:
            with self._library.utils.file_utils.xopen(name, "rb") as file:
                data: bytes = file.read()
        except (OSError, ValueError, KeyError) as error:
            raise RowError("unreadable", f"{name}: {error}") from None
        return data, shown(member.split("://")[-1], data)


def _library() -> Any:
    try:
        return import_module("datasets")
    except ImportError:
        raise UserError(
            "Sources of the kind 'huggingface' need the datasets package: "
            'pip install "degrade[hub]". Parquet files can be read without it: kind: parquet.'
        ) from None


def _has(features: Any, name: str) -> bool:
    if name in features:
        return True
    here = features
    for part in name.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return False
        here = here[part]
    return True


def _undecoded(library: Any, feature: Any, name: str) -> Any:
    """A column's type with every picture in it as bytes and path.

    Raises:
        UserError: The column cannot hold pictures.
    """
    raw = library.Image(decode=False)
    texts = {"string", "large_string", "binary", "large_binary"}
    if isinstance(feature, library.Image) or getattr(feature, "dtype", "") in texts:
        return raw
    if isinstance(feature, Mapping):
        if {"bytes", "path"} & set(feature):
            return raw
        return {
            k: _undecoded(library, v, k) if _pictures(library, v) else v for k, v in feature.items()
        }
    if isinstance(feature, library.List):
        return library.List(_undecoded(library, feature.feature, name))
    if isinstance(feature, list):
        return [_undecoded(library, feature[0], name)]
    raise UserError(f"The column {name!r} holds no pictures: {feature}.")


def _pictures(library: Any, feature: Any) -> bool:
    inner = getattr(feature, "feature", None)
    return isinstance(feature, library.Image) or (inner is not None and _pictures(library, inner))


def _label(names: list[str] | None, value: Any) -> Any:
    """A class by its name."""
    return names[value] if names and isinstance(value, int) and 0 <= value < len(names) else value
