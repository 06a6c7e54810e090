"""The page: what was asked and done, distributions, failures, pairs to look at, size, speed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from degrade import __version__, pages, plots, timing
from degrade.pages import Table
from degrade.plots import BINS
from degrade.report import asked
from degrade.report.pictures import SIDE, Pair, Seen, seen
from degrade.report.rows import Given, Reason, Tally, Told, looked_at
from degrade.schema import STAGES, describe, recorded
from degrade.storage import Place

BUDGET = 6_000_000
"""Bytes for all pictures of a page; it is to stay below 10 MB with a third added by base64."""

MOST = 24
"""Pairs on one page."""

_NOTHING = "-"
_MANY = 40  # reasons, splits or encodings beyond which a list says how many more there are


class Plot(NamedTuple):
    """A plot as SVG, with what it shows in words and as a table."""

    image: bytes
    alt: str
    table: Table
    wide: bool = False


def made(folder: Place, samples: int, source: Place | None = None) -> tuple[str, dict[str, Any]]:
    """The page of a run or data set, and what it counted.

    Args:
        folder: What ``synth`` or ``build`` wrote.
        samples: How many pairs to show, at most :data:`MOST`.
        source: Where the clean pictures of a folder run are, if they moved.

    Returns:
        The HTML; and ``rows``, ``clean``, ``failed``, ``samples`` for programs.

    Raises:
        UserError: Nothing to report on, not finished, or a file is damaged.
    """
    given = Given(folder)
    tally, chosen = looked_at(given, min(samples, MOST))
    pictures = list(seen(given, chosen, source, BUDGET))
    pairs = [_sample(row, found) for row, found in zip(chosen, pictures, strict=True)]
    page = pages.render("degrade", "report.html", _content(given, tally, pairs, samples))
    failed = sum(reason.count for reason in tally.quarantined.values())
    clean = sum(split.clean for split in tally.splits.values())
    refused = sum(reason.count for reason in tally.refused.values())
    counts = {"rows": tally.rows, "clean": clean, "failed": failed, "refused": refused}
    return page, {**counts, "samples": len(pairs)}


def _content(
    given: Given, tally: Tally, pairs: list[dict[str, Any]], asked_for: int
) -> dict[str, Any]:
    kind = "run" if given.is_run else "data set"
    command, needs_file = asked.command(given)
    failures = [("quarantine", tally.quarantined), ("refused", tally.refused)]
    name = given.folder.resolve().name
    return {
        "title": f"{'Run' if given.is_run else 'Data set'} “{name}”",
        "kind": kind,
        "script": pages.asset("compare.js"),
        "facts": _facts(given, tally),
        "asked": asked.lines(given),
        "command": command,
        "needs_file": needs_file,
        "recipe": asked.recipe_text(given),
        "done": _done(tally, given.is_run),
        "plots": _plots(tally),
        "by_source": tally.tagged,
        "failures": [_reasons(where, found) for where, found in failures if found],
        "samples": pairs,
        "samples_asked": asked_for,
        "side": SIDE,
        "size": _size(given, tally),
        "speed": _speed(given),
        "version": __version__,
    }


def _facts(given: Given, tally: Tally) -> list[tuple[str, str]]:
    failed = sum(reason.count for reason in tally.quarantined.values())
    facts = [("pictures" if given.is_run else "rows", f"{tally.rows:,}")]
    facts.append(("left clean", f"{sum(s.clean for s in tally.splits.values()):,}"))
    facts += [("in quarantine", f"{failed:,}"), ("operators", str(len(tally.stage_of)))]
    if tally.has_status:
        facts.append(("accepted chains", f"{sum(s.ok for s in tally.splits.values()):,}"))
    if not given.is_run:
        facts.append(("splits", str(len(tally.splits))))
    return facts


def _done(tally: Tally, is_run: bool) -> list[Table]:
    rows = tally.rows
    stages = [
        [stage, f"{tally.stages[stage]:,}", _share(tally.stages[stage], tally.stages.total())]
        for stage in STAGES
        if stage in tally.stages
    ]
    found = [Table.of("Operators applied, by stage", ["stage", "times", "share"], stages)]
    if not is_run:
        head = ["split", "rows", "left clean"] + ["accepted chains"] * tally.has_status
        splits = [
            [name or _NOTHING, f"{s.rows:,}", f"{s.clean:,}"] + [f"{s.ok:,}"] * tally.has_status
            for name, s in tally.splits.items()
        ]
        found.insert(0, Table.of("Splits", head, splits))
    numbers = [[str(n), f"{c:,}", _share(c, rows)] for n, c in sorted(tally.per_picture.items())]
    heads = ["operators on it", "pictures", "share"]
    return [*found, Table.of("Pictures by the number of operators", heads, numbers)]


def _plots(tally: Tally) -> list[Plot]:
    if not tally.names:
        return []
    stages = sorted(tally.by_stage, key=STAGES.index)
    tenths = [f"to {(i + 1) / BINS:g}" for i in range(BINS)]
    by_stage = Table.of(
        "Operators applied at each tenth of the intensities, by stage",
        ["stage", *tenths],
        [[s, *(f"{n:,}" for n in tally.by_stage[s])] for s in stages],
    )
    many = [[str(n), f"{c:,}"] for n, c in sorted(tally.per_picture.items())]
    counts, total = tally.operators, tally.rows
    by_operator = [
        [
            name.replace("_", " "),
            stage,
            f"{counts[name]:,}",
            _share(counts[name], total),
            f"{tally.strength[name] / 100 / sum(tally.intensities(name)):.2f}",
        ]
        for name, stage in tally.names
    ]
    each = [
        [name.replace("_", " "), *(f"{n:,}" for n in tally.intensities(name))]
        for name, _ in tally.names
    ]
    few = list(tally.splits.items())[:_COLUMNS]
    splits = {name or "all pictures": split for name, split in few}
    shares = {name: split.operators for name, split in splits.items()}
    sizes = {name: split.rows for name, split in splits.items()}
    maps = {name: split.intensities for name, split in splits.items() if split.intensities}
    left = len(tally.splits) - len(few)
    note = f" The first {len(few)} splits are drawn, {left} more are in the tables." if left else ""
    return [
        Plot(
            plots.svg(plots.stages(tally.by_stage)),
            "How often an operator was applied at each tenth of the intensities, by stage.",
            by_stage,
        ),
        Plot(
            plots.svg(plots.per_picture(tally.per_picture)),
            "Pictures by the number of operators applied to them.",
            Table.of("Pictures by the number of operators", ["operators on it", "pictures"], many),
        ),
        Plot(
            plots.svg(plots.operators(shares, sizes, tally.names)),
            "In what share of the pictures each operator was applied." + note,
            Table.of(
                "Operators",
                ["operator", "stage", "pictures", "share", "mean intensity"],
                by_operator,
            ),
            len(few) > 1,
        ),
        Plot(
            plots.svg(plots.intensities(maps, tally.names)),
            "How many pictures have an operator at each tenth of the intensities"
            + ("; a pale row: none in the split." if len(few) > 1 else ".")
            + note,
            Table.of("Pictures by operator and intensity", ["operator", *tenths], each),
            len(few) > 1,
        ),
    ]


_COLUMNS = 6  # splits that a plot draws side by side


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else _NOTHING


def _reasons(where: str, found: Mapping[str, Reason]) -> dict[str, Any]:
    ordered = sorted(found.items(), key=lambda pair: (-pair[1].count, pair[0]))
    texts = {
        "quarantine": "Sources that could not be used; all are in quarantine.jsonl.",
        "refused": "Rows of the data set without an accepted chain.",
    }
    return {
        "text": texts[where],
        "reasons": ordered[:_MANY],
        "more": max(0, len(ordered) - _MANY),
    }


def _sample(row: Told, found: Seen) -> dict[str, Any]:
    damage = describe(row.applied) or ", ".join(row.fields.get("source_tags") or ())
    choices = found.said.get("choices") or ()
    return {
        "id": row.id,
        "split": row.split,
        "damage": damage,
        "width": found.size[0],
        "height": found.size[1],
        "problem": found.problem,
        "shown": [
            _shown(pair, label)
            for pair, label in ((found.whole, "whole"), (found.detail, "detail"))
            if pair is not None
        ],
        "reduced": found.whole is not None and found.whole.width < found.size[0],
        "quality": found.whole.quality if found.whole else None,
        "record": [recorded(a) for a in row.applied],
        "json": json.dumps(
            [a.model_dump(mode="json") for a in row.applied], indent=1, ensure_ascii=False
        ),
        "question": found.said.get("question") or "",
        "choices": list(choices),
        "answer": found.said.get("answer_text") or "",
        "chain": found.said.get("chain") or "",
    }


def _shown(pair: Pair, label: str) -> dict[str, Any]:
    smallest = max(pair.width, pair.height)
    times = max(1, -(-192 // smallest))  # tiny pictures are shown larger, pixel by pixel
    return {"pair": pair, "label": label, "css": pair.width * times, "grown": times > 1}


def _bytes(count: float) -> str:
    from rich.filesize import decimal

    return decimal(round(count))


def _size(given: Given, tally: Tally) -> list[tuple[str, str]]:
    files, total = asked.disk(given.folder)
    found = [("files", f"{files:,}"), ("together", _bytes(total))]
    if tally.rows:
        both = ", clean picture and record included" if given.in_parquet else ""
        found.append(("a picture", f"{_bytes(total / tally.rows)}{both}"))
        found.append(("pixels, mean", f"{tally.pixels / tally.rows / 1e6:.2f} million"))
    for name, size in (("smallest", tally.smallest), ("largest", tally.largest)):
        if size:
            found.append((name, f"{size[0]} x {size[1]} pixels"))
    kept = tally.encodings.most_common(_MANY)
    found.append(("encoding", ", ".join(f"{name} ({n:,})" for name, n in kept) or _NOTHING))
    return found


def _machine(one: timing.Session) -> str:
    many = "an unknown number of" if one.workers is None else str(one.workers)
    return f"{one.device}, {many} {'workers of Ray' if one.engine == 'ray' else 'threads'}"


def _speed(given: Given) -> list[tuple[str, str]]:
    """What ``timing.json`` says; nothing where there is none or it says nothing."""
    sessions = [one for one in timing.read(given.folder) if one.sources] if given.is_run else []
    seconds = sum(one.seconds for one in sessions)
    if not seconds:
        return []
    sources, all_of_them = sum(one.sources for one in sessions), int(given.settings["sources"])
    machines = dict.fromkeys(map(_machine, sessions))
    found = [
        ("speed", f"{sources / seconds:.1f} source pictures a second"),
        ("time", f"{seconds:.1f} s at work, {len(sessions)} times" if sessions[1:] else
         f"{seconds:.1f} s"),
        ("on", "; ".join(machines)),
    ]  # fmt: skip
    if sources < all_of_them:
        text = f"{sources:,} of {all_of_them:,} sources; the rest was made in sessions cut short"
        found.append(("measured over", text))
    return found
