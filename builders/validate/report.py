"""What a check finds: problems counted by code, the rows looked at, the facts measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from rich.table import Table
from rich.text import Text

from builders.export.base import Problem
from degrade import console
from degrade.storage import Place

EXAMPLES = 5
"""Kept of each code; the rest is counted."""

LONGEST = 300
"""Characters of a text that a report repeats."""

Severity = Literal["error", "warning"]


class Code(NamedTuple):
    """What a code belongs to and means; warnings do not make a report fail."""

    check: str
    meaning: str
    severity: Severity = "error"


CODES: dict[str, Code] = {
    "unreadable_file": Code("files", "a file is damaged, from some row on or as a whole"),
    "missing_file": Code("files", "a file that belongs to the set is not there"),
    "foreign_file": Code("files", "a file beside the data that a loader would take for data"),
    "features": Code("files", "columns or their description for `datasets` are not the canonical"),
    "counts": Code("files", "other numbers than the summary says"),
    "recipe": Code("files", "recipe.yaml is not the recipe that the summary says was built"),
    "fingerprint": Code("files", "the summary's fingerprint is missing or not one"),
    "unmarked": Code("files", "no export.json: byte identity and counts unchecked", "warning"),
    "invalid_row": Code("rows", "a row is not of the schema"),
    "misplaced_row": Code("rows", "a row's split or use is not that of its file"),
    "unlisted_row": Code("rows", "a row that pictures.jsonl does not list"),
    "lost_row": Code("rows", "a row that pictures.jsonl lists is not there"),
    "missing_picture": Code("pictures", "no bytes, or no file"),
    "undecodable": Code("pictures", "not a picture, or broken"),
    "size": Code("pictures", "not of the recorded size, or of another than its counterpart"),
    "encoding": Code("pictures", "the degraded picture is not encoded as the row says"),
    "picture_name": Code("pictures", "the picture's name is not the row's"),
    "placeholders": Code("pictures", "as many placeholders as pictures are needed in the texts"),
    "image_bytes": Code("byte identity", "the degraded picture is not the recorded one"),
    "clean_bytes": Code("byte identity", "the clean picture is not the recorded one"),
    "chain_status": Code("chains", "an accepted row without a chain, or a refused one with one"),
    "malformed_chain": Code("chains", "the chain cannot be parsed, or not rendered to itself"),
    "chain_parts": Code("chains", "the chain's parts are not those of the row's columns"),
    "chain_types": Code("chains", "TYPE is not what was applied, in that order"),
    "chain_answer": Code("chains", "the chain's answer is not the row's"),
    "types": Code("records", "`types` is not what was applied"),
    "degradations": Code("records", "`degradations` is not what was applied"),
    "intensity_sum": Code("records", "`intensity_sum` is not the sum of the intensities"),
    "unknown_operator": Code("records", "no such operator here"),
    "operator_version": Code("records", "an operator of another version"),
    "operator_stage": Code("records", "an operator of another stage"),
    "short_side": Code("records", "recorded for a picture of another size"),
    "parameters": Code("records", "other parameters than the operator declares, or out of range"),
    "replay": Code("replay", "the record does not make the degraded picture of the clean one"),
    "not_a_choice": Code("answers", "the answer is none of the choices"),
    "repeated_choice": Code("answers", "a choice is offered twice"),
    "answer_columns": Code("answers", "`answer`, `answer_index` and `answer_text` do not agree"),
    "no_answer": Code("answers", "a question without an answer", "warning"),
    "answer_balance": Code("answers", "an option's place carries too many answers", "warning"),
    "duplicate_id": Code("duplicates", "an id twice"),
    "duplicate_name": Code("duplicates", "a picture's file name twice"),
    "duplicate_pair": Code("duplicates", "the same question about the same degraded picture"),
    "repeated_pair": Code("duplicates", "the same question about the same clean one", "warning"),
    "group_leak": Code("leakage", "a group in two splits"),
    "picture_leak": Code("leakage", "a clean picture in two splits"),
    "near_duplicate_leak": Code("leakage", "nearly the same picture in two splits"),
    "held_out_operator": Code("held out", "an operator that the split must not have"),
    "held_out_intensity": Code("held out", "an intensity that the split must not have"),
    "level_split": Code("levels", "a row's level, id or split is not that of the others"),
    "level_items": Code("levels", "an item that is not at every level"),
    "level_question": Code("levels", "an item that is asked or answered otherwise at a level"),
    "level_picture": Code("levels", "an item of another clean picture or group at a level"),
    "level_draws": Code("levels", "an item whose levels differ in more than strength"),
    "level_intensity": Code("levels", "an intensity other than the nominal one of its level"),
    "level_clean": Code("levels", "an undamaged row whose picture is not the clean one"),
    "clean_share": Code("balance", "more undamaged rows than damage to learn from", "warning"),
    "stage_balance": Code("balance", "a stage twice as frequent as another", "warning"),
    "intensity_balance": Code("balance", "intensities not uniform over those drawn", "warning"),
    "no_license": Code("licenses", "no license stated", "warning"),
    "unsure_license": Code(
        "licenses", "whether degraded pictures may be passed on is not known", "warning"
    ),
    "no_derivatives": Code(
        "licenses", "not to be passed on when degraded: publish the recipe alone", "warning"
    ),
}
"""Every code of this package; those of a format's reader count as errors of ``format``."""


def described(code: str) -> Code:
    """What a code means."""
    return CODES.get(code, Code("format", "what a loader of the format refuses or drops"))


def plain(text: str) -> str:
    """A text of unknown origin on a line of a report: escapes for what no terminal should get."""
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


@dataclass(frozen=True)
class Report:
    """The outcome of a validation.

    Attributes:
        folder: What was looked at.
        format: ``dataset`` or the name of an export's format.
        rows: Rows found, also unusable ones.
        counts: Code -> times it was found.
        examples: Code -> the first of them.
        checks: Check -> rows looked at (files, for ``files``).
        facts: What was measured; JSON.
    """

    folder: Place
    format: str
    rows: int
    counts: dict[str, int]
    examples: dict[str, tuple[Problem, ...]]
    checks: dict[str, int]
    facts: dict[str, Any]

    def codes(self, severity: Severity) -> dict[str, int]:
        """Times found of each code of a severity."""
        return {c: n for c, n in self.counts.items() if described(c).severity == severity}

    @property
    def ok(self) -> bool:
        """No error; there may be warnings."""
        return not self.codes("error")

    def table(self) -> Iterator[tuple[str, int, int]]:
        """Each check with the rows looked at and the problems found, warnings among them."""
        found = Counter[str]()
        for code, number in self.counts.items():
            found[described(code).check] += number
        for check in dict.fromkeys([*(code.check for code in CODES.values()), *found]):
            if check in self.checks or check in found:
                yield check, self.checks.get(check, self.rows), found[check]

    def of(self, folder: Place) -> Report:
        """The same about the folder that the one looked at is a copy of."""
        copy, named = str(self.folder), str(folder)
        examples = {
            code: tuple(replace(p, detail=p.detail.replace(copy, named)) for p in several)
            for code, several in self.examples.items()
        }
        return replace(self, folder=folder, examples=examples)

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "folder": str(self.folder),
            "format": self.format,
            "ok": self.ok,
            "rows": self.rows,
            "errors": sum(self.codes("error").values()),
            "warnings": sum(self.codes("warning").values()),
            "problems": [
                {
                    "code": code,
                    "severity": described(code).severity,
                    "meaning": described(code).meaning,
                    "count": number,
                    "examples": [
                        {"where": p.where, "detail": p.detail} for p in self.examples[code]
                    ],
                }
                for code, number in self.counts.items()
            ],
            "checks": [{"check": c, "rows": n, "problems": p} for c, n, p in self.table()],
            "facts": self.facts,
        }


@dataclass
class Collector:
    """Collects what a report says, row by row."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Problem]] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, code: str, where: str, detail: str) -> None:
        """Count a problem and keep it if it is among the first of its code."""
        self.counts[code] += 1
        kept = self.examples.setdefault(code, [])
        if len(kept) < EXAMPLES:
            kept.append(Problem(code, plain(where), plain(detail)))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems in order."""
        for problem in problems:
            self.add(problem.code, problem.where, problem.detail)

    def report(self, folder: Place, name: str) -> Report:
        """The finished report, errors first and codes in the order of :data:`CODES`."""
        order = {code: i for i, code in enumerate(CODES)}

        def rank(code: str) -> tuple[bool, int, str]:
            return described(code).severity == "warning", order.get(code, len(order)), code

        codes = sorted(self.counts, key=rank)
        return Report(
            folder,
            name,
            self.rows,
            {c: self.counts[c] for c in codes},
            {c: tuple(self.examples[c]) for c in codes},
            dict(self.checks),
            self.facts,
        )


def report_table(report: Report) -> None:
    """Print a report on the terminal: the checks, what is wrong with examples, the verdict."""
    table = Table("check", box=None)
    table.add_column("looked at", justify="right")
    table.add_column("problems", justify="right")
    for check, looked_at, problems in report.table():
        table.add_row(check, str(looked_at), Text(str(problems), "red" if problems else "green"))
    console.out.print(table)
    for code, number in report.counts.items():
        known = described(code)
        style = "red" if known.severity == "error" else "yellow"
        console.say(f"{known.severity} {code} ({number}): {known.meaning}", style)
        for problem in report.examples[code]:
            console.say(f"    {problem.where}: {problem.detail}")
        if number > len(report.examples[code]):
            console.say("    ...")
    errors, warnings = (sum(report.codes(s).values()) for s in ("error", "warning"))
    verdict = "valid" if report.ok else "not valid"
    console.say(
        f"{report.folder} ({report.format}, {report.rows} rows) is {verdict}: "
        f"{errors} errors, {warnings} warnings.",
        "green" if report.ok else "red",
    )
