"""Rows of a published data set -> what TRL trains on. Pictures are read when they are asked for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, ValidationError

from degrade import images, shards
from degrade.errors import UserError
from degrade.schema import AnswerForm, Applied, Chain, Degradation, Question, Record
from degrade.storage import Remote, place
from trainer import hf
from trainer.config import Config, DataConfig

Kind = Literal["sft", "rl"]

MAX_PIXELS = 100_000_000  # refuse decompression bombs; the model's own limit is far below


class Columns(Record):
    """What training reads of a row besides its pictures; see ``builders.table.Example``.

    What is no such value, an empty cell or a number that is a text, would stop training halfway or
    be trained on as something else.
    """

    id: Annotated[str, Field(min_length=1)]
    question: str
    choices: tuple[str, ...] | None
    answer: str
    answer_as: AnswerForm | Literal[""]
    types: tuple[Degradation, ...]
    applied: tuple[Applied, ...]
    intensity_sum: Annotated[float, Field(ge=0.0, strict=True)]
    chain: str
    depth_target: StrictInt
    status: str
    use: str
    encoding: str


COLUMNS = tuple(Columns.model_fields)
"""Columns of a data set that training reads, besides the pictures."""

OK = "ok"


def read(config: DataConfig, split: str) -> Any:
    """A split of a data set as a ``datasets.Dataset`` with the bytes of its pictures.

    Args:
        config: Where it is.
        split: Which split.

    Raises:
        UserError: There is no such data set or split, or columns are missing.
    """
    if not config.path:
        raise UserError("There is no data: give --data, or data.path in the configuration.")
    datasets = hf.module("datasets")
    try:
        found = _load(datasets, config, split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        cause = error.__cause__ or error  # that of a file that is no Parquet, say
        raise UserError(f"Cannot read split {split} of {config.path}: {cause}") from None
    missing = {*COLUMNS, "image", "clean_image"} - set(found.column_names)
    if missing:
        raise UserError(
            f"{config.path} has no column {', '.join(sorted(missing))}: it must be a data set that "
            "degrade-cli build wrote."
        )
    found = found.select_columns([*COLUMNS, "image", "clean_image"])
    for name in ("image", "clean_image"):
        found = found.cast_column(name, datasets.Image(decode=False))
    return found


def _load(datasets: Any, config: DataConfig, split: str) -> Any:
    folder = place(config.path)
    if isinstance(folder, Path) and not folder.is_dir():
        return datasets.load_dataset(config.path, revision=config.revision, split=split)
    # data/train-00000-of-00001.parquet, or data/train_sft-... where a split is parted by use
    names = shards.parquet_files(folder)
    chosen = [p for p in names if p.name.startswith((f"{split}-", f"{split}_"))]
    if not chosen:
        found = sorted({p.name.partition("-")[0] for p in names})
        if found:
            raise ValueError(f"it has only {', '.join(found)}")
        raise ValueError(f"no Parquet files in {folder / 'data'}; give what a build wrote")
    files = list(map(str, chosen))
    if isinstance(folder, Remote):  # kept in the cache of `datasets` while the store's are the same
        files = folder.patiently(lambda: datasets.DownloadManager().download(files))
    files = [path for path in files if _rows(path)]  # `datasets` does not read empty ones
    if not files:
        raise ValueError("it has no rows")
    table = datasets.load_dataset("parquet", data_files={split: files}, split=split)
    if "split" not in table.column_names:
        return table
    return table.select([i for i, name in enumerate(table["split"][:]) if name == split])


def _rows(path: str) -> int:
    with shards.parquet_table(Path(path)) as table:
        return int(table.metadata.num_rows)


def identity(table: Any) -> str:
    """What the rows are, as a short hash of all that is asked, learnt and applied."""
    digest = hashlib.sha256()
    for name in COLUMNS:
        digest.update(repr(table[name][:]).encode())
    return digest.hexdigest()[:16]


# ------------------------------------------------------------------------------- one row


def misfit(row: Mapping[str, Any]) -> str:
    """Which column of a row holds what is no value of it; empty where none does."""
    try:
        Columns.model_validate({name: row[name] for name in COLUMNS})
    except ValidationError as error:
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return ""


def question(row: Mapping[str, Any]) -> Question:
    """What is asked in a row."""
    return Question(
        question=row["question"],
        choices=tuple(row["choices"] or ()),
        answer=row["answer"],
        answer_as=row["answer_as"],
    )


def prompt(asked: Question, target: str) -> str:
    """What the model is told: the question, and how to answer where chains are the target."""
    return Chain.request(asked) if target == "chain" else asked.prompt()


def completion(row: Mapping[str, Any], target: str) -> str:
    """What the model should say."""
    return str(row["chain"] if target == "chain" else row["answer"])


def records(row: Mapping[str, Any]) -> tuple[Applied, ...]:
    """What was done to the picture of a row."""
    return tuple(Applied.model_validate(a) for a in row["applied"])


def picture(row: Mapping[str, Any], which: str) -> images.Pixels:
    """The picture of a row as (H, W, 3) uint8.

    Args:
        row: With the bytes of both pictures.
        which: ``stored``, ``clean`` or ``replayed``: made from the clean one by the record, with
            the pixels that the stored one has.

    Raises:
        UnreadableError: The picture does not open.
        UserError: The record cannot be replayed.
    """
    source = row["image" if which == "stored" else "clean_image"]
    pixels = images.decode((source or {}).get("bytes") or b"", MAX_PIXELS).pixels
    if which != "replayed":
        return pixels
    import torch

    from degrade.verify import replay

    made = replay(pixels, records(row), torch.device("cpu"))
    encoding = row["encoding"]
    if images.reencoded(encoding):
        made = images.decode(
            images.encode(made, encoding.partition(" ")[0], None), MAX_PIXELS
        ).pixels
    return made


# ------------------------------------------------------------------------------- for TRL


def _messages(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def _converted(
    batch: Mapping[str, Sequence[Any]], kind: Kind, which: str, target: str, views: bool
) -> dict[str, list[Any]]:
    """A batch of rows as TRL takes them; a function of the rows alone."""
    from PIL import Image

    names = list(batch)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]
    made: dict[str, list[Any]] = {
        "prompt": [_messages("user", prompt(question(r), target)) for r in rows],
        "image": [Image.fromarray(picture(r, "clean" if views else which)) for r in rows],
    }
    if kind == "sft":
        made["completion"] = [_messages("assistant", completion(r, target)) for r in rows]
        return made
    if views:
        made["view"] = [Image.fromarray(picture(r, which)) for r in rows]
    made["degradations"] = [[] if views else r["types"] for r in rows]
    for name in ("id", "answer", "choices", "answer_as", "depth_target", "intensity_sum", "chain"):
        made[name] = [r[name] for r in rows]
    return made


def converter(config: Config, kind: Kind) -> Callable[[Any], dict[str, list[Any]]]:
    """What turns rows into those of TRL, to be given to ``Dataset.with_transform``.

    For SFT: ``prompt``, ``completion``, ``image``. For RL: ``prompt``, ``image`` and the columns
    of the rewards. All but the picture is text; the picture depends on the row alone, so that all
    answers of a group are about the same one.
    """
    views = kind == "rl" and config.rl.consistency > 0
    data = config.data
    return partial(_converted, kind=kind, which=data.picture, target=data.target, views=views)


def selected(table: Any, config: Config, kind: Kind) -> Any:
    """The rows of a stage: its ``use``, the first ``limit``, in the order of the curriculum."""
    stage = config.sft if kind == "sft" else config.rl
    uses = table["use"][:]
    chosen = [i for i, use in enumerate(uses) if stage.use in ("", use)]
    if not chosen:
        raise UserError(
            f"{config.data.path} has no rows for {kind}.use {stage.use!r}, only "
            f"{', '.join(sorted(map(repr, set(uses)))) or 'none'}."
        )
    chosen = chosen[: config.data.limit]
    if stage.curriculum == "intensity":
        sums = table["intensity_sum"][:]
        known = [
            isinstance(s, int | float) and s >= 0 for s in sums
        ]  # the pre-flight refuses others
        chosen.sort(key=lambda i: sums[i] if known[i] else math.inf)
    return table.select(chosen)
