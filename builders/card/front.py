"""The YAML at the top of a card: what the Hub and `datasets` read of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from builders.licenses import Used, canonical, on_hub
from builders.table import DATA, Dataset, Example, part_name
from degrade import shards

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "n>10M")
_NAMES = {"double": "float64"}

Splits = dict[str, list[Path]]
"""Name of a split -> its files."""


def feature(kind: pa.DataType) -> dict[str, Any]:
    """An Arrow type as `datasets` writes features in YAML."""
    if pa.types.is_list(kind):
        inner = feature(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype", inner))}
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return {"struct": [{"name": f.name, **feature(f.type)} for f in fields]}
    return {"dtype": _NAMES.get(str(kind), str(kind))}


def configs(data: Dataset) -> dict[str, Splits]:
    """Configurations of a data set: ``default`` with all splits, and one per use of a split."""
    found: dict[str, Splits] = {"default": {}}
    folder = data.folder
    assert isinstance(folder, Path)  # cards are written beside data sets of this machine
    for split in data.splits:
        uses = data.info["counts"]["splits"][split]["uses"]
        parts = [part_name(split, use) for use in uses or ("",)]
        files = {part: sorted((folder / DATA).glob(f"{part}-*.parquet")) for part in parts}
        found["default"][split] = [path for part in files.values() for path in part]
        for use in uses:
            found.setdefault(use, {})[split] = files[part_name(split, use)]
    return found


def front_matter(data: Dataset, used: Used, title: str, table: Path | None) -> str:
    """The YAML, without its fences.

    Args:
        data: The data set.
        used: Its licenses.
        title: For people.
        table: ``recipe.parquet``, where that is what is published instead of pictures.
    """
    rows = int(data.info["counts"]["rows"])
    schema = shards.picture_schema(Example) if table is None else pq.read_schema(table)
    picture = {"dtype": "image"}
    features = [
        {"name": f.name, **(picture if f.name in shards.PICTURES else feature(f.type))}
        for f in schema
    ]
    if table is None:
        parts = configs(data)
        patterns = {
            config: {split: _patterns(paths) for split, paths in splits.items()}
            for config, splits in parts.items()
        }
    else:
        parts = {"default": {"recipe": [table]}}
        patterns = {"default": {"recipe": [table.name]}}
    licenses = sorted({name for counts in used.values() for name in counts})
    named = sorted({on_hub(name) for name in licenses})
    kinds = [source["kind"] for source in data.info["settings"]["recipe"]["sources"]]
    card: dict[str, Any] = {
        "language": ["en"],
        "license": named[0] if len(named) == 1 else named,
        "pretty_name": title,
        "task_categories": ["visual-question-answering", "image-text-to-text"],
        "size_categories": [_SIZE_NAMES[sum(rows >= size for size in _SIZES)]],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original" if {*kinds} <= {"scenes", "folder"} else "extended"],
        "tags": ["robustness", "image-degradation", "image-corruption", "visual-reasoning"],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if config == "default" else {}),
                "data_files": [
                    {"split": split, "path": found[0] if len(found) == 1 else found}
                    for split, found in splits.items()
                ],
            }
            for config, splits in patterns.items()
        ],
        "dataset_info": [
            _info(config, features, splits, pictures=table is None)
            for config, splits in parts.items()
        ],
    }
    if named == ["other"] and (name := canonical(licenses[0])) != "other":
        card["license_name"] = name.replace(" ", "-")
    return yaml.dump(card, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100).strip()


class _Plain(yaml.SafeDumper):
    """Without anchors: the features of all configurations are the same list."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _patterns(paths: list[Path]) -> list[str]:
    stems = dict.fromkeys(path.name.rsplit("-", 3)[0] for path in paths)
    return [f"{DATA}/{stem}-*.parquet" for stem in stems]


def _info(
    config: str, features: list[dict[str, Any]], splits: Splits, pictures: bool
) -> dict[str, Any]:
    sizes, total = [], 0
    for split, paths in splits.items():
        found = [pq.ParquetFile(path).metadata for path in paths]
        groups = [m.row_group(i) for m in found for i in range(m.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        total += sum(path.stat().st_size for path in paths)
        examples = sum(m.num_rows for m in found)
        sizes.append({"name": split, "num_bytes": size, "num_examples": examples})
    return {
        "config_name": config,
        "features": features,
        "splits": sizes,
        "download_size": total,
        "dataset_size": sum(split["num_bytes"] for split in sizes),
    }
