"""Answers that were made elsewhere: result files of VLMEvalKit and lmms-eval, and plain JSON lines.

=============  ====================================  ============================================
format         recognised by                         which row it is
=============  ====================================  ============================================
``vlmevalkit`` .xlsx, .csv or .tsv with `prediction` its `id`, which our export writes
``lmms-eval``  JSON lines with `doc_id`              the place in the task, in our export's order;
                                                     `doc` with an `id`, where it is kept
``answers``    JSON lines with `id`, `text`          `id`, `control`, `rotation`: an answers.jsonl
``plain``      JSON lines with `id`, `answer`        `id`; `control`, `rotation`, `tokens`, `cut`
                                                     may stand beside
=============  ====================================  ============================================

Whatever the file repeats of the question is compared with the benchmark: answers to another one
are refused, not scored.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from degrade.errors import UserError
from degrade.runs import read_json
from trainer.evaluation.items import Item, identity
from trainer.evaluation.plan import Use, rotations
from trainer.evaluation.prompts import Style, rotated
from trainer.evaluation.records import SUMMARY, Answer

Format = Literal["vlmevalkit", "lmms-eval", "answers", "plain"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NO_ANSWER = "Failed to obtain answer via API"  # VLMEvalKit's, where no model spoke
_SHOWN = 5


class Elsewhere(NamedTuple):
    """Answers from files.

    Attributes:
        said: By row, control and rotation.
        format: Of the files.
        labels: How the options were labelled there; None: as the style says.
        ignored: Answers to rows of the benchmark that are not to be scored.
    """

    said: dict[Use, Answer]
    format: Format
    labels: str | None
    ignored: int


class _Found(NamedTuple):
    """One answer in a file."""

    where: str
    item: Item
    answer: Answer


def read(
    paths: Sequence[Path],
    everything: Sequence[Item],
    rows: Sequence[Item],
    style: Style,
    circular: bool,
) -> Elsewhere:
    """Read answers and match them with the rows of a benchmark.

    Args:
        paths: Files of one format.
        everything: All rows of the benchmark; answers to others are refused.
        rows: Those that are to be scored: each needs an answer.
        style: How the questions are said to have been put.
        circular: Whether every rotation of the options must be there.

    Raises:
        UserError: Another format, columns missing, answers to other questions, two answers to
            one, or none.
    """
    by_id = {item.id: item for item in everything}
    found: dict[Use, _Found] = {}
    formats = []
    for path in paths:
        fmt, several = _opened(path, everything)
        formats.append(fmt)
        if fmt == "answers":
            _same_evaluation(path, everything, style)
        for one in several(path, by_id):
            use = Use(one.item.id, one.answer.control, one.answer.rotation)
            if use in found:
                raise UserError(
                    f"{one.where} answers {_named(use)}, which {found[use].where} does already: "
                    "give one answer to each."
                )
            found[use] = one
    if len(set(formats)) > 1:
        raise UserError(f"The files are of different formats ({', '.join(formats)}): give one.")
    chosen = {item.id for item in rows}
    kept = {use: one for use, one in found.items() if use.id in chosen}
    _complete(kept, rows, circular)
    labels = {"vlmevalkit": "letter", "lmms-eval": "listed"}.get(formats[0])
    answers = {use: one.answer for use, one in kept.items()}
    return Elsewhere(answers, formats[0], labels, len(found) - len(kept))


def _named(use: Use) -> str:
    rotation = f", options rotated by {use.rotation}" if use.rotation else ""
    control = f", control {use.control}" if use.control != "none" else ""
    return f"{use.id!r}{control}{rotation}"


def _complete(found: Mapping[Use, _Found], rows: Sequence[Item], circular: bool) -> None:
    controls = dict.fromkeys(use.control for use in found)
    if "none" not in controls:
        raise UserError("There are no answers about the pictures as they are (control none).")
    wanted = [
        Use(item.id, control, rotation)
        for item in rows
        for control in controls
        for rotation in rotations(item, circular)
    ]
    if missing := [use for use in wanted if use not in found]:
        shown = "; ".join(map(_named, missing[:_SHOWN]))
        raise UserError(
            f"{len(missing)} of {len(wanted)} answers are missing: {shown}"
            + (" ..." if len(missing) > _SHOWN else ".")
            + " Give the files of all splits, or choose rows with --split and --task."
        )
    if len(found) > len(wanted):
        left = min(found.keys() - set(wanted))
        raise UserError(
            f"{found[left].where} answers {_named(left)}: options are rotated, which "
            "--circular scores."
        )


def _same_evaluation(path: Path, everything: Sequence[Item], style: Style) -> None:
    """Refuse the answers of an evaluation of ours about other rows, or in another style."""
    if not (path.parent / SUMMARY).exists():
        return
    settings = read_json(path.parent / SUMMARY).get("settings") or {}
    ids = {str(row.get("id")) for _, row in _json_lines(path)}
    # Another build may name its rows alike, and have other pictures.
    if settings.get("rows") not in (None, identity(i for i in everything if i.id in ids)):
        raise UserError(
            f"{path} is about another benchmark, or another build of it: the pictures, questions "
            f"or damage of its rows are not those of this one. See {path.parent / SUMMARY}."
        )
    asked = settings.get("prompt")
    if asked and asked != [style.name, style.version]:
        raise UserError(
            f"{path} was asked for with the prompt {asked[0]!r}: score it with --prompt {asked[0]}."
        )


# ------------------------------------------------------------------------------------ formats


def _opened(path: Path, rows: Sequence[Item]) -> tuple[Format, Any]:
    """The format of a file and its reader."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    suffix = path.suffix.lower()
    if suffix in {".xlsx", ".csv", ".tsv"}:
        return "vlmevalkit", _vlmevalkit
    if suffix not in {".jsonl", ".json"}:
        raise UserError(
            f"{path}: give a result file of VLMEvalKit (.xlsx, .csv, .tsv), or JSON lines (.jsonl) "
            "of lmms-eval or with 'id' and 'answer'."
        )
    first = next(_json_lines(path), None)
    if first is None:
        raise UserError(f"{path} holds no answers.")
    keys = set(first[1])
    if "doc_id" in keys:
        places = _places(path, rows)
        return "lmms-eval", lambda path, by_id: _lmms_eval(path, by_id, places)
    if {"id", "text", "status"} <= keys:
        return "answers", _answers
    if {"id", "answer"} <= keys:
        return "plain", _plain
    raise UserError(
        f"{path}:1 has {', '.join(sorted(keys)) or 'no fields'}: give lines with 'id' and "
        "'answer', the samples of lmms-eval ('doc_id', 'filtered_resps'), or an answers.jsonl."
    )


def _item(by_id: Mapping[str, Item], name: Any, where: str) -> Item:
    item = by_id.get(str(name))
    if item is None:
        raise UserError(
            f"{where} answers {name!r}, which is no row of the benchmark; these are named like "
            f"{next(iter(by_id))!r}. Is it of another benchmark, or of another build of it?"
        )
    return item


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 0
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file, 1):
                if not data.strip():
                    continue
                row = json.loads(data)
                if not isinstance(row, dict):
                    raise ValueError(f"{type(row).__name__} where an object belongs")
                yield f"{path}:{number}", row
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}:{number} is no JSON object: {error}") from None


def _plain(path: Path, by_id: Mapping[str, Item]) -> Iterator[_Found]:
    allowed = {"control", "rotation", "tokens", "cut"}
    for where, row in _json_lines(path):
        text = row.get("answer")
        if not isinstance(text, str) or "id" not in row:
            raise UserError(f"{where} needs 'id' and 'answer', a text; got {sorted(row)}.")
        item = _item(by_id, row["id"], where)
        given = {key: row[key] for key in allowed & row.keys()}
        yield _Found(where, item, _answer(where, id=item.id, text=text, **given))


def _answers(path: Path, by_id: Mapping[str, Item]) -> Iterator[_Found]:
    for where, row in _json_lines(path):
        made = _answer(where, **row)
        yield _Found(where, _item(by_id, made.id, where), made)


def _answer(where: str, **fields: Any) -> Answer:
    try:
        text = fields.get("text", "")
        silent = fields.get("status", "ok") == "ok" and not str(text).strip()
        return Answer.model_validate({**fields, **({"status": "empty"} if silent else {})})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


# ------------------------------------------------------------------------------------ lmms-eval


def _places(path: Path, rows: Sequence[Item]) -> list[Item]:
    """The rows that a samples file is of, in the order in which they were exported.

    A benchmark is one task of all its levels, a data set one for each split.
    """
    splits = dict.fromkeys(item.split for item in rows)
    stem = path.stem.removesuffix("_chain")
    named = [s for s in splits if stem.endswith(f"_{s}")]
    if not named and (len(splits) == 1 or all(item.level is not None for item in rows)):
        named = list(splits)
    elif not named:
        raise UserError(
            f"{path.name} does not say which split it is of: keep lmms-eval's name "
            f"(..._samples_TASK.jsonl). There are {', '.join(splits)}."
        )
    else:
        named = [max(named, key=len)]
    # As the export leaves them out: captions, and what has no question or no answer, are not asked.
    return [
        i
        for i in rows
        if i.split in named and i.task != "caption" and i.question.question and i.question.answer
    ]


def _lmms_eval(path: Path, by_id: Mapping[str, Item], places: list[Item]) -> Iterator[_Found]:
    for where, row in _json_lines(path):
        if "filtered_resps" not in row and "resps" not in row:
            raise UserError(f"{where} has neither 'filtered_resps' nor 'resps'.")
        text = _response(row.get("resps", row.get("filtered_resps")))
        if text is None:
            raise UserError(f"{where}: 'resps' holds no text.")
        named = (row.get("doc") or {}).get("id")
        if named is not None:
            item = _item(by_id, named, where)
        else:
            place = row["doc_id"]
            if not isinstance(place, int) or not 0 <= place < len(places):
                raise UserError(
                    f"{where}: doc_id {place!r} is none of the {len(places)} rows of its task."
                )
            item = places[place]
        prompt = row.get("input")
        parts = [item.question.question, *item.question.choices]
        if isinstance(prompt, str) and (strange := [p for p in parts if p not in prompt]):
            raise UserError(
                f"{where} was asked something else than {item.id!r}: its input has no "
                f"{strange[0][:80]!r}. Is it of another benchmark?"
            )
        yield _Found(where, item, _answer(where, id=item.id, text=text))


def _response(value: Any) -> str | None:
    """The text of nested lists with one entry each."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else None


# ------------------------------------------------------------------------------------ VLMEvalKit


def _vlmevalkit(path: Path, by_id: Mapping[str, Item]) -> Iterator[_Found]:
    heading, rows = _table(path)
    needed = ("id", "prediction", "question")
    if missing := [name for name in needed if name not in heading]:
        raise UserError(
            f"{path} has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(heading) or 'none'}. Give the file that VLMEvalKit writes of a table that "
            "degrade-cli exported."
        )
    if twice := [name for name in heading if heading.count(name) > 1]:
        raise UserError(f"{path} has two columns {twice[0]!r}.")
    for number, cells in enumerate(rows, 2):
        where = f"{path}:{number}"
        row = dict(zip(heading, cells, strict=False))
        item = _item(by_id, row["id"], where)
        listed = tuple(row[letter] for letter in _LETTERS if row.get(letter))
        rotation = _rotation(item, listed)
        if _same(row["question"]) != _same(item.question.question) or rotation is None:
            what = "options" if rotation is None else "a question"
            raise UserError(
                f"{where} has {what} that {item.id!r} of the benchmark has not: it is of another "
                "benchmark, or of another build of it."
            )
        text, fields = row["prediction"], dict[str, Any]()
        if text.startswith(_NO_ANSWER):
            text, fields = "", {"status": "failed", "detail": _NO_ANSWER}
        made = _answer(where, id=item.id, text=text, rotation=rotation, **fields)
        yield _Found(where, item, made)


def _rotation(item: Item, listed: tuple[str, ...]) -> int | None:
    """By how many places options are rotated; None where they are others."""
    own = item.question.choices
    wanted = list(map(_same, listed))
    for places in range(len(own)):
        if wanted == list(map(_same, rotated(own, places))):
            return places
    return 0 if not own and not listed else None


def _same(text: str) -> str:
    return " ".join(text.split())


def _table(path: Path) -> tuple[list[str], Iterable[list[str]]]:
    """The heading and the rows of a table; cells as text."""
    if path.suffix.lower() == ".xlsx":
        from trainer.evaluation.xlsx import table

        heading, *rows = table(path) or [[]]
        return heading, rows
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            tabs = path.suffix.lower() == ".tsv"
            heading, *rows = list(csv.reader(file, delimiter="\t" if tabs else ",")) or [[]]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"Cannot read {path}: {error}") from None
    finally:
        csv.field_size_limit(limit)
    return heading, rows
