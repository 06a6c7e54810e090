"""How well the checks of chains tell right from wrong.

    python benchmarks/checks.py                  # everything, about two minutes
    python benchmarks/checks.py --writer plain   # chains of fixed phrases, not the offline writer's

Prints the share of planted contradictions that are caught, per kind, by the check made for the kind
and by any; how many valid chains are refused, and in what time; and false alarms and misses of the
lexicon, and false alarms of the other checks of wording, on sentences labelled by hand.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from annotate import prose
from annotate.checks import CHECKS_VERSION, check
from annotate.lexicon import plain
from annotate.offline import write
from annotate.terms import LABELS
from annotate.testing import gold
from annotate.testing.cases import Case, plain_chain, rows
from annotate.testing.mutants import KINDS, Write, mutants
from annotate.views import damaged_view
from degrade.schema import Chain

GOLD = Path(__file__).parents[1] / "tests" / "data" / "claims.jsonl"
WRITERS: dict[str, Write] = {"offline": lambda row, q: write(row, q, None), "plain": plain_chain}
MANY = 200_000  # rows to draw from; generated as needed


def planted(writer: Write, each: int) -> dict[str, Any]:
    """Per kind: mutants made, caught by their own check, caught by any."""
    table = {}
    print("\n| planted contradiction | check | made | caught | by any |\n|---|---|---|---|---|")
    for name, kind in KINDS.items():
        made = own = any_ = 0
        source = (Case(writer(row, q), row, q) for row, q in rows(MANY, seed=1))
        for case, text in mutants(name, source, each, writer):
            codes = {f.code for f in check(Chain.parse(text), case.row, case.question, case.target)}
            made, own, any_ = made + 1, own + (kind.code in codes), any_ + bool(codes)
        table[name] = {"code": kind.code, "made": made, "caught": own, "any": any_}
        print(f"| {name.replace('_', ' ')} | {kind.code} | {made} | {own} | {any_} |", flush=True)
    return table


def valid(writer: Write, n: int) -> dict[str, Any]:
    """Valid chains refused, by code, and the time of the checks alone."""
    refused, codes, seconds, spoken = 0, Counter[str](), 0.0, 0
    examples: list[str] = []
    for row, question in rows(n):
        case = Case(writer(row, question), row, question)
        start = time.process_time()
        findings = check(*case, case.target)
        seconds += time.process_time() - start
        spoken += len(case.chain.render())
        refused += bool(findings)
        codes.update({f.code for f in findings})
        examples += [f"{row.id} {f.code}: {f.detail}" for f in findings[: 5 - len(examples)]]
    print(f"\nValid chains refused: {refused} of {n} {dict(codes) or ''}")
    print(f"Time of the checks: {seconds:.1f} s on one core, {spoken / n:.0f} characters a chain")
    print(*examples, sep="\n")
    return {"chains": n, "refused": refused, "codes": dict(codes), "seconds": round(seconds, 2)}


def labelled() -> dict[str, Any]:
    """False alarms and misses on the gold sentences."""
    sentences = gold.read(GOLD)
    result: dict[str, Any] = {}
    print("\n| gold sentences | number | false alarms | labels | missed |\n|---|---|---|---|---|")
    for kind, group in itertools.groupby(
        sorted(sentences, key=lambda s: s.kind), key=lambda s: s.kind
    ):
        items = list(group)
        scores = [gold.score(s) for s in items]
        labels, missed = sum(len(s.claims) for s in items), sum(len(x.missed) for x in scores)
        false = sum(bool(x.false) for x in scores)
        result[kind] = {"sentences": len(items), "false": false, "labels": labels, "missed": missed}
        print(f"| {kind} | {len(items)} | {false} | {labels} | {missed} |")
    for s in sentences:
        if any(gold.score(s)):
            print("   ", s.text, gold.score(s))
    views, faults = [], []
    scene = [s for s in sentences if s.place == "reasoning" and not s.claims]
    for s in scene:
        views += [
            (s.text, words) for _, words in damaged_view(plain(s.text), LABELS, frozenset())[:1]
        ]
    for s in sentences:
        faults += [(s.text, f) for f in list(prose.faults({"REASONING": s.text}, ""))[:1]]
    print(
        f"\ndamaged_view, all 16 recorded, no context: {len(views)} of {len(scene)} true sentences"
    )
    print(*(f"    {text} {words!r}" for text, words in views), sep="\n")
    print(f"leak, refusal, language and the like: {len(faults)} of {len(sentences)}", *faults)
    return result | {"damaged_view": len(views), "prose": len(faults), "scene": len(scene)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writer", choices=WRITERS, default="offline")
    parser.add_argument("--each", type=int, default=400, help="mutants of each kind")
    parser.add_argument("--chains", type=int, default=11_000, help="valid chains")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    args = parser.parse_args()
    writer = WRITERS[args.writer]
    print(f"Checks, version {CHECKS_VERSION}; chains of the {args.writer} writer.")
    figures = {
        "gold": labelled(),
        "valid": valid(writer, args.chains),
        "planted": planted(writer, args.each),
    }
    lost = [name for name, row in figures["planted"].items() if row["caught"] < row["made"]]
    few = [name for name, row in figures["planted"].items() if row["made"] < args.each]
    print(
        f"\n{len(KINDS)} kinds; not all caught: {lost or 'none'}; fewer than asked: {few or 'none'}"
    )
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
