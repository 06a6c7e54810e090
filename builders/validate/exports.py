"""Validation of exports: what a loader of the format sees, against what was exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builders import export
from builders.export.base import EXPORT, LISTED, Format, Found, Problem
from builders.table import BENCHMARK, CLEAN
from builders.validate import rows
from builders.validate.across import Across
from builders.validate.balance import UNDAMAGED, Balance, stages_of
from builders.validate.files import READ_ERRORS, is_fingerprint, one_line
from builders.validate.pictures import Looked, look
from builders.validate.report import Collector, plain
from degrade.runs import Progress, read_json
from degrade.schema import Chain, Question
from degrade.shards import json_lines
from degrade.threads import bounded_map


def detect(folder: Path) -> Format | None:
    """The format of an export: as its summary says, else told by its files; None: it is none."""
    known = export.formats()
    try:
        named = read_json(folder / EXPORT).get("format")
    except READ_ERRORS:
        named = None
    if isinstance(named, str) and named in known:
        return known[named]
    return next((fmt for fmt in known.values() if fmt.detect(folder)), None)


@dataclass(frozen=True)
class _Listed:
    """Hex digests of a row's pictures as they were exported."""

    image: str
    clean: str


class ExportValidation:
    """One validation of an export's folder.

    Args:
        folder: The export.
        fmt: Its format.
        workers: Host threads.
        progress: Told rows done and in all.
    """

    def __init__(self, folder: Path, fmt: Format, workers: int, progress: Progress | None) -> None:
        self.folder, self.format = folder, fmt
        self.workers, self.progress = workers, progress
        self.found = Collector()
        self.info = self._info()
        self.listed = self._listed()
        self.levels = self.info.get("kind") == BENCHMARK
        self.across, self.balance = Across(), Balance()
        self._left = set(self.listed or ())
        self._splits: Counter[str] = Counter()

    def run(self) -> Collector:
        """All checks; what they found."""
        found = self.found
        with ThreadPoolExecutor(self.workers) as pool:
            for item, looked in bounded_map(pool, _looked, self._read(), 2 * self.workers):
                self._check(item, looked)
                if self.progress:
                    self.progress(found.rows, max(found.rows, len(self.listed or ())))
        for identity in sorted(self._left):
            found.add("lost_row", LISTED, repr(identity))
        self._counts()
        found.extend(self.across.near_duplicates())
        found.extend(self.balance.problems({CLEAN: UNDAMAGED} if self.levels else {}))
        found.facts |= self.balance.facts()
        for check in ("rows", "pictures", "duplicates", "leakage", "balance"):
            found.checks[check] = found.rows
        return found

    # ----------------------------------------------------------------------------------- files

    def _info(self) -> dict[str, Any]:
        self.found.checks["files"] += 1
        if not (self.folder / EXPORT).exists():
            detail = "nothing says what was exported"
            self.found.add("unmarked", EXPORT, detail)
            return {}
        try:
            info = read_json(self.folder / EXPORT)
        except READ_ERRORS as error:
            self.found.add("unreadable_file", EXPORT, one_line(error))
            return {}
        if info.get("format") != self.format.name:
            detail = f"format {info.get('format')!r}; the files are {self.format.name!r}"
            self.found.add("unreadable_file", EXPORT, detail)
        if not is_fingerprint(info.get("fingerprint")):
            detail = f"the data set's fingerprint is {info.get('fingerprint')!r}"
            self.found.add("fingerprint", EXPORT, detail)
        return info

    def _listed(self) -> dict[str, _Listed] | None:
        """Id -> hashes; None where there is no list."""
        path = self.folder / LISTED
        if not path.exists():
            if self.info:
                self.found.add("missing_file", LISTED, f"{EXPORT} is there without it")
            return None
        self.found.checks["files"] += 1
        listed: dict[str, _Listed] = {}
        number = 0
        try:
            for item in json_lines(path):
                listed[item["id"]] = _Listed(item["image"], item["clean"])
                number += 1
        except (*READ_ERRORS, KeyError, TypeError) as error:
            detail = f"{type(error).__name__}: {one_line(error)}"
            self.found.add("unreadable_file", f"{LISTED} beyond line {number}", detail)
            return None
        return listed

    def _read(self) -> Iterator[Found]:
        try:
            yield from self.format.read(self.folder)
        except READ_ERRORS as error:
            self.found.add("unreadable_file", self.format.name, one_line(error))

    def _counts(self) -> None:
        counted = self.info.get("counts")
        if not isinstance(counted, dict):
            return
        for split in dict.fromkeys([*counted, *self._splits]):
            if counted.get(split, 0) != self._splits[split]:
                detail = f"found {self._splits[split]} rows, counted {counted.get(split)!r}"
                self.found.add("counts", f"{EXPORT} {split}", detail)

    # ------------------------------------------------------------------------------------ rows

    def _check(self, item: Found, looked: Looked) -> None:
        found, where = self.found, f"{item.where} ({item.id})"
        found.extend(item.problems)
        if not item.id:  # a file that cannot be read, or not further
            return
        found.rows += 1
        for code, detail in (*looked.findings, *self._texts(item)):
            found.add(code, where, detail)
        split = plain(item.split or "")
        self._splits[split] += 1
        found.extend(self._identity(where, item, looked))
        listed = (self.listed or {}).get(item.id)
        clean = looked.clean_sha256 or (listed.clean if listed else "")
        side = None if self.levels else item.split  # levels show the same pictures on purpose
        found.extend(self.across.add(where, item.id, side, None, clean, looked.thumbnail))
        if item.prompt and looked.image_sha256:
            apart = item.id if self.levels else ""
            pair = (apart, item.prompt, *(item.choices or ()), looked.image_sha256)
            found.extend(self.across.repeated(where, {"duplicate_pair": pair}))
        types = item.types
        if types is None and isinstance(chain := Chain.parse(item.chain or ""), Chain):
            types = chain.types
        drawn = None if types is None else list(stages_of(types))
        self.balance.add(split, len(item.choices or ()), _place(item), drawn)

    def _texts(self, item: Found) -> Iterator[rows.Finding]:
        if item.placeholders is not None and item.placeholders != item.pictures:
            yield "placeholders", f"{item.placeholders} placeholders, {item.pictures} pictures"
        if item.chain is not None:
            self.found.checks["chains"] += 1
            yield from rows.chain(item.chain, item.types, item.answer)
        if item.choices is not None:
            self.found.checks["answers"] += 1
            question = item.prompt or ""
            asked = Question(question=question, choices=item.choices, answer=item.answer or "")
            yield from rows.answer(asked)

    def _identity(self, where: str, item: Found, looked: Looked) -> Iterator[Problem]:
        if self.listed is None:
            return
        if item.id not in self.listed:
            yield Problem("unlisted_row", where, f"{LISTED} has no {item.id!r}")
            return
        self._left.discard(item.id)
        self.found.checks["byte identity"] += 1
        listed = self.listed[item.id]
        for code, found, wanted in (
            ("image_bytes", looked.image_sha256, listed.image),
            ("clean_bytes", looked.clean_sha256, listed.clean),
        ):
            if found and found != wanted:
                yield Problem(code, where, f"sha256 {found[:12]}..., exported {wanted[:12]!r}...")


def _place(item: Found) -> int | None:
    """The answer's place among the choices; None where that cannot be told."""
    asked = Question(choices=item.choices or (), answer=item.answer or "")
    ambiguous = asked.answer in asked.choices and asked.answer.isdigit()  # the text "2" or option 2
    return None if ambiguous else asked.answer_index


def _looked(item: Found) -> tuple[Found, Looked]:
    needed = () if not item.id or _told_missing(item) else ("image",)
    looked = look(item.image, item.clean, None, needed)[0]
    return replace(item, image=None, clean=None), looked


def _told_missing(item: Found) -> bool:
    return any(problem.code == "missing_picture" for problem in item.problems)
